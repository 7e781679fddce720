"""Lines with their offsets, and whole lines as leaves: what every kind of structured text has in common."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..tree import Node

DEPTH = 100  # levels of a tree; what lies deeper is a whole leaf, so that nobody who walks it needs more
HEAD = 400  # characters at either end of a line that tell what it is

_LINE = re.compile(r"([^\S\r\n]*)([^\r\n]*)(?:\r\n|\n|\r|\Z)")


class Line(NamedTuple):
    """A line without its break and without the white space around it: text[start:end].

    edge is where the line itself begins (column 0), indent the columns before `start`; a blank line has start == end.
    """

    edge: int
    start: int
    end: int
    indent: int


def lines_of(text: str, start: int, end: int) -> list[Line]:
    """The lines of text[start:end], blank ones included; "\\r\\n", "\\n" and "\\r" end a line."""
    lines: list[Line] = []
    for match in _LINE.finditer(text, start, end):
        if match.start() == end and lines:
            break
        white, body = match[1], match[2].rstrip()
        first = match.end(1) if body else match.start()
        indent = len(white.expandtabs(8)) if "\t" in white else len(white)
        lines.append(Line(match.start(), first, first + len(body), indent))
    return lines


def line_edge(text: str, at: int) -> int:
    """Where the line begins on which there is only white space before `at`; `at` itself where there is more."""
    edge = at
    while edge > 0 and text[edge - 1] in " \t":
        edge -= 1
    return edge if edge == 0 or text[edge - 1] in "\r\n" else at


def filled(lines: Iterable[Line]) -> list[Line]:
    """The lines that are not blank."""
    return [line for line in lines if line.start < line.end]


def head(text: str, line: Line) -> str:
    """The first characters of a line: enough to see what it is, however long the line."""
    return text[line.start : min(line.end, line.start + HEAD)]


def tail(text: str, line: Line) -> str:
    """The last characters of a line."""
    return text[max(line.start, line.end - HEAD) : line.end]


def leaf(kind: str, start: int, end: int) -> Node:
    """A leaf that stands or falls."""
    return Node(kind, start, end, whole=True)


def parent(kind: str, children: Sequence[Node], start: int | None = None, end: int | None = None) -> Node | None:
    """A node over its children, from `start` to `end` where its frame reaches further; None without children."""
    if not children:
        return None
    first = children[0].start if start is None else start
    last = children[-1].end if end is None else max(end, children[-1].end)
    return Node(kind, first, last, tuple(children))


def whole_lines(text: str, start: int, end: int, kind: str = "lines") -> Node | None:
    """Every line that is not blank as a whole leaf.

    >>> [(n.start, n.end) for n in whole_lines("one\\n\\n  two\\n", 0, 11).children]
    [(0, 3), (7, 10)]
    """
    return parent(kind, [leaf("line", line.start, line.end) for line in filled(lines_of(text, start, end))])
