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

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import regex

from ..errors import InputError
from .shots import bounds_of, common_opener, find_starts, kinds_of, scan_lines

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
    markers, paragraphs = scan_lines(text)
    if shot_starts is None:
        starts, opener = find_starts(text, markers, paragraphs)
    else:
        starts, opener = _checked_starts(text, shot_starts), None
    bounds = bounds_of(text, spans, starts)
    if shot_starts is not None:
        opener = common_opener(text, bounds, markers)
    kinds = kinds_of(text, bounds, markers, opener)
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
