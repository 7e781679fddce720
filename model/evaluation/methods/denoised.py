"""DiffuMask on the prompts of a task: the whole prompt is read, instruction and question stay, the context is cut."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...compress import Compressor
from ...prompt import Prompt, parse
from ..tasks.task import EvaluationPrompt
from .budget import Counter
from .method import Compression

TRIES = 4  # lengths that are tried until the result is as short as asked


def denoise_context(
    compressor: Compressor, counter: Counter, steps: int, seed: int, **options: Any
) -> Callable[[EvaluationPrompt, float], Compression]:
    """What keeps at most a share of the context, in the counter's units.

    The whole prompt is given, with the question if it has one; what is not context is pinned. options: of
    `CompressRequest`.
    """

    def compress(case: EvaluationPrompt, share: float) -> Compression:
        text, start = case.whole
        prompt = parse(text)
        inside = [start <= token.start < start + len(case.context) for token in prompt.tokens]
        price = counter.tokenizer.counts(prompt) if counter.tokenizer else [1] * len(prompt)
        within = sum(cost for cost, context in zip(price, inside, strict=True) if context)
        pins = {i: True for i, context in enumerate(inside) if not context}
        settings = {**options, "seed": seed, "keep_task": False, "pins": pins, "tokenizer": counter.tokenizer}
        settings["stretch"] = 1.0  # every method has the same ceiling
        most = room = counter.most(case.context, share)
        for _ in range(TRIES):
            retention = (sum(price) - within + room) / sum(price)
            keep = compressor.compress(prompt, retention, steps, **settings).trace.keep
            made = _cut_out(case, prompt, [keep and context for keep, context in zip(keep, inside, strict=True)], start)
            if (over := counter.count(made.text) - most) <= 0:
                break
            room = max(room - over, 0)  # where pieces meet, a tokenizer may need one more
        return made

    return compress


def _cut_out(case: EvaluationPrompt, prompt: Prompt, kept: list[bool], start: int) -> Compression:
    """The compressed context, out of the whole prompt that begins `start` characters before it."""
    starts = {token.start - start for token, keep in zip(prompt.tokens, kept, strict=True) if keep}
    mask = tuple(token.start in starts for token in case.parsed.tokens)
    return Compression(prompt.render(kept).strip(), mask)
