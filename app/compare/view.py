"""What the Compare tab compares, and the figures it shows. Pure: no Gradio, no model, no database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from annotations.standings import Standing
from app.components import table as sheet
from app.explore.examples import FOLDER
from model.diffusion.trace import Trace
from model.errors import InputError
from model.llm.writers import Usage
from model.prompt import Prompt

FULL, DIFFUMASK, RANDOM, FIRST = "Full prompt", "DiffuMask", "Random words", "Cut off"
HUMAN, NONE = "A person's mask", "No context"
METHODS = (FULL, DIFFUMASK, RANDOM, FIRST, HUMAN, NONE)
SIZED = (DIFFUMASK, RANDOM, FIRST)  # methods that take a retention
JOIN = "\n\n"  # between the context and the question
WINNERS = {"left": "Left is better", "right": "Right is better", "equal": "Equally good", "neither": "Both are bad"}


@dataclass(frozen=True)
class Arm:
    """A way to shorten a prompt. percent: of its words that are kept, where the method takes it."""

    method: str
    percent: int = 35

    @property
    def name(self) -> str:
        """For people and for the votes: "DiffuMask 35 %"."""
        return f"{self.method} {self.percent} %" if self.method in SIZED else self.method


PRESETS = {
    "Full against compressed": (Arm(FULL), Arm(DIFFUMASK, 35)),
    "Two lengths": (Arm(DIFFUMASK, 50), Arm(DIFFUMASK, 20)),
    "Two methods": (Arm(DIFFUMASK, 35), Arm(FIRST, 35)),
    "Model against person": (Arm(DIFFUMASK, 35), Arm(HUMAN)),
}


def read_arms(*values: Any) -> tuple[Arm, Arm]:
    """(method, percent, method, percent) -> two arms. Raises InputError."""
    arms = []
    for method, percent in zip(values[::2], values[1::2], strict=True):
        if method not in METHODS or not isinstance(percent, (int, float)) or not 1 <= percent <= 100:
            raise InputError("Choose what to compare, and keep 1 to 100 % of the words.")
        arms.append(Arm(method, round(percent)))
    if arms[0].name == arms[1].name:
        raise InputError("Both sides are the same: choose two different ones.")
    return arms[0], arms[1]


def joined(context: str, question: str) -> str:
    """What the model is sent.

    >>> joined("Be brief.", "Who won?"), joined("", "Who won?")
    ('Be brief.\\n\\nWho won?', 'Who won?')
    """
    return JOIN.join(part for part in (context.strip(), question.strip()) if part)


@dataclass(frozen=True)
class Prices:
    """Dollars for a million tokens in, for a million out, and for an hour of the machine that compresses."""

    tokens_in: float = 3.0
    tokens_out: float = 15.0
    hour: float = 0.1


@dataclass
class Side:
    """One of the two: what was sent, what came, and when (seconds).

    compressing: what shortening the prompt took. sent and answered: tokens; `counted` says whether the model itself
    has counted them. trace: how a diffusion LLM has written the answer.
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


# --- words -------------------------------------------------------------------------------------------------


def tiles(side: Side, prices: Prices) -> list[tuple[str, str]]:
    """Figures of a finished side, each with what it is."""
    about = "" if side.counted else "≈ "
    compressing = f", {side.compressing:.2f} s of it compressing" if side.compressing else ""
    return [
        (f"{about}{side.sent:,}", "tokens sent"),
        (f"{side.to_first:.2f} s", f"to the first word{compressing}"),
        (f"{side.to_end:.2f} s", f"in all, {about}{side.answered:,} tokens answered"),
        (dollars(1000 * side.cost(prices)), "per 1,000 calls"),
    ]


def gain(sides: Sequence[Side], prices: Prices) -> str:
    """The shorter prompt against the longer one, compressing included, in words."""
    short, long = sorted(sides, key=lambda side: side.sent)
    saved = 1000 * (long.cost(prices) - short.cost(prices))
    fewer = long.sent - short.sent
    share = f" ({fewer / long.sent:.0%})" if long.sent else ""
    parts = [
        f"{fewer:,} token{'' if fewer == 1 else 's'} fewer{share}",
        f"the first word {_sooner(long.to_first - short.to_first)}",
        f"the whole answer {_sooner(long.to_end - short.to_end)}",
        f"{dollars(abs(saved))} {'less' if saved >= 0 else 'more'} per 1,000 calls",
    ]
    said = f"{short.arm.name} against {long.arm.name}: " + ", ".join(parts) + "."
    compressing = short.compressing + long.compressing
    return said + (" Time and cost of compressing are included." if compressing else "")


def _sooner(seconds: float) -> str:
    return f"{abs(seconds):.2f} s {'sooner' if seconds >= 0 else 'later'}"


def dollars(amount: float) -> str:
    """An amount of money.

    >>> dollars(1234.5), dollars(0.4567), dollars(0)
    ('$1,234.50', '$0.457', '$0.00')
    """
    return f"${amount:,.3f}" if 0 < amount < 0.9995 else f"${amount:,.2f}"


def votes_sheet(standings: Sequence[Standing]) -> str:
    """Who won how often."""
    if not standings:
        return sheet.sheet(sheet.text("No blind votes yet: tick Blind, press Compare, and vote.", "empty"))
    columns = ("Pair*", "Model", "First wins#", "Second wins#", "Equal#", "Both bad#", "Votes#", "First wins, 95 %#")
    rows = [
        (
            "",
            (
                *(f"{one.first} : {one.second}", one.target, str(one.first_wins), str(one.second_wins)),
                *(str(one.equal), str(one.neither), str(one.n), _share(one)),
            ),
        )
        for one in standings
    ]
    return sheet.sheet(
        sheet.table("Blind votes", columns, rows),
        sheet.text("Share of the votes that name a winner, with its 95 % interval (Wilson).", "quiet"),
    )


def _share(one: Standing) -> str:
    if one.share is None:
        return "–"
    low, high = one.interval
    return f"{one.share:.0%} [{low:.0%}, {high:.0%}]"


# --- examples ----------------------------------------------------------------------------------------------


def read_example(name: str) -> tuple[str, str]:
    """Context and question of a file in examples/compare/, which has a line --- between them."""
    text = (FOLDER / "compare" / name).read_text(encoding="utf-8")
    context, _, question = text.partition("\n---\n")
    return context.strip(), question.strip()


EXAMPLES = {
    "Support desk": read_example("support.txt"),
    "Dates": read_example("dates.txt"),
    "Harbour": read_example("harbour.txt"),
}
