"""Budgets that hold for every method alike: a share of what some unit counts in the context, never more.

Units: `words`; `tokens`, the prompt tokens of `model.prompt`; `reader`, the target LLM's own subwords, which is what a
user pays for. Methods count in units of their own, so for each prompt the setting is looked for that comes as close to
the budget as it can from below.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...llm.causal import Target
from ...prompt import parse
from ...reader import Offsets, ReaderTokenizer, load_reader
from ..metrics.words import WORD

UNITS = ("words", "tokens", "reader")
TRIES = 8  # settings that are tried for one prompt and budget
CLOSE = 0.02  # of the budget may stay unused before another setting is tried
SMALLEST = 1e-3  # share that a method is asked for


@dataclass(frozen=True)
class Counter:
    """Counts the units of a text; `offsets` tells where each lies, in order."""

    unit: str
    offsets: Callable[[str], Offsets]

    @property
    def tokenizer(self) -> ReaderTokenizer | None:
        """The same for `CompressRequest`: None for prompt tokens, which it counts itself."""
        return None if self.unit == "tokens" else ReaderTokenizer(self.unit, self.offsets)

    def count(self, text: str) -> int:
        return len(self.offsets(text)) if text.strip() else 0

    def most(self, text: str, share: float) -> int:
        """How many a share of the text is: whole ones, rounded down."""
        return int(share * self.count(text) + 1e-9)

    def costs(self, text: str, spans: Sequence[tuple[int, int]]) -> list[int]:
        """How many begin in each (start, end) of the text."""
        starts = [start for start, _ in self.offsets(text)]
        return [bisect_left(starts, end) - bisect_left(starts, start) for start, end in spans]


def words_counter() -> Counter:
    return Counter("words", lambda text: [match.span() for match in WORD.finditer(text)])


def tokens_counter() -> Counter:
    return Counter("tokens", lambda text: [(token.start, token.end) for token in parse(text).tokens])


def reader_counter(reader: Target | str) -> Counter:
    """Of a target LLM, or a tokenizer by name (`model.reader.load_reader`)."""
    if isinstance(reader, str):
        return Counter("reader", load_reader(reader).offsets)
    return Counter("reader", lambda text: reader.encode_with_offsets(text)[1])


def share_within(compress: Callable[[float], str], counter: Counter, context: str, share: float) -> float:
    """The share to ask a method for, so that at most `share` of the context is left, and hardly less.

    Between a share that gives too much and one that gives too little the next is interpolated. A method that cannot
    give so little gets the share that gave the least.
    """
    total, most = counter.count(context), counter.most(context, share)
    low, high = (0.0, 0), (1.0, total)
    asked, least = share, (total + 1, share)
    for _ in range(TRIES):
        left = counter.count(compress(asked))
        least = min(least, (left, asked))
        if left <= most:
            low = (asked, left)
            if most - left <= max(CLOSE * most, 1):
                return asked
        else:
            high = (asked, left)
        asked = _between(low, high, most)
    return low[0] or least[1]


def _between(low: tuple[float, int], high: tuple[float, int], most: int) -> float:
    """A share between two of which the amounts are known, where the amount should be `most`; not at an end."""
    part = (most - low[1]) / max(high[1] - low[1], 1)
    return max(low[0] + min(max(part, 0.1), 0.9) * (high[0] - low[0]), SMALLEST)
