"""What the question reader learns from, in numbers alone: questions, windows of subwords, and which stretches answer.

Everything is written to one safetensors file, so that training needs nothing but that file, on any machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..errors import InputError


@dataclass(frozen=True)
class ReaderExample:
    """A question and what it is asked about.

    Attributes:
        kind, split: of prompt.
        every: all wanted stretches are; otherwise one is enough.
        asked: subword ids of the question.
        windows: [windows] numbers of the windows it is asked about.
        wanted: bool [stretches of these windows, in order].
    """

    kind: str
    split: str
    every: bool
    asked: list[int]
    windows: list[int]
    wanted: Tensor


@dataclass
class ReaderExamples:
    """All examples; windows are shared by those that ask about the same text.

    Attributes:
        ids: subword ids of each window, without question and special ones.
        spans: int64 [stretches, 2] subwords of each window's stretches: first, end.
    """

    examples: list[ReaderExample] = field(default_factory=list)
    ids: list[list[int]] = field(default_factory=list)
    spans: list[Tensor] = field(default_factory=list)
    _known: dict[tuple[int, ...], int] = field(default_factory=dict)

    def window(self, ids: list[int], places: Sequence[tuple[int, int]]) -> int:
        """The number of a window, which is new or known: subword ids, and places of its stretches among them."""
        key = (*ids, *(edge for place in places for edge in place))
        if key not in self._known:
            self._known[key] = len(self.ids)
            self.ids.append(ids)
            self.spans.append(torch.tensor(places, dtype=torch.long).view(-1, 2))
        return self._known[key]

    def of_split(self, split: str) -> list[ReaderExample]:
        return [example for example in self.examples if example.split == split]

    def save(self, path: Path) -> None:
        """One file of numbers and names of kinds."""
        kinds = sorted({example.kind for example in self.examples})
        splits = ["train", "valid", "test"]
        rows = [(kinds.index(e.kind), splits.index(e.split), int(e.every)) for e in self.examples]
        tensors = {
            "rows": torch.tensor(rows, dtype=torch.int16).view(-1, 3),
            **_joined("ids", [torch.tensor(ids, dtype=torch.int32) for ids in self.ids]),
            **_joined("spans", [spans.to(torch.int16) for spans in self.spans]),
            **_joined("asked", [torch.tensor(e.asked, dtype=torch.int32) for e in self.examples]),
            **_joined("windows", [torch.tensor(e.windows, dtype=torch.int32) for e in self.examples]),
            **_joined("wanted", [e.wanted.to(torch.uint8) for e in self.examples]),
        }
        save_file(tensors, path, {"kinds": ",".join(kinds)})

    @classmethod
    def load(cls, path: Path) -> ReaderExamples:
        """Raises InputError where the file is missing or damaged."""
        try:
            with safe_open(path, "pt") as file:
                kinds = file.metadata()["kinds"].split(",")
            tensors = load_file(path)
        except (OSError, SafetensorError, TypeError, KeyError) as error:
            raise InputError(
                f"cannot read {path}: make it again with `python -m model.training.reader_examples`"
            ) from error
        splits = ["train", "valid", "test"]
        parts = {name: _parted(name, tensors) for name in ("ids", "spans", "asked", "windows", "wanted")}
        examples = [
            ReaderExample(kinds[kind], splits[split], bool(every), asked.tolist(), windows.tolist(), wanted.bool())
            for (kind, split, every), asked, windows, wanted in zip(
                tensors["rows"].tolist(), parts["asked"], parts["windows"], parts["wanted"], strict=True
            )
        ]
        return cls(examples, [ids.tolist() for ids in parts["ids"]], [spans.long() for spans in parts["spans"]])


def _joined(name: str, values: Sequence[Tensor]) -> dict[str, Tensor]:
    return {name: torch.cat(list(values)).contiguous(), f"{name}.sizes": torch.tensor([len(value) for value in values])}


def _parted(name: str, tensors: dict[str, Tensor]) -> tuple[Tensor, ...]:
    parts: tuple[Tensor, ...] = tensors[name].split(tensors[f"{name}.sizes"].tolist())
    return parts
