"""A text as lines: what each begins with, and which of them lie in a fence or in structured data.

Everything here is read once, from left to right. Lines inside such a stretch open nothing: no label, heading or rule.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import regex

from .structured import find

_V = regex.V1 | regex.VERBOSE
_HEAD = 160  # characters of a line that a marker may take
_NESTED_FENCES = 1000  # shorter fences that may lie inside a longer one
_NAME_HEAD = r"\p{L}[\p{L}\p{M}'’/_\-]*+\.?+"
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,6})?)?(?:\s?[APap][Mm])?"
_TITLE = r"\s?\(\p{L}++:\s(?:[^\n()]++|\([^\n()]{0,80}+\)){1,40}+\)"  # "(Title: War and Peace)" after "Document [1]"

# "### Example 3:", "**Answer:**", "[00:12:03] Ann:", "Ann (10:02):", "问题：", and "## Example 2" alone on its line,
# "Document [1](Title: War and Peace)".
_LABEL = regex.compile(
    rf"""
    \s{{0,8}}+ (?![\-*+•]\s) (?:>\s?)?+ (?P<head>\#{{1,6}}+\s?+)?+ (?:[\[(]?{_CLOCK}[\])]?\s{{0,2}}[\-–]?\s{{0,2}})?+
    (?P<bracket> [*\-\[(<【（]{{0,4}}+ ) \s{{0,2}}+
    (?P<label> {_NAME_HEAD} (?:\s{_NAME_HEAD}){{0,2}}+ )
    (?:\s?[(\[]{_CLOCK}[)\]])?+ (?P<number> \s?[\#\[(（]?\d{{1,6}}+[\])）]?+ )?+
    (?P<close> \s{{0,2}}[*\])>】）]{{1,4}}+ )?+
    (?: \s{{0,2}}+ [:：](?!//) (?(number)(?!\d)) [*\])>]{{0,4}}+
      | (?(head)\s*+$|(?(number)(?<=[\]】])(?:{_TITLE}|(?=\s|$))|(?!))) )
    """,
    _V,
)
_CJK_NUMBER = regex.compile(r"(?<=\p{L})[一二三四五六七八九十]{1,3}$|(?<=\w )(?:[A-Z]|[IVX]{1,4})$")
_ITEM = regex.compile(r"\s{0,8}+ \*{0,2}+ [\[(]?+ (?P<number>\d{1,4}+) [.)\]、．] \*{0,2}+ (?=\s|$|(?<=[、．]))", _V)
_HEADING = regex.compile(r"[ ]{0,3}(#{1,6})[ \t]+[^\p{L}]*+\p{L}")  # not "#### 126"
_RULE = regex.compile(r"[ ]{0,3}(?:(?:[-*_=~•—─][ ]?){3,200}|\*{3,}|={3,}|-{3,})[ \t]*$")
_FENCE = regex.compile(r"[ \t]{0,12}(?:[-*+>]\s)?(`{3,}|~{3,})[ \t]*([^`\n]{0,60}?)[ \t]*$")
ITEM_LABEL = "#"


@dataclass(frozen=True, slots=True)
class TextLine:
    """Characters [start, end) of a line without its break; `after` is where the next one begins."""

    start: int
    end: int
    after: int
    blank: bool


@dataclass(frozen=True, slots=True)
class Marker:
    """A line that may open a shot, a document or a turn: text[start:end] is its label with decoration and colon.

    label is without number and in small letters ("document" of "Document 3:"), name is with it; ITEM_LABEL for "3.".
    """

    start: int
    end: int
    label: str
    name: str
    number: int
    after_blank: bool


@dataclass(frozen=True, slots=True)
class Opaque:
    """A stretch of code or data. body is what lies between the fences, if there are any; else the stretch itself."""

    start: int
    end: int
    kind: str
    body: tuple[int, int]

    @property
    def fenced(self) -> bool:
        return self.body != (self.start, self.end)


@dataclass(frozen=True)
class Layout:
    """The lines of a text, its opaque stretches, and what opens something outside of them."""

    lines: tuple[TextLine, ...]
    opaque: tuple[Opaque, ...]
    markers: tuple[Marker, ...]
    paragraphs: tuple[int, ...]

    def inside(self, at: int) -> Opaque | None:
        """The opaque stretch around a character, if there is one."""
        i = bisect_right(self.opaque, at, key=lambda stretch: stretch.start) - 1
        return self.opaque[i] if i >= 0 and at < self.opaque[i].end else None


def layout_of(text: str) -> Layout:
    """Read a text's lines."""
    lines = tuple(_lines(text))
    opaque = tuple(_opaque(text, lines))
    markers, paragraphs = _scan(text, lines, opaque)
    return Layout(lines, opaque, tuple(markers), tuple(paragraphs))


def _lines(text: str) -> Iterator[TextLine]:
    start = len(text) - len(text.lstrip("\ufeff"))
    for line in text[start:].splitlines(keepends=True):
        body = line.rstrip("\r\n\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")
        yield TextLine(start, start + len(body), start + len(line), not body or body.isspace())
        start += len(line)


def _opaque(text: str, lines: Sequence[TextLine]) -> Iterator[Opaque]:
    at = lines[0].start if lines else 0
    for fence in _fences(text, lines):
        yield from (Opaque(a, b, kind, (a, b)) for a, b, kind in find(text, at, fence.start))
        yield fence
        at = fence.end
    yield from (Opaque(a, b, kind, (a, b)) for a, b, kind in find(text, at, len(text)))


def _fences(text: str, lines: Sequence[TextLine]) -> Iterator[Opaque]:
    """Fenced stretches; one that nobody closes ends with its paragraph."""
    marks = [(i, match) for i, line in enumerate(lines) if (match := _fence(text, line))]
    closers: dict[str, list[int]] = {}
    for i, match in marks:
        if not match[2]:
            closers.setdefault(match[1][0], []).append(i)
    last = -1
    for i, match in marks:
        if i <= last:
            continue
        ends = closers.get(match[1][0], [])
        near = range(first := bisect_right(ends, i), min(len(ends), first + _NESTED_FENCES))
        last = next((ends[j] for j in near if len(_mark(text, lines[ends[j]])) >= len(match[1])), -1)
        if last < 0:
            last = next((j - 1 for j in range(i + 1, len(lines)) if lines[j].blank), len(lines) - 1)
            body = lines[i].after, lines[last].end
        else:
            body = lines[i].after, max(lines[i].after, lines[last - 1].end)
        yield Opaque(lines[i].start, lines[last].end, match[2].split(" ")[0].strip("{}.").casefold(), body)


def _fence(text: str, line: TextLine) -> regex.Match[str] | None:
    return _FENCE.match(text, line.start, min(line.end, line.start + 100)) if line.end - line.start < 100 else None


def _mark(text: str, line: TextLine) -> str:
    match = _fence(text, line)
    return match[1] if match else ""


def _scan(text: str, lines: Sequence[TextLine], opaque: Sequence[Opaque]) -> tuple[list[Marker], list[int]]:
    """All marker lines, and the offsets of lines that begin a paragraph (the first excepted)."""
    markers: list[Marker] = []
    paragraphs: list[int] = []
    blank, seen, at = True, False, 0
    for line in lines:
        while at < len(opaque) and opaque[at].end <= line.start:
            at += 1
        if line.blank:
            blank = True
            continue
        hidden = at < len(opaque) and opaque[at].start <= line.start
        marker = None if hidden else _marker(text[line.start : min(line.end, line.start + _HEAD)], line.start, blank)
        if marker:
            markers.append(marker)
        if blank and seen and not (hidden and opaque[at].start < line.start):
            paragraphs.append(line.start)
        blank, seen = False, True
    return markers, paragraphs


def _marker(line: str, start: int, after_blank: bool) -> Marker | None:
    """The marker at the head of a line: "Example 3: x" -> label "example", "2) x" -> label "#", number 2."""
    if match := _LABEL.match(line):
        name = " ".join(match["label"].split())
        label = _CJK_NUMBER.sub("", name).strip().casefold()
        name = (name + (match["number"] or "")).casefold()
        return Marker(start, start + match.end(), label, name, 0, after_blank) if len(label) <= 30 else None
    if match := _ITEM.match(line):
        return Marker(start, start + match.end(), ITEM_LABEL, ITEM_LABEL, int(match["number"]), after_blank)
    return None


def heading_level(text: str, line: TextLine) -> int:
    """How deep a Markdown heading is, from 1; 0 where the line is none."""
    match = _HEADING.match(text, line.start, min(line.end, line.start + _HEAD))
    return len(match[1]) if match else 0


def is_rule(text: str, line: TextLine) -> bool:
    """Whether a line is a rule: ---, ***, ====."""
    return line.end - line.start < _HEAD and bool(_RULE.match(text, line.start, line.end))
