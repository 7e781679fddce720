"""Figures over samples: a mean with its 95 % interval and the number of samples, and Markdown tables of them.

`metrics.Bootstrap` resamples prompts and queries; here there is one value per sample (a prompt, a text), so samples
are resampled, in pairs where two methods are compared on the same ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .bootstrap import LEVEL, RESAMPLES, Interval

Values = Sequence[float] | NDArray[np.float64]


@dataclass(frozen=True)
class Figure(Interval):
    """A mean, the ends of its 95 % bootstrap interval (None where there is no sound one) and the number of samples."""

    n: int

    def to_json(self) -> list[float | None]:
        """[mean, low, high, n]"""
        return [*super().to_json(), self.n]


def draws(n: int, seed: int = 0) -> NDArray[np.float64]:
    """Bootstrap weights of n samples, each row summing to one: [resamples, n]. The same seed, the same draws."""
    return np.random.default_rng(seed).multinomial(n, [1 / n] * n, size=RESAMPLES) / n


def mean_of(values: Values, seed: int = 0) -> Figure:
    """The mean over samples with its percentile interval; a single sample has none.

    Two methods on the same samples are compared by the mean of their differences, which keeps them paired.
    """
    flat = np.asarray(values, dtype=np.float64)
    return figure(float(flat.mean()), draws(len(flat), seed) @ flat, len(flat))


def figure(mean: float, resampled: NDArray[np.float64], n: int) -> Figure:
    """A figure from its value in each resample; resamples without one (nan) are passed over."""
    sound = resampled[np.isfinite(resampled)]
    if n < 2 or not len(sound):
        return Figure(mean, None, None, n)
    low, high = np.percentile(sound, [(100 - LEVEL) / 2, (100 + LEVEL) / 2])
    return Figure(mean, float(low), float(high), n)


def show(value: Interval | None, decimals: int = 3, sign: str = "") -> str:
    """ "0.512 [0.401, 0.633]"; the mean alone where there is no interval; nothing for None."""
    if value is None:
        return ""
    form = f"{sign}.{decimals}f"
    if value.low is None or value.high is None:
        return format(value.mean, form)
    return f"{value.mean:{form}} [{value.low:{form}}, {value.high:{form}}]"


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, columns aligned for reading as plain text."""
    lines = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join("| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines)
