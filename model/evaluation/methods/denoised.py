"""DiffuMask on the prompts of a task: the whole prompt is read, instruction and question stay, the context is cut."""

from __future__ import annotations

from collections.abc import Callable

from ...compress import Compressor
from ...prompt import parse
from ..tasks.task import EvaluationPrompt
from .method import Compression


def denoise_context(
    compressor: Compressor, steps: int, seed: int, exact: bool = False
) -> Callable[[EvaluationPrompt, float], Compression]:
    """What keeps a share of the context's prompt tokens; the whole prompt is given, with the question if it has one."""

    def compress(case: EvaluationPrompt, share: float) -> Compression:
        text, start = case.whole
        prompt = parse(text)
        end = start + len(case.context)
        inside = [start <= token.start < end for token in prompt.tokens]
        pins = {i: True for i, within in enumerate(inside) if not within}
        retention = (len(pins) + share * (len(prompt) - len(pins))) / len(prompt)
        done = compressor.compress(prompt, retention, steps, seed=seed, keep_task=False, exact=exact, pins=pins)
        kept = [keep and within for keep, within in zip(done.trace.keep, inside, strict=True)]
        starts = {token.start - start for token, keep in zip(prompt.tokens, kept, strict=True) if keep}
        mask = tuple(token.start in starts for token in case.parsed.tokens)
        return Compression(prompt.render(kept).strip(), mask)

    return compress
