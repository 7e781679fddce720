"""Long prompts, read block by block: what is far away is left out, so time grows with the length alone.

Only the reading is done in blocks. The pieces of all blocks compete for one budget, so a block in which nothing is
worth keeping leaves its share to the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..prompt import Prompt
from ..turns import give_way
from .sampler import Predict, Prediction

Predictor = Callable[[Prompt], Predict]


def split_blocks(prompt: Prompt, size: int) -> list[tuple[int, int]]:
    """Token ranges of at most `size`, end to end: whole parts together, or stretches of one that is longer.

    >>> from model.prompt import parse
    >>> p = parse("Q: 1\\nA: 2\\n\\nQ: 3\\nA: 4\\n\\nQ: 5\\nA: 6")
    >>> [(s.first, s.last) for s in p.parts], split_blocks(p, 16)
    ([(0, 8), (8, 16), (16, 23)], [(0, 16), (16, 23)])
    """
    ranges: list[tuple[int, int]] = []
    for part in prompt.parts:
        if ranges and part.last - ranges[-1][0] <= size:
            ranges[-1] = (ranges[-1][0], part.last)
            continue
        length = part.last - part.first
        stretches = -(-length // size)
        edges = [part.first + length * i // stretches for i in range(stretches + 1)]
        ranges += zip(edges, edges[1:], strict=False)
    return ranges


def block(prompt: Prompt, first: int, last: int) -> Prompt:
    """Tokens [first, last) as a prompt of their own; their offsets still count from the whole one's start."""
    ends = prompt.tokens[first].part, prompt.tokens[last - 1].part
    tokens = tuple(replace(token, part=token.part - ends[0]) for token in prompt.tokens[first:last])
    parts = tuple(
        replace(part, first=max(part.first, first) - first, last=min(part.last, last) - first)
        for part in prompt.parts[ends[0] : ends[1] + 1]
    )
    return Prompt(prompt.text, tokens, parts)


def predict_in_blocks(predictor: Predictor, prompt: Prompt, size: int) -> Predict:
    """A `Predict` of a prompt that reads at most `size` tokens at once."""
    ranges = split_blocks(prompt, size)
    if len(ranges) == 1:
        return predictor(prompt)
    return _InBlocks(prompt, ranges, [predictor(block(prompt, first, last)) for first, last in ranges])


class _InBlocks:
    def __init__(self, prompt: Prompt, ranges: Sequence[tuple[int, int]], predicts: Sequence[Predict]):
        self.prompt, self.ranges, self.predicts = prompt, ranges, predicts

    def __call__(self, states: Tensor) -> Prediction:
        """states [n] -> the blocks' predictions, put together; a part in several blocks gets their mean."""
        parts = torch.zeros(len(self.prompt.parts))
        counts = torch.zeros(len(self.prompt.parts))
        tokens = []
        for (first, last), predict in zip(self.ranges, self.predicts, strict=True):
            prediction = predict(states[first:last])
            begin = self.prompt.tokens[first].part
            parts[begin : begin + len(prediction.parts)] += prediction.parts
            counts[begin : begin + len(prediction.parts)] += 1
            tokens.append(prediction.tokens)
            give_way()
        return Prediction(torch.cat(tokens), parts / counts)
