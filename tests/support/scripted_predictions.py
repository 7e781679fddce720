"""A made-up prediction for tests of the sampler."""

from __future__ import annotations

import torch
from torch import Tensor

from model.diffusion.sampler import Predict


def scripted(n: int, seed: int, scale: float = 2.0) -> Predict:
    """A made-up model: every token's logit depends on all states, as a real one's does. scale 0: all tokens tie."""
    generator = torch.Generator().manual_seed(seed)
    own, influence = torch.randn(n, generator=generator), torch.randn(n, 3, generator=generator)

    def predict(states: Tensor) -> tuple[Tensor, Tensor]:
        seen = influence[torch.arange(n), states].roll(1) + influence[torch.arange(n), states].mean()
        return scale * (own + seen), own[: max(n // 4, 1)]

    return predict
