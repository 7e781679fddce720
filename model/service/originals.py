"""What messages said before they were shortened, by a hash, for those who sent them."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

DIGITS = 24  # of a hash, hexadecimal; as many as LiteLLM reads at most
ENTRY_BYTES = 300  # of a hash and of the books kept about it


@dataclass(frozen=True)
class StoreLimits:
    """What the store may hold, and for how long after a text was last sent."""

    bytes: int = 256 * 2**20
    entries: int = 100_000
    seconds: float = 3600.0


class Originals:
    """Texts by caller and hash. Nothing is thrown away before its time: a full store takes no more, and says so.

    Safe to use from several threads.
    """

    def __init__(self, limits: StoreLimits, now: Callable[[], float] = time.monotonic) -> None:
        self._limits, self._now = limits, now
        self._texts: OrderedDict[tuple[str, str], tuple[bytes, float]] = OrderedDict()  # oldest first
        self._lock = threading.Lock()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._texts)

    def put(self, caller: str, text: str) -> str | None:
        """Keep a text, or keep it longer; its hash. None when there is no room."""
        data = text.encode("utf-8", "surrogatepass")
        key = caller, hash_of(text)
        with self._lock:
            self._expire()
            if key in self._texts:
                self._texts.move_to_end(key)
            elif len(self._texts) >= self._limits.entries or self.bytes + _size(data) > self._limits.bytes:
                return None
            else:
                self.bytes += _size(data)
            self._texts[key] = data, self._now() + self._limits.seconds
        return key[1]

    def get(self, caller: str, digest: str) -> str | None:
        """The text that this caller sent; None when it is not here (any more)."""
        with self._lock:
            self._expire()
            data, _ = self._texts.get((caller, digest.lower()), (None, 0.0))
        return None if data is None else data.decode("utf-8", "surrogatepass")

    def _expire(self) -> None:
        while self._texts:
            key, (data, until) = next(iter(self._texts.items()))
            if until > self._now():
                return
            del self._texts[key]
            self.bytes -= _size(data)


def hash_of(text: str) -> str:
    """Names a text: the beginning of its SHA-256."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:DIGITS]


def _size(data: bytes) -> int:
    return len(data) + ENTRY_BYTES
