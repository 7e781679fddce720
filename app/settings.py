"""What the environment decides about the studio."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """Where things come from.

    Attributes:
        checkpoint: folder of the model to serve; None: the shipped one (DIFFUMASK_CHECKPOINT).

    Where the corrections lie is decided by `annotations.db` (DIFFUMASK_DATABASE_URL, DIFFUMASK_DATA).
    """

    checkpoint: Path | None = None

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """The settings of this process; an empty variable counts as not set."""
        checkpoint = environ.get("DIFFUMASK_CHECKPOINT")
        return cls(Path(checkpoint) if checkpoint else None)
