"""Where to compute: CUDA, MPS or CPU, chosen by itself."""

from __future__ import annotations

import time
from functools import lru_cache

import torch
from torch import nn

from .errors import InputError


def pick_device(wanted: str | torch.device | None = None) -> torch.device:
    """The wanted device, or the best there is: cuda, then mps, then cpu. InputError if it is not there."""
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


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether matrix products in bfloat16 are faster than in fp32 there (about twice, on a CPU with AVX512-BF16)."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    probe = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return device.type == "cpu" and probe is not None and bool(probe())


def fastest_dtype(device: str | torch.device) -> torch.dtype:
    """bfloat16 where a short trial on the device says that a small encoder's layers run faster in it, else float32.

    Measured once a process and device, in some ten milliseconds on a CPU. What a CPU says of itself is not enough:
    some with AVX512-BF16 are slower in it.
    """
    return _fastest_dtype(str(device))


@lru_cache
def _fastest_dtype(device: str) -> torch.dtype:
    try:
        seconds = {dtype: _seconds(torch.device(device), dtype) for dtype in (torch.float32, torch.bfloat16)}
    except (RuntimeError, NotImplementedError):  # no kernel for it there
        return torch.float32
    return torch.bfloat16 if seconds[torch.bfloat16] < 0.9 * seconds[torch.float32] else torch.float32


@torch.inference_mode()
def _seconds(device: torch.device, dtype: torch.dtype, tries: int = 5) -> float:
    """The fastest of a few passes of 256 subwords through a feed-forward layer and attention."""
    layer = nn.Sequential(nn.Linear(384, 1536), nn.GELU(), nn.Linear(1536, 384)).to(device, dtype)
    subwords = torch.randn(1, 12, 256, 32, device=device, dtype=dtype)
    times = []
    for _ in range(tries + 1):
        start = time.perf_counter()
        mixed = nn.functional.scaled_dot_product_attention(subwords, subwords, subwords)
        layer(mixed.transpose(1, 2).flatten(2)).sum().item()  # waits for the result
        times.append(time.perf_counter() - start)
    return min(times[1:])
