"""Fitting a denoiser to masks: optimiser, early stopping, resuming."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..compress import PAPER, Compressor, CompressRequest
from ..denoiser.batching import PromptCollator
from ..denoiser.checkpoint import Checkpoint
from ..denoiser.network import Denoiser
from ..devices import fastest_dtype
from ..errors import InputError
from .batches import Item, NoisyBatch, batches

VALIDATIONS = 3  # draws of noise on every validation item

FitProgress = Callable[[int, int, float], None]  # step, all steps, loss; what it raises ends the training


@dataclass(frozen=True)
class FitConfig:
    """How to optimise.

    Attributes:
        epochs: at the most; training stops early after `patience` epochs without a better validation loss.
        tokens: prompt tokens in a step, padding included; short prompts make larger batches.
        rate: learning rate of the encoder; state, retention and heads learn `head_factor` times as fast.
        seed: of everything random.
    """

    epochs: int = 30
    patience: int = 6
    tokens: int = 512
    rate: float = 1e-4
    head_factor: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.epochs, self.patience, self.tokens) < 1 or not 0 < self.rate < 1:
            raise InputError("epochs, patience and tokens must be at least 1 and the learning rate between 0 and 1")


@dataclass(frozen=True)
class Epoch:
    """What is known after an epoch: mean training loss, validation loss (both as in `model.denoiser.loss`)."""

    index: int
    train_loss: float
    valid_loss: float


def fit(
    student: Denoiser,
    collator: PromptCollator,
    items: Sequence[Item],
    valid: Sequence[Item],
    config: FitConfig,
    *,
    parent: Denoiser | None = None,
    state: Path | None = None,
    progress: FitProgress | None = None,
) -> list[Epoch]:
    """Train the student, which the caller owns, in place; at the end it holds the weights of its best epoch.

    Args:
        student: on the device to train on.
        parent: another denoiser there, whose judgement the student keeps where an item's token weight is 0.
        state: file that everything is written to after each epoch, whole or not at all; a run that finds one goes
            on from it.
        progress: called after each step.
    """
    if not items or not valid:
        raise InputError(f"{len(items)} training and {len(valid)} validation items: at least one of each is needed")
    per_epoch = len(batches(items, config.tokens, random.Random(config.seed), resample=False))
    fitting = _Fitting(student, collator, parent, config, per_epoch * config.epochs, _setting(items, config))
    history = fitting.restore(state) if state is not None and state.exists() else []
    for index in range(len(history), config.epochs):
        if _stale(history, config.patience):
            break
        rng = random.Random(f"{config.seed}:{index}")
        generator = torch.Generator().manual_seed(rng.randrange(2**31))
        torch.manual_seed(rng.randrange(2**31))  # dropout: an epoch is the same after an interruption
        losses = []
        groups = batches(items, config.tokens, rng)
        for i, group in enumerate(groups):
            losses.append(fitting.step(group, generator))
            if progress is not None:
                done = index * per_epoch + (i + 1) * per_epoch // len(groups)
                progress(done, fitting.total, losses[-1])
        history.append(Epoch(index, sum(losses) / len(losses), fitting.validate(valid)))
        fitting.remember(history, state)
    fitting.recall()
    student.eval()
    return history


def _setting(items: Sequence[Item], config: FitConfig) -> dict[str, Any]:
    """What must be the same for a run to go on (it may be given more epochs)."""
    digest = hashlib.sha256()
    for item in items:
        digest.update(item.prompt.text.encode() + bytes(item.keep))
    return {
        "tokens": config.tokens,
        "rate": config.rate,
        "head_factor": config.head_factor,
        "seed": config.seed,
        "masks": digest.hexdigest(),
    }


class _Fitting:
    """A student with its optimiser, and its best weights so far.

    total: optimiser steps that the learning rate's schedule is laid out for.
    """

    def __init__(
        self,
        student: Denoiser,
        collator: PromptCollator,
        parent: Denoiser | None,
        config: FitConfig,
        total: int,
        setting: dict[str, Any],
    ):
        self.student, self.collator, self.parent = student, collator, parent
        self.config, self.total, self.setting = config, total, setting
        self.device: torch.device = next(student.parameters()).device
        self.half = fastest_dtype(self.device) == torch.bfloat16
        self.optimiser = torch.optim.AdamW(_groups(student, config), weight_decay=0.01)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimiser, lambda s: _warm_then_linear(s, total))
        self.best: dict[str, Tensor] = {}

    def step(self, items: Sequence[Item], generator: torch.Generator) -> float:
        self.student.train()
        self.optimiser.zero_grad()
        value = self._loss(items, generator)
        torch.autograd.backward(value)
        torch.nn.utils.clip_grad_norm_(self.student.parameters(), 1.0)
        self.optimiser.step()
        self.schedule.step()
        return float(value.detach())

    def _loss(self, items: Sequence[Item], generator: torch.Generator) -> Tensor:
        batch = NoisyBatch.draw(self.collator, items, generator, self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            return batch.loss(self.student, self.parent)

    @torch.inference_mode()
    def validate(self, items: Sequence[Item]) -> float:
        """Loss over fixed noise and the items as they are, so that epochs compare."""
        self.student.eval()
        generator = torch.Generator().manual_seed(0)
        total = 0.0
        for group in batches(items, self.config.tokens, random.Random(0), resample=False):
            for _ in range(VALIDATIONS):
                total += float(self._loss(group, generator)) * len(group)
        return total / len(items) / VALIDATIONS

    def remember(self, history: list[Epoch], state: Path | None) -> None:
        weights = self.student.state_dict()
        if history[-1].valid_loss <= min(e.valid_loss for e in history):
            self.best = {k: v.detach().cpu().clone() for k, v in weights.items()}
        if state is None:
            return
        temporary = state.with_suffix(".writing")
        everything = {
            "model": weights,
            "best": self.best,
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "history": [asdict(e) for e in history],
            "setting": self.setting,
        }
        torch.save(everything, temporary)
        temporary.replace(state)

    def restore(self, state: Path) -> list[Epoch]:
        try:
            saved = torch.load(state, map_location="cpu", weights_only=True)
            setting = saved["setting"]
            self.student.load_state_dict(saved["model"])
            self.optimiser.load_state_dict(saved["optimiser"])
            self.schedule.load_state_dict(saved["schedule"])
            self.best = saved["best"]
            history = [Epoch(**e) for e in saved["history"]]
        except Exception as e:  # torch raises many kinds, with long messages
            raise InputError(f"cannot go on from {state}, damaged or of another model; remove it to start again") from e
        other = [name for name in self.setting if setting.get(name) != self.setting[name]]
        if other:
            raise InputError(
                f"cannot go on from {state}: that run had other {', '.join(other)}; give the same, or remove it to "
                "start again"
            )
        return history

    def recall(self) -> None:
        if self.best:
            self.student.load_state_dict(self.best)


def _groups(denoiser: Denoiser, config: FitConfig) -> list[dict[str, Any]]:
    backbone = {id(p) for p in denoiser.backbone.parameters()}
    new = [p for p in denoiser.parameters() if id(p) not in backbone]
    old = list(denoiser.backbone.parameters())
    return [{"params": old, "lr": config.rate}, {"params": new, "lr": config.rate * config.head_factor}]


def _warm_then_linear(step: int, total: int) -> float:
    warm = max(1, total // 20)
    return (step + 1) / warm if step < warm else max(0.02, (total - step) / max(1, total - warm))


def _stale(history: Sequence[Epoch], patience: int) -> bool:
    losses = [e.valid_loss for e in history]
    return len(losses) > patience and min(losses[-patience:]) > min(losses[:-patience])


def mask_agreement(checkpoint: Checkpoint, items: Sequence[Item], steps: int) -> float:
    """Share of prompt tokens on which the sampler, given the item's own retention, decides like the item's mask."""
    compressor, same, total = Compressor(checkpoint), 0, 0
    for item in items:
        request = CompressRequest(item.prompt, item.retention, steps, keep_task=False, exact=True, **PAPER)
        same += sum(a == b for a, b in zip(compressor.run(request).trace.keep, item.keep, strict=True))
        total += len(item.keep)
    return same / total
