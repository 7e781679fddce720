"""Made-up predictions and prompts for tests of the sampler."""

from __future__ import annotations

import torch
from torch import Tensor

from model.diffusion.sampler import Predict, Prediction
from model.prompt import Prompt, parse
from model.prompt.pieces import PieceSet

# The paper's method: tokens alone.
FREE = {"granularity": "token", "guards": False}


def scripted(n: int, seed: int, scale: float = 2.0, parts: int = 0) -> Predict:
    """A made-up model: every token's logit depends on all states, as a real one's does. scale 0: all tokens tie."""
    generator = torch.Generator().manual_seed(seed)
    own, influence = torch.randn(n, generator=generator), torch.randn(n, 3, generator=generator)

    def predict(states: Tensor) -> Prediction:
        seen = influence[torch.arange(n), states].roll(1) + influence[torch.arange(n), states].mean()
        return Prediction(scale * (own + seen), torch.zeros(parts) if parts else own[: max(n // 4, 1)])

    return predict


def words(n: int) -> Prompt:
    """A prompt of n one-word tokens, in parts of four; the last part is longer."""
    starts = [2 * i for i in range(0, max(4 * (n // 4), 1), 4)]
    return parse(" ".join("abcdefghij"[i % 10] for i in range(n)), starts)


def free(n: int, pins: dict[int, bool] | None = None) -> PieceSet:
    """The tokens of `words(n)` as pieces."""
    return PieceSet.of(words(n), "token", guards=False, pins=pins)
