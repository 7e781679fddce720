"""The question reader: an encoder that has learnt to read a question and a text together (a cross-encoder).

It is the sentence encoder's own network, trained on (Nogueira and Cho 2019, arXiv 1901.04085; sentences within a
passage as in Chirkova et al. 2025, arXiv 2501.16214): question, separator and a window of the text go through it once,
and the mean state of each unit's subwords gives a logit. Where the frozen encoder says how alike two texts are, this
one says whether one answers the other.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class SpanHead(nn.Module):
    """States -> a logit for each stretch of them."""

    def __init__(self, width: int):
        super().__init__()
        self.linear = nn.Linear(width, 1)

    def forward(self, vectors: Tensor) -> Tensor:
        """vectors: [stretches, width] of length 1, the mean states. Returns [stretches]."""
        logits: Tensor = self.linear(vectors * vectors.shape[-1] ** 0.5).squeeze(-1)
        return logits


def span_means(states: Tensor, spans: Tensor) -> Tensor:
    """Mean states of stretches, of length 1.

    Args:
        states: [windows, width, d].
        spans: int64 [stretches, 3]: window, first, end.
    Returns: fp32 [stretches, d].
    """
    total = F.pad(states.float().cumsum(1), (0, 0, 1, 0))
    return F.normalize(total[spans[:, 0], spans[:, 2]] - total[spans[:, 0], spans[:, 1]], dim=-1)
