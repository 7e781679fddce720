"""Folders for half-made things, which a killed process leaves behind and the next one finds and removes.

Each is locked by the process that works in it, so that two servers on one data folder leave each other's alone.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # Windows: there nothing is ever taken for left behind
    fcntl = None  # type: ignore[assignment]

TEMPORARY = "diffumask-"  # how folders in the system's temporary folder begin
_LOCK = "in-use"


@contextmanager
def scratch_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """A new folder that only this process works in; gone afterwards."""
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent, prefix=prefix) as folder:
        with open(Path(folder) / _LOCK, "w") as lock:
            _try_lock(lock)
            yield Path(folder)


def temporary_folder() -> AbstractContextManager[Path]:
    """Such a folder in the system's temporary one."""
    return scratch_folder(Path(tempfile.gettempdir()), TEMPORARY)


def remove_leftovers(parent: Path, prefix: str) -> int:
    """Remove the folders that no process works in any more; returns how many there were."""
    leftovers = [folder for folder in parent.glob(f"{prefix}*") if folder.is_dir() and _is_left(folder)]
    for folder in leftovers:
        shutil.rmtree(folder, ignore_errors=True)
    return len(leftovers)


def _is_left(folder: Path) -> bool:
    try:
        with open(folder / _LOCK, "a") as lock:
            return _try_lock(lock)
    except OSError:
        return False


def _try_lock(lock: IO[str]) -> bool:
    if fcntl is None:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return os.path.exists(lock.name)
