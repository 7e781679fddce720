"""Long prompts, block by block: what is far away is left out, so time grows with the length and memory does not.

The blocks are whole shots as far as they fit. Each gets its share of the budget, and is decided before the next one is
read, so a reader sees the first shots finished while the last ones have not been looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import torch

from ..prompt import Prompt
from .sampler import EVERY_STEP, Predict, RefreshPolicy, budget, check_pins, denoise
from .schedule import DROP, KEEP, MASK
from .trace import SamplerConfig, Step

Predictor = Callable[[Prompt, float], Predict]  # of a prompt at a retention


def split_blocks(prompt: Prompt, size: int) -> list[tuple[int, int]]:
    """Token ranges of at most `size`, end to end: whole shots together, or pieces of one that is longer.

    >>> from model.prompt import parse
    >>> p = parse("Q: 1\\nA: 2\\n\\nQ: 3\\nA: 4\\n\\nQ: 5\\nA: 6")
    >>> [(s.first, s.last) for s in p.shots], split_blocks(p, 16)
    ([(0, 8), (8, 16), (16, 23)], [(0, 16), (16, 23)])
    """
    ranges: list[tuple[int, int]] = []
    for shot in prompt.shots:
        if ranges and shot.last - ranges[-1][0] <= size:
            ranges[-1] = (ranges[-1][0], shot.last)
            continue
        length = shot.last - shot.first
        pieces = -(-length // size)
        edges = [shot.first + length * i // pieces for i in range(pieces + 1)]
        ranges += zip(edges, edges[1:], strict=False)
    return ranges


def part(prompt: Prompt, first: int, last: int) -> Prompt:
    """Tokens [first, last) as a prompt of their own; their offsets still count from the whole one's start."""
    ends = prompt.tokens[first].shot, prompt.tokens[last - 1].shot
    tokens = tuple(replace(token, shot=token.shot - ends[0]) for token in prompt.tokens[first:last])
    shots = tuple(
        replace(shot, first=max(shot.first, first) - first, last=min(shot.last, last) - first)
        for shot in prompt.shots[ends[0] : ends[1] + 1]
    )
    return Prompt(prompt.text, tokens, shots)


def shares(ranges: list[tuple[int, int]], total: int, pins: Mapping[int, bool]) -> list[int]:
    """How many tokens each range may keep, together `total`: its pins, and what is due to its free tokens."""
    pinned = [[pins[i] for i in range(a, b) if i in pins] for a, b in ranges]
    free = [b - a - len(fixed) for (a, b), fixed in zip(ranges, pinned, strict=True)]
    left, every = total - sum(pins.values()), max(sum(free), 1)
    given = [round(left * sum(free[: i + 1]) / every) for i in range(len(free))]
    return [sum(fixed) + b - a for fixed, a, b in zip(pinned, [0, *given], given, strict=False)]


@torch.inference_mode()
def denoise_blocks(
    predictor: Predictor,
    prompt: Prompt,
    config: SamplerConfig,
    pins: Mapping[int, bool],
    patience: RefreshPolicy = EVERY_STEP,
    size: int | None = None,
) -> Iterator[Step]:
    """`model.diffusion.sampler.denoise`, with every block of at most `size` tokens (None = all of them) decided in
    config.steps steps of its own. Of k blocks, each of the steps that are yielded holds k steps of the blocks."""
    pins = check_pins(pins, len(prompt))
    ranges = split_blocks(prompt, size or len(prompt))
    if len(ranges) == 1:
        yield from denoise(predictor(prompt, config.retention), prompt.shot_of, config, pins, patience)
        return
    whole = _Whole(prompt, config, pins)
    due = shares(ranges, budget(len(prompt), config.retention, pins), pins)
    for (first, last), share in zip(ranges, due, strict=True):
        block = part(prompt, first, last)
        own = {i - first: keep for i, keep in pins.items() if first <= i < last}
        predict = predictor(block, max(share, 1) / len(block))
        for step in denoise(predict, block.shot_of, config, own, patience, share):
            whole.take(step, first, prompt.tokens[first].shot)
            if whole.taken % len(ranges) == 0:
                yield whole.step(whole.taken // len(ranges))


class _Whole:
    """Steps of blocks, put together into steps of the whole prompt."""

    def __init__(self, prompt: Prompt, config: SamplerConfig, pins: Mapping[int, bool]):
        self.states = [MASK] * len(prompt)
        for i, keep in pins.items():
            self.states[i] = KEEP if keep else DROP
        self.probability = [config.retention] * len(prompt)  # of what is still far: nothing else is known
        self.shots = [config.retention] * len(prompt.shots)
        self.decided: list[tuple[float, int]] = []
        self.asked = False
        self.taken = 0

    def take(self, step: Step, first: int, shot: int) -> None:
        """A step of the block that begins with these token and shot."""
        last = first + len(step.states)
        self.states[first:last] = step.states
        self.probability[first:last] = step.probability
        self.shots[shot : shot + len(step.shots)] = step.shots
        self.decided += ((sure, first + i) for sure, i in zip(step.confidence, step.decided, strict=True))
        self.asked |= step.asked
        self.taken += 1

    def step(self, index: int) -> Step:
        """What was decided since the last call."""
        decided = sorted(self.decided, key=lambda pair: -pair[0])
        step = Step(
            index,
            tuple(i for _, i in decided),
            tuple(sure for sure, _ in decided),
            tuple(self.probability),
            tuple(self.shots),
            tuple(self.states),
            self.asked,
        )
        self.decided, self.asked = [], False
        return step
