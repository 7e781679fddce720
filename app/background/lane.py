"""The model's own thread, on which long work lets others go first between its pieces."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import ParamSpec, TypeVar

from app.background.priority import lower_priority
from model.turns import giving_way

P = ParamSpec("P")
R = TypeVar("R")
PIECE = 0.5  # seconds that a call may go on while others wait
SHARE = 2.0  # of the time that others may have between two pieces, in times of the piece's
MOMENT = 0.02  # seconds in which whoever was answered asks again
NICENESS = 5  # of the thread: the server's others have little to do, and must not wait for a product of matrices


class Lane:
    """One thread. Calls wait in line; those that wait are made between two pieces of the one that is going on.

    Each thread that multiplies matrices starts helpers of its own, and helpers of several threads get in each other's
    way: on 2 cores, from another thread than the one that loaded it, the model takes a quarter longer.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "model", lower_priority, (NICENESS,))
        self._waiting: deque[Callable[[], None]] = deque()

    def run(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call `work` on the thread. It knows for whom it is done, as the thread that asks does."""
        answer: Future[R] = Future()
        context = copy_context()

        def call() -> None:
            try:
                with giving_way(self._others()):
                    answer.set_result(work(*args, **kwargs))
            except BaseException as error:
                answer.set_exception(error)

        self._waiting.append(lambda: context.run(call))
        self._thread.submit(self._next)
        return answer.result()

    def _next(self) -> None:
        if self._waiting:  # it may have been called between the pieces of another
            self._waiting.popleft()()

    def _others(self) -> Callable[[], None]:
        """What a call does between its pieces: when it has had its time, let others have up to SHARE times as much."""
        since = time.monotonic()

        def let_others() -> None:
            nonlocal since
            had = time.monotonic() - since
            if had > PIECE:
                self._make_calls(time.monotonic() + SHARE * had)
                since = time.monotonic()

        return let_others

    def _make_calls(self, until: float) -> None:
        """Those that wait, and those that come meanwhile."""
        while self._waiting and time.monotonic() < until:
            self._next()
            if not self._waiting:
                time.sleep(MOMENT)
