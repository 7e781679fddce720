"""Memory that a long-lived process must not gather with every new prompt.

Two things grew by about 3 MB a prompt: oneDNN keeps a compiled primitive for each shape it has met, up to 1,024,
and nearly every prompt has a length of its own; and glibc's malloc keeps freed tensors between those that live on.
"""

from __future__ import annotations

import ctypes
import os
import threading
from functools import lru_cache
from typing import Any

PRIMITIVES = 32  # shapes that oneDNN remembers
EVERY = 8  # runs between two times that free memory is given back to the system

_lock = threading.Lock()
_runs = 0


def bound_caches() -> None:
    """Before the first model is loaded: let oneDNN remember few shapes, unless the environment says how many."""
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", str(PRIMITIVES))


def after_run() -> None:
    """A run has ended: every so often, give free memory back to the system (glibc; elsewhere nothing happens)."""
    global _runs
    with _lock:
        _runs += 1
        due = _runs % EVERY == 0
    if due and (trim := _trim()) is not None:
        trim(0)


@lru_cache
def _trim() -> Any:
    try:
        return ctypes.CDLL("libc.so.6").malloc_trim
    except (OSError, AttributeError):
        return None
