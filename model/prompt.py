"""Prompt text -> tokens and shots, and back to text. No torch here: masks and offsets outlive any model.

>>> p = parse("Sort.\\n\\nQ: 2+2?\\nA: 4\\n\\nQ: 3-4?\\nA:")
>>> [t.text for t in p.tokens[:8]]
['Sort', '.', '\\n\\n', 'Q', ':', '2', '+', '2']
>>> [(s.kind, p.text[s.start:s.end]) for s in p.shots]
[('instruction', 'Sort.\\n\\n'), ('demonstration', 'Q: 2+2?\\nA: 4\\n\\n'), ('query', 'Q: 3-4?\\nA:')]
>>> p.render([t.shot == 2 for t in p.tokens])
'Q: 3-4?\\nA:'
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import regex

from model.errors import InputError

WORD_LIMIT = 64  # characters in one word token; longer runs are cut

_V = regex.V1 | regex.VERBOSE
_BREAK = r"[\r\n\x0b\x0c\x1c-\x1e\x85\u2028\u2029]"  # what str.splitlines breaks on
_UNSPACED = r"[\p{Han}\p{Hiragana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"  # no spaces between words
_WORD = rf"[[\p{{L}}\p{{M}}\p{{N}}_]--{_UNSPACED}]"
_INNER = rf"(?:['’](?=\p{{L}})|[\u00ad\u200c\u200d]){_WORD}++"  # don't, l'été, Persian half spaces
_TAIL = rf"{_WORD}*+(?:{_INNER})*+"
_FREE = r"(?<![\p{L}\p{M}\p{N}_)\]}])"  # a sign here belongs to the number that follows

# Every alternative takes what it can without giving back, so one pass over the text is linear. Flags have
# their own alternative because \X counts back through all of them.
_TOKEN = regex.compile(
    rf"""
    (?P<line>  {_BREAK}++ )
  | (?P<word>  (?:{_FREE}[+\-−](?=\.?\d))?+ (?:(?<![\p{{L}}\p{{M}}\p{{N}}_)\]}}.])\.)?+
               \d++(?:[.,]\d++)*+ (?:[eE][+\-]?\d++)?+ {_TAIL}
             | {_WORD}++(?:{_INNER})*+ )
  | [\U0001F1E6-\U0001F1FF]{{2}}
  | ([\p{{P}}$+<=>^`|~\u2500-\u257f])\3*(?![\p{{M}}\u200d])
  | \p{{Grapheme_Cluster_Break=Prepend}}++(?=[\s\x1c-\x1f])  # \X would take the space, too
  | (?![\s\x1f])\X
    """,
    _V,
)
_SPACE = regex.compile(r"[\s\x1c-\x1f]")
_WORDLIKE = regex.compile(_WORD, _V)
_MARK = regex.compile(r"[\p{M}\u200d]")

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

_Bound = tuple[int, int, int, int]  # start, end, first token, last token of a shot


@dataclass(frozen=True, slots=True)
class Token:
    """A word, number, punctuation mark or run of line breaks: prompt.text[start:end] == text."""

    text: str
    start: int
    end: int
    shot: int


@dataclass(frozen=True, slots=True)
class Shot:
    """A block of the prompt: characters [start, end) and tokens [first, last).

    kind is "instruction", "demonstration", "query" or "text". The blank lines between two shots belong to the
    earlier one.
    """

    kind: str
    start: int
    end: int
    first: int
    last: int


@dataclass(frozen=True)
class Prompt:
    """A text with its tokens and shots; len() is the number of tokens."""

    text: str
    tokens: tuple[Token, ...]
    shots: tuple[Shot, ...]

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def shot_of(self) -> list[int]:
        """The shot of each token."""
        return [token.shot for token in self.tokens]

    def render(self, keep: Sequence[bool]) -> str:
        """The text of the kept tokens; byte for byte the original when all are kept.

        A token keeps the gap in front of it if its left neighbour is kept too. Where tokens were dropped
        between two kept ones, one space stands in if there was white space or if two words would fuse.

        >>> p = parse("The  cat sat\\non the mat.")
        >>> p.render([True, True, False, False, False, False, True, True])
        'The  cat mat.'

        Raises ValueError when keep has not exactly one entry per token.
        """
        return self.layout(keep)[0]

    def layout(self, keep: Sequence[bool]) -> tuple[str, list[tuple[int, int, int]]]:
        """The rendered text, and where in it each kept token stands: (token index, start, end).

        >>> parse("The cat sat").layout([True, False, True])
        ('The sat', [(0, 0, 3), (2, 4, 7)])
        """
        if len(keep) != len(self.tokens):
            raise ValueError(f"keep has {len(keep)} entries, but the prompt has {len(self.tokens)} tokens")
        out: list[str] = []
        places: list[tuple[int, int, int]] = []
        before, at = -1, 0  # index of the last kept token, characters written
        for i, token in enumerate(self.tokens):
            if not keep[i]:
                continue
            gap = ""
            if before == i - 1:
                gap = self.text[self.tokens[before].end if i else 0 : token.start]
            elif before >= 0:
                gap = self._joint(self.tokens[before], token)
            out += (gap, token.text)
            places.append((i, at + len(gap), at + len(gap) + len(token.text)))
            before, at = i, places[-1][2]
        if before == len(self.tokens) - 1:
            out.append(self.text[self.tokens[-1].end :])
        return "".join(out), places

    def _joint(self, left: Token, right: Token) -> str:
        """What to write between two kept tokens when those between them are dropped: a space or nothing."""
        if _is_break(left.text) or _is_break(right.text):
            return ""
        fuse = word_edges(left.text)[1] and word_edges(right.text)[0]
        return " " if fuse or _SPACE.search(self.text, left.end, right.start) else ""


@dataclass(frozen=True, slots=True)
class _Marker:
    """A line that may open a shot: text[start:end] is its label with decoration and colon."""

    start: int
    end: int
    label: str
    number: int
    after_blank: bool


def parse(text: str, shot_starts: Sequence[int] | None = None) -> Prompt:
    """Split a text into tokens and shots, in linear time.

    shot_starts: character offsets where shots begin, instead of detecting them (0 is implied, any order). An
    offset inside a token moves back to the token's start; a shot without a token joins the one before it.

    >>> [t.text for t in parse("Don't pay -3.5 or 1,234.50: 3-4 ####").tokens]
    ["Don't", 'pay', '-3.5', 'or', '1,234.50', ':', '3', '-', '4', '####']

    Raises InputError when the text is empty or not valid Unicode, or an offset lies outside it.
    """
    _check(text)
    spans = list(_token_spans(text))
    markers, paragraphs = _scan_lines(text)
    if shot_starts is None:
        starts, opener = _detect(text, markers, paragraphs)
    else:
        starts, opener = _checked_starts(text, shot_starts), None
    bounds = _bounds(text, spans, starts)
    if shot_starts is not None:
        opener = _common_opener(text, bounds, markers)
    kinds = _kinds(text, bounds, markers, opener)
    shots = tuple(Shot(kind, *bound) for kind, bound in zip(kinds, bounds, strict=True))
    tokens = tuple(Token(text[a:b], a, b, i) for i, s in enumerate(shots) for a, b in spans[s.first : s.last])
    return Prompt(text, tokens, shots)


def _check(text: str) -> None:
    if not text or text.isspace():
        raise InputError("The prompt is empty: give a text with at least one word.")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        code = ord(text[error.start])
        raise InputError(
            f"The prompt holds half a character (lone surrogate U+{code:04X}) at character {error.start}, "
            "counting from 0: remove it or decode the text again."
        ) from None


def _checked_starts(text: str, shot_starts: Sequence[int]) -> list[int]:
    for start in shot_starts:
        if not isinstance(start, int) or isinstance(start, bool) or not 0 <= start < len(text):
            raise InputError(f"Shot start {start!r} is not an offset from 0 to {len(text) - 1}: correct it.")
    return sorted(set(shot_starts))


# --- tokens ------------------------------------------------------------------------------------------------


def _token_spans(text: str) -> Iterator[tuple[int, int]]:
    """Character spans of all tokens in order."""
    for match in _TOKEN.finditer(text):
        start, end = match.span()
        while end - start > WORD_LIMIT and match.lastgroup == "word":
            cut = start + WORD_LIMIT
            while cut > start + 1 and _MARK.match(text, cut):
                cut -= 1  # a letter keeps its accents
            cut = cut if cut > start + 1 else start + WORD_LIMIT
            yield start, cut
            start = cut
        yield start, end


def word_edges(token: str) -> tuple[bool, bool]:
    """Whether the first and the last character of a token would fuse with a word written right beside it.

    >>> word_edges("3rd"), word_edges("+4"), word_edges("日")
    ((True, True), (False, True), (False, False))
    """
    return bool(_WORDLIKE.match(token[0])), bool(_WORDLIKE.match(token[-1]))


def _is_break(token: str) -> bool:
    return token[0].isspace()  # no other token begins with white space


# --- shots -------------------------------------------------------------------------------------------------


def _scan_lines(text: str) -> tuple[list[_Marker], list[int]]:
    """All marker lines, and the offsets of lines that begin a paragraph (the first excepted)."""
    markers: list[_Marker] = []
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


def _marker(line: str, start: int, after_blank: bool) -> _Marker | None:
    """The marker at the head of a line: "Example 3: x" -> label "example", "2) x" -> label "#", number 2."""
    if match := _LABEL.match(line):
        label = " ".join(match["label"].casefold().split())
        return _Marker(start, start + match.end(), label, 0, after_blank) if len(label) <= 30 else None
    if match := _ITEM.match(line):
        return _Marker(start, start + match.end(), _ITEM_LABEL, int(match["number"]), after_blank)
    return None


def _detect(text: str, markers: list[_Marker], paragraphs: list[int]) -> tuple[list[int], str | None]:
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


def _opener(text: str, markers: list[_Marker]) -> str | None:
    """The repeated label that opens shots: the first to appear, blank lines before it preferred.

    A label that begins the text counts as set off by blank lines: "Q: a / A: b / Q: c / A:" -> "q".
    """
    groups: dict[str, list[_Marker]] = {}
    for marker in markers:
        if marker.label != _ITEM_LABEL:
            groups.setdefault(marker.label, []).append(marker)
    repeated = {label: group for label, group in groups.items() if len(group) > 1}
    for label, group in repeated.items():
        begins = not text[: group[0].start].strip()
        if begins or all(m.after_blank for m in group[1:]):
            return label
    return next(iter(repeated), None)


def _items(text: str, markers: list[_Marker], paragraphs: list[int]) -> list[_Marker]:
    """Numbered items of rising number, if there are at least two; a nested list starting again is skipped.

    A list that starts again in another paragraph is a new one, and its first item begins with the paragraph.
    """
    items: list[_Marker] = []
    for marker in markers:
        if marker.label != _ITEM_LABEL:
            continue
        paragraph = paragraphs[max(0, bisect_right(paragraphs, marker.start) - 1)] if paragraphs else 0
        if not items or marker.number > items[-1].number:
            items.append(marker)
        elif marker.number == 1 and items[-1].start < paragraph <= marker.start and not text[marker.start].isspace():
            items.append(replace(marker, start=paragraph))
    return items if len(items) > 1 else []


def _trailing_paragraph(
    text: str, starts: list[int], fields: list[_Marker], paragraphs: list[int]
) -> int | None:
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


def _fields(markers: list[_Marker], opener: str) -> list[_Marker]:
    """The markers that count as fields of a shot; numbered lines only where they open the shots."""
    return [m for m in markers if m.label != _ITEM_LABEL or opener == _ITEM_LABEL]


def _is_unanswered(text: str, fields: list[_Marker], first: tuple[int, int], last: tuple[int, int]) -> bool:
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


def _bounds(text: str, spans: list[tuple[int, int]], starts: list[int]) -> list[_Bound]:
    """The bounds of each shot; a start that would leave a shot without a token is passed over."""
    ends = [end for _, end in spans]
    cuts = [(0, 0)]
    for start in starts:
        first = bisect_right(ends, start)
        if cuts[-1][1] < first < len(spans):
            cuts.append((min(start, spans[first][0]), first))
    cuts.append((len(text), len(spans)))
    return [(a, b, i, j) for (a, i), (b, j) in zip(cuts, cuts[1:], strict=False)]


def _opening_labels(text: str, bounds: list[_Bound], markers: list[_Marker]) -> list[str | None]:
    """The label on the first line of each shot, or None."""
    starts = [m.start for m in markers]
    labels: list[str | None] = []
    for start, end, _, _ in bounds:
        i = bisect_left(starts, start)
        opens = i < len(markers) and markers[i].start < end and not text[start : markers[i].start].strip()
        labels.append(markers[i].label if opens else None)
    return labels


def _common_opener(text: str, bounds: list[_Bound], markers: list[_Marker]) -> str | None:
    """The first label that opens at least two of the given shots."""
    counts: dict[str, int] = {}
    for label in _opening_labels(text, bounds, markers):
        if label is not None:
            counts[label] = counts.get(label, 0) + 1
    return next((label for label, count in counts.items() if count > 1), None)


def _kinds(text: str, bounds: list[_Bound], markers: list[_Marker], opener: str | None) -> list[str]:
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
