"""What is learnt, and how it is shown: masks of prompts, in batches, with a part of their states hidden.

Nothing here knows where the masks come from: the teacher's pairs and people's corrections are both `Item`s.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..denoiser.batching import PromptBatch, PromptCollator
from ..denoiser.loss import loss
from ..denoiser.network import Denoiser, keep_logits
from ..diffusion.schedule import DROP, KEEP, corrupt, sample_times
from ..prompt import Prompt
from ..prompt.pins import pins_for_task


@dataclass(frozen=True)
class Item:
    """One thing to learn: the mask `keep` [n] of `prompt`.

    Attributes:
        token_weight: [n] how much each token counts; None = 1 everywhere. Where it is 0, the model is to judge as its
            parent does, whatever `keep` says (learning without forgetting, arXiv 1606.09282).
        resample: draws what is learnt in its place, anew in every epoch; None = the item as it is. Validation always
            takes the item as it is.
    """

    prompt: Prompt
    keep: Sequence[bool]
    token_weight: Sequence[float] | None = None
    resample: Callable[[random.Random], tuple[Prompt, list[bool]]] | None = field(default=None, repr=False)

    @property
    def retention(self) -> float:
        return sum(self.keep) / len(self.keep)


def batches(items: Sequence[Item], tokens: int, rng: random.Random, resample: bool = True) -> list[list[Item]]:
    """One epoch in random order; prompts of like length together, so that little is padding.

    tokens: prompt tokens in a batch at the most, padding included (one longer prompt is a batch of its own).
    """
    drawn = [Item(*item.resample(rng)) if resample and item.resample else item for item in items]
    drawn.sort(key=lambda item: len(item.prompt) * rng.uniform(0.8, 1.25))
    groups: list[list[Item]] = [[]]
    for item in drawn:
        longest = max(len(other.prompt) for other in [*groups[-1], item])
        if groups[-1] and longest * (len(groups[-1]) + 1) > tokens:
            groups.append([])
        groups[-1].append(item)
    rng.shuffle(groups)
    return groups


@dataclass(frozen=True)
class NoisyBatch:
    """Prompts with a half-hidden mask, and what it should have been.

    Attributes:
        clean: [batch, n] the mask.
        states: [batch, n] MASK, KEEP or DROP: what the network sees of it.
        times: [batch] noise levels.
        retention: [batch].
        token_weight: [batch, n], see `Item`; None = 1 everywhere.
    """

    prompts: PromptBatch
    clean: Tensor
    states: Tensor
    times: Tensor
    retention: Tensor
    token_weight: Tensor | None

    @classmethod
    def draw(
        cls, collator: PromptCollator, items: Sequence[Item], generator: torch.Generator, device: torch.device
    ) -> NoisyBatch:
        """Hide a part of the items' states."""
        prompts = collator([item.prompt for item in items])
        clean = _padded([item.keep for item in items], prompts).bool()
        times = sample_times(len(items), generator)
        states = corrupt(torch.where(clean, KEEP, DROP), prompts.shot, times, generator)
        states[_padded([_given(item) for item in items], prompts).bool()] = KEEP
        retention = torch.tensor([item.retention for item in items])
        weight = None
        if any(item.token_weight is not None for item in items):
            weights = [item.token_weight or [1.0] * len(item.keep) for item in items]
            weight = _padded(weights, prompts).to(device)
        clean, states, times, retention = (tensor.to(device) for tensor in (clean, states, times, retention))
        return cls(prompts.to(device), clean, states, times, retention, weight)

    def loss(self, student: Denoiser, parent: Denoiser | None) -> Tensor:
        """The student's loss; parent: judges the tokens that have the weight 0."""
        token, shot = (logits.float() for logits in student(self.prompts, self.states, self.retention))
        goal, weight = self.clean.float(), None
        if self.token_weight is not None and parent is not None:
            with torch.no_grad():
                judged, of_shot = parent(self.prompts, self.states, self.retention)
                judgement = torch.sigmoid(keep_logits(judged, of_shot, self.prompts.shot).float())
            goal = torch.where(self.token_weight > 0, goal, judgement)
            weight = torch.where(self.token_weight > 0, self.token_weight, 1.0)
        return loss(token, shot, self.prompts, goal, self.states, self.times, weight)


def _given(item: Item) -> list[bool]:
    """[n] The instruction and the open question, as far as they stay: the sampler gets them decided, as pins, and a
    denoiser that had to find them would learn that what comes first and last stays."""
    task, weight = pins_for_task(item.prompt), item.token_weight
    return [i in task and kept and not (weight and weight[i]) for i, kept in enumerate(item.keep)]


def _padded(rows: Sequence[Sequence[float]], prompts: PromptBatch) -> Tensor:
    out = torch.zeros(prompts.real.shape)
    for i, row in enumerate(rows):
        out[i, : len(row)] = torch.tensor(row, dtype=torch.float)
    return out
