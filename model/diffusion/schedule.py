"""The noise schedule: how much of the mask is hidden at time t, and how many tokens each denoising step decides.

Absorbing-state (masked) diffusion, as in MDLM (arXiv 2406.07524, section 3.1): at time t every state is MASK with
probability t, independently. The linear schedule alpha(t) = 1 - t has the loss weight
-alpha'(t) / (1 - alpha(t)) = 1/t.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

MASK, KEEP, DROP = 0, 1, 2
MIN_TIME = 0.05  # bounds the 1/t weight


def sample_times(count: int, generator: torch.Generator) -> Tensor:
    """Times in [MIN_TIME, 1] for `count` prompts, spread evenly over it (low-discrepancy, MDLM section 4): [count]."""
    offset = torch.rand(1, generator=generator)
    times = (offset + torch.arange(count) / count) % 1.0
    return MIN_TIME + (1 - MIN_TIME) * times


def corrupt(
    states: Tensor, shot: Tensor, times: Tensor, generator: torch.Generator, whole_shots: float = 0.4
) -> Tensor:
    """Hide states with probability t; in a share `whole_shots` of the prompts, whole shots at once instead.

    Args:
        states: [batch, n] KEEP or DROP.
        shot: [batch, n] index of each token's shot.
        times: [batch] in (0, 1].
    Returns [batch, n] MASK, KEEP or DROP. At least one token of every row is MASK (padding counts).
    """
    batch, n = states.shape
    by_token = torch.rand(batch, n, generator=generator)
    by_shot = torch.rand(batch, int(shot.max()) + 1, generator=generator).gather(1, shot)
    use_shot = torch.rand(batch, 1, generator=generator) < whole_shots
    chance = torch.where(use_shot, by_shot, by_token)
    hidden = chance < times[:, None]
    # Nothing is learnt from a row without MASK, so one token or shot is hidden at least; no more, for the loss has
    # the weight 1/t, and a whole prompt must not get that of a small t.
    hidden |= chance == chance.min(1, keepdim=True).values
    return torch.where(hidden, MASK, states)


def commits(undecided: int, steps: int) -> list[int]:
    """How many tokens each of `steps` steps decides at the most; adds up to `undecided`.

    Few at first, when little is known, more later: the cosine schedule of MaskGIT (arXiv 2202.04200, section 3.2).

    >>> commits(100, 4)
    [8, 21, 33, 38]
    """
    edges = [round(undecided * (1 - math.cos(math.pi / 2 * i / steps))) for i in range(steps + 1)]
    return [b - a for a, b in zip(edges, edges[1:], strict=False)]
