"""The ways to shorten a prompt that can be compared."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

from app.settings import Settings

FULL, DIFFUMASK, RANDOM, FIRST = "Full prompt", "DiffuMask", "Random words", "Cut off"
BM25, DENSE = "Sentences by BM25", "Sentences by likeness"
LLMLINGUA, LLMLINGUA2 = "LLMLingua", "LLMLingua-2"
HUMAN, NONE = "A person's mask", "No context"
SIZED = (DIFFUMASK, DENSE, BM25, LLMLINGUA, LLMLINGUA2, RANDOM, FIRST)  # those that take a retention
ARM_METHODS = (FULL, *SIZED, HUMAN, NONE)
READ_THE_QUESTION = (DIFFUMASK, DENSE, BM25)  # each question gets a prompt of its own
LEFT_OUT = "Leave out"


@dataclass(frozen=True)
class Arm:
    """A way to shorten a prompt. percent: of its words that are kept, where the method takes it."""

    method: str
    percent: int = 35

    @property
    def name(self) -> str:
        """For people and for the votes: "DiffuMask 35 %"."""
        return f"{self.method} {self.percent} %" if self.sized else self.method

    @property
    def sized(self) -> bool:
        """Whether the method takes a retention."""
        return self.method in SIZED


def offered(settings: Settings) -> tuple[str, ...]:
    """The methods that work here: the LLMLinguas where their package is, LLMLingua-2 also needs a model."""
    package = find_spec("llmlingua") is not None
    missing = {LLMLINGUA: not package, LLMLINGUA2: not package or settings.llmlingua2 is None}
    return tuple(method for method in ARM_METHODS if not missing.get(method))


def triples(methods: tuple[str, ...]) -> dict[str, tuple[Arm, ...]]:
    """Arms to choose at once, by their titles; methods: those that are offered."""
    known = {
        "Three methods": (Arm(DIFFUMASK), Arm(DENSE), Arm(FIRST)),
        "Three lengths": (Arm(DIFFUMASK, 50), Arm(DIFFUMASK, 35), Arm(DIFFUMASK, 20)),
        "Against retrieval": (Arm(DIFFUMASK), Arm(DENSE), Arm(BM25)),
        "Against chance": (Arm(DIFFUMASK), Arm(RANDOM), Arm(FIRST)),
        "Against LLMLingua": (Arm(DIFFUMASK), Arm(LLMLINGUA), Arm(LLMLINGUA2)),
        "Model against person": (Arm(DIFFUMASK), Arm(HUMAN), Arm(LEFT_OUT)),
    }
    left_out = Arm(LEFT_OUT)
    here = {title: tuple(arm if arm.method in (*methods, LEFT_OUT) else left_out for arm in arms)
            for title, arms in known.items()}  # fmt: skip
    return {title: arms for title, arms in here.items() if arms[1] != left_out}
