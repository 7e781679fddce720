"""A few worker threads, and a queue in front of them that is bounded and fair to all callers."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

import torch

from ..errors import InputError

Result = TypeVar("Result")
Job = Callable[[], None]


class BusyError(Exception):
    """There is no room in the queue; ask again later."""


class FairPool:
    """Callers take turns: one who asks for much waits for himself, not the others for him.

    Args:
        workers: threads; where there are several, each computes with one core, and what they read at the same time is
            read together (see `model.relevance.passes`).
        room: jobs that may wait.
    """

    def __init__(self, workers: int, room: int) -> None:
        if workers < 1 or room < 1:
            raise InputError("workers and queue must be at least 1")
        self._room = room
        self._waiting: dict[str, deque[Job]] = {}  # by caller, in the order of their turns
        self._changed = threading.Condition()
        self._closing = False
        self._threads = [threading.Thread(target=self._work, args=(workers > 1,), daemon=True) for _ in range(workers)]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """How many jobs wait."""
        with self._changed:
            return sum(map(len, self._waiting.values()))

    def submit(self, caller: str, work: Callable[[], Result]) -> Future[Result]:
        """Do the work when it is this caller's turn.

        Raises BusyError when too many jobs wait, or the pool is closed.
        """
        future: Future[Result] = Future()

        def job() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(work())
            except BaseException as error:
                future.set_exception(error)

        with self._changed:
            if self._closing or sum(map(len, self._waiting.values())) >= self._room:
                raise BusyError
            self._waiting.setdefault(caller, deque()).append(job)
            self._changed.notify()
        return future

    def close(self) -> None:
        """Finish what waits and what runs; take nothing more."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self, one_core: bool) -> None:
        if one_core:
            torch.set_num_threads(1)
        while (job := self._next()) is not None:
            job()

    def _next(self) -> Job | None:
        """The job of the caller whose turn it is, who then goes to the end of the row; None = closed and empty."""
        with self._changed:
            while not self._waiting:
                if self._closing:
                    return None
                self._changed.wait()
            caller = next(iter(self._waiting))
            jobs = self._waiting.pop(caller)
            job = jobs.popleft()
            if jobs:
                self._waiting[caller] = jobs
            return job
