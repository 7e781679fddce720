"""Numbers from scores: calibration, accuracy, and bootstrap intervals over prompts and queries. numpy only.

Every measure is a matrix [prompts, queries] with the same queries in each row, so two methods are compared
cell by cell. A method that sees no demonstrations has one row, which stands for every prompt.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

RESAMPLES = 2000
LEVEL = 95  # per cent


@dataclass(frozen=True)
class Interval:
    """A mean with the ends of its 95 % bootstrap interval; None where there is no sound one."""

    mean: float
    low: float | None
    high: float | None

    def to_json(self) -> list[float | None]:
        return [None if x is None else round(x, 6) for x in (self.mean, self.low, self.high)]


def log_softmax(scores: Matrix) -> Matrix:
    """Log-probabilities that sum to one over the last axis."""
    shifted = scores - scores.max(-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(-1, keepdims=True)))


def calibrate(log_probs: Matrix) -> Matrix:
    """Batch calibration (Zhou et al. 2023): [..., queries, labels] -> log-probabilities, same shape.

    Each label's mean log-probability over the queries is the bias of prompt and target; it is subtracted and
    the rest renormalised over the labels. Needs queries that are balanced over the classes.

    >>> np.exp(calibrate(np.log([[0.9, 0.1], [0.6, 0.4]]))).round(3).tolist()
    [[0.71, 0.29], [0.29, 0.71]]
    """
    return log_softmax(log_probs - log_probs.mean(-2, keepdims=True))


def gold_nll(log_probs: Matrix, gold: NDArray[np.int64]) -> Matrix:
    """[prompts, queries, labels] and the gold class of each query -> nats [prompts, queries]."""
    return -np.take_along_axis(log_probs, gold[None, :, None], axis=-1)[..., 0]


def correct(log_probs: Matrix, gold: NDArray[np.int64]) -> Matrix:
    """[prompts, queries, labels] and the gold class of each query -> 1.0 or 0.0, [prompts, queries]."""
    return np.asarray(log_probs.argmax(-1) == gold[None], dtype=np.float64)


class Bootstrap:
    """Resamples of prompts and queries, drawn once, so that all means of a report share them.

    Prompts and queries are drawn independently with replacement (Owen 2007, the pigeonhole bootstrap).
    Differences and ratios of methods are taken inside each resample, which keeps them paired. The per-label
    means of `calibrate` are those of the full set of queries, not drawn again.
    """

    def __init__(self, prompts: int, queries: int, seed: int, resamples: int = RESAMPLES):
        rng = np.random.default_rng(seed)
        self._prompts = rng.multinomial(prompts, [1 / prompts] * prompts, size=resamples) / prompts
        self._queries = rng.multinomial(queries, [1 / queries] * queries, size=resamples) / queries

    def means(self, values: Matrix) -> Matrix:
        """Mean of [prompts or 1, queries] in each resample: [resamples]."""
        full = np.broadcast_to(values, (self._prompts.shape[1], self._queries.shape[1]))
        return np.asarray(((self._prompts @ full) * self._queries).sum(1))

    def interval(self, values: Matrix) -> Interval:
        """The mean of [prompts or 1, queries] and its percentile interval."""
        return _interval(float(values.mean()), self.means(values))

    def difference(self, a: Matrix, b: Matrix) -> Interval:
        """Mean of a - b over the same prompts and queries, with its interval."""
        return self.interval(a - b)

    def benefit(self, zero: Matrix, method: Matrix, full: Matrix) -> Interval | None:
        """Share of the full prompt's benefit that a method keeps: (zero - method) / (zero - full), of means.

        1 = as good as the full prompt, 0 = as no demonstrations, negative = worse than none. None when the
        full prompt brings nothing; no interval when it brings nothing in one of the resamples.
        """
        gain = float(zero.mean() - full.mean())
        if gain <= 0:
            return None
        share = float(zero.mean() - method.mean()) / gain
        gains = self.means(zero) - self.means(full)
        if (gains <= 0).any():
            return Interval(share, None, None)
        return _interval(share, (self.means(zero) - self.means(method)) / gains)


def _interval(mean: float, resampled: Matrix) -> Interval:
    low, high = np.percentile(resampled, [(100 - LEVEL) / 2, (100 + LEVEL) / 2])
    return Interval(mean, float(low), float(high))
