"""The ways to shorten a prompt that can be compared."""

from __future__ import annotations

from dataclasses import dataclass

FULL, DIFFUMASK, RANDOM, FIRST = "Full prompt", "DiffuMask", "Random words", "Cut off"
BM25, DENSE = BY_QUESTION = "Sentences by BM25", "Sentences by likeness"  # those that read the question
HUMAN, NONE = "A person's mask", "No context"
SHORTENINGS = (FULL, DIFFUMASK, DENSE, BM25, RANDOM, FIRST, HUMAN, NONE)
SIZED = (DIFFUMASK, DENSE, BM25, RANDOM, FIRST)  # those that take a retention


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


PAIRS = {
    "Full against compressed": (Arm(FULL), Arm(DIFFUMASK, 35)),
    "Two lengths": (Arm(DIFFUMASK, 50), Arm(DIFFUMASK, 20)),
    "Two methods": (Arm(DIFFUMASK, 35), Arm(FIRST, 35)),
    "Against retrieval": (Arm(DIFFUMASK, 35), Arm(DENSE, 35)),
    "Model against person": (Arm(DIFFUMASK, 35), Arm(HUMAN)),
}
