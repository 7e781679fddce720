"""How a diffusion LLM writes an answer: all of it masked at first, unmasked a few subwords a step, block after block.

Low-confidence remasking and semi-autoregressive blocks as in LLaDA (arXiv 2502.09992, section 2.4 and appendix B.4).
Two ways to compute a step:
- exact: everything, with all masks of the answer in sight.
- Window-Diffusion (2026, training-free; for the denoiser: `model.denoiser.cached`): the block that is being written is
active
  and computed; prompt, finished blocks and `ahead` masks behind the block are the buffer, whose keys and values are
  kept and refreshed at the start of a block and every `refresh` steps; masks further behind are far and left out.
With refresh = 1 and nothing far, the second is the first. Otherwise it is an approximation: kept states do not know
what was unmasked since, and the answer does not know how long it may become.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor

from ..diffusion.schedule import KEEP, MASK
from ..diffusion.trace import MAX_STEPS, SamplerConfig, Step, Trace
from ..errors import InputError
from ..layers import KeyValueMemory
from ..prompt import Prompt, parse
from .causal import Prefix
from .masked_diffusion import DiffusionTarget

MAX_LENGTH = 4096  # LLaDA's context


@dataclass(frozen=True)
class WritingConfig:
    """How to write an answer; a mistake raises InputError.

    Attributes:
        length: subwords, at most.
        block: subwords of a block; `length` = all at once.
        steps: of the whole answer, from one a block to one a subword; None = one a subword, the best and slowest.
        temperature: of the Gumbel noise on the logits; 0 = greedy.
        seed: of that noise. The same seed gives the same answer.
        exact: compute everything in every step.
        refresh: steps after which all that is in sight is computed anew.
        ahead: masks behind the block that are in sight.
    """

    length: int = 128
    block: int = 32
    steps: int | None = None
    temperature: float = 0.0
    seed: int = 0
    exact: bool = False
    refresh: int = 8
    ahead: int = 32

    def __post_init__(self) -> None:
        if not 1 <= self.length <= MAX_LENGTH:
            raise InputError(f"length {self.length} must be from 1 to {MAX_LENGTH}")
        if not 1 <= self.block:
            raise InputError(f"block {self.block} must be at least 1")
        blocks = math.ceil(self.length / self.block)
        if self.steps is not None and not blocks <= self.steps <= self.length:
            raise InputError(f"steps {self.steps} must be from {blocks} (one a block) to {self.length} (one a subword)")
        if not 0 <= self.temperature <= 10:
            raise InputError(f"temperature {self.temperature:g} must be from 0 to 10")
        if not 0 <= self.seed < 2**63:
            raise InputError(f"seed {self.seed} must be from 0 to 2^63 - 1")
        if self.refresh < 1 or self.ahead < 0:
            raise InputError("refresh must be at least 1 and ahead at least 0")

    def plan(self) -> list[tuple[int, int, list[int]]]:
        """(first, last, subwords that each step unmasks) of each block.

        >>> WritingConfig(length=10, block=4, steps=5).plan()
        [(0, 4, [2, 2]), (4, 8, [2, 2]), (8, 10, [2])]
        """
        steps = self.steps or self.length
        edges = [*range(0, self.length, self.block), self.length]
        done = [steps * edge // self.length for edge in edges]
        blocks = zip(edges, edges[1:], done, done[1:], strict=False)
        return [(a, b, _even(b - a, after - before)) for a, b, before, after in blocks]


def _even(count: int, steps: int) -> list[int]:
    return [count // steps + (i < count % steps) for i in range(steps)]


@dataclass(frozen=True)
class Unmasked:
    """One step of writing.

    Attributes:
        index: 1, 2, ...
        positions: in the answer, that were unmasked, most confident first.
        confidence: [positions] probability of the token that each got.
        probability: [length] of every position's token: as unmasked, or as the model would choose it now; 0 where it
            has not been asked.
        ids: [length] the answer after this step, the mask token where it is open.
        open: [length] whether a position is still masked.
        computed: subwords that were run through the model.
    """

    index: int
    positions: tuple[int, ...]
    confidence: tuple[float, ...]
    probability: tuple[float, ...]
    ids: tuple[int, ...]
    open: tuple[bool, ...]
    computed: int


@torch.inference_mode()
def unmask(
    target: DiffusionTarget, prefix: Prefix, query: Sequence[int] = (), config: WritingConfig | None = None
) -> Iterator[Unmasked]:
    """Yield the steps of writing an answer after prefix and query, each as soon as it is made. It ends when all is
    written, or when an end token stands and nothing in front of it is open. `written` reads the text from the steps."""
    config = config or WritingConfig()
    writer = _Writer(target, [*prefix.ids, *query], config)
    index = 0
    for first, last, counts in config.plan():
        for count in counts:
            index += 1
            yield writer.step(index, first, last, count)
            if writer.ended():
                return


class _Writer:
    """An answer that is being written, and the keys and values kept of it and of what stands in front."""

    def __init__(self, target: DiffusionTarget, given: list[int], config: WritingConfig):
        self.target, self.config, self.past = target, config, len(given)
        self.ids = torch.tensor([*given, *[target.mask] * config.length], device=target.device)
        self.open = torch.ones(config.length, dtype=torch.bool)
        self.sure = torch.zeros(config.length)
        self.noise = torch.Generator().manual_seed(config.seed)
        self.memory = KeyValueMemory()
        self.memory.which = torch.zeros(1, dtype=torch.long, device=target.device)
        self.block, self.age = -1, 0  # where the block began that all was last computed for, and how many steps ago
        self.computed = 0

    def step(self, index: int, first: int, last: int, count: int) -> Unmasked:
        """Unmask `count` positions of the block first..last-1, those that the model is surest of."""
        tokens, sure = self._choose(self._states(first, last))
        block = torch.arange(first, last)
        self.sure[block] = torch.where(self.open[block], sure, self.sure[block])
        order = torch.where(self.open[block], sure, -1.0).sort(descending=True, stable=True).indices[:count]
        chosen = block[order]
        self.ids[self.past + chosen.to(self.ids.device)] = tokens[order].to(self.ids.device)
        self.open[chosen] = False
        ids, confidence = self.ids[self.past :].tolist(), self.sure[chosen].tolist()
        state = tuple(self.sure.tolist()), tuple(ids), tuple(self.open.tolist())
        return Unmasked(index, tuple(chosen.tolist()), tuple(confidence), *state, self.computed)

    def ended(self) -> bool:
        ids = self.ids[self.past :].tolist()
        for token, is_open in zip(ids, self.open.tolist(), strict=True):
            if is_open or token in self.target.ends:
                return not is_open
        return True

    def _choose(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """Hidden states -> the token for each of them, and its probability without noise; on the CPU."""
        logits = self.target.model.get_output_embeddings()(states).float()
        logits[:, self.target.mask] = -torch.inf  # or it would stay masked for ever
        noisy = logits
        if self.config.temperature:  # in double precision, as LLaDA does: arXiv 2409.02908
            uniform = torch.rand(logits.shape, generator=self.noise, dtype=torch.float64).clamp_min(1e-30)
            gumbel = -torch.log(-torch.log(uniform)).float()
            noisy = logits + self.config.temperature * gumbel.to(logits.device)
        tokens = noisy.argmax(-1)
        sure = torch.softmax(logits, -1).gather(1, tokens[:, None])[:, 0]
        return tokens.cpu(), sure.cpu()

    def _states(self, first: int, last: int) -> Tensor:
        """The hidden states that predict first..last-1."""
        start, end = max(0, self.past + first - self.target.shift), self.past + last
        seen = len(self.ids) if self.config.exact else min(len(self.ids), end + self.config.ahead)
        self.age += 1
        everything = self.config.exact or self.block != first or self.age >= self.config.refresh
        if everything:
            self.block, self.age = first, 0
        rows = torch.arange(0 if everything else start, seen if everything else end, device=self.ids.device)
        self.memory.rows = None if everything else rows[None]
        bias = torch.zeros(1, seen, dtype=self.target.model.dtype, device=self.ids.device)
        memory = None if self.config.exact else self.memory
        hidden = self.target.see(self.ids[None, rows], rows[None], bias, memory)[0]
        self.computed = len(rows)
        predicting = torch.arange(first, last, device=rows.device) + self.past - self.target.shift
        return hidden[predicting.clamp_min(0) - rows[0]]


@dataclass(frozen=True)
class Written:
    """A finished answer: its subwords up to the end token (or the first that is open), their text, the steps."""

    ids: tuple[int, ...]
    text: str
    steps: tuple[Unmasked, ...]


def written(target: DiffusionTarget, steps: Iterable[Unmasked]) -> Written:
    """Run through the steps of `unmask`, or take those that were kept, and read the answer from the last."""
    kept = tuple(steps)
    ids: list[int] = []
    for token, is_open in zip(kept[-1].ids, kept[-1].open, strict=True):
        if is_open or token in target.ends:
            break
        ids.append(token)
    return Written(tuple(ids), _decode(target, ids), kept)


def as_trace(target: DiffusionTarget, answer: Written, config: WritingConfig) -> tuple[Prompt, Trace]:
    """An answer as a prompt whose tokens are decided in the steps in which they were written, so that whatever plays
    the denoiser's own trace (`app.components.canvas_lines`) can play it.

    The tokens are those of `parse`, words and signs, not subwords: a token is decided (KEEP) when the last of its
    subwords is unmasked; its confidence is that of the least sure of them, p in (0, 1] shown as (1 + p) / 2. What
    stands behind the end token is not shown. More steps than MAX_STEPS are played several at once.

    Raises InputError when the answer has no text.
    """
    if not answer.text.strip():
        raise InputError("The model wrote no text: ask for a longer answer or another prompt.")
    prompt = parse(answer.text)
    parts = _subwords_of(prompt, _ends(target, answer.ids))
    count = min(len(answer.steps), MAX_STEPS)
    edges = [len(answer.steps) * i // count for i in range(count + 1)]
    states, steps = [MASK] * len(prompt), []
    for index, edge in enumerate(edges[1:], start=1):
        now = answer.steps[edge - 1]
        sure = [min(now.probability[part] for part in own) for own in parts]
        new = [i for i, own in enumerate(parts) if states[i] == MASK and not any(now.open[part] for part in own)]
        new.sort(key=lambda i: -sure[i])
        for i in new:
            states[i] = KEEP
        confidence = tuple(min(1 - 1e-6, (1 + sure[i]) / 2) for i in new)
        shots = tuple(sum(sure[s.first : s.last]) / (s.last - s.first) for s in prompt.parts)
        steps.append(Step(index, tuple(new), confidence, tuple(sure), shots, tuple(states)))
    shown = SamplerConfig(retention=1.0, steps=count, temperature=config.temperature, seed=config.seed)
    return prompt, Trace.of(steps, shown, {})


def _decode(target: DiffusionTarget, ids: Sequence[int]) -> str:
    return str(target.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))


def _ends(target: DiffusionTarget, ids: Sequence[int]) -> list[int]:
    """Where in the text each subword ends. Half a character counts as one, so both its subwords end behind it."""
    return list(accumulate((len(_decode(target, ids[:k])) for k in range(1, len(ids) + 1)), max))


def _subwords_of(prompt: Prompt, ends: Sequence[int]) -> list[list[int]]:
    """The subwords that each token of the prompt shares a character with; at least one each."""
    starts = [0, *ends[:-1]]
    found, first = [], 0
    for token in prompt.tokens:
        while ends[first] <= token.start:
            first += 1
        own = [first]
        while own[-1] + 1 < len(ends) and starts[own[-1] + 1] < token.end:
            own.append(own[-1] + 1)
        found.append(own)
    return found
