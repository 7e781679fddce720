"""What the environment decides about the studio."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from annotations.db import data_dir


@dataclass(frozen=True)
class Settings:
    """Where things come from.

    Attributes:
        checkpoint: folder of the model to serve, whatever was promoted; None: the promoted one, or else the shipped
            one (DIFFUMASK_CHECKPOINT).
        tokenizers: folders of tokenizers to count tokens with, besides those of the target LLMs that were fetched
            (DIFFUMASK_TOKENIZERS, separated like PATH).
        data: folder for what must outlive the program, such as checkpoints; None: `annotations.db.data_dir()`.

    Where the corrections lie is decided by `annotations.db` (DIFFUMASK_DATABASE_URL, DIFFUMASK_DATA).
    """

    checkpoint: Path | None = None
    data: Path | None = None
    tokenizers: tuple[Path, ...] = ()

    @property
    def data_folder(self) -> Path:
        """Where checkpoints are kept, in a folder of their own."""
        return data_dir() if self.data is None else self.data

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """The settings of this process; an empty variable counts as not set."""
        checkpoint = environ.get("DIFFUMASK_CHECKPOINT")
        tokenizers = environ.get("DIFFUMASK_TOKENIZERS", "").split(os.pathsep)
        return cls(
            Path(checkpoint) if checkpoint else None,
            tokenizers=tuple(Path(folder).expanduser() for folder in tokenizers if folder),
        )
