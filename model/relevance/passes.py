"""Passes of an encoder, shared by all threads that read something at the same time.

Short texts alone make small passes, which take nearly as long as larger ones. So what several threads want to read is
read together: each pass takes windows of those that wait in turn, as many as fit, and a thread computes passes until
its own windows are done, whoever they were computed by.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..devices import cores

Window = Sequence[int]  # subword ids
Encode = Callable[[Sequence[Window]], Sequence[Tensor]]  # windows -> the states of each, [its length, width]
Summary = Callable[[int, Tensor], Tensor]  # a window's number and states -> what is wanted of them


def gate_for(device: torch.device) -> threading.Semaphore:
    """Lets as many passes be computed at once as there are cores; on an accelerator one."""
    return threading.Semaphore(cores() if device.type == "cpu" else 1)


class SharedPasses:
    """Computes windows for several threads.

    Args:
        encode: what a window comes out as must not depend on those beside it.
        most: subwords in one pass (or one window).
        padded: a pass takes as long as if all its windows were as long as the longest.
        gate: see `gate_for`; encoders on the same device share one.
    """

    def __init__(self, encode: Encode, most: int, padded: bool, gate: threading.Semaphore) -> None:
        self._encode, self._most, self._padded, self.gate = encode, most, padded, gate
        self._waiting: deque[_Call] = deque()
        self._lock = threading.Lock()

    def run(self, windows: Sequence[Window], summary: Summary) -> list[Tensor]:
        """What `summary` makes of each window, in order. Raises what `encode` or `summary` does."""
        call = _Call(windows, summary)
        if windows:
            with self._lock:
                self._waiting.append(call)
        while call.left:
            with self.gate:
                batch = self._take()
                if batch:
                    self._compute(batch)
            if not batch:  # others compute what is left of it
                call.finished.wait()
        if call.error is not None:
            raise call.error
        return call.found

    def _take(self) -> list[tuple[_Call, int]]:
        """Windows for one pass; whoever has more goes to the end of the row."""
        batch: list[tuple[_Call, int]] = []
        size = longest = 0
        with self._lock:
            while self._waiting:
                call = self._waiting.popleft()
                while call.open:
                    length = len(call.windows[call.open[-1]])
                    longest, size = max(longest, length), size + length
                    if batch and (longest * (len(batch) + 1) if self._padded else size) > self._most:
                        self._waiting.append(call)
                        return batch
                    batch.append((call, call.open.pop()))
        return batch

    @torch.inference_mode()
    def _compute(self, batch: list[tuple[_Call, int]]) -> None:
        try:
            states = self._encode([call.windows[i] for call, i in batch])
        except BaseException as error:
            for call, i in batch:
                self._put(call, i, error)
            return
        for (call, i), own in zip(batch, states, strict=True):
            try:
                self._put(call, i, call.summary(i, own))
            except BaseException as error:
                self._put(call, i, error)

    def _put(self, call: _Call, i: int, result: Tensor | BaseException) -> None:
        with self._lock:
            if isinstance(result, BaseException):
                call.error = result
            else:
                call.found[i] = result
            call.left -= 1
            if not call.left:
                call.finished.set()


class _Call:
    """What one thread wants to read.

    Attributes:
        open: the windows that nobody has taken yet, the next one last: the shortest first.
        left: how many are not done.
    """

    def __init__(self, windows: Sequence[Window], summary: Summary) -> None:
        self.windows, self.summary = windows, summary
        self.open = sorted(range(len(windows)), key=lambda i: len(windows[i]), reverse=True)
        self.left = len(windows)
        self.found = [torch.empty(0)] * len(windows)
        self.error: BaseException | None = None
        self.finished = threading.Event()
