"""What was computed before, by what it was computed from; bounded in bytes, what was used least recently goes first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")
ENTRY = 200  # bytes of a key and of the books kept about it


class Memo(Generic[Value]):
    """Values by key. Safe to use from several threads.

    Attributes:
        bytes: what all values take, as `size` says, with their keys.
    """

    def __init__(self, limit: int, size: Callable[[Value], int]) -> None:
        self._limit, self._size = limit, size
        self._values: OrderedDict[str, Value] = OrderedDict()
        self._lock = threading.Lock()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: str) -> Value | None:
        """The value of a key, which is now the one used last; None if it is not here (any more)."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: str, value: Value) -> None:
        """Remember a value, and forget others until all fit."""
        with self._lock:
            if key in self._values:
                self.bytes -= ENTRY + self._size(self._values.pop(key))
            self._values[key] = value
            self.bytes += ENTRY + self._size(value)
            while self.bytes > self._limit:
                self.bytes -= ENTRY + self._size(self._values.popitem(last=False)[1])
