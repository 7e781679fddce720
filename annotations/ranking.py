"""How all arms of an arena stand, from votes on pairs of them: a Bradley-Terry model with intervals.

Each arm has a strength p, and wins against another with probability p / (p + q) (Bradley and Terry 1952, Biometrika
39, 324-345), fitted by Hunter's iteration (2004, Annals of Statistics 32, 384-406). A vote for neither side is half a
win for both. So that an arm that never lost has a finite strength, each has also met an average arm (p = 1) once,
without a winner.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from annotations.standings import Standing

LEAST_VOTES = 10  # on an arm, before anything is said of it
_RESAMPLES = 500
_ITERATIONS = 60
_MOST_ARMS = 40  # that are fitted: those with most votes
_OUTCOMES = (1.0, 0.0, 0.5)  # of a vote, for the first arm of a pair

_Array = NDArray[np.float64]


@dataclass(frozen=True)
class RankedArm:
    """An arm after all votes on it.

    Attributes:
        name: the method, as people read it.
        wins, losses, ties: votes; a tie says that both answers were good, or both bad.
        share: its chance to win against an average one of the others; None where there are too few votes to tell.
        interval: 95 % interval of `share`, votes resampled.
    """

    name: str
    wins: int
    losses: int
    ties: int
    share: float | None = None
    interval: tuple[float, float] = (0.0, 1.0)

    @property
    def votes(self) -> int:
        """All votes on it."""
        return self.wins + self.losses + self.ties


def rank_arms(standings: Sequence[Standing]) -> list[RankedArm]:
    """All arms, the best first; those with fewer than `LEAST_VOTES` votes come last, without a share.

    >>> few, many = Standing("", "a", "b", 9, 0), Standing("", "a", "b", 16, 4)
    >>> [(arm.name, arm.wins, arm.share) for arm in rank_arms([few])]
    [('a', 9, None), ('b', 0, None)]
    >>> [(arm.name, arm.share is not None and round(arm.share, 2)) for arm in rank_arms([many])]
    [('a', 0.79), ('b', 0.21)]
    """
    counted = _counted(standings)
    names = sorted(counted, key=lambda name: (-counted[name].votes, name))[:_MOST_ARMS]
    enough = [name for name in names if counted[name].votes >= LEAST_VOTES]
    if len(enough) < 2:
        return sorted(counted.values(), key=lambda arm: (-arm.votes, arm.name))
    shares = dict(zip(names, _shares(names, standings), strict=True))
    ranked = [_with_share(counted[name], shares[name]) for name in enough]
    few = [arm for name, arm in counted.items() if name not in enough]
    return [
        *sorted(ranked, key=lambda arm: (-(arm.share or 0), arm.name)),
        *sorted(few, key=lambda arm: (-arm.votes, arm.name)),
    ]


def _counted(standings: Sequence[Standing]) -> dict[str, RankedArm]:
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for pair in standings:
        ties = pair.equal + pair.neither
        for name, wins, losses in (
            (pair.first, pair.first_wins, pair.second_wins),
            (pair.second, pair.second_wins, pair.first_wins),
        ):
            for at, votes in enumerate((wins, losses, ties)):
                counts[name][at] += votes
    return {name: RankedArm(name, votes[0], votes[1], votes[2]) for name, votes in counts.items()}


def _with_share(arm: RankedArm, shares: _Array) -> RankedArm:
    low, high = np.percentile(shares[1:], (2.5, 97.5))
    return RankedArm(arm.name, arm.wins, arm.losses, arm.ties, float(shares[0]), (float(low), float(high)))


def _shares(names: Sequence[str], standings: Sequence[Standing]) -> _Array:
    """[arms, 1 + resamples]: each arm's mean chance to win against the others, of the votes and of their resamples."""
    at = {name: i for i, name in enumerate(names)}
    pairs = [pair for pair in standings if pair.first in at and pair.second in at and pair.n]
    votes = np.array([[p.first_wins, p.second_wins, p.equal + p.neither] for p in pairs], dtype=np.float64)
    total = int(votes.sum())
    drawn = np.random.default_rng(0).multinomial(total, votes.ravel() / total, _RESAMPLES)
    counts = np.concatenate([votes.ravel()[None], drawn]).reshape(-1, *votes.shape)  # [resamples, pairs, outcomes]
    won = np.zeros((len(counts), len(names), len(names)))  # [resamples, arm, other]
    for i, pair in enumerate(pairs):
        points = counts[:, i] @ np.array(_OUTCOMES)
        won[:, at[pair.first], at[pair.second]] += points
        won[:, at[pair.second], at[pair.first]] += counts[:, i].sum(1) - points
    strength = _strengths(won)
    chance = strength[:, :, None] / (strength[:, :, None] + strength[:, None, :])
    others = chance.sum(2) - 0.5  # without itself
    shares: _Array = (others / (len(names) - 1)).T
    return shares


def _strengths(won: _Array) -> _Array:
    """[resamples, arms] from the points that each arm won against each other [resamples, arm, other]."""
    met = won + won.transpose(0, 2, 1)
    points = won.sum(2) + 0.5
    strength: _Array = np.ones(points.shape)
    for _ in range(_ITERATIONS):
        together = strength[:, :, None] + strength[:, None, :]
        strength = points / ((met / together).sum(2) + 1 / (strength + 1))
    return strength
