"""Linear layers in the CPU's own order, against plain ones."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import nn

from model.linear import ReadyLinear


def both(dtype: torch.dtype) -> tuple[nn.Linear, ReadyLinear]:
    torch.manual_seed(0)
    plain = nn.Linear(48, 32)
    ready = ReadyLinear.of(plain).to(dtype)
    ready.ready()
    return plain.to(dtype), ready


@torch.inference_mode()
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(48,), (1, 48), (7, 48), (2, 5, 48)])
def test_what_comes_out_is_the_same_to_the_last_bit(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    plain, ready = both(dtype)
    given = torch.randn(shape).to(dtype)
    assert torch.equal(ready(given), plain(given))


@torch.inference_mode()
def test_a_copy_computes_the_same() -> None:
    _, ready = both(torch.bfloat16)
    given = torch.randn(3, 48).bfloat16()
    for made in (copy.deepcopy(ready), pickle.loads(pickle.dumps(ready))):
        assert torch.equal(made(given), ready(given))


@torch.inference_mode()
def test_several_stand_side_by_side() -> None:
    one, other = nn.Linear(8, 4), nn.Linear(8, 6)
    given = torch.randn(5, 8)
    assert torch.allclose(ReadyLinear.of(one, other)(given), torch.cat([one(given), other(given)], -1), atol=1e-6)
