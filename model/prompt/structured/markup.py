"""XML and HTML -> nodes: an element's tags are its frame; tags and attributes are never cut.

Tags without an end are tolerated: they end where an element around them does.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import accumulate

from ..tree import Node
from .lines import DEPTH, leaf, parent
from .records import with_records
from .tags import Tag, elements, tags

PROSE = 120  # characters; longer text in an element is read as sentences, shorter is a value

_SELF_ENDING = frozenset("li p td th tr dt dd option".split())  # the next one ends the one before
INLINE = frozenset("a abbr b bdi bdo br cite code em i img kbd mark q s small span strong sub sup u var wbr".split())


@dataclass(slots=True)
class _Element:
    name: str
    start: int
    children: list[Node] = field(default_factory=list)

    def node(self, end: int) -> Node:
        """A whole leaf if it holds nothing, or nothing but a value."""
        if all(child.kind == "text" and child.whole for child in self.children):
            return leaf("element", self.start, end)
        return Node("element", self.start, end, tuple(self.children))


@dataclass(slots=True)
class _Reader:
    text: str
    at: int  # what stands before it has been read
    last: int  # behind what was read last, white space aside
    stack: list[_Element]
    names: Counter[str] = field(default_factory=Counter)  # of the elements that are open
    inline: bool = False  # the text being read holds tags such as <b>

    def take(self, tag: Tag) -> None:
        self.read_text(tag.start)
        if tag.kind == "open":
            self._open(tag)
        elif tag.kind == "close" and self.names[tag.name]:
            self._close(tag)
        else:
            self._add(leaf("note" if tag.name[0] == "<" else "element", tag.start, tag.end))
        self.at = self.last = tag.end

    def read_text(self, end: int) -> None:
        """The text since the last tag."""
        between = self.text[self.at : end]
        if bare := between.strip():
            start = self.at + len(between) - len(between.lstrip())
            self.last = start + len(bare)
            self._add(Node("text", start, self.last, whole=self.inline or len(bare) <= PROSE))
        self.inline = False

    def _open(self, tag: Tag) -> None:
        if self.stack[-1].name == tag.name and tag.name in _SELF_ENDING:
            self.pop(self.last)
        self.stack.append(_Element(tag.name, tag.start))
        self.names[tag.name] += 1

    def _close(self, tag: Tag) -> None:
        while self.stack[-1].name != tag.name:
            self.pop(self.last)
        self.pop(tag.end)

    def pop(self, end: int) -> None:
        done = self.stack.pop()
        self.names[done.name] -= 1
        self._add(done.node(end))

    def _add(self, node: Node) -> None:
        if len(self.stack) <= DEPTH:
            self.stack[-1].children.append(node)


def markup_nodes(text: str, start: int, end: int) -> Node | None:
    """The elements of XML or HTML; an element with nothing but a short text is a whole leaf. None without a tag.

    >>> text = "<r><x>1</x><y>2</y></r>"
    >>> [text[n.start : n.end] for n in markup_nodes(text, 0, 23).children[0].children]
    ['<x>1</x>', '<y>2</y>']
    """
    reader = _Reader(text, start, start, [_Element("", start)])
    all_tags = list(tags(text, start, end))
    inline = _inline(text, all_tags, start, end)
    for number, tag in enumerate(all_tags):
        if number in inline:
            reader.inline = True
        else:
            reader.take(tag)
    reader.read_text(end)
    while len(reader.stack) > 1:
        reader.pop(reader.last)
    children = reader.stack[0].children
    inside = [child for child in children if child.kind == "element"]
    if not inside:
        return None
    first, last = children.index(inside[0]), len(children) - children[::-1].index(inside[-1])
    node = parent("markup", children[first:last], children[0].start, children[-1].end)
    return with_records(text, node) if node else None


def _inline(text: str, all_tags: list[Tag], start: int, end: int) -> set[int]:
    """The numbers of the tags that are part of a text: an element such as <b> beside words, and what is in it."""
    borders = [start, *(tag.end for tag in all_tags)], [*(tag.start for tag in all_tags), end]
    words = [bool(text[a:b].strip()) for a, b in zip(*borders, strict=True)]  # in front of each tag, and at the end
    blocks = [0, *accumulate(tag.name not in INLINE for tag in all_tags)]  # tags of other elements in front of each
    alone = [(number, number) for number, tag in enumerate(all_tags) if tag.kind == "alone"]
    found: set[int] = set()
    last = -1
    for opener, closer in sorted([*elements(all_tags), *alone]):
        touches = words[opener] or words[closer + 1]
        if opener > last and touches and blocks[opener] == blocks[closer + 1]:
            found.update(range(opener, closer + 1))
            last = closer
    return found
