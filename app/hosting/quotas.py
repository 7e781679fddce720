"""How much each person, or each address that nobody is signed in at, has used in the last hour; kept in memory."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable

from app.hosting.mode import Limits
from app.hosting.people import Person
from model.errors import InputError

HOUR = 3600.0
_KEYS = 20_000  # people and addresses that are remembered
_WHAT = {
    "runs": "runs of the model",
    "characters": "characters for the model",
    "saves": "saved drafts and corrections",
    "uploads": "bytes of uploads",
}


class QuotaError(InputError):
    """Somebody has used all that they may for now."""


class Quotas:
    """Counters that forget after an hour. Safe to share between threads. clock: seconds that only rise."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic):
        self.limits, self._clock = limits, clock
        self._used: OrderedDict[tuple[str, str], _Window] = OrderedDict()
        self._lock = threading.Lock()

    def use(self, person: Person, what: str, amount: int = 1) -> None:
        """Count it. Raises QuotaError, and counts nothing, when it would be more than an hour's share."""
        if not person.local:
            self._use(person.key, what, amount)

    def _use(self, key: str, what: str, amount: int) -> None:
        limit, now = int(getattr(self.limits, what)), self._clock()
        with self._lock:
            window = self._used.setdefault((key, what), _Window())
            self._used.move_to_end((key, what))
            while len(self._used) > _KEYS:
                self._used.popitem(last=False)
            window.forget(now - HOUR)
            if window.sum + amount > limit:
                minutes = window.wait(amount - (limit - window.sum), now) / 60
                raise QuotaError(f"That is more than {limit:,} {_WHAT[what]} an hour: try again in {minutes:.0f} min.")
            window.add(now, amount)

    def upload(self, address: str, size: int) -> str:
        """Why an upload of so many bytes is refused, or ""."""
        try:
            self._use(f"address {address}", "uploads", size)
        except QuotaError as error:
            return str(error)
        return ""


class _Window:
    """Amounts with their times; those within one minute are kept as one."""

    def __init__(self) -> None:
        self.sum = 0
        self._parts: deque[list[float]] = deque()

    def add(self, now: float, amount: int) -> None:
        if self._parts and now - self._parts[-1][0] < 60:
            self._parts[-1][1] += amount
        else:
            self._parts.append([now, amount])
        self.sum += amount

    def forget(self, before: float) -> None:
        while self._parts and self._parts[0][0] <= before:
            self.sum -= int(self._parts.popleft()[1])

    def wait(self, excess: int, now: float) -> float:
        """Seconds until so much is forgotten; an hour when it never fits."""
        for at, amount in self._parts:
            excess -= int(amount)
            if excess <= 0:
                return max(60.0, at + HOUR - now)
        return HOUR
