"""Unified diffs -> nodes: file headers and hunk headers are frames, a run of - and + lines is whole.

A minus without its plus would say that something was only taken away.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..tree import Node
from .lines import Line, filled, lines_of, parent
from .nest import NestEntry, nest

FILE = re.compile(r"diff |Index: |\*\*\* (?:Update|Add|Delete) File: ")
HEADER = re.compile(
    r"(?:index|old mode|new mode|deleted file mode|new file mode|copy (?:from|to)|rename (?:from|to)|"
    r"(?:dis)?similarity index|Binary files|GIT binary patch)\b|={20,}$|--- |\+\+\+ "
)

_FILE_LEVEL, _HUNK_LEVEL, _LINE_LEVEL = (0,), (1,), (2,)


def diff_nodes(text: str, start: int, end: int) -> Node | None:
    """Files, in them hunks, in them lines that stayed and runs of changed lines.

    >>> text = "@@ -1,2 +1,2 @@\\n a\\n-b\\n+c"
    >>> [text[n.start : n.end] for n in diff_nodes(text, 0, len(text)).children[0].children]
    ['a', '-b\\n+c']
    """
    entries: list[NestEntry] = []
    lines = filled(lines_of(text, start, end))
    in_header = False
    for at, line in enumerate(lines):
        if FILE.match(text, line.edge, line.end) or (not in_header and names_files(text, lines[at : at + 2])):
            entries.append(NestEntry("file", line.start, line.end, _FILE_LEVEL))
            in_header = True
        elif text.startswith("@@", line.edge):
            entries.append(NestEntry("hunk", line.start, line.end, _HUNK_LEVEL))
            in_header = False
        elif in_header and HEADER.match(text, line.edge, line.end):
            entries[-1].end = line.end
        else:
            _line(text, entries, line, text[lines[at - 1].edge] if at else "")
            in_header = False
    return parent("diff", nest(entries))


def names_files(text: str, lines: Sequence[Line]) -> bool:
    """Whether a file begins here without more ado: "--- a" and below it "+++ b"."""
    return len(lines) == 2 and text.startswith("--- ", lines[0].edge) and text.startswith("+++ ", lines[1].edge)


def _line(text: str, entries: list[NestEntry], line: Line, before: str) -> None:
    """A line of a hunk; a changed one goes on with the change right above it, but what is taken away behind what was
    put in, `before`, begins another."""
    mark = text[line.edge]
    goes_on = entries and entries[-1].kind == "change" and mark in "+-" and (before, mark) != ("+", "-")
    if entries and (mark == "\\" or goes_on):
        entries[-1].end = line.end
    else:
        entries.append(NestEntry("change" if mark in "+-" else "line", line.start, line.end, _LINE_LEVEL))
