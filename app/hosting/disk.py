"""Whether anything may be saved: READ_ONLY, and the room that is left on the data's disk."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path

from annotations.errors import StoreError
from app.hosting.mode import Hosting

_LOOK = 5.0  # seconds between two looks at the disk


class Disk:
    """Asked before each write. Safe to share between threads."""

    def __init__(self, folder: Path, hosting: Hosting):
        self.folder, self.hosting = folder, hosting
        self._lock = threading.Lock()
        self._look_at, self._full = 0.0, False

    def check(self) -> None:
        """Raise StoreError, one line, when nothing may be saved."""
        if self.hosting.read_only:
            raise StoreError("this studio is read-only (READ_ONLY): nothing is saved")
        self.check_room()

    def check_room(self) -> None:
        """Raise StoreError, one line, when the disk is nearly full."""
        with self._lock:
            if time.monotonic() > self._look_at:
                self._look_at, self._full = time.monotonic() + _LOOK, self._free() < self.hosting.disk_free
            if self._full:
                raise StoreError("the server's disk is nearly full: nothing is saved until there is room again")

    def _free(self) -> int:
        folder = self.folder
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        return shutil.disk_usage(folder).free
