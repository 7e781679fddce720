"""TOML, INI, .env and properties -> nodes: a section's header is the frame of its lines, which are whole."""

from __future__ import annotations

import re

from ..tree import Node
from .lines import Line, filled, head, lines_of, parent, tail
from .nest import NestEntry, nest

_HEADER = re.compile(r"\[{1,2}[^\[\]=]{1,200}\]{1,2}\s*(?:[#;].*)?$")
_MULTILINE = re.compile(r"(\"\"\"|''')")
_OPENS = re.compile(r"=\s*(?:.*[\[{(,])?$")
_VALUES = 2000  # lines of one value at most; a bracket that is open longer was never meant to close


def section_nodes(text: str, start: int, end: int) -> Node | None:
    """Sections with their lines; a value over several lines stands or falls with its key."""
    entries: list[NestEntry] = []
    lines = filled(lines_of(text, start, end))
    open_names: list[str] = []  # [a.b] is part of the [a] above it
    at = 0
    while at < len(lines):
        line = lines[at]
        if _HEADER.match(head(text, line)) and line.end - line.start < 240:
            name = head(text, line).strip("[] \t")
            while open_names and not name.startswith(open_names[-1] + "."):
                open_names.pop()
            entries.append(NestEntry("section", line.start, line.end, (0, len(open_names))))
            open_names.append(name)
            at += 1
            continue
        last = _last_line(text, lines, at)
        entries.append(NestEntry("line", line.start, lines[last].end, (1,)))
        at = last + 1
    return parent("sections", nest(entries))


def _last_line(text: str, lines: list[Line], at: int) -> int:
    """The line with which the value ends that begins on line `at`."""
    first = lines[at]
    if text[first.start] in "#;":
        return at
    quote = _MULTILINE.search(tail(text, first))
    if quote and text.count(quote[1], first.start, first.end) % 2:
        later = range(at + 1, min(at + 1 + _VALUES, len(lines)))
        return next((i for i in later if quote[1] in text[lines[i].start : lines[i].end]), at)
    last = at
    while last + 1 < len(lines) and lines[last + 1].indent > first.indent:
        last += 1
    closes = last + 1 < len(lines) and text[lines[last + 1].start] in "]})"
    return last + 1 if closes and _OPENS.search(tail(text, first)) else last
