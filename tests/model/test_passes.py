"""Passes that several threads share: what is in each, who gets what, and what happens when one fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from model.relevance.passes import SharedPasses, WindowEncoder
from tests.support.tiny_encoder import tiny_encoder

MOST = 20
CALLS = st.lists(st.lists(st.integers(1, 30), max_size=8), max_size=6)


class Encoder:
    """Its states are the ids themselves; it remembers the lengths in each pass."""

    def __init__(self) -> None:
        self.passes: list[list[int]] = []

    def __call__(self, windows: Sequence[Sequence[int]]) -> list[Tensor]:
        self.passes.append([len(window) for window in windows])
        if any(0 in window for window in windows):
            raise ValueError("an id that nobody knows")
        return [torch.tensor(list(window)) for window in windows]


def asks(passes: SharedPasses, encoder: Encoder, windows: list[list[int]]) -> list[list[int]]:
    found = passes.run(WindowEncoder(encoder, MOST, False), windows, lambda i, states: states + i)
    return [each.tolist() for each in found]


@pytest.mark.parametrize("padded", [False, True])
@given(calls=CALLS)
def test_each_thread_gets_its_own_and_no_pass_is_too_large(padded: bool, calls: list[list[int]]) -> None:
    encoder, passes = Encoder(), SharedPasses(2)
    shared = WindowEncoder(encoder, MOST, padded)
    wanted = [[[100 * n + i + 1] * size for i, size in enumerate(call)] for n, call in enumerate(calls)]

    def ask(windows: list[list[int]]) -> list[list[int]]:
        return [each.tolist() for each in passes.run(shared, windows, lambda i, states: states + i)]

    with ThreadPoolExecutor(3) as threads:
        found = list(threads.map(ask, wanted))
    assert found == [[[value + i for value in each] for i, each in enumerate(windows)] for windows in wanted]
    assert sum(map(len, encoder.passes)) == sum(map(len, calls))
    for lengths in encoder.passes:
        assert len(lengths) == 1 or (max(lengths) * len(lengths) if padded else sum(lengths)) <= MOST


class Held:
    """Several threads read at the same time, after a pass that lasts until all of them wait."""

    def __init__(self, *encoders: Encoder) -> None:
        self.passes, self.encoders = SharedPasses(1), [WindowEncoder(each, MOST, False) for each in encoders]
        self.go, self.done = threading.Event(), list[int]()

    def hold(self, windows: Sequence[Sequence[int]]) -> list[Tensor]:
        self.go.wait(30)
        return [torch.empty(0)] * len(windows)

    def ask(self, calls: list[tuple[int, list[list[int]]]]) -> list[str]:
        """What comes of calls, each of an encoder and its windows; `done`: in which order they are answered."""
        with ThreadPoolExecutor(len(calls) + 1) as threads:
            threads.submit(self.passes.run, WindowEncoder(self.hold, 1, False), [[1]], lambda i, states: states)
            asked = []
            for number in range(len(calls)):
                while len(self.passes._waiting) < number or (not number and self.passes._free):
                    time.sleep(0.001)
                asked.append(threads.submit(self._one, number, *calls[number]))
            while len(self.passes._waiting) < len(calls):
                time.sleep(0.001)
            self.go.set()
            return [each.result() for each in asked]

    def _one(self, number: int, encoder: int, windows: list[list[int]]) -> str:
        try:
            self.passes.run(self.encoders[encoder], windows, lambda i, states: states)
            self.done.append(number)
            return ""
        except ValueError as error:
            return str(error)


def test_those_who_wait_are_read_in_one_pass() -> None:
    encoder = Encoder()
    Held(encoder).ask([(0, [[1] * 2] * 3), (0, [[2] * 3] * 2)])
    assert encoder.passes == [[2, 2, 2, 3, 3]]


def test_they_take_turns_whichever_encoder_they_ask() -> None:
    """Neither a short call nor another encoder's waits for more than one pass of a long one, and is told at once."""
    encoder, other = Encoder(), Encoder()
    held = Held(encoder, other)
    held.ask([(0, [[1] * 10] * 400), (0, [[1] * 4]), (1, [[1] * 5])])
    assert encoder.passes[:2] == [[10, 10], [4, 10]] and other.passes == [[5]]
    assert held.done[2] == 0


def test_what_fails_is_said_to_all_who_were_in_the_pass_and_the_next_works() -> None:
    encoder, passes = Encoder(), SharedPasses(1)
    assert Held(encoder).ask([(0, [[1, 2]]), (0, [[0], [3] * 19])]) == ["an id that nobody knows"] * 2
    with pytest.raises(ValueError, match="nobody knows"):
        asks(passes, encoder, [[0], [1]])
    assert asks(passes, encoder, [[1], [1]]) == [[1], [2]]


def test_threads_read_what_each_would_alone() -> None:
    """To the last bit, with a real encoder and its windows."""
    texts = [[f"{'word ' * (i % 7 + n)}{i}" for i in range(9)] for n in range(8)]
    encoder = tiny_encoder()
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(encoder.embed, texts))
    for own, each in zip(texts, found, strict=True):
        assert torch.equal(tiny_encoder().embed(own), each)
