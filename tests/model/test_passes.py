"""Passes that several threads share: what is in each, who gets what, and what happens when one fails."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from model.relevance.passes import SharedPasses
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


def asks(passes: SharedPasses, windows: list[list[int]]) -> list[list[int]]:
    return [found.tolist() for found in passes.run(windows, lambda i, states: states + i)]


@pytest.mark.parametrize("padded", [False, True])
@given(calls=CALLS)
def test_each_thread_gets_its_own_and_no_pass_is_too_large(padded: bool, calls: list[list[int]]) -> None:
    encoder = Encoder()
    passes = SharedPasses(encoder, MOST, padded, threading.Semaphore(2))
    wanted = [[[100 * n + i + 1] * size for i, size in enumerate(call)] for n, call in enumerate(calls)]
    with ThreadPoolExecutor(3) as threads:
        found = list(threads.map(lambda windows: asks(passes, windows), wanted))
    assert found == [[[value + i for value in each] for i, each in enumerate(windows)] for windows in wanted]
    assert sum(map(len, encoder.passes)) == sum(map(len, calls))
    for lengths in encoder.passes:
        assert len(lengths) == 1 or (max(lengths) * len(lengths) if padded else sum(lengths)) <= MOST


def together(encoder: Encoder, calls: list[list[list[int]]]) -> list[object]:
    """What comes of calls that all wait before the first pass."""
    gate = threading.Semaphore(0)
    passes = SharedPasses(encoder, MOST, False, gate)

    def ask(windows: list[list[int]]) -> object:
        try:
            return asks(passes, windows)
        except ValueError as error:
            return str(error)

    with ThreadPoolExecutor(len(calls)) as threads:
        found = [threads.submit(ask, windows) for windows in calls]
        while len(passes._waiting) < len(calls):
            threading.Event().wait(0.001)
        gate.release()
        return [each.result() for each in found]


def test_those_who_wait_are_read_in_one_pass_and_take_turns() -> None:
    encoder = Encoder()
    together(encoder, [[[1] * 2] * 3, [[2] * 3] * 2])
    assert encoder.passes == [[2, 2, 2, 3, 3]]
    encoder = Encoder()
    together(encoder, [[[1] * 10] * 6, [[1] * 4]])
    assert encoder.passes == [[10, 10], [4, 10], [10, 10], [10]], "the short one waits for one pass of the long one"


def test_what_fails_is_said_to_all_who_were_in_the_pass_and_the_next_works() -> None:
    encoder = Encoder()
    first, second = together(encoder, [[[1, 2]], [[0], [3] * 19]])
    assert first == second == "an id that nobody knows"
    passes = SharedPasses(encoder, MOST, False, threading.Semaphore(1))
    with pytest.raises(ValueError, match="nobody knows"):
        asks(passes, [[0], [1]])
    assert asks(passes, [[1], [1]]) == [[1], [2]]


def test_threads_read_what_each_would_alone() -> None:
    """To the last bit, with a real encoder and its windows."""
    texts = [[f"{'word ' * (i % 7 + n)}{i}" for i in range(9)] for n in range(8)]
    encoder = tiny_encoder()
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(encoder.embed, texts))
    for own, each in zip(texts, found, strict=True):
        assert torch.equal(tiny_encoder().embed(own), each)
