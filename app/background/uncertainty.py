"""How uncertain the model is about the prompts in the queue, measured whenever no visitor needs the model."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from annotations.errors import RecordError, StoreError
from annotations.store import Store
from app.background.priority import lower_priority
from app.background.served import Served
from model.compress import Compressor, CompressRequest
from model.errors import InputError
from model.turns import giving_way

_BATCH = 8  # prompts read from the store at a time
_PAUSE = 0.05  # seconds between two looks at whether a visitor is being served


def uncertainty(compressor: Compressor, text: str) -> float:
    """Mean over the tokens that are free to decide: 0 = the model is sure of its mask, 1 = as good as a coin toss.

    Raises InputError when the prompt is empty or too long.
    """
    run = compressor.run(CompressRequest(text, retention=0.5, steps=1))
    fixed, confidence = run.request.fixed, run.trace.confidence
    free = [2 * (1 - sure) for i, sure in enumerate(confidence) if i not in fixed]
    return sum(free) / len(free) if free else 0.0


class Gauge:
    """Measures the queue in the background. busy: whether a visitor is being served now."""

    def __init__(self, served: Served, open_store: Callable[[], Store], busy: Callable[[], bool]):
        self._served, self._open_store, self._busy = served, open_store, busy
        self._lock = threading.Lock()
        self._more = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Measure what is not measured yet; returns at once."""
        with self._lock:
            self._more = True
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, daemon=True)
                self._thread.start()

    def _work(self) -> None:
        lower_priority(15)
        while True:
            with self._lock:
                if not self._more:
                    self._thread = None
                    return
                self._more = False
            try:
                while items := self._open_store().unmeasured(_BATCH):
                    for item in items:
                        self._open_store().set_uncertainty(item.id, self._measure(item.text))
            except (InputError, RecordError, StoreError) as error:  # without it the queue is in order of arrival
                logging.getLogger(__name__).warning("the queue is not measured: %s", error)

    def _measure(self, text: str) -> float:
        compressor = self._served.compressor
        self._let_visitors()
        try:
            with giving_way(self._let_visitors):
                return uncertainty(compressor, text)
        except InputError:
            return 0.0  # nobody can correct it

    def _let_visitors(self) -> None:
        while self._busy():
            time.sleep(_PAUSE)
