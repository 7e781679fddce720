"""From the teacher's pairs to a checkpoint: warm-up, fit, metrics, save."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from model.augment import augmented
from model.checkpoint import from_encoder, load_checkpoint, save_checkpoint
from model.data import TRAIN_TASKS, Dataset, load_dataset
from model.errors import InputError
from model.fit import FitConfig, Item, agreement, fit
from model.pairs import Pair, read_pairs
from model.prompt import Prompt
from model.proposals import propose, propose_text, self_information


@dataclass(frozen=True)
class TrainConfig:
    """Train a denoiser on the teacher's pairs.

    Attributes:
        pairs: JSONL files of `model.pairs`.
        data: folder that the pairs refer to.
        out: folder of the new checkpoint; must not exist.
        base: encoder to start from: "minilm", or any Hugging Face encoder by name or folder.
        parent: checkpoint to go on from, instead of base.
        warm_up: random coherent masks (`model.proposals`) that a new denoiser learns first; they need no target and
            no labelling. A parent has learned them already, so with one there is no warm-up.
        validation: share of the prompts held out.
        resume: go on from OUT.state if it is there.
    """

    pairs: tuple[Path, ...]
    data: Path
    out: Path
    base: str = "minilm"
    parent: Path | None = None
    warm_up: int = 2000
    validation: float = 0.15
    resume: bool = False
    fit: FitConfig = FitConfig()


def train(config: TrainConfig) -> dict[str, Any]:
    """Train, print how it goes, save the checkpoint; returns its metrics."""
    if config.out.exists():
        raise InputError(f"{config.out} is there already; checkpoints are never overwritten, so name another folder")
    items, valid = split(config)
    torch.manual_seed(config.fit.seed)  # the heads of a new denoiser
    checkpoint = load_checkpoint(config.parent) if config.parent else from_encoder(config.base)
    config.out.parent.mkdir(parents=True, exist_ok=True)
    state = config.out.with_name(config.out.name + ".state")
    if not config.resume:
        state.unlink(missing_ok=True)
    warm = [] if config.parent or state.exists() else warm_up_items(config)
    print(f"{len(items)} masks to train on, {len(valid)} to validate, after a warm-up on {len(warm)}")
    if warm:
        held = len(warm) // 20 + 1
        with _bar("warm-up") as progress:
            fit(checkpoint, warm[held:], warm[:held], replace(config.fit, epochs=1), progress=progress)
    with _bar("pairs") as progress:
        history = fit(checkpoint, items, valid, config.fit, state, progress)
    best = min(history, key=lambda e: e.valid_loss)
    metrics = {
        "epochs": len(history),
        "train_loss": round(best.train_loss, 4),
        "valid_loss": round(best.valid_loss, 4),
        "agreement_8_steps": round(agreement(checkpoint, valid, 8), 4),
        "agreement_1_step": round(agreement(checkpoint, valid, 1), 4),
        "agreement_random": round(sum(i.retention**2 + (1 - i.retention) ** 2 for i in valid) / len(valid), 4),
    }
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in config.pairs)).hexdigest()
    meta = {
        "parent": checkpoint.id if config.parent else None,
        "base": checkpoint.meta.get("base"),
        "licence": checkpoint.meta.get("licence"),
        "data": digest,
        "masks": len(items),
        "metrics": metrics,
        "fit": asdict(config.fit),
    }
    save_checkpoint(config.out, checkpoint.denoiser, checkpoint.encoder.tokenizer, meta)
    state.unlink(missing_ok=True)
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
    """Random prompts of all training tasks with random coherent masks; one in five is a plain text."""
    rng = random.Random(f"warm-up:{config.fit.seed}")
    sets = [load_dataset(config.data, name) for name in TRAIN_TASKS]
    short = [data for data in sets if data.labels]  # GSM8K's prompts are five times as long
    information = self_information(sets)
    items = []
    for i in range(config.warm_up):
        if i % 5 == 4:
            prompt, keep = propose_text(short[i // 5 % len(short)], information, rng)
        else:
            case, keep = propose([*sets, *short][i % (len(sets) + len(short))], rng)
            prompt = case.prompt
        items.append(Item(prompt, keep))
    return items


def split(config: TrainConfig) -> tuple[list[Item], list[Item]]:
    """Items to train on and to validate; a prompt is wholly in one of them, by its sha256."""
    train_items: list[Item] = []
    valid: list[Item] = []
    pairs = [pair for path in config.pairs for pair in read_pairs(path)]
    sets = {name: load_dataset(config.data, name) for name in sorted({p.shot.dataset for p in pairs})}
    for pair in pairs:
        held = int(pair.sha256[:8], 16) / 2**32 < config.validation
        (valid if held else train_items).extend(items_of(pair, sets[pair.shot.dataset]))
    return train_items, valid


def items_of(pair: Pair, data: Dataset) -> list[Item]:
    """An item for every retention whose mask passed the teacher's filter."""
    prompt = pair.prompt(data)
    items = []
    for retention in pair.held():
        keep = [bit == "1" for bit in pair.masks[retention]]

        def again(rng: random.Random, keep: list[bool] = keep) -> tuple[Prompt, list[bool]]:
            return augmented(pair.shot, prompt, keep, data, rng)

        items.append(Item(prompt, keep, None, again))
    return items
