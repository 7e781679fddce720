"""XML and HTML: tags are never cut, elements stand around what stays of them."""

from __future__ import annotations

from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.prompt.structured import nodes
from tests.support.settling import check_tree, settle, subsets

names = st.sampled_from(("row", "x:y".replace(":", "-"), "Name", "v1", "_z", "b"))
attributes = st.dictionaries(names, st.text("a<>&\"' é", max_size=6), max_size=2)
contents = st.text("ab 1&<é\n", max_size=200)


@st.composite
def elements(draw: st.DrawFn, inner: st.SearchStrategy[str] | None = None) -> str:
    name = draw(names)
    start = name + "".join(f" {key}={quoteattr(value)}" for key, value in draw(attributes).items())
    body = "".join(draw(st.lists(inner, max_size=5))) if inner is not None else escape(draw(contents))
    return f"<{start}/>" if not body and draw(st.booleans()) else f"<{start}>{body}</{name}>"


def mixed(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return elements(st.one_of(inner, st.sampled_from(("\n  ", "<!-- a < b -->", "<![CDATA[<x>]]>", "text"))))


documents = elements(st.recursive(elements(), mixed, max_leaves=12))


@given(documents, st.data())
def test_any_leaves_make_well_formed_xml(text: str, data: st.DataObject) -> None:
    node = nodes(text, 0, len(text), "xml")
    assert node is not None
    check_tree(text, 0, len(text), node)
    kept = data.draw(subsets(node))
    left = settle(text, node, lambda leaf: (leaf.start, leaf.end) in kept)
    assert settle(text, node, lambda leaf: True) == text
    if kept:
        tags = [element.tag for element in ElementTree.fromstring(text).iter()]
        rest = iter(tags)
        assert all(element.tag in rest for element in ElementTree.fromstring(left).iter())


@pytest.mark.parametrize(
    ("text", "part", "expected"),
    [
        ("<a><x>1</x><y>2</y></a>", "2", "<a><y>2</y></a>"),
        ('<p n="<1>">\n <q/>\n <z k=\'"\'>v</z>\n</p>', "v<", '<p n="<1>">\n <z k=\'"\'>v</z>\n</p>'),
        ("<r><a>1</a><b>2</b></r>", "2", "<r><b>2</b></r>"),
        ("<ul><li>one<li>two</ul>", "two", "<ul><li>two</ul>"),
        (
            "<div><p>Some <b>bold</b> words.</p><br><img src=x></div>",
            "bold",
            "<div><p>Some <b>bold</b> words.</p></div>",
        ),
        ("<html><script>if (a < b) { x(); }</script><h1>T</h1></html>", "T<", "<html><h1>T</h1></html>"),
        ("<r><u>1<v>2</r><c>3</c>", "3", "<c>3</c>"),
        ("</x><k>1</k> a < b <c>", "1", "<k>1</k>"),
        ("<?xml version='1.0'?>\n<r><x>1</x><!-- no --><y>2</y></r>", "<x>", "<?xml version='1.0'?>\n<r><x>1</x></r>"),
    ],
)
def test_what_stays_with_a_leaf(text: str, part: str, expected: str) -> None:
    node = nodes(text, 0, len(text), "html")
    assert node is not None
    assert settle(text, node, lambda leaf: part in text[leaf.start : leaf.end]) == expected


def test_long_text_is_left_to_be_read_as_sentences() -> None:
    text = "<doc><id>7</id><body>" + "It rains today. " * 20 + "</body></doc>"
    node = nodes(text, 0, len(text), "xml")
    assert node is not None
    (document,) = node.children
    assert [child.whole for child in document.children] == [True, False]
    assert [(child.kind, child.whole) for child in document.children[1].children] == [("text", False)]
