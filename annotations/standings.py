"""How two arms stand against each other after blind comparisons: wins, Wilson interval, sign test."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

_MIRRORED = {"left": "right", "right": "left"}


@dataclass(frozen=True)
class Standing:
    """Votes on one pair of arms with one target, whichever side each arm stood on.

    Every vote counts once. Votes of one person on the same answers are not independent: with many of those, `interval`
    is too narrow and `p` too small.

    Attributes:
        target: the LLM that answered.
        first: the arm whose name comes first in the alphabet (by Unicode).
        second: the other arm.
        first_wins: votes for it.
        second_wins: votes for it.
        equal: votes that say both are as good.
        neither: votes that say both are bad.
    """

    target: str
    first: str
    second: str
    first_wins: int = 0
    second_wins: int = 0
    equal: int = 0
    neither: int = 0

    @property
    def n(self) -> int:
        """All votes."""
        return self.decided + self.equal + self.neither

    @property
    def decided(self) -> int:
        """Votes that name a winner."""
        return self.first_wins + self.second_wins

    @property
    def share(self) -> float | None:
        """The first arm's share of the decided votes; the second's is the rest. None when nothing was decided."""
        return self.first_wins / self.decided if self.decided else None

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of `share`."""
        return wilson(self.first_wins, self.decided)

    @property
    def p(self) -> float:
        """p of the two-sided sign test: how likely a result at least this uneven is when both arms are equally good."""
        return sign_test(self.first_wins, self.second_wins)


def standings(counts: Iterable[tuple[str, str, str, str, int]]) -> list[Standing]:
    """Standings by target and names, from counts of votes: (target, left name, right name, winner, how many)."""
    pairs: dict[tuple[str, str, str], Counter[str]] = {}
    for target, left, right, winner, votes in counts:
        swapped = left > right
        pair = (target, right, left) if swapped else (target, left, right)
        pairs.setdefault(pair, Counter())[_MIRRORED.get(winner, winner) if swapped else winner] += votes
    return [
        Standing(*pair, result["left"], result["right"], result["equal"], result["neither"])
        for pair, result in sorted(pairs.items())
    ]


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """95 % Wilson score interval of a share (Wilson 1927, JASA 22, 209-212); (0, 1) without trials.

    >>> [round(end, 4) for end in wilson(8, 10)]
    [0.4902, 0.9433]
    """
    if not trials:
        return 0.0, 1.0
    interval = _binomial_test(successes, trials).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


def sign_test(wins: int, losses: int) -> float:
    """Exact two-sided p of so many wins and losses when both are equally likely; ties are left out (Dixon & Mood 1946).

    >>> round(sign_test(8, 2), 6), sign_test(0, 0)
    (0.109375, 1.0)
    """
    return float(_binomial_test(wins, wins + losses).pvalue) if wins + losses else 1.0


def _binomial_test(successes: int, trials: int) -> Any:
    """scipy's result; imported here because scipy.stats takes half a second to load, which exports do not need."""
    from scipy.stats import binomtest  # type: ignore[import-untyped]

    return binomtest(successes, trials)
