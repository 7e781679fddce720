"""Paragraphs, lists, code, data and tagged elements of a stretch of text, one after the other."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace

import regex

from .containers import Container, containers
from .drafts import Reader
from .lines import ITEM_LABEL, Layout, Marker, TextLine, is_rule
from .sentences import quotation, trimmed

_BULLET = regex.compile(r"\s*(?:(?:[-*+•‣◦]|[\[(]?\d{1,4}[.)\]])\s+|[・·]\s*)\S")
_BLANK = regex.compile(r"\s*+")
_LONG_FIELD = 150  # characters behind a label that make its paragraph more than a form
_DATA = frozenset(
    "json jsonl yaml yml csv tsv table grid log trace listing ini toml env xml html text txt output".split()
)


@dataclass(frozen=True)
class Block:
    """Characters [start, end) without blank lines around them.

    Attributes:
        kind: "para", "list", "opaque" or "element".
        head: where its label ends; start where it has none.
        label: in small letters; "" where it has none.
        role: what is sure already: "code", "data", "document" for labelled ones; "" = to be found out.
        container: of an element.
    """

    kind: str
    start: int
    end: int
    head: int
    label: str = ""
    role: str = ""
    container: Container | None = None


def blocks_of(reader: Reader, start: int, end: int) -> list[Block]:
    """The blocks of text[start:end] in order; rules (---) belong to none."""
    blocks: list[Block] = []
    for block in _pieces(reader, start, end):
        before = blocks[-1] if blocks else None
        if before and _belongs(reader.text, before, block):
            blocks[-1] = replace(before, end=block.end)
        else:
            blocks.append(block)
    return blocks


def _belongs(text: str, before: Block, block: Block) -> bool:
    """Whether a block goes on with the one before: a list with its lead-in or another list, a label with its text."""
    if before.container or block.container:
        return False
    near = text[before.end : block.start].count("\n") < 3
    if before.label and not block.label and _BLANK.fullmatch(text, before.head, before.end):
        return True
    if block.kind == "list" and before.kind == "list":
        return True
    if block.kind == "list" and near and not before.role:
        return text[before.end - 1] in ":："
    return bool(before.label and before.role == "document" and block.kind == "list" and near)


def _pieces(reader: Reader, start: int, end: int) -> Iterator[Block]:
    layout = reader.layout
    held = containers(reader.text, start, end, layout)
    solid = [(c.start, c.end, _element(c)) for c in held]
    first = bisect_left(layout.opaque, start, key=lambda o: o.start)
    for stretch in layout.opaque[first : bisect_left(layout.opaque, end, key=lambda o: o.start)]:
        around = bisect_right(held, stretch.start, key=lambda c: c.start) - 1
        free = around < 0 or held[around].end <= stretch.start
        if free and _stands_alone(reader.text, stretch.start, start):
            role = "data" if stretch.kind in _DATA else "code"
            block = Block("opaque", stretch.start, min(stretch.end, end), stretch.start, "", role)
            solid.append((block.start, block.end, block))
    at = start
    for a, b, block in sorted(solid, key=lambda s: s[:2]):
        yield from _prose(reader, at, a)
        yield block
        at = b
    yield from _prose(reader, at, end)


def _element(container: Container) -> Block:
    return Block("element", container.start, container.end, container.head, "", container.role, container)


def _stands_alone(text: str, at: int, start: int) -> bool:
    """Whether a stretch begins a line that is not indented, as those in lists are."""
    before = text[max(start, at - 1) : at]
    return (
        not before
        or before in "\r\n"
        or text[max(start, at - 200) : at].rsplit("\n", 1)[-1].strip() == ""
        and at == start
    )


def _prose(reader: Reader, start: int, end: int) -> Iterator[Block]:
    """The paragraphs between blank lines and rules; where bullets begin in one, its list is another block."""
    lines = reader.layout.lines
    begin = -1
    last = start
    first = max(0, bisect_right(lines, start, key=lambda x: x.start) - 1)
    for line in lines[first : bisect_left(lines, end, key=lambda x: x.start)]:
        if line.end <= start and line.start < start:
            continue
        if line.blank or is_rule(reader.text, line):
            if begin >= 0:
                yield from _paragraph(reader, begin, last)
            begin = -1
        else:
            begin = max(line.start, start) if begin < 0 else begin
            last = min(line.end, end)
    if begin >= 0:
        yield from _paragraph(reader, begin, last)


def _paragraph(reader: Reader, start: int, end: int) -> Iterator[Block]:
    span = trimmed(reader.text, start, end)
    if span is None:
        return
    marker = _marker_at(reader.layout, start)
    bullet = _BULLET.match(reader.text, start, end)
    if marker and not bullet and (cut := _next_label(reader, marker, end)):
        yield from _paragraph(reader, start, cut)
        yield from _paragraph(reader, cut, end)
        return
    if marker and marker.label != ITEM_LABEL and not bullet and marker.end <= end:
        head = start if _has_label(reader.layout, start + 1, end) else marker.end  # of several, none is the block's
        yield Block("para", start, span[1], head, marker.label, "document")
    else:
        role = "document" if quotation(reader.text, *span) else ""
        yield Block("list" if bullet else "para", start, span[1], start, "", role)


def _next_label(reader: Reader, marker: Marker, end: int) -> int:
    """Where the next label of a paragraph begins, if what one of its labels opens is long; 0 where none does.

    The short lines of a form or a mail's head stay together.
    """
    markers = reader.layout.markers
    first = bisect_left(markers, marker.start, key=lambda m: m.start)
    found = [m for m in markers[first : bisect_left(markers, end, key=lambda m: m.start)] if m.label != ITEM_LABEL]
    edges = [*(m.start for m in found), end]
    long = any(b - m.end > _LONG_FIELD for m, b in zip(found, edges[1:], strict=True))
    return found[1].start if len(found) > 1 and long else 0


def _has_label(layout: Layout, start: int, end: int) -> bool:
    markers = layout.markers
    first = bisect_left(markers, start, key=lambda m: m.start)
    last = bisect_left(markers, end, key=lambda m: m.start)
    return any(marker.label != ITEM_LABEL for marker in markers[first:last])


def _marker_at(layout: Layout, start: int) -> Marker | None:
    markers = layout.markers
    i = bisect_left(markers, start, key=lambda m: m.start)
    return markers[i] if i < len(markers) and markers[i].start == start else None


def line_at(layout: Layout, at: int) -> TextLine:
    """The line that a character lies in."""
    return layout.lines[max(0, bisect_right(layout.lines, at, key=lambda line: line.start) - 1)]
