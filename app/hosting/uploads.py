"""Uploads and exports lie in a folder of this program alone, and are gone after a while: those of a killed server, too.

Gradio removes what it remembers, and what it remembers ends with it.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from pathlib import Path

from annotations.files.scratch import TEMPORARY, remove_leftovers

LOOK, AGE = 600, 3600  # seconds between two looks for old files, and the age at which they go
_FOLDER = "GRADIO_TEMP_DIR"


def use_own_folder() -> None:
    """Let Gradio keep uploads in a folder of this user's studios, unless the environment names one."""
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "")
    os.environ.setdefault(_FOLDER, str(Path(tempfile.gettempdir()) / f"diffumask-uploads-{user}"))


def clean_up() -> None:
    """Remove what killed servers left in the system's temporary folder, and from now on old uploads."""
    remove_leftovers(Path(tempfile.gettempdir()), TEMPORARY)
    if _FOLDER in os.environ:
        threading.Thread(target=_keep_clean, args=(Path(os.environ[_FOLDER]),), daemon=True).start()


def _keep_clean(folder: Path) -> None:
    while True:
        remove_old(folder, AGE)
        time.sleep(LOOK)


def remove_old(folder: Path, age: float) -> None:
    """Remove files, and folders that are empty, when they are older than so many seconds."""
    for path in sorted(folder.rglob("*"), reverse=True):  # what is in a folder comes before the folder
        try:
            if time.time() - path.lstat().st_mtime > age:
                path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        except OSError:
            pass  # not empty, or gone already
