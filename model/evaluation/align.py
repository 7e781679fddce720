"""A prompt with its mask, also of methods that give only a text."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import InputError
from ..prompt import Prompt, parse
from ..prompt.token_kinds import is_break

MOST_EQUAL_PAIRS = 25_000_000  # of equal tokens in two texts that are aligned: some seconds


@dataclass(frozen=True)
class Masked:
    """A prompt and its mask; InputError unless `keep` has one entry per prompt token."""

    prompt: Prompt
    keep: Sequence[bool]

    def __post_init__(self) -> None:
        if len(self.keep) != len(self.prompt):
            raise InputError(f"a mask of {len(self.keep)} entries for {len(self.prompt)} prompt tokens: give one each")


@dataclass(frozen=True)
class Aligned:
    """A compressed text laid over its original.

    Attributes:
        keep: [n] which prompt tokens are in the text.
        matched: share, 0-1, of the text's tokens that were found in the prompt. Where it is low the method wrote words
            of its own, and the mask says little.
    """

    keep: list[bool]
    matched: float


def mask_of(prompt: Prompt, compressed: str) -> Aligned:
    """The mask behind a compressed text, for methods that give only text.

    The kept tokens are a longest common subsequence of the two texts' tokens. Of several, a token stands right before
    the next kept one where it can, since compressors keep runs. Raises InputError where the texts are too long.

    >>> mask_of(parse("A: 1. A: 2."), "A: 2.").keep
    [False, False, False, False, True, True, True, True]
    """
    have = _spellings(prompt)
    wanted = _spellings(parse(compressed)) if compressed.strip() else []
    found = _common(have, wanted)
    for k in reversed(range(len(found) - 1)):
        if have[found[k + 1] - 1] == have[found[k]]:
            found[k] = found[k + 1] - 1
    kept = set(found)
    return Aligned([i in kept for i in range(len(have))], len(found) / len(wanted) if wanted else 1.0)


def _common(have: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Where a longest common subsequence stands in `have` (Hunt and Szymanski 1977).

    >>> _common("abcab", "cxb")
    [2, 4]
    """
    places: dict[str, list[int]] = {}
    for i, text in enumerate(have):
        places.setdefault(text, []).append(i)
    if (pairs := sum(len(places.get(text, [])) for text in wanted)) > MOST_EQUAL_PAIRS:
        raise InputError(f"texts of {len(have):,} and {len(wanted):,} tokens share {pairs:,} pairs: too long to align")
    ends: list[int] = []  # [k] where the subsequence of length k + 1 that ends first ends
    chains: list[Any] = []  # [k] that subsequence backwards: (last, (last but one, ...))
    for text in wanted:
        for i in reversed(places.get(text, [])):
            k = bisect_left(ends, i)
            ends[k : k + 1], chains[k : k + 1] = [i], [(i, chains[k - 1] if k else None)]
    found, chain = [], chains[-1] if chains else None
    while chain:
        found.append(chain[0])
        chain = chain[1]
    return found[::-1]


def _spellings(prompt: Prompt) -> list[str]:
    """Token texts, all line breaks alike."""
    return ["\n" if is_break(token.text) else token.text for token in prompt.tokens]
