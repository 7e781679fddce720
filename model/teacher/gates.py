"""Soft deletion: how much the task wants each token, from gradients.

Every prompt token j gets a gate g_j in (0, 1], added as log g_j to every attention score towards j in every layer of
the frozen target. d s / d g_j at g = 1 ranks all tokens with one backward pass; a few optimiser steps towards a budget
sharpen it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..llm.causal import Target
from ..prompt import Prompt
from .score import Goals, score


def gate_gradient(
    targets: Sequence[Target], goals: Sequence[Goals], prompt: Prompt, keep: Sequence[bool] | None = None
) -> Tensor:
    """d s / d g at g = 1 for every token that is kept (None = all): [n], higher = more wanted; 0 on dropped ones."""
    gates = torch.ones(len(prompt), requires_grad=True)
    torch.autograd.backward(score(targets, goals, prompt, keep or [True] * len(prompt), gates))
    assert gates.grad is not None
    return gates.grad


def gate_search(
    targets: Sequence[Target],
    fresh_goals: Callable[[], Sequence[Goals]],
    prompt: Prompt,
    retention: float,
    steps: int = 12,
    rate: float = 0.5,
    temperature: tuple[float, float] = (1.0, 0.35),
) -> Tensor:
    """Optimise the gates towards keeping `retention` of the tokens: [n] logits, higher = more wanted.

    The gates are sigmoid((logit - cut) / temperature) with the cut at the budget; budget (1 -> retention) and
    temperature are annealed together, and every step sees fresh queries, so that none can be overfitted.
    """
    logits = torch.zeros(len(prompt), requires_grad=True)
    optimiser = torch.optim.Adam([logits], lr=rate, betas=(0.8, 0.95))
    keep = [True] * len(prompt)
    for step in range(1, steps + 1):
        share = step / steps
        budget = len(prompt) * math.exp(math.log(retention) * share)
        heat = temperature[0] * (temperature[1] / temperature[0]) ** share
        gates = soft_top_k(logits, budget, heat).clamp_min(1e-4)
        optimiser.zero_grad()
        torch.autograd.backward(-score(targets, fresh_goals(), prompt, keep, gates))
        optimiser.step()
    return logits.detach()


def soft_top_k(logits: Tensor, k: float, temperature: float) -> Tensor:
    """Gates in (0, 1) that add up to k (up to n - 0.5): sigmoid((logits - cut) / temperature), the cut by bisection.

    >>> soft_top_k(torch.tensor([2.0, 0.0, 0.0, -2.0]), 2, 0.1).round().tolist()[::3]
    [1.0, 0.0]
    """
    k = min(k, len(logits) - 0.5)
    fixed = logits.detach()
    low, high = fixed.min() - 20 * temperature, fixed.max() + 20 * temperature
    for _ in range(40):
        cut = (low + high) / 2
        too_many = torch.sigmoid((fixed - cut) / temperature).sum() > k
        low, high = (cut, high) if too_many else (low, cut)
    return torch.sigmoid((logits - cut) / temperature)
