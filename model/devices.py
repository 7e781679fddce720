"""Where to compute: CUDA, MPS or CPU, chosen by itself."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import lru_cache

import torch
from torch import nn

from .errors import InputError


def pick_device(wanted: str | torch.device | None = None) -> torch.device:
    """The wanted device, or the best there is: cuda, then mps, then cpu. InputError if it is not there.

    On Hugging Face's ZeroGPU the best is the cpu: a GPU only seems to be there, outside of functions that ask for one.
    """
    if wanted is None and os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true"):
        return torch.device("cpu")
    if wanted is None:
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError as e:
        raise InputError(f"unknown device {str(wanted)!r}; use cpu, cuda, cuda:N or mps") from e
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(device.type, False):
        raise InputError(f"device {str(wanted)!r} is not available here; leave it out to choose by itself")
    return device


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_settled: torch.dtype | None = None
Work = Callable[[torch.device, torch.dtype], Callable[[], torch.Tensor]]  # made ready there and in it -> done once


def one_layer(device: torch.device, dtype: torch.dtype) -> Callable[[], torch.Tensor]:
    """A feed-forward layer and torch's own attention over 256 subwords, as transformers runs a small model."""
    layer = nn.Sequential(nn.Linear(384, 1536), nn.GELU(), nn.Linear(1536, 384)).to(device, dtype)
    subwords = torch.randn(1, 12, 256, 32, device=device, dtype=dtype)

    def run() -> torch.Tensor:
        mixed = nn.functional.scaled_dot_product_attention(subwords, subwords, subwords)
        out: torch.Tensor = layer(mixed.transpose(1, 2).flatten(2))
        return out

    return run


def fastest_dtype(device: str | torch.device, work: Work = one_layer) -> torch.dtype:
    """bfloat16 where a short trial on the device says that the work is faster in it, else float32.

    Tried once a process and device, in some ten milliseconds on a CPU. What a CPU says of itself is not enough: with
    AVX512-BF16, one is three times as fast in it and another slower, and which it is hangs on the work.
    """
    return _settled or _fastest_dtype(str(device), work)


def settle_dtype(dtype: torch.dtype) -> None:
    """From now on compute in this dtype in this process: processes that share work must not each find another."""
    global _settled
    _settled = dtype


@lru_cache
def _fastest_dtype(device: str, work: Work) -> torch.dtype:
    try:
        seconds = {dtype: _seconds(torch.device(device), dtype, work) for dtype in (torch.float32, torch.bfloat16)}
    except (RuntimeError, NotImplementedError):  # no kernel for it there
        return torch.float32
    return torch.bfloat16 if seconds[torch.bfloat16] < 0.9 * seconds[torch.float32] else torch.float32


@torch.inference_mode()
def _seconds(device: torch.device, dtype: torch.dtype, work: Work, tries: int = 5) -> float:
    """Of the fastest of a few tries."""
    run = work(device, dtype)
    times = []
    for _ in range(tries + 1):
        start = time.perf_counter()
        run().sum().item()  # waits for the result
        times.append(time.perf_counter() - start)
    return min(times[1:])
