"""Texts made to be slow or to break a parser: every kind gives a tree or None, in linear time.

There is no limit on seconds here. What is not linear does not end.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.prompt.structured import find, nodes
from tests.support.settling import check_tree, leaves

N = 10_000
KINDS = (
    "json",
    "yaml",
    "ini",
    "xml",
    "diff",
    "table",
    "grid",
    "csv",
    "log",
    "trace",
    "listing",
    "python",
    "js",
    "bash",
    "sql",
)
TEXTS = {
    "brackets": "[" * 100_000,
    "braces": "{" * 100_000,
    "braces on lines": "a {\n" * N,
    "deep JSON": "[" * 10_000 + "]" * 10_000,
    "members without end": '{"a":' * N,
    "half-open strings": '{"a' * N,
    "escaped quotes": '"\\"' * N + '"',
    "calls in a row": "x" + "()" * N,
    "triple quotes": "\"\"\"\n'''\n" * N,
    "comments without end": "/* <!-- " * N,
    "templates": "`${" * N,
    "heredocs": "".join(f"cat <<E{i}\n" for i in range(N)),
    "tags without end": "<a>" * N,
    "end tags": "</a>" * N,
    "attributes without end": '<a "' * N,
    "list items": "<li>" * N,
    "deeper and deeper": "".join(" " * (i % 400) + "- a:\n" for i in range(5_000)),
    "keys": "a:\n  b: |\n" * N,
    "rules of tables": "|-|-|\n" * N,
    "bars": "|" * 100_000,
    "hunks": "--- a\n+++ b\n@@ -1 +1 @@\n" * N,
    "calls of a trace": "    at f (a.js:1:2)\n" * N,
    "quotes in cells": 'a,"b\n' * N,
    "sections": "[a]\nk = '''\n" * N,
    "decorators": "@d\n" * N,
    "blank lines": "x = (\n" + "\n" * N,
    "one word": "a" * 200_000,
    "dots": "a." * N,
    "spaces": " " * 100_000 + "x" + " " * 100_000,
    "mixed line ends": "a,b,c\r\n1,2,3\r4,5,6\n" * N,
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=list(TEXTS))
def test_hostile_texts_end(text: str) -> None:
    for start, end, kind in find(text, 0, len(text)):
        node = nodes(text, start, end, kind)
        assert node is not None
        check_tree(text, start, end, node)
    for kind in KINDS:
        node = nodes(text, 0, len(text), kind)
        if node is not None:
            check_tree(text, 0, len(text), node)


def test_a_table_with_a_million_cells() -> None:
    text = "a,b,c,d\n" + "1,2,3,4\n" * 250_000
    assert find(text, 0, len(text)) == [(0, len(text) - 1, "csv")]
    node = nodes(text, 0, len(text), "csv")
    assert node is not None and len(node.children) == 250_000


@pytest.mark.parametrize("kind", KINDS)
@given(text=st.text("{}[]()<>/\"'`:,-+@#|=.\\$&ab1 \t\n\r", max_size=80) | st.text(max_size=60))
def test_any_text_gives_a_tree_within_it(kind: str, text: str) -> None:
    node = nodes(text, 0, len(text), kind)
    if node is None:
        assert not text.strip() or kind in KINDS
        return
    check_tree(text, 0, len(text), node)
    assert all(leaf.whole or leaf.kind == "text" for leaf in leaves(node))
    for a, b, found in find(text, 0, len(text)):
        assert nodes(text, a, b, found) is not None
