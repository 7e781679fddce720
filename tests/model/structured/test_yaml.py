"""YAML, settings and sections: lines stay lines, and what is left of YAML is YAML with the same values."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from model.prompt.structured import nodes
from tests.support.settling import check_tree, leaves, lines_are_lines, part_of, settle, subsets

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=60), st.sampled_from(("on", "1e3", "a: b"))
)
keys = st.text("abcdefg_-. #'Ä", min_size=1, max_size=8)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(keys, inner, max_size=5), max_leaves=25
)


@given(st.dictionaries(keys, values, min_size=1, max_size=6) | st.lists(values, min_size=1, max_size=6), st.data())
def test_any_leaves_make_yaml_of_the_same_values(value: object, data: st.DataObject) -> None:
    text = yaml.safe_dump(json.loads(json.dumps(value)), allow_unicode=True, width=30, sort_keys=False)
    assume("? " not in text)
    node = nodes(text, 0, len(text), "yaml")
    assert node is not None
    check_tree(text, 0, len(text), node)
    kept = data.draw(subsets(node))
    left = settle(text, node, lambda leaf: (leaf.start, leaf.end) in kept)
    assert lines_are_lines(text, left)
    assert not kept or part_of(yaml.safe_load(left), yaml.safe_load(text))


@pytest.mark.parametrize("indent", [2, 4])
@given(value=st.dictionaries(keys, values, min_size=1, max_size=6))
def test_all_leaves_make_the_text(value: object, indent: int) -> None:
    text = yaml.safe_dump(value, indent=indent, allow_unicode=True)
    node = nodes(text, 0, len(text), "yml")
    assert node is not None
    assert settle(text, node, lambda leaf: True).strip() == text.strip()


def kept_of(text: str, hint: str, *parts: str) -> str:
    """What is left when only the leaves stay in which one of the parts is."""
    node = nodes(text, 0, len(text), hint)
    assert node is not None
    return settle(text, node, lambda leaf: any(part in text[leaf.start : leaf.end] for part in parts))


POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: web
  labels:
    app: shop
spec:
  containers:
  - name: main
    image: shop:1.2
    ports:
    - containerPort: 80
  - name: side
    image: logger
"""


@pytest.mark.parametrize(
    ("text", "parts", "expected"),
    [
        (POD, ["app: shop"], "metadata:\n  labels:\n    app: shop"),
        (POD, ["logger"], "spec:\n  containers:\n  - name: side\n    image: logger"),
        (POD, ["80"], "spec:\n  containers:\n  - name: main\n    ports:\n    - containerPort: 80"),
        (
            "run: |\n  echo 1\n\n  # not a comment\n  echo 2\nname: x\n",
            ["echo 1"],
            "run: |\n  echo 1\n\n  # not a comment\n  echo 2",
        ),
        ("a:\n  # about b\n  b: 1\n  c: 2\n", ["b: 1"], "a:\n  # about b\n  b: 1"),
        ("---\na: 1\n---\na: 2\nb: 3\n", ["b: 3"], "---\nb: 3"),
        (
            "- spec:\n    x: 1\n    y: 2\n  kind: A\n  size: 3\n- kind: B\n",
            ["size"],
            "- spec:\n    x: 1\n    y: 2\n  size: 3",
        ),
        ("- spec:\n    x: 1\n    y: 2\n", ["y: 2"], "- spec:\n    y: 2"),
        ("a: [1,\n  2,\n  3]\nb: 2\n", ["3]"], "a: [1,\n  2,\n  3]"),
        ('"a b": &x\n  c: 1\nd: "two\n  lines"\n', ["lines"], 'd: "two\n  lines"'),
    ],
)
def test_what_stays_with_a_leaf(text: str, parts: list[str], expected: str) -> None:
    assert kept_of(text, "yaml", *parts) == expected


@pytest.mark.parametrize(
    ("text", "hint", "parts", "expected"),
    [
        ("A=1\nB=2\nC=3\n", "env", ["B=2"], "B=2"),
        ("[db]\nhost = a\nport = 1\n[log]\nlevel = 2\n", "ini", ["level"], "[log]\nlevel = 2"),
        ("x = 1\n[[t]]\ndeps = [\n  'a',\n  'b',\n]\ny = 2\n", "toml", ["'b'"], "[[t]]\ndeps = [\n  'a',\n  'b',\n]"),
        ('[t]\na = """\none\n[no]\n"""\nb = 1\n', "toml", ["one"], '[t]\na = """\none\n[no]\n"""'),
        ("[a]\nk = v\n  goes on\nl = w\n", "cfg", ["k ="], "[a]\nk = v\n  goes on"),
        ("[[a]]\nk = 1\n[a.b]\nl = 2\n[c]\nm = 3\n", "toml", ["l ="], "[[a]]\n[a.b]\nl = 2"),
        ("# note\n[a]\nk = don't (\nl = w\n", "ini", ["l ="], "[a]\nl = w"),
    ],
)
def test_settings(text: str, hint: str, parts: list[str], expected: str) -> None:
    assert kept_of(text, hint, *parts) == expected


def test_a_section_that_loses_its_lines_goes() -> None:
    text = "[a]\nx = 1\n\n[b]\ny = 2\n"
    node = nodes(text, 0, len(text), "toml")
    assert node is not None
    assert [text[leaf.start : leaf.end] for leaf in leaves(node)] == ["x = 1", "y = 2"]
    assert settle(text, node, lambda leaf: leaf.start < 8) == "[a]\nx = 1"


def test_question_marks_for_keys_are_read_as_lines() -> None:
    text = "? a\n: b\n"
    assert lines_are_lines(text, kept_of(text, "yaml", ": b"))
