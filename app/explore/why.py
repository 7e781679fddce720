"""Why a unit may be worth keeping: how near it is to what is asked, and which other units say nearly the same.

Read with the encoder that the unit head uses, after a run, when its embeddings are still in the encoder's cache. What
is kept "so far" changes with every step, so the browser gets of each unit the units likest to it, and looks which of
them are kept at the step that is shown.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from model.prompt import Prompt
from model.relevance.encoder import SentenceEncoder
from model.relevance.prompt_reading import UnitsOf

NEIGHBOURS = 3  # of each unit
_ROWS = 512  # units compared at once
_ALIKE = 0.9  # cosine of e5 embeddings from which two sentences say nearly the same; unrelated ones have 0.7 to 0.8


def why_units(encoder: SentenceEncoder | None, prompt: Prompt) -> dict[str, Any]:
    """{"asked": {unit: rank}, "like": {unit: [others]}}, units by their place in `prompt.units`; {} without an encoder.

    rank: 0-100, the share of units that are less like the question (or, where nothing is asked, the instruction).
    others: units that say nearly the same, the likest first.
    """
    read = UnitsOf.of(prompt)
    roles = {prompt.parts[prompt.units[u].part].role for u in read.units}
    if encoder is None or len(read.units) < 2 or roles == {"demonstration"}:
        return {}
    vectors = encoder.embed(read.texts)
    asked = read.questions or read.instructions
    ranks = _ranks(vectors, encoder.embed(asked, "query")) if asked else []
    like = _likest(vectors)
    return {
        "asked": dict(zip(read.units, ranks, strict=True)) if asked else {},
        "like": {read.units[u]: [read.units[v] for v in others] for u, others in enumerate(like) if others},
        "to": "question" if read.questions else "instruction",
    }


def _ranks(vectors: Tensor, asked: Tensor) -> list[int]:
    """Of each unit the share, in percent, of the others that are less like what is asked."""
    likeness = (vectors @ asked.T).amax(1)
    below = torch.searchsorted(likeness.sort().values, likeness)
    return [round(100 * int(rank) / (len(vectors) - 1)) for rank in below]


def _likest(vectors: Tensor) -> list[list[int]]:
    """Of each unit the others that are alike enough."""
    found: list[list[int]] = []
    for at in range(0, len(vectors), _ROWS):
        likeness = vectors[at : at + _ROWS] @ vectors.T
        likeness[torch.arange(len(likeness)), torch.arange(at, at + len(likeness))] = -1.0
        top = likeness.topk(min(NEIGHBOURS, len(vectors) - 1))
        rows = zip(top.values.tolist(), top.indices.tolist(), strict=True)
        found += [[v for value, v in zip(*row, strict=True) if value >= _ALIKE] for row in rows]
    return found
