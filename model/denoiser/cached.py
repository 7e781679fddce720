"""Window-Diffusion for the mask: a step computes only the subwords that matter to it.

After "Window-Diffusion: Accelerating Diffusion Language Model Inference with CachedPredictor Token Pruning and Caching"
(2026), without training. Of the prompt's tokens
- active ones are computed: those decided since they were last computed, and undecided ones near the cut-off;
- the others are the buffer: their keys and values are kept from when they were computed last, until a refresh, when
  all are computed;
- those of other blocks are far, and left out (see `model.diffusion.blocks`).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..diffusion.sampler import Prediction, RefreshPolicy
from ..diffusion.schedule import KEEP, MASK
from ..layers import KNOWN_ENCODERS, KeyValueMemory, Layers
from .batching import PromptBatch
from .network import Denoiser, keep_logits


@dataclass(frozen=True)
class CacheConfig(RefreshPolicy):
    """When the model is asked, and what is computed then.

    Attributes:
        tolerance, unsure, most: see `RefreshPolicy`.
        band: undecided tokens within so many logits of the cut-off are active.
        refresh: all are computed once the decided tokens are more than so many times those of the last refresh: often
            at first, when each decision says much about the others.
        block: a prompt of more tokens is read block by block (see `model.diffusion.blocks`).
    """

    tolerance: float = 0.01
    unsure: float = 0.2
    most: int = 12
    band: float = 1.0
    refresh: float = 1.1
    block: int = 2048


def known_layers(denoiser: Denoiser) -> Layers | None:
    """None if the encoder is of a kind whose layers are not known here, so that it can only be run whole."""
    return Layers(denoiser.backbone) if denoiser.config.encoder.get("model_type") in KNOWN_ENCODERS else None


class CachedPredictor:
    """A `Predict` of one prompt that remembers keys, values and last hidden states between steps.

    remember: False = compute everything in every pass and keep nothing, so that memory does not grow with the prompt.
    """

    def __init__(
        self,
        denoiser: Denoiser,
        layers: Layers,
        encoded: PromptBatch,
        retention: float,
        cache: CacheConfig,
        remember: bool = True,
    ):
        self.denoiser, self.layers, self.encoded, self.cache = denoiser, layers, encoded, cache
        self.asked = torch.tensor([retention], device=encoded.ids.device)
        self.remember = remember
        self.budget = max(1, round(retention * encoded.real.shape[1]))
        self.real = None if bool(encoded.attention.all()) else encoded.attention
        self.memory = KeyValueMemory()
        self.hidden = torch.empty(0)
        self.seen = torch.empty(0)  # [n] the states that each token was last computed with
        self.refreshed = 0  # tokens decided at the last refresh
        self.logits = torch.empty(0)
        self.computed = 0  # subwords

    def __call__(self, states: Tensor) -> Prediction:
        """states [n] -> what the model says of them."""
        given = states.to(self.encoded.ids.device)
        embeds, level = self.denoiser.embed(self.encoded, given[None], self.asked)
        active = self._active(given)
        if active is None:
            self.hidden, self.seen = self._compute(embeds), given.clone()
        elif active.any():
            self._compute_some(embeds, active)
            self.seen = torch.where(active, given, self.seen)
        token, shot = self.denoiser.judge(self.hidden, self.encoded, level)
        logits = keep_logits(token, shot, self.encoded.shot)[0].float()
        if self.remember:
            self.logits = logits
        else:
            self.memory, self.hidden = KeyValueMemory(), torch.empty(0)
        return Prediction(logits.cpu(), shot[0].float().cpu())

    def _active(self, states: Tensor) -> Tensor | None:
        """[n] which tokens to compute; None = all."""
        undecided = states == MASK
        decided = len(states) - int(undecided.sum())
        if not len(self.logits) or decided > self.cache.refresh * self.refreshed:
            self.refreshed = decided
            return None
        values = self.logits[undecided].sort(descending=True).values
        left = min(max(self.budget - int((states == KEEP).sum()), 0), len(values))
        cut = values[max(left - 1, 0)] if len(values) else 0.0
        return (states != self.seen) | (undecided & ((self.logits - cut).abs() < self.cache.band))

    def _compute(self, embeds: Tensor) -> Tensor:
        self.memory.rows = None
        self.computed += int(self.encoded.attention.sum())
        every = torch.arange(embeds.shape[1], device=embeds.device).expand(embeds.shape[:2])
        hidden: Tensor = self.layers(embeds, every, self.real, self.memory)
        return hidden

    def _compute_some(self, embeds: Tensor, active: Tensor) -> None:
        """Compute the subwords of active tokens in the windows that have any, a batch padded with repetitions."""
        token = self.encoded.token
        wanted = active[token.clamp_min(0)] & (token >= 0)
        counts = wanted.sum(1)
        which = counts.nonzero()[:, 0]
        self.computed += int(counts.sum())
        rows = wanted[which].int().sort(dim=1, descending=True, stable=True).indices[:, : int(counts.max())]
        spare = torch.arange(rows.shape[1], device=rows.device) >= counts[which, None]
        rows = torch.where(spare, rows[:, :1], rows)
        self.memory.rows, self.memory.which = rows, which
        some = embeds[which[:, None], rows]
        real = None if self.real is None else self.real[which]
        self.hidden[which[:, None], rows] = self.layers(some, rows, real, self.memory)
