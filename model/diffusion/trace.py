"""What a run was asked for, and all that came of it: the trace, from which everything that is shown or returned is
read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import InputError
from .schedule import KEEP

MAX_STEPS = 64


@dataclass(frozen=True)
class SamplerConfig:
    """How to denoise.

    Attributes:
        retention: share of prompt tokens to keep, in (0, 1]; met to the token, unless pins demand otherwise.
        steps: denoising steps, 1-64. 1 decides everything in one pass.
        threshold: confidence in [0, 1) that a token needs to be decided before the last step.
        temperature: of the Gumbel noise added to the logits; 0 = always the most likely mask.
        seed: of that noise. The same seed gives the same mask.
    """

    retention: float = 0.5
    steps: int = 8
    threshold: float = 0.0
    temperature: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.retention <= 1:
            raise InputError(f"retention {self.retention:g} must be above 0 and at most 1")
        if not 1 <= self.steps <= MAX_STEPS:
            raise InputError(f"steps {self.steps} must be from 1 to {MAX_STEPS}")
        if not 0 <= self.threshold < 1:
            raise InputError(f"threshold {self.threshold:g} must be at least 0 and below 1")
        if not 0 <= self.temperature <= 10:
            raise InputError(f"temperature {self.temperature:g} must be from 0 to 10")
        if not 0 <= self.seed < 2**63:
            raise InputError(f"seed {self.seed} must be from 0 to 2^63 - 1")


@dataclass(frozen=True)
class Step:
    """One denoising step.

    Attributes:
        index: 1, 2, ... (step 0 is the pins, decided before the model is asked).
        decided: prompt tokens decided in this step, most confident first.
        confidence: in [0.5, 1), one for each decided token: how far it was from the cut-off.
        probability: [n] keep probability of every token, as predicted in this step.
        shots: [shots] keep probability of every shot on its own.
        states: [n] MASK, KEEP or DROP after this step.
        predicted: whether the model predicted anew; if not, its last prediction still served.
        units: [units] keep probability of every unit on its own; () where the model has no such level.
    """

    index: int
    decided: tuple[int, ...]
    confidence: tuple[float, ...]
    probability: tuple[float, ...]
    shots: tuple[float, ...]
    states: tuple[int, ...]
    predicted: bool = True
    units: tuple[float, ...] = ()


@dataclass(frozen=True)
class Trace:
    """All steps of one run.

    Attributes:
        config: what was asked for.
        pins: token -> keep, as a person or a rule fixed them.
        step: [n] in which step each token was decided; 0 = pinned.
        confidence: [n] in [0.5, 1], of each token's decision; 1 = pinned.
        keep: [n] the finished mask.
        steps: what each step predicted and decided.
    """

    config: SamplerConfig
    pins: Mapping[int, bool]
    step: tuple[int, ...]
    confidence: tuple[float, ...]
    keep: tuple[bool, ...]
    steps: tuple[Step, ...] = field(repr=False)

    @classmethod
    def of(cls, steps: Sequence[Step], config: SamplerConfig, pins: Mapping[int, bool]) -> Trace:
        """The trace of a finished run of `denoise`."""
        n = len(steps[-1].states)
        when, sure = [0] * n, [1.0] * n
        for step in steps:
            for i, confidence in zip(step.decided, step.confidence, strict=True):
                when[i], sure[i] = step.index, confidence
        keep = tuple(state == KEEP for state in steps[-1].states)
        return cls(config, dict(pins), tuple(when), tuple(sure), keep, tuple(steps))
