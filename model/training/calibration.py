"""Keep probabilities that mean something: of the units that are said to answer with p, a share of p does.

Platt scaling (Platt 1999): one factor and one offset on the logits, fitted on prompts that were not learnt from and
folded into the head's last layer; with a question reader, a factor of its logits as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ..denoiser.unit_head import UnitHead
from .fit_units import unit_logits
from .unit_examples import UnitExample

BINS = 10


@dataclass(frozen=True)
class Reliability:
    """A reliability diagram.

    Attributes:
        predicted, observed: of each bin of keep probability, its mean and the share of units that answer.
        count: units in each bin.
        error: expected calibration error (Naeini et al. 2015).
    """

    predicted: list[float]
    observed: list[float]
    count: list[int]
    error: float


def reliability(head: UnitHead, examples: Sequence[UnitExample]) -> Reliability:
    """Over all units of the examples before anything is decided."""
    logits, wanted = _outcomes(head, examples)
    predicted, observed, count = _bins(torch.sigmoid(logits), wanted)
    gap = sum(n * abs(p - o) for p, o, n in zip(predicted, observed, count, strict=True)) / max(sum(count), 1)
    return Reliability(predicted, observed, count, gap)


def platt_scaled(head: UnitHead, examples: Sequence[UnitExample]) -> UnitHead:
    """A copy of the head whose logits are scaled and shifted to fit the examples, and the question reader's added.

    The reader has learnt from the same prompts as the head, so what it counts for is fitted here, where both are new.
    """
    logits, wanted = _outcomes(head, examples)
    read = torch.cat([example.relevance.read for example in examples])
    own = logits - head.reading * read
    factor, reading, offset = (torch.full((1,), value, requires_grad=True) for value in (1.0, 0.0, 0.0))
    optimiser = torch.optim.LBFGS([factor, reading, offset], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> float:
        optimiser.zero_grad()
        value = F.binary_cross_entropy_with_logits(factor * own + reading * read + offset, wanted)
        torch.autograd.backward(value)
        return float(value.detach())

    optimiser.step(loss)
    scaled = deepcopy(head)
    with torch.no_grad():
        scale = factor.clamp(min=0.05)
        scaled.last.weight.mul_(scale)
        scaled.last.bias.mul_(scale).add_(offset)
        scaled.reading.copy_(reading.clamp(min=0.0))
    return scaled


def _outcomes(head: UnitHead, examples: Sequence[UnitExample]) -> tuple[Tensor, Tensor]:
    """Logits of all units, and 1 where a unit answers."""
    logits = torch.cat([unit_logits(head, example) for example in examples]).clone()
    return logits, torch.cat([example.wanted.any(1).float() for example in examples])


def _bins(probability: Tensor, wanted: Tensor) -> tuple[list[float], list[float], list[int]]:
    place = (probability * BINS).long().clamp(max=BINS - 1)
    count = torch.bincount(place, minlength=BINS)
    means = [torch.zeros(BINS).index_add(0, place, each) / count.clamp(min=1) for each in (probability, wanted)]
    return means[0].tolist(), means[1].tolist(), count.tolist()
