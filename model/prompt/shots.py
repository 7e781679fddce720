"""Where the shots of a prompt begin, and what kind each is. `model.prompt.parse.parse` is what others call.

Lines are read once; a repeated label ("Question:"), rising numbers or blank lines say where a shot begins.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace

import regex

_V = regex.V1 | regex.VERBOSE

# "### Example 3:", "**Answer:**", "[Document 1]:", "问题：", and "## Example 2" alone on its line.
_LABEL = regex.compile(
    r"""
    \s{0,8}+ (?P<head>\#{1,6}+\s?+)?+ [*\-\[(<]{0,4}+ \s{0,2}+
    (?P<label> \p{L}[\p{L}\p{M}'’/_\-]*+ (?:\s\p{L}[\p{L}\p{M}'’/_\-]*+){0,2}+ )
    (?P<number> \s?[\#\[(]?\d{1,6}+[\])]?+ )?+
    \s{0,2}+ [*\])>]{0,4}+ \s{0,2}+
    (?: [:：](?!//) (?(number)(?!\d)) [*\])>]{0,4}+ | (?(head)\s*+$|(?!)) )
    """,
    _V,
)
_ITEM = regex.compile(r"\s{0,8}+ \*{0,2}+ [\[(]?+ (?P<number>\d{1,4}+) [.)\]] \*{0,2}+ (?=\s|$)", _V)
_ITEM_LABEL = "#"
_HEAD_OF_LINE = 120  # characters of a line that a marker may take

Bound = tuple[int, int, int, int]  # start, end, first token, last token of a shot


@dataclass(frozen=True, slots=True)
class Marker:
    """A line that may open a shot: text[start:end] is its label with decoration and colon."""

    start: int
    end: int
    label: str
    number: int
    after_blank: bool


def scan_lines(text: str) -> tuple[list[Marker], list[int]]:
    """All marker lines, and the offsets of lines that begin a paragraph (the first excepted)."""
    markers: list[Marker] = []
    paragraphs: list[int] = []
    start, blank, seen = 0, True, False
    for line in text.splitlines(keepends=True):
        if line.isspace():
            blank = True
        else:
            marker = _marker(line[:_HEAD_OF_LINE], start, blank)
            if marker:
                markers.append(marker)
            if blank and seen:
                paragraphs.append(start)
            blank, seen = False, True
        start += len(line)
    return markers, paragraphs


def _marker(line: str, start: int, after_blank: bool) -> Marker | None:
    """The marker at the head of a line: "Example 3: x" -> label "example", "2) x" -> label "#", number 2."""
    if match := _LABEL.match(line):
        label = " ".join(match["label"].casefold().split())
        return Marker(start, start + match.end(), label, 0, after_blank) if len(label) <= 30 else None
    if match := _ITEM.match(line):
        return Marker(start, start + match.end(), _ITEM_LABEL, int(match["number"]), after_blank)
    return None


def find_starts(text: str, markers: list[Marker], paragraphs: list[int]) -> tuple[list[int], str | None]:
    """Where shots start, and the label that opens them (None: plain paragraphs)."""
    opener = _opener(text, markers)
    chosen = [m for m in markers if m.label == opener] if opener else _items(text, markers, paragraphs)
    if not chosen:
        return paragraphs, None
    opener = chosen[0].label
    starts = [m.start for m in chosen]
    if cut := _trailing_paragraph(text, starts, _fields(markers, opener), paragraphs):
        starts.append(cut)
    if text[: starts[0]].isspace():
        starts[0] = 0
    return starts, opener


def _opener(text: str, markers: list[Marker]) -> str | None:
    """The repeated label that opens shots: the first to appear, blank lines before it preferred.

    A label that begins the text counts as set off by blank lines: "Q: a / A: b / Q: c / A:" -> "q".
    """
    groups: dict[str, list[Marker]] = {}
    for marker in markers:
        if marker.label != _ITEM_LABEL:
            groups.setdefault(marker.label, []).append(marker)
    repeated = {label: group for label, group in groups.items() if len(group) > 1}
    for label, group in repeated.items():
        begins = not text[: group[0].start].strip()
        if begins or all(m.after_blank for m in group[1:]):
            return label
    return next(iter(repeated), None)


def _items(text: str, markers: list[Marker], paragraphs: list[int]) -> list[Marker]:
    """Numbered items of rising number, if there are at least two; a nested list starting again is skipped.

    A list that starts again in another paragraph is a new one, and its first item begins with the paragraph.
    """
    items: list[Marker] = []
    for marker in markers:
        if marker.label != _ITEM_LABEL:
            continue
        paragraph = paragraphs[max(0, bisect_right(paragraphs, marker.start) - 1)] if paragraphs else 0
        if not items or marker.number > items[-1].number:
            items.append(marker)
        elif marker.number == 1 and items[-1].start < paragraph <= marker.start and not text[marker.start].isspace():
            items.append(replace(marker, start=paragraph))
    return items if len(items) > 1 else []


def _trailing_paragraph(text: str, starts: list[int], fields: list[Marker], paragraphs: list[int]) -> int | None:
    """Start of the text after the last demonstration, if every demonstration is one paragraph.

    A label that no demonstration has, such as the "Question:" after some documents, begins such a text, too.
    """
    tail = bisect_right(paragraphs, starts[-1])
    inside = paragraphs[bisect_right(paragraphs, starts[0]) : tail]
    if tail == len(paragraphs) or not set(inside) <= set(starts):
        return None
    cut = paragraphs[tail]
    after = [m.label for m in fields if m.start >= cut]
    if after and after[0] in {m.label for m in fields if m.start < cut}:
        return None
    return None if _is_unanswered(text, fields, (starts[0], starts[1]), (starts[-1], cut)) else cut


def _fields(markers: list[Marker], opener: str) -> list[Marker]:
    """The markers that count as fields of a shot; numbered lines only where they open the shots."""
    return [m for m in markers if m.label != _ITEM_LABEL or opener == _ITEM_LABEL]


def _is_unanswered(text: str, fields: list[Marker], first: tuple[int, int], last: tuple[int, int]) -> bool:
    """Whether the last block waits for an answer, judged against the first.

    True when its last field is empty ("Answer:"), when it has fewer labels, or when its last field is only
    the lead-in of a longer one in the first block ("A: Let's think step by step.").
    """
    model = [m for m in fields if first[0] <= m.start < first[1]]
    block = [m for m in fields if last[0] <= m.start < last[1]]
    if not block or not model:
        return False
    answer = text[block[-1].end : last[1]].strip()
    example = text[model[-1].end : first[1]].strip()
    lead_in = " " in answer and len(answer) < len(example) and example.startswith(answer)
    return not answer or lead_in or len({m.label for m in block}) < len({m.label for m in model})


def bounds_of(text: str, spans: list[tuple[int, int]], starts: list[int]) -> list[Bound]:
    """The bounds of each shot; a start that would leave a shot without a token is passed over."""
    ends = [end for _, end in spans]
    cuts = [(0, 0)]
    for start in starts:
        first = bisect_right(ends, start)
        if cuts[-1][1] < first < len(spans):
            cuts.append((min(start, spans[first][0]), first))
    cuts.append((len(text), len(spans)))
    return [(a, b, i, j) for (a, i), (b, j) in zip(cuts, cuts[1:], strict=False)]


def _opening_labels(text: str, bounds: list[Bound], markers: list[Marker]) -> list[str | None]:
    """The label on the first line of each shot, or None."""
    starts = [m.start for m in markers]
    labels: list[str | None] = []
    for start, end, _, _ in bounds:
        i = bisect_left(starts, start)
        opens = i < len(markers) and markers[i].start < end and not text[start : markers[i].start].strip()
        labels.append(markers[i].label if opens else None)
    return labels


def common_opener(text: str, bounds: list[Bound], markers: list[Marker]) -> str | None:
    """The first label that opens at least two of the given shots."""
    counts: dict[str, int] = {}
    for label in _opening_labels(text, bounds, markers):
        if label is not None:
            counts[label] = counts.get(label, 0) + 1
    return next((label for label, count in counts.items() if count > 1), None)


def kinds_of(text: str, bounds: list[Bound], markers: list[Marker], opener: str | None) -> list[str]:
    """The kind of each shot, given the label that opens demonstrations (None: all are "text")."""
    if opener is None:
        return ["text"] * len(bounds)
    labels = _opening_labels(text, bounds, markers)
    first = labels.index(opener)
    kinds = ["instruction"] * first + ["demonstration"] * (len(bounds) - first)
    fields = _fields(markers, opener)
    if labels[-1] != opener or _is_unanswered(text, fields, bounds[first][:2], bounds[-1][:2]):
        kinds[-1] = "query"
    return kinds
