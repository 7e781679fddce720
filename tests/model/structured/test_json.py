"""JSON: whatever leaves stay, what is left is JSON, and every object in it is part of one that was there."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.prompt.structured import find, nodes
from model.prompt.structured.lines import DEPTH
from model.prompt.tree import Node
from tests.support.settling import check_tree, leaves, lines_are_lines, part_of, settle, subsets

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=12) | st.dictionaries(st.text(max_size=6), inner, max_size=6)
)
containers = st.lists(values, max_size=12) | st.dictionaries(st.text(max_size=6), values, max_size=8)


@st.composite
def documents(draw: st.DrawFn) -> str:
    """JSON in one of the ways that people and programs write it."""
    text = json.dumps(
        draw(containers),
        indent=draw(st.sampled_from((None, 0, 2, "\t"))),
        separators=draw(st.sampled_from(((",", ":"), (", ", ": "), (" ,", " : ")))),
        ensure_ascii=draw(st.booleans()),
    )
    return text.replace("\n", draw(st.sampled_from(("\n", "\r\n")))) if "\\" not in text else text


@given(st.data(), documents(), st.sampled_from(("", "See: ", "\n\n")), st.sampled_from(("", "\n", " \r\n")))
def test_any_leaves_make_json_of_the_same_objects(data: st.DataObject, text: str, before: str, after: str) -> None:
    whole = before + text + after
    node = nodes(whole, len(before), len(whole), "json")
    assert node is not None
    check_tree(whole, len(before), len(whole), node)
    kept = data.draw(subsets(node))
    left = settle(whole, node, lambda leaf: (leaf.start, leaf.end) in kept)
    if kept:
        assert part_of(json.loads(left), json.loads(text))
    else:
        assert left == ""


@given(documents())
def test_all_leaves_make_the_text(text: str) -> None:
    node = nodes(text, 0, len(text), "json")
    assert node is not None
    assert settle(text, node, lambda leaf: True) == text


@given(
    st.lists(st.dictionaries(st.text(max_size=5), scalars, min_size=1, max_size=5), min_size=2, max_size=6), st.data()
)
def test_json_lines_stay_lines_of_json(records: list[dict[str, object]], data: st.DataObject) -> None:
    text = "\n".join(json.dumps(record) for record in records)
    node = nodes(text, 0, len(text), "jsonl")
    assert node is not None
    kept = data.draw(subsets(node))
    left = settle(text, node, lambda leaf: (leaf.start, leaf.end) in kept)
    for line in left.splitlines():
        assert any(part_of(json.loads(line), record) for record in records)


def texts_of(text: str, node: Node | None) -> list[str]:
    assert node is not None
    return [text[leaf.start : leaf.end] for leaf in leaves(node)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": -1, "b": [1, 2]}', ['"a": -1', '"b": [1, 2]']),
        ('[{"id": 7, "ok": true}, {"id": 8, "ok": null}]', ['"id": 7', '"ok": true', '"id": 8', '"ok": null']),
        ('{"at": {"x": 1.5e-3, "y": "a\\"}"}}', ['"x": 1.5e-3', '"y": "a\\"}"']),
        ('{"path": [[0, 1], [2, 3]], "tags": []}', ["[0, 1]", "[2, 3]", '"tags": []']),
        ("[1, 2, 3, 4, 5, 6, 7, 8, 9]", ["1", "2", "3", "4", "5", "6", "7", "8", "9"]),
        ('{"名": "値", "emoji": "\\ud83d\\ude00"}', ['"名": "値"', '"emoji": "\\ud83d\\ude00"']),
        ('{"a": 1, "\\u0061": 2}', ['{"a": 1, "\\u0061": 2}']),
    ],
    ids=["members", "records", "nested", "pairs", "long array", "unicode", "the same key twice"],
)
def test_leaves(text: str, expected: list[str]) -> None:
    assert texts_of(text, nodes(text, 0, len(text), "json")) == expected


@pytest.mark.parametrize(
    "text", ['{"a": 1', '{"a" 1}', "{'a': 1}", '{"a": 01}', '{"a": "x\ny"}', "[1, 2,]", '{"a": 1}}', '["']
)
def test_what_is_no_json_is_lines(text: str) -> None:
    """Fenced as JSON it is taken as lines; without a hint it is left alone."""
    node = nodes(text, 0, len(text), "json")
    assert node is not None
    assert lines_are_lines(text, settle(text, node, lambda leaf: leaf.start == node.start))
    assert find(text, 0, len(text)) == []


def test_a_broken_line_of_json_lines_is_whole() -> None:
    text = '{"a": 1, "b": 2}\n{"a": 3, "b\n{"a": 5, "b": 6}'
    assert texts_of(text, nodes(text, 0, len(text), "jsonl")) == ['"a": 1', '"b": 2', '{"a": 3, "b', '"a": 5', '"b": 6']


@pytest.mark.parametrize("opener, closer", ["[]", ('{"a":', "}")])
def test_any_depth_gives_a_shallow_tree(opener: str, closer: str) -> None:
    text = opener * 10_000 + "1" + closer * 10_000
    node = nodes(text, 0, len(text), "json")
    assert node is not None
    check_tree(text, 0, len(text), node)
    assert depth_of(node) <= DEPTH + 2


def depth_of(node: Node) -> int:
    return 1 + max((depth_of(child) for child in node.children), default=0)
