"""What the denoiser is trained to make small."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ..diffusion.schedule import MASK
from .batching import PromptBatch
from .network import keep_logits


def loss(
    token: Tensor, shot: Tensor, encoded: PromptBatch, goal: Tensor, states: Tensor, times: Tensor,
    weight: Tensor | None = None, shot_weight: float = 0.1, anti_mask: float = 1.0,
) -> Tensor:  # fmt: skip
    """Training loss, averaged over prompts.

    Args:
        token, shot: logits of `Denoiser.forward`.
        goal: [batch, n] the wanted mask: 1 = keep, 0 = drop, or the probability of keeping a token.
        states: [batch, n] what the network saw; the loss is on its MASK positions only.
        times: [batch] the noise level t.
        weight: [batch, n] how much each token counts (human edits count more); None = 1.
    """
    goal = goal.float()
    hidden = ((states == MASK) & encoded.real).float()
    logits = keep_logits(token, shot, encoded.shot)
    # 1. absorbing diffusion: 1/t-weighted cross-entropy on the hidden positions (MDLM, arXiv 2406.07524, eq. 10)
    each = F.binary_cross_entropy_with_logits(logits, goal, reduction="none") * hidden
    if weight is not None:
        each = each * weight
    length = encoded.real.sum(1).float()
    diffusion = (each.sum(1) / (times * length)).mean()
    # 2. shots: the share of each shot that is kept (less its entropy, so that 0 is perfect)
    shots = shot.shape[1]
    share, count = _shot_share(goal, encoded, shots)
    by_shot = F.binary_cross_entropy_with_logits(shot, share, reduction="none") - _entropy(share)
    by_shot = (by_shot * (count > 0)).sum() / (count > 0).sum()
    # 3. anti-mask penalty: dropping more of the hidden tokens than asked, which would prune everything
    kept = (torch.sigmoid(logits) * hidden).sum(1)
    asked = (goal * hidden).sum(1)
    too_few = (F.relu(asked - kept) / hidden.sum(1).clamp_min(1)).mean()
    return diffusion + shot_weight * by_shot + anti_mask * too_few


def _shot_share(goal: Tensor, encoded: PromptBatch, shots: int) -> tuple[Tensor, Tensor]:
    """Share of tokens kept in each shot and number of tokens in it: both [batch, shots]."""
    zeros = goal.new_zeros(len(goal), shots)
    real = encoded.real.float()
    count = zeros.scatter_add(1, encoded.shot, real)
    return zeros.scatter_add(1, encoded.shot, goal * real) / count.clamp_min(1), count


def _entropy(share: Tensor) -> Tensor:
    """Of a coin that shows 1 with this probability, in nats."""
    return -(torch.xlogy(share, share) + torch.xlogy(1 - share, 1 - share))
