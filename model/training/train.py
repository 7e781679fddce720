"""From the teacher's pairs to a checkpoint: warm-up, fit, metrics, save."""

from __future__ import annotations

import hashlib
import math
import random
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from ..data.fewshot import TRAIN_TASKS, Dataset, load_dataset
from ..denoiser.checkpoint import from_encoder, load_checkpoint, save_checkpoint
from ..devices import pick_device
from ..errors import InputError
from ..prompt import Prompt
from ..teacher.pairs import Pair, read_pairs
from ..teacher.proposals import propose, propose_text, self_information, with_task
from ..teacher.search import ScoredMask
from .augment import augmented
from .batches import Item
from .fit import FitConfig, fit, mask_agreement

WARM_UP_EPOCH = 1000
TASK_SHARE = 0.4  # of the warm-up prompts that have an instruction, a question or both
VARIED = 0.6  # share of the teacher's masks that are learnt in another template, order or set of shots


@dataclass(frozen=True)
class TrainConfig:
    """Train a denoiser on the teacher's pairs.

    Attributes:
        pairs: JSONL files of `model.teacher.pairs`.
        data: folder that the pairs refer to.
        out: folder of the new checkpoint; must not exist.
        base: encoder to start from: "minilm", or any Hugging Face encoder by name or folder.
        parent: checkpoint to go on from, instead of base.
        warm_up: how many random coherent masks (`model.teacher.proposals`) are learnt first; they need no target and no
            labelling. None: 2,000 for a new denoiser; none with a parent, who has learned them already.
        warm_up_rate: learning rate of that.
        temperature: of several masks of a prompt, one that scores so many standard deviations (of these masks' scores)
            less than another is learnt 1/e times as often.
        validation: share of the prompts held out.
        resume: go on from OUT.warm-up.state or OUT.state if it is there.
        fit: how to learn the pairs; its rate is small, for they are few.
    """

    pairs: tuple[Path, ...]
    data: Path
    out: Path
    base: str = "minilm"
    parent: Path | None = None
    warm_up: int | None = None
    warm_up_rate: float = 1e-4
    temperature: float = 0.5
    validation: float = 0.15
    resume: bool = False
    fit: FitConfig = FitConfig(rate=3e-5)

    @property
    def warm_up_masks(self) -> int:
        return self.warm_up if self.warm_up is not None else 0 if self.parent else 2000


def train(config: TrainConfig) -> dict[str, Any]:
    """Train, print how it goes, save the checkpoint; returns its metrics."""
    if config.out.exists():
        raise InputError(f"{config.out} is there already; checkpoints are never overwritten, so name another folder")
    items, valid = split_pairs(config)
    device = pick_device()
    torch.manual_seed(config.fit.seed)  # the heads of a new denoiser
    start = load_checkpoint(config.parent, device) if config.parent else from_encoder(config.base, device)
    student = deepcopy(start.denoiser)
    config.out.parent.mkdir(parents=True, exist_ok=True)
    state, warm_state = (config.out.with_name(config.out.name + end) for end in (".state", ".warm-up.state"))
    if not config.resume:
        state.unlink(missing_ok=True)
        warm_state.unlink(missing_ok=True)
    warm = 0 if state.exists() else config.warm_up_masks
    print(f"{len(items)} masks to train on, {len(valid)} to validate, after a warm-up on {warm}")
    if warm:
        fresh = warm_up_items(config)
        held = len(fresh) // 20 + 1
        how = replace(config.fit, epochs=-(-warm // len(fresh)), patience=warm, rate=config.warm_up_rate)
        with _bar("warm-up") as progress:
            fit(student, start.collator, fresh[held:], fresh[:held], how, state=warm_state, progress=progress)
    with _bar("pairs") as progress:
        history = fit(student, start.collator, items, valid, config.fit, state=state, progress=progress)
    best = min(history, key=lambda e: e.valid_loss)
    trained = replace(start, denoiser=student)
    metrics = {
        "epochs": len(history),
        "train_loss": round(best.train_loss, 4),
        "valid_loss": round(best.valid_loss, 4),
        "agreement_8_steps": round(mask_agreement(trained, valid, 8), 4),
        "agreement_1_step": round(mask_agreement(trained, valid, 1), 4),
        "agreement_random": round(sum(i.retention**2 + (1 - i.retention) ** 2 for i in valid) / len(valid), 4),
    }
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in config.pairs)).hexdigest()
    meta = {
        "parent": start.id if config.parent else None,
        "base": start.meta.get("base"),
        "licence": start.meta.get("licence"),
        "data": digest,
        "masks": len(items),
        "metrics": metrics,
        "fit": asdict(config.fit),
    }
    save_checkpoint(config.out, student, start.collator.tokenizer, meta)
    state.unlink(missing_ok=True)
    warm_state.unlink(missing_ok=True)
    print(metrics)
    return metrics


@contextmanager
def _bar(name: str) -> Iterator[Callable[[int, int, float], None]]:
    with tqdm(unit="step", desc=name) as bar:

        def progress(step: int, total: int, value: float) -> None:
            bar.total, bar.n = total, step
            bar.set_postfix(loss=f"{value:.3f}")

        yield progress


def warm_up_items(config: TrainConfig) -> list[Item]:
    """Random prompts of all training tasks with random coherent masks; one in five is a plain text.

    An epoch has at most WARM_UP_EPOCH of them, and every epoch draws others.
    """
    sets = [load_dataset(config.data, name) for name in TRAIN_TASKS]
    short = [data for data in sets if data.labels]  # GSM8K's prompts are five times as long
    information = self_information(sets)

    def draw(i: int, rng: random.Random) -> tuple[Prompt, list[bool]]:
        if i % 5 == 4:
            return propose_text(short[i // 5 % len(short)], information, rng)
        data = [*sets, *short][i % (len(sets) + len(short))]
        case, keep = propose(data, rng)
        return with_task(case, keep, data, rng) if rng.random() < TASK_SHARE else (case.prompt, keep)

    return [
        Item(*draw(i, random.Random(f"warm-up:{config.fit.seed}:{i}")), resample=partial(draw, i))
        for i in range(min(config.warm_up_masks, WARM_UP_EPOCH))
    ]


def split_pairs(config: TrainConfig) -> tuple[list[Item], list[Item]]:
    """Items to train on and to validate; a prompt is wholly in one of them, by its sha256."""
    train_items: list[Item] = []
    valid: list[Item] = []
    pairs = [pair for path in config.pairs for pair in read_pairs(path)]
    sets = {name: load_dataset(config.data, name) for name in sorted({p.shot.dataset for p in pairs})}
    for pair in pairs:
        held = int(pair.sha256[:8], 16) / 2**32 < config.validation
        (valid if held else train_items).extend(items_of_pair(pair, sets[pair.shot.dataset], config.temperature))
    return train_items, valid


def items_of_pair(pair: Pair, data: Dataset, temperature: float) -> list[Item]:
    """An item for every retention of which a mask passed the teacher's filter.

    Learnt is one of the masks that were tried, in proportion to exp(s / (temperature * deviation of the scores)): the
    good
    ones often, so that what they have in common is learnt, and not what the best of them owes to noise (reward-weighted
    regression, Peters and Schaal 2007).
    """
    prompt = pair.prompt(data)
    items = []
    for retention in pair.held():
        tried = pair.found.tried[retention]
        unit = temperature * statistics.pstdev(mask.score for mask in tried) or 1.0
        weights = [math.exp((mask.score - tried[0].score) / unit) for mask in tried]

        def resample(
            rng: random.Random, tried: Sequence[ScoredMask] = tried, weights: Sequence[float] = weights
        ) -> tuple[Prompt, list[bool]]:
            keep = rng.choices(tried, weights)[0].keep
            return augmented(pair.shot, prompt, keep, data, rng) if rng.random() < VARIED else (prompt, keep)

        items.append(Item(prompt, tried[0].keep, resample=resample))
    return items
