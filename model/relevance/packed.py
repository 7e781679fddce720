"""An encoder that reads windows of different lengths side by side, without padding.

Their subwords stand one below the other in one matrix, so that no row is computed for nothing; only attention looks at
each window alone (what FlashAttention calls variable length: Dao 2023, arXiv 2307.08691). What comes out for a window
does not depend on those beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn

from ..layers import Layers, attend

# oneDNN compiles each product of a new shape, for about as long as it takes to compute it. So there are few shapes:
ROWS = 16  # of which the matrix has a multiple
STEP = 16  # of which a window has a multiple while it is attended to
TOGETHER = 256  # rows of windows that are attended to in one product


class PackedEncoder(nn.Module):
    """An encoder of a known kind (see `model.layers.KNOWN_ENCODERS`). dtype: as for `Layers`."""

    def __init__(self, backbone: Any, dtype: torch.dtype | None = None) -> None:
        super().__init__()
        self.words = backbone.embeddings.word_embeddings
        self.layers = Layers(backbone, dtype)

    def forward(self, windows: Sequence[Sequence[int]]) -> tuple[Tensor, ...]:
        """Windows of subword ids, none empty -> the last hidden states of each, [its length, d]."""
        device = self.layers.embeddings.position_embeddings.weight.device
        sizes = [len(window) for window in windows]
        groups = _groups(sizes, device)
        needed = max([sum(sizes), *(group.read.stop for group in groups if isinstance(group.read, slice))])
        ids = torch.zeros(needed + -needed % ROWS, dtype=torch.long)
        ids[: sum(sizes)] = torch.tensor([i for window in windows for i in window])
        places = torch.zeros_like(ids)
        places[: sum(sizes)] = torch.cat([torch.arange(size) for size in sizes])
        last: Tensor = self.layers.packed(self.words(ids.to(device)), places.to(device), partial(_attend, groups))
        out: tuple[Tensor, ...] = last[: sum(sizes)].split(sizes)
        return out


@dataclass(frozen=True)
class _Group:
    """Windows that are attended to at once, each filled up to the same width.

    Attributes:
        read: the rows [count * width] of the matrix that they are filled from.
        real: [count, STEP] which of the last places are theirs; None = all.
        kept: which of [count * width] are theirs.
        write: the rows of the matrix that those are.
    """

    count: int
    read: slice | Tensor
    real: Tensor | None
    kept: slice | Tensor
    write: slice | Tensor

    @classmethod
    def of(cls, starts: Sequence[int], sizes: Sequence[int], device: torch.device) -> _Group:
        """Windows that begin at rows `starts` and have about the same sizes."""
        width = _rounded(sizes[0])
        inside = torch.arange(width, device=device)
        real = inside < torch.tensor(sizes, device=device)[:, None]
        tail = None if bool(real.all()) else real[:, -STEP:]
        if len(starts) == 1:  # what is read beyond its end is of other windows, and finite; nobody looks at it
            start, size = starts[0], sizes[0]
            return cls(1, slice(start, start + width), tail, slice(0, size), slice(start, start + size))
        rows = torch.tensor(starts, device=device)[:, None] + inside
        kept = real.flatten().nonzero()[:, 0]
        return cls(len(starts), torch.where(real, rows, rows[:, :1]).flatten(), tail, kept, rows.flatten()[kept])


def _attend(groups: Sequence[_Group], three: Tensor) -> Tensor:
    """Queries, keys and values [rows, 3, heads, d] -> what each row has seen of its own window, [rows, heads * d]."""
    out = three.new_zeros(len(three), three.shape[2] * three.shape[3])
    for group in groups:
        queries, keys, values = three[group.read].unflatten(0, (group.count, -1)).permute(2, 0, 3, 1, 4).contiguous()
        seen = attend(queries, keys, values, group.real).transpose(1, 2).flatten(2).flatten(0, 1)
        out[group.write] = seen[group.kept]
    return out


def _groups(sizes: Sequence[int], device: torch.device) -> list[_Group]:
    """Of windows of about the same length, TOGETHER rows at most (or one window)."""
    groups: list[list[int]] = []
    for i in sorted(range(len(sizes)), key=lambda i: sizes[i]):
        width = _rounded(sizes[i])
        if groups and _rounded(sizes[groups[-1][0]]) == width and (len(groups[-1]) + 1) * width <= TOGETHER:
            groups[-1].append(i)
        else:
            groups.append([i])
    starts = [0, *accumulate(sizes)]
    return [_Group.of([starts[i] for i in group], [sizes[i] for i in group], device) for group in groups]


def _rounded(size: int) -> int:
    return size + -size % STEP
