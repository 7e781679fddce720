"""Windows of different lengths, read side by side without padding."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.relevance.packed import PackedEncoder
from tests.support.tiny import tiny_bert

BACKBONE = tiny_bert(600).eval()
ENCODERS = {dtype: PackedEncoder(BACKBONE, dtype) for dtype in (torch.float32, torch.bfloat16)}
SIZES = st.lists(st.integers(1, 300), min_size=1, max_size=12)


def windows(sizes: Sequence[int]) -> list[list[int]]:
    return [[(7 * i + 3 * size) % 40 + 5 for i in range(size)] for size in sizes]


@torch.inference_mode()
@pytest.mark.parametrize(("dtype", "close"), [(torch.float32, 1e-4), (torch.bfloat16, 0.2)])
def test_each_window_reads_as_transformers_reads_it(dtype: torch.dtype, close: float) -> None:
    read = windows([1, 16, 17, 100, 300, 16, 2, 299])
    for ids, states in zip(read, ENCODERS[dtype](read), strict=True):
        expected = BACKBONE(input_ids=torch.tensor([ids])).last_hidden_state[0]
        assert states.shape == expected.shape and torch.allclose(states.float(), expected, atol=close)


@torch.inference_mode()
@settings(max_examples=30)
@given(SIZES, st.sampled_from(list(ENCODERS)))
def test_what_a_window_reads_does_not_depend_on_those_beside_it(sizes: list[int], dtype: torch.dtype) -> None:
    """To the last bit: a request that is answered together with others gets what it would get alone."""
    encoder, read = ENCODERS[dtype], windows(sizes)
    for together, window in zip(encoder(read), read, strict=True):
        assert torch.equal(together, encoder([window])[0])
