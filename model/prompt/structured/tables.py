"""Tables -> nodes: the header is the frame, rows are whole leaves. Markdown, CSV, TSV, drawn borders."""

from __future__ import annotations

import re

from ..tree import Node
from .lines import Line, filled, head, leaf, lines_of, parent, tail

RULE = re.compile(r"[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$")  # |---|:--:|
BORDER = re.compile(r"(?=[^-=─━═]{0,99}[-=─━═])[+|\u2500-\u257f]?[-=+:|\u2500-\u257f]{3,}$")
_NUMBER = re.compile(r"[\s\"']*[-+]?[$€£]?\d[\d.,:/ -]*%?[\s\"']*$")
_QUOTED = re.compile(r'"(?:[^"]|"")*"')


def pipe_nodes(text: str, start: int, end: int) -> Node | None:
    """A Markdown table; what stands above the rule is the header. Lines with bars but without a rule are rows.

    >>> text = "| a | b |\\n|---|---|\\n| 1 | 2 |"
    >>> [text[n.start : n.end] for n in pipe_nodes(text, 0, len(text)).children]
    ['| 1 | 2 |']
    """
    lines = filled(lines_of(text, start, end))
    rules = [at for at, line in enumerate(lines[:3]) if RULE.match(head(text, line))]
    first = rules[0] + 1 if rules else 0
    rows = [leaf("row", line.start, line.end) for line in lines[first:]]
    if not rows:
        return parent("table", [leaf("row", lines[0].start, lines[-1].end)]) if lines else None
    return parent("table", rows, lines[0].start)


def drawn_nodes(text: str, start: int, end: int) -> Node | None:
    """A table with drawn borders: its first row is the header if a border stands below it and rows below that."""
    lines = filled(lines_of(text, start, end))
    borders = [at for at, line in enumerate(lines) if BORDER.match(tail(text, line))]
    inner = [at for at in borders if 0 < at < len(lines) - 1]
    first = inner[0] + 1 if inner else len(borders[:1]) if borders[:1] == [0] else 0
    body = _grid_rows(lines, first, set(borders)) if len(inner) > 1 else _line_rows(lines, first, set(borders))
    if not body:
        return None
    return parent("table", body, lines[0].start, lines[-1].end)


def _line_rows(lines: list[Line], first: int, borders: set[int]) -> list[Node]:
    return [leaf("row", lines[at].start, lines[at].end) for at in range(first, len(lines)) if at not in borders]


def _grid_rows(lines: list[Line], first: int, borders: set[int]) -> list[Node]:
    """Where borders stand between rows, a row is all lines up to the next border."""
    rows: list[Node] = []
    begin = first
    for at in (*sorted(border for border in borders if border >= first), len(lines)):
        if begin < at:
            rows.append(leaf("row", lines[begin].start, lines[at - 1].end))
        begin = at + 1
    return rows


def separated_nodes(text: str, start: int, end: int) -> Node | None:
    """CSV and TSV; the first row is the header unless it holds a number.

    >>> text = "name,age\\nAnn,31\\nBob,40"
    >>> [text[n.start : n.end] for n in separated_nodes(text, 0, len(text)).children]
    ['Ann,31', 'Bob,40']
    """
    rows = _separated_rows(text, filled(lines_of(text, start, end)))
    if not rows:
        return None
    cells = re.split(r"[,;\t|]", text[rows[0].start : rows[0].end][:4000])
    has_header = len(rows) > 1 and not any(_NUMBER.match(cell) for cell in cells)
    return parent("table", rows[has_header:], rows[0].start)


def _separated_rows(text: str, lines: list[Line]) -> list[Node]:
    """Rows as leaves; a quoted cell may hold line breaks. Where a quote has no end, every line is a row."""
    rows: list[Node] = []
    begin = -1
    for line in lines:
        odd = text.count('"', line.start, line.end) % 2 == 1
        if begin < 0 and odd:
            begin = line.start
        elif begin < 0 or odd:
            rows.append(leaf("row", line.start if begin < 0 else begin, line.end))
            begin = -1
    return rows if begin < 0 else [leaf("row", line.start, line.end) for line in lines]


def separators(text: str, line: Line, separator: str) -> int:
    """How many separators a line has outside of quotes."""
    row = text[line.start : line.end]
    return (_QUOTED.sub("", row) if '"' in row else row).count(separator)
