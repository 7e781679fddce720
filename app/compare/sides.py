"""One of the prompts that are compared: what was sent, what was answered, when, and what it costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from app.compare.arms import Arm
from model.diffusion.trace import Trace
from model.llm.writers import Usage
from model.prompt import Prompt


@dataclass(frozen=True)
class Prices:
    """Dollars for a million tokens in, for a million out, and for an hour of the machine that compresses."""

    tokens_in: float = 3.0
    tokens_out: float = 15.0
    hour: float = 0.1


@dataclass
class ComparedSide:
    """What was sent, what came, and when (seconds).

    Attributes:
        arm: how the prompt was shortened.
        text: the prompt that was sent.
        compressing: what shortening the prompt took.
        answer: what has come so far.
        first, whole: when the first word and the end of the answer came, from the moment the prompt was sent.
        sent, answered: tokens; `counted` tells whether the model itself has counted them.
        error: why there is no whole answer, or "".
        trace: how a diffusion LLM has written the answer.
    """

    arm: Arm
    text: str
    compressing: float = 0.0
    answer: str = ""
    first: float | None = None
    whole: float | None = None
    sent: int = 0
    answered: int = 0
    counted: bool = True
    error: str = ""
    trace: tuple[Prompt, Trace] | None = None

    def hear(self, text: str, seconds: float) -> None:
        """Some of the answer has come."""
        if self.first is None and text.strip():
            self.first = seconds
        self.answer += text

    def finish(self, seconds: float, usage: Usage, error: str, count: Callable[[str], int]) -> None:
        """The answer has ended; `count` estimates tokens that the model did not count."""
        self.whole, self.error, self.trace = seconds, error, usage.trace
        self.counted = usage.prompt is not None and usage.answer is not None
        self.sent = count(self.text) if usage.prompt is None else usage.prompt
        self.answered = count(self.answer) if usage.answer is None else usage.answer

    @property
    def to_first(self) -> float:
        """Seconds to the first word, compressing included."""
        return self.to_end if self.first is None else self.compressing + self.first

    @property
    def to_end(self) -> float:
        """Seconds to the end of the answer, compressing included."""
        return self.compressing + (self.whole or 0.0)

    def cost(self, prices: Prices) -> float:
        """Dollars for one call, compressing included."""
        tokens = self.sent * prices.tokens_in + self.answered * prices.tokens_out
        return tokens / 1e6 + self.compressing * prices.hour / 3600


def joined(context: str, question: str) -> str:
    """What the model is sent.

    >>> joined("Be brief.", "Who won?"), joined("", "Who won?")
    ('Be brief.\\n\\nWho won?', 'Who won?')
    """
    return "\n\n".join(part for part in (context.strip(), question.strip()) if part)
