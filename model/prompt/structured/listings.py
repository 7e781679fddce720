"""What commands print -> nodes: lines are whole leaves; "total 48" and column names are frames."""

from __future__ import annotations

import re

from ..tree import Node
from .lines import Line, filled, head, lines_of, parent
from .nest import NestEntry, nest

LS = re.compile(r"[bcdlps-][rwxsStT-]{9}[@+.]?\s+\d+\s+\S+")
TOTAL = re.compile(r"total \d+(?:\.\d+)?[KMGT]?$")
BRANCH = re.compile(r"[│|  \t]*(?:├──|└──|├─|└─|\|--|`--|\+--|\\--)[  ]?")
MATCH = re.compile(r"(?:\.{0,2}/)?[\w@+.~-][\w@+./~-]{0,200}(?::\d{1,7}(?::\d{1,5})?[:-]|-\d{1,7}-)")
PATH = re.compile(
    r"(?:\d{1,6}[.)]?\s+)?(?:[A-Za-z]:\\|~?\.{0,2}/)?[\w@+.~-]{1,120}(?:[/\\][\w@+.~-]{1,120}){1,40}[/\\]?$"
)
COLUMNS = re.compile(r"(?:[A-Z%#][A-Z0-9%()/_#:+-]*(?:\s{2,}|\s|$)){3,30}$|Filesystem\s+\S+\s+Used\b")
DIRECTORY = re.compile(r"(?:\.|[^:]{0,200}/)[^:]{0,200}:$")


def listing_nodes(text: str, start: int, end: int) -> Node | None:
    """Lines of a listing, each whole, below the header that they stand under.

    >>> text = "total 8\\n-rw-r--r-- 1 a b 4 x\\n-rw-r--r-- 1 a b 5 y"
    >>> node = listing_nodes(text, 0, len(text))
    >>> [(n.start, n.end) for n in node.children[0].children]
    [(8, 28), (29, 49)]
    """
    lines = filled(lines_of(text, start, end))
    if sum(bool(BRANCH.match(head(text, line))) for line in lines[:40]) >= 2:
        return _tree(text, lines)
    entries = [NestEntry("line", line.start, line.end, _level(text, line, at)) for at, line in enumerate(lines)]
    return parent("listing", nest(entries))


def _level(text: str, line: Line, at: int) -> tuple[int, ...]:
    """Headings of directories above totals and column names, those above everything else."""
    begin = head(text, line)
    if DIRECTORY.match(begin):
        return (0,)
    if TOTAL.match(begin) or (at == 0 and COLUMNS.match(begin)):
        return (1,)
    return (2,)


def _tree(text: str, lines: list[Line]) -> Node | None:
    """A drawn tree of directories: what hangs below a line is a child of it."""
    entries: list[NestEntry] = []
    for line in lines:
        branch = BRANCH.match(text, line.edge, min(line.end, line.edge + 400))
        depth = len(branch[0].expandtabs(4)) if branch else line.indent
        entries.append(NestEntry("line", line.start, line.end, (depth,)))
    return parent("listing", nest(entries))
