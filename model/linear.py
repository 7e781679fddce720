"""Linear layers for inference whose weights stand in memory in the order in which the CPU multiplies them.

oneDNN brings the weights of an `nn.Linear` in bfloat16 into its own order in every call, which takes about a tenth of
it. Here they are brought into it once, by what torch's compiler calls for frozen models; the results are the same to
the last bit.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn


class ReadyLinear(nn.Linear):
    """A linear layer. Once it is `ready`, it stays on its device and in its dtype."""

    packed: Tensor | None = None  # the weights in oneDNN's order; None = they are multiplied as they stand

    @classmethod
    def of(cls, *linears: nn.Linear) -> ReadyLinear:
        """A copy of a layer, or one for several with the same input; their outputs stand side by side."""
        made = cls(linears[0].in_features, sum(linear.out_features for linear in linears))
        made.weight = nn.Parameter(torch.cat([linear.weight.detach() for linear in linears]))
        made.bias = nn.Parameter(torch.cat([linear.bias.detach() for linear in linears]))
        return made

    def ready(self) -> None:
        """Bring the weights into oneDNN's order, where it multiplies them."""
        on_cpu = self.weight.device.type == "cpu" and self.weight.dtype == torch.bfloat16
        if on_cpu and _can_pack():
            self.packed = _ops()._reorder_linear_weight(self.weight.detach(), None)
            self.weight = nn.Parameter(torch.empty(0), requires_grad=False)  # not kept twice

    def __getstate__(self) -> dict[str, Any]:
        """For copies and pickles, which cannot hold oneDNN's order."""
        if self.packed is None:
            return self.__dict__
        weight = nn.Parameter(self.packed.to_dense(), requires_grad=False)
        return {**self.__dict__, "packed": None, "_parameters": {**self._parameters, "weight": weight}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self.ready()

    def forward(self, input: Tensor) -> Tensor:
        """The product with the weights, and the bias: [..., in] -> [..., out]."""
        if self.packed is None:
            return super().forward(input)
        out: Tensor = _ops()._linear_pointwise(input, self.packed, self.bias, "none", [], "")
        return out


@lru_cache
def _can_pack() -> bool:
    """Whether oneDNN is there, multiplies bfloat16 on this CPU, and is called as it is here."""
    try:
        ones = torch.ones(16, 16, dtype=torch.bfloat16)
        packed = _ops()._reorder_linear_weight(ones, None)
        out = _ops()._linear_pointwise(ones, packed, ones[0], "none", [], "")
        return bool(_ops()._is_mkldnn_bf16_supported() and (out == 17).all())
    except (AttributeError, RuntimeError, TypeError, NotImplementedError):
        return False


def _ops() -> Any:
    return torch.ops.mkldnn
