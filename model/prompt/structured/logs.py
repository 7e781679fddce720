"""Logs and stack traces -> nodes: an entry is a whole leaf, with the lines that go on with it."""

from __future__ import annotations

import re

from ..tree import Node
from .lines import filled, head, leaf, lines_of, parent
from .nest import CLOSE, PLAIN, NestEntry, nest

_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_CLOCK = r"\d{1,2}:\d\d:\d\d(?:[.,]\d{1,9})?"
_DATE = r"\d{4}[-/.]\d\d[-/.]\d\d"
LOG_LEVEL = (
    r"(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|ERR|FATAL|CRITICAL|CRIT|SEVERE|PANIC|"
    r"[Tt]race|[Dd]ebug|[Ii]nfo|[Nn]otice|[Ww]arn|[Ww]arning|[Ee]rror|[Ff]atal|[Cc]ritical)"
)
STAMP = re.compile(
    rf"""[\[(<]?(?: {_DATE}[T ]{_CLOCK}(?:\s?(?:Z|[+-]\d\d:?\d\d))?    # 2024-03-14 09:12:33,123
      | {_MONTH}\s+\d{{1,2}}\s(?:\d{{4}}\s)?{_CLOCK}                   # Mar 14 09:12:33
      | \d\d/{_MONTH}/\d{{4}}[: ]{_CLOCK}                              # 14/Mar/2024:09:12:33
      | \d\d[/.]\d\d[/.]\d{{2,4}},?\s{_CLOCK}
      | [IWEF]\d{{4}}\s{_CLOCK}                                        # I0314 09:12:33.123
      | {_CLOCK}
      | \d{{10}}(?:\d{{3}})?(?:\.\d+)?(?=\s) )[\])>]?""",
    re.VERBOSE,
)
ACCESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3} \S+ \S+ \[")  # 10.0.0.1 - - [14/Mar/2024:...
LEVEL_FIRST = re.compile(
    rf"(?:\[\s?{LOG_LEVEL}\s?\]|{LOG_LEVEL}(?:\[\d+\]|:|\s+[|\[(-]|\s+{_DATE}|\s+{_CLOCK}|\s{{2,}}\S))"
)
LOGFMT = re.compile(r"(?:time|ts|timestamp|level|lvl|at|t)=\S+ (?:\w+=\S+ ?){1,3}")
SERVICE = re.compile(r"[\w.-]{1,60}\s+\| (?=\S)")  # web_1  | ...

TRACE_HEAD = re.compile(
    r"(?:Traceback \(most recent call last\):|goroutine \d+ \[|panic: |thread '[^']*' panicked at |"
    r"(?:Exception in thread|Caused by|Suppressed)\b[^\n]{0,200}|"
    r"(?:Uncaught |Unhandled )?Error: |"
    r"(?:Uncaught |Unhandled )?(?:[\w$]{1,60}\.){0,12}[A-Z]\w{0,60}(?:Error|Exception|Failure|Fault)\b(?::.*)?$|"
    r"Stack trace:|Backtrace:|stack backtrace:)"
)
FRAME_LINE = re.compile(
    r"(?:at (?:async )?[\w$.<>\[\]/ #~`@-]{1,200}(?:\(.*\)|:\d+:\d+)?$|at \S|File \"[^\"]{1,300}\", line \d+|"
    r"from \S{1,300}:\d+:in |\.\.\. \d+ (?:more|common frames)|#\d+ |\d+: +(?:0x[0-9a-f]+|\w))"
)


def is_entry(begin: str) -> bool:
    """Whether a log entry begins like this."""
    return any(pattern.match(begin) for pattern in (STAMP, ACCESS, LEVEL_FIRST, LOGFMT))


def log_nodes(text: str, start: int, end: int) -> Node | None:
    """Entries as whole leaves. A line that does not begin like an entry goes on with the one above it."""
    lines = filled(lines_of(text, start, end))
    starts = [is_entry(head(text, line)) for line in lines]
    joined = sum(starts) * 2 >= len(lines) or any(starts[:1])
    entries: list[Node] = []
    for line, begins in zip(lines, starts, strict=True):
        if entries and not begins and joined and _goes_on(text, line.start, line.indent):
            entries[-1] = leaf("entry", entries[-1].start, line.end)
        else:
            entries.append(leaf("entry", line.start, line.end))
    return parent("log", entries)


def _goes_on(text: str, start: int, indent: int) -> bool:
    """Whether a line without a stamp belongs to the entry above: indented, or part of a stack trace."""
    begin = text[start : start + 200].split("\n", 1)[0].rstrip()
    return indent > 0 or bool(TRACE_HEAD.match(begin) or FRAME_LINE.match(begin))


def trace_nodes(text: str, start: int, end: int) -> Node | None:
    """A stack trace: its calls are whole leaves, each with the code shown below it; messages are frames.

    >>> text = "ValueError: bad\\n    at f (a.js:1:2)\\n    at g (b.js:3:4)"
    >>> [text[n.start : n.end] for n in trace_nodes(text, 0, len(text)).children[0].children]
    ['at f (a.js:1:2)', 'at g (b.js:3:4)']
    """
    entries: list[NestEntry] = []
    unnamed = False  # Python says below its calls what went wrong
    for line in filled(lines_of(text, start, end)):
        begin = head(text, line)
        if FRAME_LINE.match(begin):
            entries.append(NestEntry("call", line.start, line.end, (1,)))
        elif line.indent > 0 and entries and entries[-1].kind == "call":
            entries[-1].end = line.end
        elif line.indent > 0 and not TRACE_HEAD.match(begin):
            entries.append(NestEntry("call", line.start, line.end, (1,)))
        else:
            opens = begin.startswith("Traceback")
            entries.append(NestEntry("message", line.start, line.end, (0,), CLOSE if unnamed and not opens else PLAIN))
            unnamed = opens
    return parent("trace", nest(entries))
