"""Passes of an encoder, shared by all threads that read something at the same time.

Short texts alone make small passes, which take nearly as long as larger ones. So what several threads want to read is
read together: each pass takes windows of those that wait in turn, as many as fit, and a thread computes passes until
its own windows are done, whoever they were computed by.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..devices import cores

Window = Sequence[int]  # subword ids
Encode = Callable[[Sequence[Window]], Sequence[Tensor]]  # windows -> the states of each, [its length, width]
Summary = Callable[[int, Tensor], Tensor]  # a window's number and states -> what is wanted of them


@dataclass(frozen=True, eq=False)
class WindowEncoder:
    """What computes passes.

    Attributes:
        encode: what a window comes out as must not depend on those beside it.
        most: subwords in one pass (or one window).
        padded: a pass takes as long as if all its windows were as long as the longest.
    """

    encode: Encode
    most: int
    padded: bool

    def fits(self, sizes: Sequence[int]) -> bool:
        """Whether windows of so many subwords make one pass."""
        return len(sizes) == 1 or (max(sizes) * len(sizes) if self.padded else sum(sizes)) <= self.most


class SharedPasses:
    """Computes windows for several threads, by one encoder or several on the same device.

    at_once: passes that are computed at the same time.
    """

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        self._waiting: deque[_Call] = deque()
        self._changed = threading.Condition()

    @classmethod
    def on(cls, device: torch.device) -> SharedPasses:
        """As many at once as there are cores; on an accelerator one."""
        return cls(cores() if device.type == "cpu" else 1)

    def run(self, encoder: WindowEncoder, windows: Sequence[Window], summary: Summary) -> list[Tensor]:
        """What `summary` makes of each window, in order. Raises what `encode` or `summary` does."""
        call = _Call(encoder, windows, summary)
        with self._changed:
            if windows:
                self._waiting.append(call)
            while call.left:
                if self._free and self._waiting:
                    self._pass()
                else:  # others compute what is left of it, or all cores are busy
                    self._changed.wait()
        if call.error is not None:
            raise call.error
        return call.found

    def _pass(self) -> None:
        """Compute one pass; others may go on meanwhile."""
        batch = self._take()
        self._free -= 1
        self._changed.release()
        try:
            results = _computed(batch)
        finally:
            self._changed.acquire()
            self._free += 1
            self._changed.notify_all()
        for (call, i), result in zip(batch, results, strict=True):
            call.put(i, result)

    def _take(self) -> list[tuple[_Call, int]]:
        """Windows for one pass, of calls that want the same encoder; whoever has more goes to the end of the row."""
        batch: list[tuple[_Call, int]] = []
        sizes: list[int] = []
        encoder = self._waiting[0].encoder
        for call in [call for call in self._waiting if call.encoder is encoder]:
            while call.open and encoder.fits([*sizes, call.next_size]):
                sizes.append(call.next_size)
                batch.append((call, call.open.pop()))
            self._waiting.remove(call)
            if call.open:
                self._waiting.append(call)
                break
        return batch


@torch.inference_mode()
def _computed(batch: list[tuple[_Call, int]]) -> list[Tensor | BaseException]:
    try:
        states = batch[0][0].encoder.encode([call.windows[i] for call, i in batch])
        return [call.summary(i, own) for (call, i), own in zip(batch, states, strict=True)]
    except BaseException as error:
        return [error] * len(batch)


class _Call:
    """What one thread wants to read.

    Attributes:
        open: the windows that nobody has taken yet, the next one last: the shortest first.
        left: how many are not done.
    """

    def __init__(self, encoder: WindowEncoder, windows: Sequence[Window], summary: Summary) -> None:
        self.encoder, self.windows, self.summary = encoder, windows, summary
        self.open = sorted(range(len(windows)), key=lambda i: len(windows[i]), reverse=True)
        self.left = len(windows)
        self.found = [torch.empty(0)] * len(windows)
        self.error: BaseException | None = None

    @property
    def next_size(self) -> int:
        """Subwords of the window that is next."""
        return len(self.windows[self.open[-1]])

    def put(self, i: int, result: Tensor | BaseException) -> None:
        """Take what came of a window."""
        if isinstance(result, BaseException):
            self.error = result
        else:
            self.found[i] = result
        self.left -= 1
