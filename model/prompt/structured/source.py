"""Code -> nodes: a statement is a leaf, a header with its block a node."""

from __future__ import annotations

import re

from ..tree import Node
from .languages import language
from .lines import filled, head, lines_of, parent
from .nest import NestEntry, nest
from .statements import statements

_PROMPT = re.compile(r">>> ?|\$ |PS [^>\n]{0,80}> |[\w.-]{1,40}@[\w.-]{1,60}[:~][^\s$#]{0,80}[$#] |In \[\d+\]: ")
_PROMPT_GOES_ON = re.compile(r"\.\.\.(?: |$)| {2,}\.\.\.: ")


def code_nodes(text: str, start: int, end: int, name: str = "") -> Node | None:
    """The statements of code, one inside the other.

    >>> node = code_nodes("def f(x):\\n    y = x\\n    return y\\n", 0, 34, "python")
    >>> function, = node.children
    >>> [(n.kind, n.start, n.end) for n in function.children]
    [('statement', 14, 19), ('statement', 24, 32)]
    """
    entries = _session(text, start, end) or statements(text, start, end, language(name))
    return parent("code", nest(entries))


def _session(text: str, start: int, end: int) -> list[NestEntry]:
    """A session at a prompt: each command with its output below it; nothing if the text does not begin as one."""
    lines = filled(lines_of(text, start, end))
    if not lines or not _PROMPT.match(head(text, lines[0])):
        return []
    entries: list[NestEntry] = []
    for line in lines:
        begin = head(text, line)
        if _PROMPT_GOES_ON.match(begin) and entries and entries[-1].kind == "command":
            entries[-1].end = line.end
        else:
            is_prompt = bool(_PROMPT.match(begin))
            entries.append(
                NestEntry("command" if is_prompt else "line", line.start, line.end, (0 if is_prompt else 1,))
            )
    return entries
