"""The unit level of the hierarchy: what each sentence, line or record has to do with what is asked, given what stays.

A small network over the features of `model.relevance.features`, those of the state of the mask anew in every step, and
over products of what is asked and what a unit says in a few learnt directions of the sentence encoder's space.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..relevance.features import DYNAMIC, STATIC


@dataclass(frozen=True)
class UnitHeadConfig:
    """Shape of a unit head.

    Attributes:
        encoder: what its features come from: "e5-small" (shipped), or an encoder's name on the hub or folder.
        width: of the encoder's embeddings.
        hidden: units of its layers.
        rank: learnt directions in which question and unit are multiplied.
        features: how many numbers it reads of each unit.
        reader: what reads question and units together: "question-reader" (shipped, with "e5-small"), or "": nothing.
    """

    encoder: str = "e5-small"
    width: int = 384
    hidden: int = 64
    rank: int = 16
    features: int = len(STATIC) + len(DYNAMIC)
    reader: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class UnitHead(nn.Module):
    """Features of units -> a logit to keep each.

    mean, std: [features], of the training data; features are standardised by them.
    reading: what the question reader's logits count for.
    """

    mean: Tensor
    std: Tensor
    reading: Tensor

    def __init__(self, config: UnitHeadConfig, dropout: float = 0.1):
        super().__init__()
        self.config = config
        self.register_buffer("mean", torch.zeros(config.features))
        self.register_buffer("std", torch.ones(config.features))
        self.register_buffer("reading", torch.zeros(1))
        self.asked = nn.Linear(config.width, config.rank, bias=False)
        self.said = nn.Linear(config.width, config.rank, bias=False)
        self.first = nn.Linear(config.features + 2 * config.rank, config.hidden)
        self.second = nn.Linear(config.hidden, config.hidden)
        self.last = nn.Linear(config.hidden, 1)
        self.dropout, self.vector_dropout = nn.Dropout(dropout), nn.Dropout(2 * dropout)

    def forward(self, features: Tensor, vectors: Tensor, asked: Tensor, read: Tensor) -> Tensor:
        """Logits [..., units].

        Args:
            features: [..., units, features].
            vectors, asked: [..., units, width] embeddings of the units and of the question likest to each, of length 1.
            read: [..., units] the question reader's logits.
        """
        scale = self.config.width**0.5  # entries of about 1
        question = self.asked(self.vector_dropout(asked * scale))
        products = question * self.said(self.vector_dropout(vectors * scale))
        row = torch.cat([(features - self.mean) / self.std, products, question], -1)
        hidden = self.dropout(nn.functional.gelu(self.first(row)))
        hidden = self.dropout(nn.functional.gelu(self.second(hidden)))
        logits: Tensor = self.last(hidden).squeeze(-1)
        return logits + self.reading * read
