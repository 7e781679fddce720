"""YAML -> nodes by its indentation: a key's line is the frame of what is indented below it.

Lines stay lines: the first member of a record in a list ("- name: x") stays with its dash and is the record's frame.
Not looked after: an alias (*x) may stay although its anchor (&x) goes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ..tree import Node
from .lines import HEAD, Line, filled, lines_of, parent
from .nest import NestEntry, nest
from .records import with_records

_DASHES = re.compile(r"(?:-[ \t]+)*-(?:[ \t]+|$)")
_KEY = re.compile(
    r"""(?: "(?:[^"\\]|\\.)*"\s* | '[^']*'\s* | [^\s"'\#\[\]{},&*!|>%@`-][^:]*(?::(?!\s|$)[^:]*)* | -[^\s:][^:]*)
        :(?=\s|$)""",
    re.VERBOSE,
)
_NO_VALUE = re.compile(r"\s*(?:[&!][^\s]*\s*)*(?:\#.*)?$")
_BLOCK_TEXT = re.compile(r"(?:[^#]*\s)?[|>][+-]?\d?[+-]?\s*(?:\#.*)?$")
_DOCUMENT = re.compile(r"(?:---|\.\.\.)(?:\s|$)")


@dataclass(slots=True)
class _Item:
    """A list item "- key: ..." whose further members may follow at the column of its key."""

    index: int  # of its entry
    column: int
    opens: bool  # its first member goes on below


@dataclass(slots=True)
class _Reader:
    text: str
    entries: list[NestEntry] = field(default_factory=list)
    items: list[_Item] = field(default_factory=list)
    comment: Line | None = None  # the first of the comments that wait for what they stand above
    scalar: int = -1  # lines deeper than this column go on with the value before
    block_text: bool = False  # that value is a text after "|" or ">", where nothing is a comment

    def line(self, line: Line) -> bool:
        """Take a line; False where this is no YAML that can be read line by line."""
        start = self.text[line.start]
        if self.scalar < line.indent and self.scalar >= 0 and (self.block_text or start != "#"):
            self.entries[-1].end = line.end
            return True
        if start == "#":
            self.comment = self.comment or line
            return True
        if start in "]}" and self.entries:
            self.entries[-1].end = line.end
            return True
        self._entry(line)
        return start != "?"

    def _entry(self, line: Line) -> None:
        head = self.text[line.start : min(line.end, line.start + HEAD)]
        while self.items and line.indent < self.items[-1].column:
            self.items.pop()
        if line.indent == 0 and _DOCUMENT.match(head):
            self._add("document", line, (-1,))
            self.scalar = -1
            return
        dashes = _DASHES.match(head)
        column = line.indent + (dashes.end() if dashes else 0)
        if self.items and not dashes and column == self.items[-1].column:
            self._next_member(self.items[-1])
        opens = self._opens(line, head[dashes.end() if dashes else 0 :], column if dashes is None else line.indent)
        self._add("item" if dashes else "member", line, (line.indent, 1 if dashes else 0))
        if dashes and _KEY.match(head, dashes.end()):
            self.items.append(_Item(len(self.entries) - 1, column, opens))
            self.scalar = self.scalar if self.scalar < 0 else column

    def _opens(self, line: Line, content: str, column: int) -> bool:
        """Whether lines below belong to this one as its children; else they go on with its value."""
        key = _KEY.match(content)
        value = content[key.end() :] if key else content
        if (key or not content) and _NO_VALUE.match(value):
            self.scalar, self.block_text = -1, False
            return True
        self.scalar = column
        self.block_text = line.end - line.start < HEAD and bool(_BLOCK_TEXT.match(value))
        return False

    def _next_member(self, item: _Item) -> None:
        """The item has a second member, so what lies below its first one is part of its frame."""
        if item.opens:
            self.entries[item.index].end = self.entries[-1].end
            del self.entries[item.index + 1 :]
            item.opens = False

    def _add(self, kind: str, line: Line, level: tuple[int, ...]) -> None:
        """An entry, with the comments above it if they are as deep; other comments stay with what is above them."""
        start = line.start
        if self.comment and self.comment.indent == line.indent:
            start = self.comment.start
        self._leave_comment(start)
        self.entries.append(NestEntry(kind, start, line.end, level))

    def _leave_comment(self, before: int) -> None:
        if self.comment and self.comment.start < before and self.entries:
            self.entries[-1].end = self.entries[-1].start + len(self.text[self.entries[-1].start : before].rstrip())
        self.comment = None

    def finish(self, end: int) -> list[NestEntry]:
        self._leave_comment(end)
        return self.entries


def yaml_nodes(text: str, start: int, end: int) -> Node | None:
    """Block mappings and lists of YAML; None where a line begins with "?".

    >>> node = yaml_nodes("a:\\n  b: 1\\n  c: |\\n    x\\n    y\\n", 0, 29)
    >>> [(n.start, n.end) for n in node.children[0].children]
    [(5, 9), (12, 28)]
    """
    reader = _Reader(text)
    for line in filled(lines_of(text, start, end)):
        if not reader.line(line):
            return None
    node = parent("yaml", nest(reader.finish(end)))
    return with_records(text, node) if node else None
