"""Where in a text structured data is, and of what kind. Conservative: what could be prose is left alone."""

from __future__ import annotations

import re
from collections.abc import Iterator

from . import find_code, find_lines
from .json_values import SHORT_ARRAY, json_spans
from .lines import head, lines_of
from .markup import INLINE, PROSE
from .tags import Tag, elements, tags

Stretch = tuple[int, int, str]  # characters [start, end), kind

_BY_LINES = (
    ("diff", find_lines.diffs),
    ("trace", find_lines.traces),
    ("log", find_lines.logs),
    ("table", find_lines.pipe_tables),
    ("grid", find_lines.drawn_tables),
    ("listing", find_lines.listings),
    ("ini", find_lines.settings),
    ("yaml", find_code.yaml),
    ("csv", find_lines.separated),
)
_MEMBER = re.compile(r'"\s*:')
_ROLE_TAGS = frozenset(
    "answer answers assistant background context conversation data doc document document_content documents example "
    "examples formatting history human info input instruction instructions message messages output passage passages "
    "persona prompt query question questions response role rule rules scratchpad system task text thinking think "
    "tool tools tool_call tool_calls tool_result user turn turns".split()
)


def find(text: str, start: int, end: int) -> list[Stretch]:
    """The structured stretches of text[start:end] with their kinds, in order, in linear time.

    A kind is one that `nodes` takes as its hint: "json", "diff", "log", "python" ...

    >>> find('Records: [{"a": 1}, {"a": 2}]', 0, 29)
    [(9, 29, 'json')]
    """
    found: list[tuple[int, int, int, str]] = []  # start, place in the order of kinds, end, kind
    lines = lines_of(text, start, end)
    heads = [head(text, line) for line in lines]
    for order, (kind, finder) in enumerate(_BY_LINES):
        found += ((lines[a].start, order, lines[b - 1].end, kind) for a, b in finder(text, lines, heads))
    found += ((lines[a].start, 20, lines[b - 1].end, kind) for a, b, kind in find_code.code(text, lines, heads))
    found += ((a, -2, b, "json") for a, b in _json(text, start, end))
    found += ((a, -1, b, "xml") for a, b in _markup(text, start, end))
    return _without_overlaps(found)


def _without_overlaps(found: list[tuple[int, int, int, str]]) -> list[Stretch]:
    """What begins first wins."""
    stretches: list[Stretch] = []
    for start, _, end, kind in sorted(found):
        if not stretches or start >= stretches[-1][1]:
            stretches.append((start, end, kind))
    return stretches


def _json(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Values that begin a line or follow a colon, and end their line; values one below the other are one stretch."""
    first = last = -1
    for a, b in json_spans(text, start, end):
        if first >= 0 and text[last:a].isspace():
            last = b if _ends_line(text, b, end) else last
            continue
        if first >= 0:
            yield first, last
        first, last = (a, b) if _is_data(text, a, b, start, end) else (-1, -1)
    if first >= 0:
        yield first, last


def _is_data(text: str, a: int, b: int, start: int, end: int) -> bool:
    before = text[max(start, a - 200) : a]
    line = before[max(before.rfind("\n"), before.rfind("\r")) + 1 :]
    leads_in = not line.strip() or line.rstrip()[-1] in ":：→" or line.rstrip().endswith("->")
    has_member = text.find("{", a, b) >= 0 and _MEMBER.search(text, a, b) is not None
    return leads_in and _ends_line(text, b, end) and (has_member or text.count(",", a, b) >= SHORT_ARRAY)


def _ends_line(text: str, at: int, end: int) -> bool:
    return not text[at : min(end, at + 40)].split("\n", 1)[0].strip(" \t\r.;")


def _markup(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Elements that begin and end lines, hold other elements, and are not mostly prose; with "<?xml" in front."""
    all_tags = [tag for tag in tags(text, start, end) if tag.name not in INLINE]
    prose = [0]  # characters of long texts in front of each tag
    for before, tag in zip([start, *(tag.end for tag in all_tags)], all_tags, strict=False):
        prose.append(prose[-1] + (tag.start - before if tag.start - before > PROSE else 0))
    first = last = -1
    for a, b in elements(all_tags):
        opener, closer = all_tags[a], all_tags[b]
        if opener.start < last or not _is_markup(text, opener, closer, b - a - 1, prose[b + 1] - prose[a + 1], end):
            continue
        begin = all_tags[a - 1].start if a and _is_prolog(text, all_tags[a - 1], opener) else opener.start
        if first >= 0 and not text[last:begin].isspace():
            yield first, last
            first = -1
        first, last = (begin if first < 0 else first), closer.end
    if first >= 0:
        yield first, last


def _is_markup(text: str, opener: Tag, closer: Tag, inner: int, prose: int, end: int) -> bool:
    before = text[max(0, opener.start - 200) : opener.start]
    begins_line = not before.strip() or not before[max(before.rfind("\n"), before.rfind("\r")) + 1 :].strip()
    data = inner > 3 and prose * 2 < closer.end - opener.start and opener.name not in _ROLE_TAGS
    return data and begins_line and _ends_line(text, closer.end, end)


def _is_prolog(text: str, tag: Tag, opener: Tag) -> bool:
    return tag.name in ("<?", "<!", "!doctype") and not text[tag.end : opener.start].strip()
