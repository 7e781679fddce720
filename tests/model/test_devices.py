"""Where and in what to compute."""

from __future__ import annotations

import pytest
import torch

import model.devices
from model.devices import fastest_dtype


def test_the_fastest_dtype_is_tried_once_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    first = fastest_dtype("cpu")
    assert first in (torch.float32, torch.bfloat16)
    monkeypatch.setattr(model.devices, "_seconds", lambda *_: pytest.fail("it was tried again"))
    assert fastest_dtype(torch.device("cpu")) == first


def test_where_a_dtype_has_no_kernel_float32_does() -> None:
    assert fastest_dtype("meta") == torch.float32  # holds no numbers: nothing can be read back from it
