"""A cache of tensors that is bounded in bytes: what was used least recently goes first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable

from torch import Tensor


class TensorCache:
    """Tensors by key. Safe to use from several threads."""

    def __init__(self, limit: int) -> None:
        """limit: bytes of all tensors and keys together; a tensor that is larger alone is not kept."""
        self._limit = limit
        self._tensors: OrderedDict[Hashable, tuple[Tensor, int]] = OrderedDict()
        self._lock = threading.Lock()
        self.bytes = 0

    def get(self, key: Hashable) -> Tensor | None:
        """The tensor of a key, which is now the one used last; None if it is not here (any more)."""
        with self._lock:
            if key not in self._tensors:
                return None
            self._tensors.move_to_end(key)
            return self._tensors[key][0]

    def put(self, key: Hashable, tensor: Tensor, key_bytes: int = 0) -> None:
        """Remember a tensor, and forget others until all fit. key_bytes: what the key itself takes, roughly."""
        size = tensor.numel() * tensor.element_size() + key_bytes
        with self._lock:
            self.bytes -= self._tensors.pop(key, (None, 0))[1]
            if size > self._limit:
                return
            self._tensors[key] = tensor, size
            self.bytes += size
            while self.bytes > self._limit:
                self.bytes -= self._tensors.popitem(last=False)[1][1]
