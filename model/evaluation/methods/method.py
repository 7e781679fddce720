"""What a compression method is: what it may ask of the study, and what it gives back."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from ...compress import Compressor
from ...llm.causal import Target
from ...training.corrections import CorrectedPrompt
from ..tasks.task import EvaluationPrompt, Task
from .budget import Counter


@dataclass(frozen=True)
class Compression:
    """A compressed context.

    Attributes:
        keep: per prompt token of the context, whether it is left; None of a method that gives a text alone.
        seconds: wall time of compressing it once.
    """

    text: str
    keep: tuple[bool, ...] | None = None
    seconds: float = 0.0


Compressions = Mapping[Any, Compression]  # by retention (None: a method without a budget)
MethodRun = Callable[[EvaluationPrompt, Sequence[float]], Compressions]
Makers = Callable[[], list[Target]]


class Study(Protocol):
    """What a method may ask of the study that it takes part in.

    Attributes:
        config: a `model.evaluation.config.EvaluateConfig`.
        counter: what the budgets are counted in.
        compressor: the denoiser, loaded on first use.
        corrected: people's corrections of the task's prompts, by text.
    """

    config: Any

    @property
    def task(self) -> Task: ...

    @property
    def counter(self) -> Counter: ...

    @property
    def compressor(self) -> Compressor: ...

    @property
    def corrected(self) -> Mapping[str, CorrectedPrompt]: ...


@dataclass(frozen=True)
class Method:
    """An entry of the registry.

    Attributes:
        make: from the study and the makers of the masks to what compresses.
        budget: whether it is asked for each retention; else it has one length of its own.
        llms: whether LLMs make its masks.
        slow: it takes minutes for a prompt: asked for all retentions at once, once each, whatever it keeps.
        remember: its texts are remembered with the finished cells.
        people: whether it knows only the prompts that people corrected.
        counts: it keeps to the study's counter itself; of others the share is looked for that does.
    """

    make: Callable[[Study, Makers], MethodRun]
    budget: bool = True
    llms: bool = False
    slow: bool = False
    remember: bool = False
    people: bool = False
    counts: bool = False


def each(baseline: Callable[[str, float], str]) -> MethodRun:
    """What compresses one text to one length, as a `MethodRun`."""
    return of_prompts(lambda case, retention: Compression(baseline(case.context, retention)))


def of_prompts(compress: Callable[[EvaluationPrompt, float], Compression]) -> MethodRun:
    """What compresses one prompt to one length, as a `MethodRun`, with the time that it takes."""

    def timed(case: EvaluationPrompt, retention: float) -> Compression:
        start = time.perf_counter()
        made = compress(case, retention)
        return replace(made, seconds=time.perf_counter() - start)

    return lambda case, retentions: {r: timed(case, r) for r in retentions}


def fixed(text: Callable[[EvaluationPrompt], str]) -> MethodRun:
    """What knows one compressed text of a prompt, as a `MethodRun`."""
    return lambda case, _: {None: Compression(text(case))}
