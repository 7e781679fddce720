"""Corrections reach the unit head: which sentences, lines and records people keep and drop.

What a person decided of a unit is learnt; of all other units, and of prompts that nobody corrected, the head is to
think what its parent thought, seeing the same states (learning without forgetting, Li and Hoiem 2016, arXiv
1606.09282).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ..denoiser.unit_head import UnitHead
from ..prompt import Prompt
from ..relevance.features import Relevance
from ..relevance.prompt_reading import UnitsOf
from .fit import Epoch, FitProgress

EPOCHS = 60
RATE = 1e-3
WEIGHT = 3.0  # of a unit that a person decided, against one left alone
OPEN = 0.5  # share of the states in which nothing is decided yet


@dataclass(frozen=True)
class CorrectedUnits:
    """The units of one prompt and what a person made of them.

    Attributes:
        relevance: their features.
        kept: fp32 [units] share of each unit's tokens that the person keeps.
        decided: bool [units] where the person decided; all False in a prompt that nobody corrected.
        retention: share of the tokens that was asked for.
    """

    relevance: Relevance
    kept: Tensor
    decided: Tensor
    retention: float

    @classmethod
    def of(
        cls,
        read: Callable[[UnitsOf], Relevance],
        prompt: Prompt,
        keep: Sequence[bool],
        touched: Sequence[bool],
        retention: float,
    ) -> CorrectedUnits | None:
        """keep, touched: of each prompt token. None where the head decides nothing of the prompt."""
        units = UnitsOf.of(prompt)
        if not units.units:
            return None
        known = read(units)
        owner = torch.tensor(units.unit_of)
        inside = owner >= 0
        count = len(units.units)
        size = torch.bincount(owner[inside], minlength=count).clamp_min(1)

        def of_units(mask: Sequence[bool]) -> Tensor:
            values = torch.tensor(mask, dtype=torch.float)
            return torch.zeros(count).index_add(0, owner[inside], values[inside]) / size

        return cls(known, of_units(keep), of_units(touched) > 0, retention)

    def state(self, rng: random.Random) -> tuple[Tensor, Tensor, float]:
        """Kept and dropped, bool [units], and the budget left: part of the person's mask, often nothing."""
        shown = torch.zeros(len(self.kept), dtype=torch.bool)
        if rng.random() >= OPEN:
            share = rng.random()
            shown = torch.tensor([rng.random() < share for _ in self.kept], dtype=torch.bool)
        kept = shown & (self.kept > 0.5)
        return kept, shown & ~kept, max(self.retention - float(kept.float().mean()), 0.0)


def fit_corrected_units(
    parent: UnitHead,
    learnt: Sequence[CorrectedUnits],
    held: Sequence[CorrectedUnits],
    rehearsed: Sequence[CorrectedUnits],
    seed: int,
    progress: FitProgress | None = None,
) -> tuple[UnitHead, list[Epoch]]:
    """A copy of the parent that learned the corrections, with the weights of its best epoch by what was held out.

    Args:
        rehearsed: prompts of which nothing is to change.
        progress: called after each step with (step, all steps, loss).
    """
    torch.manual_seed(seed)
    rng = random.Random(seed)
    student = deepcopy(parent)
    optimiser = torch.optim.AdamW(student.parameters(), lr=RATE, weight_decay=0.0)
    best = deepcopy(student.state_dict())
    history: list[Epoch] = []
    for epoch in range(EPOCHS):
        student.train()
        optimiser.zero_grad()
        loss = _loss(student, parent, [*learnt, *rehearsed], rng)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimiser.step()
        student.eval()
        with torch.inference_mode():
            valid = float(_loss(student, parent, held or learnt, random.Random(seed)))
        if not history or valid <= min(each.valid_loss for each in history):
            best = deepcopy(student.state_dict())
        history.append(Epoch(epoch, float(loss.detach()), valid))
        if progress is not None:
            progress(epoch + 1, EPOCHS, history[-1].train_loss)
    student.load_state_dict(best)
    return student.eval(), history


def _loss(student: UnitHead, parent: UnitHead, prompts: Sequence[CorrectedUnits], rng: random.Random) -> Tensor:
    return torch.stack([_one_loss(student, parent, each, rng) for each in prompts]).mean()


def _one_loss(student: UnitHead, parent: UnitHead, each: CorrectedUnits, rng: random.Random) -> Tensor:
    """Cross-entropy of the hidden units: to the person's mask where that is theirs, to the parent's elsewhere."""
    kept, dropped, left = each.state(rng)
    known = each.relevance
    features = torch.cat([known.static, known.dynamic(kept, dropped, left)], 1)
    with torch.no_grad():
        before = torch.sigmoid(parent(features, known.vectors, known.asked, known.read))
    logits = student(features, known.vectors, known.asked, known.read)
    goal = torch.where(each.decided, each.kept, before)
    weight = torch.where(each.decided, WEIGHT, 1.0) * ~(kept | dropped)
    cross_entropy = F.binary_cross_entropy_with_logits(logits, goal, reduction="none")
    return (cross_entropy * weight).sum() / weight.sum().clamp_min(1)
