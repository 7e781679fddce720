"""Work that visitors must not feel."""

from __future__ import annotations

import os
import threading


def lower_priority(niceness: int = 10) -> None:
    """Let all other threads go first, where the system can tell threads apart (Linux).

    Threads that this one starts, such as those of matrix products, do the same.
    """
    try:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)
    except (AttributeError, OSError):
        pass  # another system: then all threads are equal
