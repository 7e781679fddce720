"""Where to compute: CUDA, MPS or CPU, chosen by itself."""

from __future__ import annotations

import torch

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
