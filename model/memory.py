"""Memory that a long-lived process must not gather with every new prompt.

Two things grew by 1.5 to 3 MB a prompt: oneDNN and torch's layer over it keep a compiled primitive for each shape that
a product in bfloat16 had, up to 1,024, and nearly every prompt has a length of its own; and glibc's malloc keeps freed
tensors between those that live on.
"""

from __future__ import annotations

import ctypes
import os
import threading
from functools import lru_cache
from typing import Any

PRIMITIVES = 64  # shapes that are remembered; about 0.6 MB each
_CACHES = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY")  # oneDNN's, and torch's over it
GROWN = 16 * 2**20  # bytes by which the process may grow before free memory is given back to the system (about 10 ms)

_lock = threading.Lock()
_least = 0  # bytes of the process when memory was given back last


def bound_caches() -> None:
    """Before the first model is loaded: let few shapes be remembered, unless the environment says how many."""
    for name in _CACHES:
        os.environ.setdefault(name, str(PRIMITIVES))


def after_run() -> None:
    """A run has ended: where it left the process larger, give free memory back (glibc; elsewhere nothing happens)."""
    global _least
    with _lock:
        if (trim := _trim()) is not None and resident() > _least + GROWN:
            trim(0)
            _least = resident()


def resident() -> int:
    """Bytes of memory that this process has now (Linux); 0 elsewhere."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


@lru_cache
def _trim() -> Any:
    try:
        return ctypes.CDLL("libc.so.6").malloc_trim
    except (OSError, AttributeError):
        return None
