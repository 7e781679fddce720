"""Code -> strings, comments, brackets and line breaks, in linear time.

Nothing is looked for twice: where a string has no end, it is remembered up to where there is none.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from .languages import Language
from .lines import lines_of


class Piece(NamedTuple):
    """text[start:end] is a "string", a "comment", a line break ("line") or a bracket ("(" ...)."""

    kind: str
    start: int
    end: int


@lru_cache(maxsize=32)
def _pattern(language: Language) -> re.Pattern[str]:
    """What a piece begins with."""
    openers = "|".join(re.escape(opener) for opener, _ in language.long) or r"(?!)"
    heredoc = (
        r"(?<!<)<<[-~]?(?P<quote>[\"'`]?)(?P<word>[A-Za-z_]\w*)(?P=quote)" if language.heredoc else r"(?!)(?P<word>)"
    )
    letter = r"(?!)" if "'" in language.strings else r"'(?:\\[^\r\n]{1,8}?|[^'\\\r\n])'"
    return re.compile(
        rf"(?P<long>{openers})|(?P<comment>{language.comments})|(?:{heredoc})|(?P<string>[{language.strings}])"
        r"|(?P<bracket>[()\[\]{}])|(?P<escape>\\(?:\r\n|[\s\S])|" + letter + r")|(?P<line>\r\n|\n|\r)"
    )


_TO_END_OF_LINE = re.compile(r"[^\r\n]*")
_BODY = {quote: re.compile(rf"[^{quote}\\\r\n]*(?:\\(?:\r\n|[\s\S])[^{quote}\\\r\n]*)*") for quote in "\"'"}


def pieces(text: str, start: int, end: int, language: Language) -> Iterator[Piece]:
    """The pieces of text[start:end] in order; what lies between two of them is plain code and white space."""
    return _Scanner(text, end, language).scan(start)


@dataclass(slots=True)
class _Scanner:
    text: str
    end: int
    language: Language
    open_until: dict[str, int] = field(default_factory=dict)  # up to where no such quote follows
    missing: set[str] = field(default_factory=set)  # ends of long strings that do not come any more
    line_starts: dict[str, list[int]] | None = None  # where the lines are that could end a heredoc

    def scan(self, at: int) -> Iterator[Piece]:
        pattern = _pattern(self.language)
        while match := pattern.search(self.text, at, self.end):
            piece = self._piece(match)
            at = piece.end
            if piece.kind:
                yield piece

    def _piece(self, match: re.Match[str]) -> Piece:
        """The piece that begins with a match; of kind "" if it is only plain code."""
        start, end = match.span()
        if match["comment"] is not None:
            rest = _TO_END_OF_LINE.match(self.text, end, self.end)
            return Piece("comment", start, rest.end() if rest else end)
        if match["long"]:
            return self._long(match[0], start, end)
        if match["string"]:
            return self._string(match[0], start, end)
        if match["word"]:
            return self._heredoc(match["word"], start, end)
        return Piece("line" if match["line"] else match["bracket"] or "", start, end)

    def _string(self, quote: str, start: int, at: int) -> Piece:
        """A string on its line; without an end its quote is an apostrophe."""
        if start < self.open_until.get(quote, 0):
            return Piece("", start, at)
        body = _BODY[quote].match(self.text, at, self.end)
        stop = body.end() if body else at
        if stop < self.end and self.text[stop] == quote:
            return Piece("string", start, stop + 1)
        self.open_until[quote] = stop
        return Piece("", start, at)

    def _long(self, opener: str, start: int, at: int) -> Piece:
        closer = dict(self.language.long)[opener]
        stop = -1 if closer in self.missing else self._closer(closer, at)
        if stop < 0:
            self.missing.add(closer)
            return Piece("", start, at)
        return Piece("comment" if opener in ("/*", "{-", "--[[") else "string", start, stop)

    def _closer(self, closer: str, at: int) -> int:
        """Behind the next `closer`, in a string behind the next one that is not escaped; -1 without one."""
        escapes = closer[0] in "\"'`"
        while (found := self.text.find(closer, at, self.end)) >= 0:
            before = found
            while escapes and before > at and self.text[before - 1] == "\\":
                before -= 1
            if (found - before) % 2 == 0:
                return found + len(closer)
            at = found + 1
        return -1

    def _heredoc(self, word: str, start: int, at: int) -> Piece:
        """To the end of the line that is nothing but the word."""
        if self.line_starts is None:
            self.line_starts = {}
            for line in lines_of(self.text, start, self.end):
                if line.end - line.start <= 64:
                    self.line_starts.setdefault(self.text[line.start : line.end], []).append(line.start)
        starts = self.line_starts.get(word, [])
        later = bisect_right(starts, at)
        return Piece("string", start, starts[later] + len(word)) if later < len(starts) else Piece("", start, at)
