"""A studio that learns in seconds: a tiny model with random weights, fine-tuned as in earnest."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

from annotations.store import Store
from app.background.finetuning import Lesson
from app.settings import Settings
from app.studio import Studio
from model.compress import Compressor
from model.denoiser.checkpoint import save_checkpoint
from model.training.finetune import FinetuneConfig, FineTuned, finetune
from model.training.fit import FitConfig
from tests.support.tiny import tiny_checkpoint


def learning_studio(store: Store, data: Path, go_on: threading.Event) -> Studio:
    """It ships the tiny model, and keeps what it makes in `data`. go_on: while it is cleared, a job waits."""
    tiny, made = data / "tiny", tiny_checkpoint()
    save_checkpoint(tiny, made.denoiser, made.collator.tokenizer, {})
    return Studio(
        Settings(data=data, endpoints="local"),
        lambda folder=None: Compressor.load(folder or tiny, "cpu"),
        lambda: store,
        partial(_learn, tiny, go_on),
    )


def _learn(
    tiny: Path,
    go_on: threading.Event,
    file: Path,
    out: Path,
    parent: Path | None,
    lesson: Lesson,
    progress: Callable[[int, int, float], None],
) -> FineTuned:
    """From the tiny model, and so fast that a few epochs show."""

    def wait(step: int, total: int, loss: float) -> None:
        assert go_on.wait(120)
        progress(step, total, loss)

    fit = FitConfig(epochs=lesson.epochs, patience=lesson.epochs, rate=1e-2)
    return finetune(FinetuneConfig(file, out, parent or tiny, lesson.held_out, lesson.seed, fit=fit), wait)
