"""Where and in what to compute."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from model.devices import Work, fastest_dtype, one_layer, settle_dtype
from model.layers import one_bert_layer


@pytest.mark.parametrize("work", [one_layer, one_bert_layer])
def test_the_dtype_is_one_that_the_device_computes_in(work: Work) -> None:
    dtype = fastest_dtype("cpu", work)
    assert work(torch.device("cpu"), dtype)().dtype == dtype


def test_the_fastest_dtype_is_tried_once_a_device() -> None:
    made = []

    def work(device: torch.device, dtype: torch.dtype) -> Callable[[], torch.Tensor]:
        made.append(dtype)
        return lambda: torch.zeros(1, device=device)

    assert fastest_dtype("cpu", work) == fastest_dtype(torch.device("cpu"), work)
    assert made == [torch.float32, torch.bfloat16]


def test_a_dtype_can_be_settled_without_a_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.devices._settled", None)  # and back again afterwards
    for dtype in (torch.bfloat16, torch.float32):
        settle_dtype(dtype)
        assert fastest_dtype("cpu", one_bert_layer) == dtype


def test_where_a_dtype_has_no_kernel_float32_does() -> None:
    assert fastest_dtype("meta") == torch.float32  # holds no numbers: nothing can be read back from it
