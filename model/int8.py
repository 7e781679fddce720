"""Linear layers in 8 bits, on CPUs that multiply those fast.

Weights are rounded once, one scale for each output; what goes in is rounded on the fly, one scale for each call, and
what comes out is as it was (dynamic quantisation, as `torch.ao.quantization.quantize_dynamic` does it).
"""

from __future__ import annotations

import warnings
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn


class Int8Linear(nn.Module):
    """About what a `nn.Linear` computes, in fp32: between bfloat16 and back, most of the time saved would be lost."""

    def __init__(self, linear: nn.Linear):
        super().__init__()
        weight = linear.weight.detach()
        scale = (weight.abs().amax(1) / 127).clamp_min(1e-9).double()
        rounded = torch.quantize_per_channel(weight, scale, torch.zeros(len(weight), dtype=torch.long), 0, torch.qint8)
        bias = None if linear.bias is None else linear.bias.detach()
        self.packed = torch.ops.quantized.linear_prepack(rounded, bias)

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] -> [..., out]"""
        out: Tensor = torch.ops.quantized.linear_dynamic(x, self.packed, False)
        return out


def int8_layers(backbone: Any) -> Any | None:
    """A copy of an fp32 encoder whose layers are in 8 bits; None where torch has no such arithmetic any more (it says
    that its quantised tensors will go)."""
    copy = deepcopy(backbone)
    linears = [
        (parent, name, child)
        for parent in copy.encoder.modules()
        for name, child in parent.named_children()
        if isinstance(child, nn.Linear)
    ]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for parent, name, child in linears:
                setattr(parent, name, Int8Linear(child))
    except (AttributeError, RuntimeError, NotImplementedError):
        return None
    return copy
