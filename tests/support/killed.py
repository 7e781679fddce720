"""A studio's work that tests kill in the middle: python -m tests.support.killed promote|finetune|unzip FOLDER [FILE]

The folder holds a store and tiny checkpoints, as `make` leaves them. Lines on standard output say how far it is.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from annotations.files.archive import unzipped
from annotations.store import Store, open_store

if TYPE_CHECKING:
    from app.studio import Studio

SECRET = "Zanzibar"


def store_in(folder: Path) -> Store:
    return open_store(f"sqlite:///{folder}/store.sqlite3")


def studio_in(folder: Path) -> Studio:
    """With real models."""
    from app.settings import Settings  # here, as below, so that unpacking alone need not load everything
    from app.studio import Studio

    return Studio(Settings(data=folder), open_store=lambda: store_in(folder))


def make(folder: Path) -> list[str]:
    """Two tiny checkpoints, the first one served, and corrections to learn from; returns the checkpoints' ids."""
    import torch

    from model.denoiser.checkpoint import save_checkpoint
    from model.prompt import parse
    from tests.support.corrected import fields_for
    from tests.support.tiny import tiny_checkpoint

    store, ids = store_in(folder), []
    for seed in range(2):
        made = tiny_checkpoint()
        torch.manual_seed(seed)
        torch.nn.init.normal_(made.denoiser.state_dict()["token_head.2.weight"])
        id = save_checkpoint(folder / "making", made.denoiser, made.collator.tokenizer, {"base": "tiny"})
        (folder / "checkpoints").mkdir(exist_ok=True)
        (folder / "making").rename(folder / "checkpoints" / id)
        store.add_checkpoint(id, f"checkpoints/{id}", None, {})
        ids.append(id)
    store.serve(ids[0])
    for i in range(12):
        parsed = parse(f"Sort {SECRET} {i}.\n\nQ: 2+{i}?\nA: {2 + i}\n\nQ: 3+4?\nA:")
        keep = [bool(n % 3) for n in range(len(parsed))]
        store.submit(fields_for(parsed, [not bit for bit in keep], keep))
    return ids


def say(line: object) -> None:
    os.write(1, f"{line}\n".encode())


def promote(studio: Studio) -> None:
    """The two checkpoints in turn; each is said when it is promoted."""
    ids = [entry.id for entry in studio.store.checkpoints()]
    say("ready")
    for i in range(10_000):
        say(studio.promote(ids[i % 2]))


def finetune(studio: Studio) -> None:
    """For long; each step is said."""
    from app.background.finetuning import Lesson

    studio.finetuning.start(Lesson(unused=False, epochs=500))
    said = -1
    while (job := studio.finetuning.job) is not None and job.alive:
        if job.step > said:
            said = job.step
            say(said)
        time.sleep(0.001)
    say(job)


def unzip(file: Path) -> None:
    """A data set, and hold it."""
    with unzipped(file) as folder:
        say(folder)
        time.sleep(600)


def main(what: str, folder: str, file: str = "") -> None:
    if what == "unzip":
        unzip(Path(file))
    import torch

    torch.set_num_threads(1)
    {"promote": promote, "finetune": finetune}[what](studio_in(Path(folder)))


if __name__ == "__main__":
    main(*sys.argv[1:])
