"""Fitting a denoiser to masks: noise, loss, optimiser, early stopping, resuming.

Nothing here knows where the masks come from: the teacher's pairs and people's corrections are both `Item`s.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor

from ..denoiser.batching import PromptBatch, PromptCollator
from ..denoiser.checkpoint import Checkpoint
from ..denoiser.loss import loss
from ..denoiser.network import Denoiser, keep_logits
from ..devices import has_fast_bfloat16, pick_device
from ..diffusion.sampler import denoise
from ..diffusion.schedule import DROP, KEEP, corrupt, sample_times
from ..diffusion.trace import SamplerConfig
from ..errors import InputError
from ..prompt import Prompt
from ..prompt.pins import pins_for_task

VALIDATIONS = 3  # draws of noise on every validation item


@dataclass(frozen=True)
class Item:
    """One thing to learn: the mask `keep` [n] of `prompt`.

    Attributes:
        taught: [n] how much is to be learnt about each token; None = 1 everywhere. Where it is 0, the model is to
            judge as it did before the fit, whatever `keep` says (learning without forgetting, arXiv 1606.09282).
        again: draws what is learnt in its place, anew in every epoch; None = the item as it is. Validation always takes
            the item as it is.
    """

    prompt: Prompt
    keep: Sequence[bool]
    taught: Sequence[float] | None = None
    again: Callable[[random.Random], tuple[Prompt, list[bool]]] | None = field(default=None, repr=False)

    @property
    def retention(self) -> float:
        return sum(self.keep) / len(self.keep)


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
    """What is known after an epoch: mean training loss, validation loss (both as in `denoiser.loss`)."""

    index: int
    train_loss: float
    valid_loss: float


def fit(
    checkpoint: Checkpoint,
    items: Sequence[Item],
    valid: Sequence[Item],
    config: FitConfig,
    state: Path | None = None,
    progress: Callable[[int, int, float], None] | None = None,
) -> list[Epoch]:
    """Train the checkpoint's denoiser in place; at the end it holds the weights of its best epoch.

    Args:
        state: file that everything is written to after each epoch, whole or not at all; a run that finds one goes
            on from it.
        progress: called after each step with (step, all steps, loss); what it raises ends the training.
    """
    if not items or not valid:
        raise InputError(f"{len(items)} training and {len(valid)} validation items: at least one of each is needed")
    before = None if all(item.taught is None for item in [*items, *valid]) else deepcopy(checkpoint.denoiser).eval()
    accelerator = Accelerator(mixed_precision="bf16" if has_fast_bfloat16(pick_device()) else "no")
    denoiser, encoder = checkpoint.denoiser, checkpoint.encoder
    per_epoch = len(_batches(items, config, random.Random(config.seed), anew=False))
    total = per_epoch * config.epochs
    optimiser = torch.optim.AdamW(_groups(denoiser, config), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda s: _warm_then_linear(s, total))
    model, optimiser, schedule = accelerator.prepare(denoiser, optimiser, schedule)
    before = before and before.to(accelerator.device)
    run = _Run(model, optimiser, schedule, accelerator, before, _setting(items, config))
    history = run.restore(state) if state is not None and state.exists() else []
    for index in range(len(history), config.epochs):
        if _stale(history, config.patience):
            break
        rng = random.Random(f"{config.seed}:{index}")
        generator = torch.Generator().manual_seed(rng.randrange(2**31))
        torch.manual_seed(rng.randrange(2**31))  # dropout: an epoch is the same after an interruption
        losses = []
        batches = _batches(items, config, rng)
        for i, batch in enumerate(batches):
            losses.append(run.step(_noisy(encoder, batch, generator, accelerator.device)))
            if progress is not None:
                done = index * per_epoch + (i + 1) * per_epoch // len(batches)
                progress(done, total, losses[-1])
        score = run.validate(encoder, valid, config)
        history.append(Epoch(index, sum(losses) / len(losses), score))
        run.remember(history, state)
    run.recall()
    accelerator.unwrap_model(model).eval()  # from here on it computes in fp32 again
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


class _Run:
    """A model and its optimiser under accelerate, what it was before (None: nobody asks), the best weights so far."""

    def __init__(
        self,
        model: Any,
        optimiser: Any,
        schedule: Any,
        accelerator: Accelerator,
        before: Denoiser | None,
        setting: dict[str, Any],
    ):
        self.model, self.optimiser, self.schedule, self.accelerator = model, optimiser, schedule, accelerator
        self.before, self.setting = before, setting
        self.best: dict[str, Tensor] = {}

    def step(self, batch: _Batch) -> float:
        self.model.train()
        self.optimiser.zero_grad()
        value = batch.loss(self.model, self.before)
        self.accelerator.backward(value)
        self.accelerator.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        self.schedule.step()
        return float(value.detach())

    @torch.inference_mode()
    def validate(self, encoder: PromptCollator, items: Sequence[Item], config: FitConfig) -> float:
        """Loss over fixed noise and the items as they are, so that epochs compare."""
        self.model.eval()
        generator = torch.Generator().manual_seed(0)
        total = 0.0
        for batch in _batches(items, config, random.Random(0), anew=False):
            for _ in range(VALIDATIONS):
                noisy = _noisy(encoder, batch, generator, self.accelerator.device)
                total += float(noisy.loss(self.model, self.before)) * len(batch)
        return total / len(items) / VALIDATIONS

    def remember(self, history: list[Epoch], state: Path | None) -> None:
        weights = self.accelerator.unwrap_model(self.model).state_dict()
        if history[-1].valid_loss <= min(e.valid_loss for e in history):
            self.best = {k: v.detach().cpu().clone() for k, v in weights.items()}
        if state is None or not self.accelerator.is_main_process:
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
            self.accelerator.unwrap_model(self.model).load_state_dict(saved["model"])
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
            self.accelerator.unwrap_model(self.model).load_state_dict(self.best)


@dataclass(frozen=True)
class _Batch:
    """Prompts with a half-hidden mask, and what it should have been."""

    encoded: PromptBatch
    clean: Tensor
    states: Tensor
    times: Tensor
    retention: Tensor
    taught: Tensor | None

    def loss(self, model: Denoiser, before: Denoiser | None) -> Tensor:
        token, shot = model(self.encoded, self.states, self.retention)
        goal, weight = self.clean.float(), None
        if self.taught is not None and before is not None:
            with torch.no_grad():
                judged, of_shot = before(self.encoded, self.states, self.retention)
                judgement = torch.sigmoid(keep_logits(judged, of_shot, self.encoded.shot).float())
            goal = torch.where(self.taught > 0, goal, judgement)
            weight = torch.where(self.taught > 0, self.taught, 1.0)
        return loss(token, shot, self.encoded, goal, self.states, self.times, weight)


Row = tuple[Prompt, Sequence[bool], Sequence[float] | None]


def _batches(items: Sequence[Item], config: FitConfig, rng: random.Random, anew: bool = True) -> list[list[Row]]:
    """One epoch in random order; prompts of like length together, so that little is padding."""
    rows: list[Row] = []
    for item in items:
        if anew and item.again is not None:
            rows.append((*item.again(rng), None))
        else:
            rows.append((item.prompt, item.keep, item.taught))
    rows.sort(key=lambda row: len(row[0]) * rng.uniform(0.8, 1.25))
    batches: list[list[Row]] = [[]]
    for row in rows:
        longest = max(len(prompt) for prompt, _, _ in [*batches[-1], row])
        if batches[-1] and longest * (len(batches[-1]) + 1) > config.tokens:
            batches.append([])
        batches[-1].append(row)
    rng.shuffle(batches)
    return batches


def _noisy(encoder: PromptCollator, rows: Sequence[Row], generator: torch.Generator, device: torch.device) -> _Batch:
    encoded = encoder([prompt for prompt, _, _ in rows])
    clean = _padded([keep for _, keep, _ in rows], encoded).bool()
    some = any(taught is not None for _, _, taught in rows)
    degrees = [taught if taught is not None else [1.0] * len(keep) for _, keep, taught in rows]
    taught = _padded(degrees, encoded).to(device) if some else None
    times = sample_times(len(rows), generator)
    states = corrupt(torch.where(clean, KEEP, DROP), encoded.shot, times, generator)
    states[_padded([_given(*row) for row in rows], encoded).bool()] = KEEP
    retention = torch.tensor([sum(keep) / len(keep) for _, keep, _ in rows])
    return _Batch(
        encoded.to(device), clean.to(device), states.to(device), times.to(device), retention.to(device), taught
    )


def _given(prompt: Prompt, keep: Sequence[bool], taught: Sequence[float] | None) -> list[bool]:
    """[n] The instruction and the open question, as far as they stay: the sampler gets them decided, as pins, and a
    denoiser that had to find them would learn that what comes first and last stays."""
    task = pins_for_task(prompt)
    return [i in task and kept and not (taught and taught[i]) for i, kept in enumerate(keep)]


def _padded(rows: Sequence[Sequence[float]], encoded: PromptBatch) -> Tensor:
    out = torch.zeros(encoded.real.shape)
    for i, row in enumerate(rows):
        out[i, : len(row)] = torch.tensor(row, dtype=torch.float)
    return out


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


# ---- agreement with held-out masks


@torch.inference_mode()
def agreement(checkpoint: Checkpoint, items: Sequence[Item], steps: int) -> float:
    """Share of prompt tokens on which the sampler, given the item's own retention, decides like the item's mask."""
    same = total = 0
    for item in items:
        predict = checkpoint.predictor(item.prompt, item.retention)
        *_, last = denoise(predict, item.prompt.shot_of, SamplerConfig(item.retention, steps))
        same += sum((s == KEEP) == k for s, k in zip(last.states, item.keep, strict=True))
        total += len(item.keep)
    return same / total
