"""Work that kills the process that does it, as the kernel does where memory runs out. It loads nothing else."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from model.errors import InputError


@dataclass(frozen=True)
class Deadly:
    """Squares numbers; over 3 the worker dies, the first time or always."""

    folder: str
    always: bool = False

    def __call__(self) -> Callable[[int], int]:
        return self.square

    def square(self, number: int) -> int:
        seen = Path(self.folder) / str(number)
        if number == 3 and (self.always or not seen.exists()):
            seen.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return number * number


class Unable:
    """Cannot make its function, as where a checkpoint is missing."""

    def __call__(self) -> Callable[[int], int]:
        raise InputError("there is no model")
