"""Prompts -> windows of subwords, in batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..prompt import Prompt
from .config import DenoiserConfig


@dataclass(frozen=True)
class PromptBatch:
    """A batch of prompts as windows of subwords.

    Attributes:
        ids: [windows, width] subword ids, special tokens at both ends, padded.
        attention: [windows, width] True on real subwords.
        token: [windows, width] the prompt token (row-wise index into the batch, prompt * n + token) of each
            subword; -1 on special tokens and padding.
        weight: [windows, width] how much a subword counts where windows overlap: more in the middle of a window.
        shot: [batch, n] shot of each prompt token (0 on padding).
        real: [batch, n] True where there is a prompt token.
        prompt: [windows] which prompt each window belongs to.
    """

    ids: Tensor
    attention: Tensor
    token: Tensor
    weight: Tensor
    shot: Tensor
    real: Tensor
    prompt: Tensor

    def to(self, device: torch.device) -> PromptBatch:
        return PromptBatch(**{k: v.to(device) for k, v in self.__dict__.items()})


class PromptCollator:
    """Prompts -> windows of subwords. Every prompt token is encoded by itself, so none is split between subwords of
    its neighbours, and tokens that the tokenizer has no subword for (line breaks) get a reserved id."""

    def __init__(self, tokenizer: Any, config: DenoiserConfig):
        self.tokenizer, self.config = tokenizer, config
        reserved = tokenizer.convert_tokens_to_ids("[unused1]")
        self.blank: int = tokenizer.unk_token_id if reserved in (None, tokenizer.unk_token_id) else reserved

    def __call__(self, prompts: Sequence[Prompt]) -> PromptBatch:
        longest = max(len(p) for p in prompts)
        windows: list[tuple[int, list[int], list[int]]] = []
        for i, prompt in enumerate(prompts):
            ids, owners = self._subwords(prompt)
            windows += [(i, ids[a:b], [i * longest + t for t in owners[a:b]]) for a, b in self._spans(len(ids))]
        width = max(len(ids) for _, ids, _ in windows) + 2
        t = self.tokenizer
        shape = (len(windows), width)
        ids_out = torch.full(shape, t.pad_token_id)
        token, weight = torch.full(shape, -1), torch.zeros(shape)
        for row, (_, ids, owners) in enumerate(windows):
            end = len(ids) + 1
            ids_out[row, : end + 1] = torch.tensor([t.cls_token_id, *ids, t.sep_token_id])
            token[row, 1:end] = torch.tensor(owners)
            place = torch.arange(len(ids))
            weight[row, 1:end] = torch.minimum(place + 1, len(ids) - place).float()
        shot = torch.zeros(len(prompts), longest, dtype=torch.long)
        real = torch.zeros(len(prompts), longest, dtype=torch.bool)
        for i, prompt in enumerate(prompts):
            shot[i, : len(prompt)] = torch.tensor(prompt.part_of)
            real[i, : len(prompt)] = True
        owner = torch.tensor([i for i, _, _ in windows])
        lengths = torch.tensor([len(ids) + 2 for _, ids, _ in windows])
        return PromptBatch(ids_out, torch.arange(width) < lengths[:, None], token, weight, shot, real, owner)

    def _subwords(self, prompt: Prompt) -> tuple[list[int], list[int]]:
        texts = [t.text for t in prompt.tokens]
        unique = list(dict.fromkeys(texts))
        pieces = self.tokenizer(unique, add_special_tokens=False, verbose=False).input_ids
        known = {text: piece or [self.blank] for text, piece in zip(unique, pieces, strict=True)}
        ids: list[int] = []
        owners: list[int] = []
        for i, text in enumerate(texts):
            ids += known[text]
            owners += [i] * len(known[text])
        return ids, owners

    def _spans(self, length: int) -> list[tuple[int, int]]:
        """Overlapping spans of equal length that cover 0..length."""
        width, overlap = self.config.window - 2, self.config.overlap
        if length <= width:
            return [(0, length)]
        count = -(-(length - overlap) // (width - overlap))
        width = -(-(length + (count - 1) * overlap) // count)  # no wider than needed: all about equal
        starts = [i * (length - width) // (count - 1) for i in range(count)]
        return [(a, a + width) for a in starts]
