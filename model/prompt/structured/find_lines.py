"""Stretches of a text that are lines of tables, logs, listings, settings or diffs. One pass each over the lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from .diffs import FILE, HEADER, names_files
from .lines import HEAD, Line, tail
from .listings import BRANCH, COLUMNS, DIRECTORY, LS, MATCH, PATH, TOTAL
from .logs import ACCESS, FRAME_LINE, LOG_LEVEL, LOGFMT, STAMP, TRACE_HEAD
from .tables import BORDER, RULE, separators

Range = tuple[int, int]  # lines [first, last)

_HUNK_HEAD = re.compile(r"@@ -\d+(?:,(\d{1,9}))? \+\d+(?:,\d+)? @@")
_CORNER = re.compile(r"[-=]\+[-=]|^\+[-=]|[\u250c-\u254b\u2552-\u256c]")
_BAR = re.compile(r"[|│║┃]")
_NUMERIC = re.compile(r"\s*[-+]?[$€£]?\d[\d.,:/%-]*\s*$")
_DATED = re.compile(r"[\[(<]?(?:\d{4}[-/.]|[A-Z][a-z]{2} |\d\d[/.]|[IWEF]\d{4} )")
_CHAT = re.compile(r"[\])>\s-]*[A-Z][\w'’-]*(?: [A-Z][\w'’.-]*){0,2}:\s")
_LEVEL_SOON = re.compile(rf"[\])>\s|:,-]*(?:[^\s\[]{{1,60}}\s){{0,3}}[\[(<]?{LOG_LEVEL}\b")
_LEVEL_FIRST = re.compile(
    r"\[\s?(?:TRACE|DEBUG|INFO|WARN|WARNING|ERROR|FATAL|CRITICAL)\s?\]|"
    r"(?:DEBUG|INFO|WARNING|ERROR|CRITICAL):[\w.]+:\S|(?:TRACE|DEBUG|INFO|WARN|ERROR|FATAL)\s{1,3}[\[(\d]"
)
_STACK_LINE = re.compile(
    r"at (?:async )?[\w$.<>\[\]/ ]{1,200}\([^)]{0,300}\)?$|at (?:async )?\S{1,300}:\d+:\d+$|"
    r"File \"[^\"]{1,300}\", line \d+|from \S{1,300}:\d+:in |\.\.\. \d+ (?:more|common frames)"
)
_CHAINED = re.compile(r"(?:During handling of the above|The above exception was)\b")
_MESSAGE = re.compile(r"[A-Za-z_][\w.]{0,120}(?:: |$)")
_SUFFIX = re.compile(r"\.[A-Za-z]\w{0,7}(?:[:-]|$)")
_GAP = re.compile(r"\s{2,}|\t")
_SETTING = re.compile(r"(?:export )?[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*=|(?:export )?[a-z][\w-]*(?:\.[\w-]+)+\s?=(?!.*;$)")
_ASSIGNS = re.compile(r"[\w.\-\"']{1,80}\s*=")
_SECTION = re.compile(r"\[{1,2}[\w.:/ \"'-]{1,80}\]{1,2}$")


def runs(
    lines: Sequence[Line], belongs: Callable[[int], bool], goes_on: Callable[[int], bool] | None = None
) -> Iterator[Range]:
    """Longest ranges of lines that belong; lines that only go on with others may stand after the first."""
    first = last = -1
    for at, line in enumerate(lines):
        if line.start < line.end and belongs(at):
            first = at if first < 0 else first
            last = at + 1
        elif first >= 0 and not (goes_on and goes_on(at)):
            yield first, last
            first = -1
        elif first >= 0 and line.start < line.end:
            last = at + 1
    if first >= 0:
        yield first, last


def diffs(text: str, lines: Sequence[Line], heads: Sequence[str]) -> Iterator[Range]:
    """From "diff --git", "---" and "+++", or "@@" to the end of the last hunk."""
    first = last = -1
    old, place = 0, ""  # lines that the hunk's header still promises; in a file's "head", a "hunk" or the "gap" behind
    for at, line in enumerate(lines):
        blank = line.start == line.end
        if hunk := _HUNK_HEAD.match(heads[at]):
            old, place = int(hunk[1] or 1), "hunk"
        elif FILE.match(heads[at]) or (place != "head" and names_files(text, lines[at : at + 2])):
            place = "head"
        elif place == "hunk" and (old > 0 if blank else text[line.edge] in " +-\\"):
            old -= blank or text[line.edge] in " -"
        elif place and blank:
            place = "gap"
            continue
        elif not (place == "head" and HEADER.match(heads[at])):
            if first >= 0:
                yield first, last
            first, place = -1, ""
            continue
        first = at if first < 0 else first
        last = last if blank else at + 1
    if first >= 0:
        yield first, last


def pipe_tables(text: str, lines: Sequence[Line], heads: Sequence[str]) -> Iterator[Range]:
    """A row and a rule |---| below it, with all rows that follow; or three rows between bars."""

    def barred(at: int) -> bool:
        return "|" in heads[at]

    for first, last in runs(lines, barred):
        rule = next((at for at in range(first + 1, last) if RULE.match(heads[at])), 0)
        if rule:
            yield rule - 1, last
        elif last - first > 2 and all(_between_bars(text, line) for line in lines[first:last]):
            yield first, last


def _between_bars(text: str, line: Line) -> bool:
    return text[line.start] == "|" and text[line.end - 1] == "|"


def drawn_tables(text: str, lines: Sequence[Line], heads: Sequence[str]) -> Iterator[Range]:
    """Rows with a border +---+ among them."""

    def border(at: int) -> bool:
        return bool(_CORNER.search(heads[at]) and BORDER.match(tail(text, lines[at])))

    def drawn(at: int) -> bool:
        return bool(_BAR.search(heads[at])) or border(at)

    for first, last in runs(lines, drawn):
        borders = sum(border(at) for at in range(first, last))
        if borders and last - first - borders > 1 and any(border(at) for at in range(first, min(first + 2, last))):
            yield first, last


def separated(text: str, lines: Sequence[Line], heads: Sequence[str]) -> Iterator[Range]:
    """Three or more lines with as many tabs, or as many commas or semicolons that are no prose."""
    for separator in "\t,;":
        counts = [separators(text, line, separator) for line in lines]
        yield from _same(text, lines, counts, separator)


def _same(text: str, lines: Sequence[Line], counts: Sequence[int], separator: str) -> Iterator[Range]:
    """The ranges of lines that have the same number of separators and read like cells."""
    begin, least = 0, 1 if separator == "\t" else 2
    for at in range(1, len(lines) + 1):
        if at < len(lines) and counts[at] == counts[begin]:
            continue
        if at - begin > 2 and counts[begin] >= least and _are_cells(text, lines[begin:at], separator, counts[begin]):
            yield begin, at
        begin = at


def _are_cells(text: str, rows: Sequence[Line], separator: str, count: int) -> bool:
    """Cells are short, of two columns very short; after a comma there is no space, unless most cells are numbers."""
    sample = [text[row.start : row.end][:2000] for row in rows[:50]]
    cells = [cell for row in sample for cell in row.split(separator)]
    short = sum(len(cell) for cell in cells) <= (40 if count > 1 else 16) * len(cells)
    spaced = sum(cell[:1] == " " for cell in cells)
    numeric = sum(bool(_NUMERIC.match(cell)) for cell in cells)
    sentences = sum(row[-1] in ".!?:;," for row in sample)
    return (
        short
        and sentences * 2 < len(sample)
        and (separator == "\t" or spaced * 5 <= len(cells) or numeric * 2 >= len(cells))
    )


def logs(text: str, lines: Sequence[Line], heads: Sequence[str]) -> Iterator[Range]:
    """Two or more entries with a time and a date, or a time and a level; talk with times is none."""

    def entry(at: int) -> bool:
        begin = heads[at]
        stamp = STAMP.match(begin)
        if not stamp:
            return bool(ACCESS.match(begin) or _LEVEL_FIRST.match(begin) or LOGFMT.match(begin))
        if _LEVEL_SOON.match(begin, stamp.end()):
            return True
        return bool(_DATED.match(begin)) and not _CHAT.match(begin, stamp.end())

    def goes_on(at: int) -> bool:
        return lines[at].indent > 0 or bool(TRACE_HEAD.match(heads[at]) or FRAME_LINE.match(heads[at]))

    for first, last in runs(lines, entry, goes_on):
        if sum(entry(at) for at in range(first, min(last, first + 200))) > 1:
            yield first, last


def traces(text: str, lines: Sequence[Line], heads: Sequence[str]) -> Iterator[Range]:
    """A message and the calls below it, or two calls; a Python trace with the message at its end."""

    def belongs(at: int) -> bool:
        return bool(TRACE_HEAD.match(heads[at]) or _STACK_LINE.match(heads[at]) or _CHAINED.match(heads[at]))

    def goes_on(at: int) -> bool:
        if lines[at].start == lines[at].end:
            return bool(at + 1 < len(lines) and _CHAINED.match(heads[at + 1]) or at and _CHAINED.match(heads[at - 1]))
        above = at and (_STACK_LINE.match(heads[at - 1]) or lines[at - 1].indent > 0)
        return lines[at].indent > 0 or bool(above and _MESSAGE.match(heads[at]))

    for first, last in runs(lines, belongs, goes_on):
        calls = sum(bool(_STACK_LINE.match(heads[at])) for at in range(first, last))
        if calls > 1 or (calls and last - first > 2):
            yield first, last


def listings(text: str, lines: Sequence[Line], heads: Sequence[str]) -> Iterator[Range]:
    """What ls -l, tree, grep -n, find and ps print."""
    yield from _long_listings(lines, heads)
    yield from _columns(lines, heads)
    for test, least in ((_is_match, 2), (_is_path, 3)):
        for first, last in runs(lines, lambda at, test=test: test(heads[at])):  # type: ignore[misc]
            if last - first >= least and any(_names_a_file(heads[at]) for at in range(first, last)):
                yield first, last
    for first, last in runs(lines, lambda at: bool(BRANCH.match(heads[at]))):
        if last - first > 1:
            yield first - (first > 0 and bool(heads[first - 1]) and " " not in heads[first - 1]), last


def _is_match(begin: str) -> bool:
    """src/a.py:12: ..."""
    match = MATCH.match(begin)
    return match is not None and ("/" in match[0] or bool(_SUFFIX.search(match[0])))


def _names_a_file(begin: str) -> bool:
    """Whether a path has a suffix or several folders: "he/she" has neither."""
    return bool(_SUFFIX.search(begin)) or begin.count("/") + begin.count("\\") > 1


def _is_path(begin: str) -> bool:
    return len(begin) < HEAD and "://" not in begin and bool(PATH.match(begin))


def _long_listings(lines: Sequence[Line], heads: Sequence[str]) -> Iterator[Range]:
    """Lines of ls -l with their totals, and "src:" above a directory's."""

    def long_line(at: int) -> bool:
        return bool(LS.match(heads[at]) or TOTAL.match(heads[at]))

    def goes_on(at: int) -> bool:
        below = at + 1 < len(lines) and long_line(at + 1)
        return not heads[at] or (below and bool(DIRECTORY.match(heads[at])))

    for first, last in runs(lines, long_line, goes_on):
        if any(LS.match(heads[at]) for at in range(first, min(last, first + 3))):
            yield first - (first > 0 and bool(DIRECTORY.match(heads[first - 1]))), last


def _columns(lines: Sequence[Line], heads: Sequence[str]) -> Iterator[Range]:
    """Column names in capitals, and two or more lines below that have as many gaps or nearly so."""
    last = 0
    for at, begin in enumerate(heads):
        gaps = len(_GAP.findall(begin)) if at >= last and COLUMNS.match(begin) else 0
        if gaps > 1 or begin.startswith("Filesystem "):
            last = next((i for i in range(at + 1, len(lines)) if not _GAP.search(heads[i])), len(lines))
            if last - at > 2:
                yield at, last


def settings(text: str, lines: Sequence[Line], heads: Sequence[str]) -> Iterator[Range]:
    """Lines KEY=value of an .env file, and sections [name] with settings below."""

    def comment(at: int) -> bool:
        return not heads[at] or heads[at][0] in "#;"

    for first, last in runs(lines, lambda at: bool(_SETTING.match(heads[at])), lambda at: heads[at][:1] == "#"):
        if sum(bool(_SETTING.match(heads[at])) for at in range(first, last)) > 1:
            yield first, last
    opened = [bool(_SECTION.match(begin)) for begin in heads]
    for first, last in runs(lines, lambda at: opened[at] or bool(_ASSIGNS.match(heads[at])), comment):
        begin = next((at for at in range(first, last) if opened[at]), last)
        values = sum(not opened[at] and not comment(at) for at in range(begin, last))
        if values > 1:
            yield begin if begin > first + 3 else first, last
