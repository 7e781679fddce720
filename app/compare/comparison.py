"""One comparison: prompts, questions, answers, the vote. Pure: no Gradio, no model, no database.

Side by side, each question gets a round in which the full prompt and up to three arms are answered, and it is said
whether each arm's answer agrees with the full prompt's. In the arena there is one round of two sides without names; who
has read both votes, and then sees which is which.

What is shown is sent as a growing text of JSON lines, as the canvas's is (`app.components.canvas_lines`). What a blind
visitor must not know yet is not in it.

    {"comparison": "5f2c", "blind": false, "questions": ["Who won?"], "sides": 4}
    {"say": "Loading smollm2 ..."}
    {"round": 0, "side": 0, "name": "DiffuMask 35 %", "sent": "the prompt"}
    {"round": 0, "side": 0, "piece": "The ans"}
    {"round": 0, "side": 0, "figures": "212 tokens sent, ..."}    or    {"round": 0, "side": 0, "error": "The ..."}
    {"round": 0, "side": 1, "agrees": true}
    {"gain": "DiffuMask 35 % against full prompt: ..."}
    {"ask": true}, {"voted": "left"}, {"end": "Cancelled."}, {"error": "The prompt is empty: ..."}
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from app.answering.agreement import agree
from app.answering.judge import Judge
from app.compare.sides import ComparedSide, Prices
from app.compare.view import comparison_summary, figures, gain
from app.components.canvas_lines import document_line, end_line, step_line
from model.llm.endpoint import Endpoint
from model.llm.writers import Writer


@dataclass
class Round:
    """A question with its sides, as they stand on the page; side by side the first is the full prompt's."""

    question: str
    sides: tuple[ComparedSide, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether all sides have answered."""
        return bool(self.sides) and all(side.whole is not None and not side.error for side in self.sides)

    def agrees(self, side: int) -> bool | None:
        """Whether a side's answer says what that of the full prompt says; None: one of the two is missing."""
        full, other = self.sides[0], self.sides[side]
        if any(each.whole is None or each.error for each in (full, other)):
            return None
        return agree(full.answer.strip(), other.answer.strip())


@dataclass
class Comparison:
    """One comparison, and the lines that show it. Only its own visitor knows its id.

    Attributes:
        context: the prompt that is shortened.
        questions: what follows it, one in each round.
        judge: what answers.
        blind: whether it is a round of the arena.
        writer: an endpoint, or the name of a model to load here; None once it is at work.
        chat: for a model here: see `model.llm.writers.LocalWriter`.
        limit: tokens of an answer.
        rounds: those that were begun.
        stop: set to end the work.
        lines: what the page has been sent.
        asked: when the visitor could vote (time.monotonic); 0 = not yet.
        voted: who won.
    """

    context: str
    questions: tuple[str, ...]
    judge: Judge
    blind: bool
    prices: Prices
    writer: Endpoint | str | None = None
    chat: bool = False
    limit: int = 64
    rounds: list[Round] = field(default_factory=list)
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    stop: threading.Event = field(default_factory=threading.Event)
    lines: str = ""
    asked: float = 0.0
    voted: str = ""

    def add(self, **line: Any) -> str:
        """Append a line to what is shown; returns the whole text."""
        self.lines += _line(line)
        return self.lines

    def begin(self, sides: int) -> str:
        """The first line: how much there will be to show."""
        return self.add(comparison=self.id, blind=self.blind, questions=self.questions, sides=sides)

    def announce(self, writer: Writer) -> None:
        """Say who answers, and how."""
        order = "all at once" if writer.at_once else "one after the other"
        hidden = "The answers appear together." if self.blind else "Each is timed from its own start."
        self.add(say=f"{writer.name} answers {order}. {hidden}")

    # --- a round -------------------------------------------------------------------------------------------

    def begin_round(self, question: str, sides: tuple[ComparedSide, ...]) -> None:
        """The prompts of a question are there."""
        self.rounds.append(Round(question, sides))
        if not self.blind:
            self._show_prompts(len(self.rounds) - 1)

    def hear(self, at: int, side: int, text: str, seconds: float) -> None:
        """Some of an answer has come."""
        text = text.replace("\0", "\ufffd")  # no database takes a NUL
        self.rounds[at].sides[side].hear(text, seconds)
        if not self.blind:
            self.add(round=at, side=side, piece=text)

    def finished(self, at: int, side: int) -> None:
        """A side has ended."""
        if self.blind:
            return
        self._show_figures(at, side)
        for other in range(1, len(self.rounds[at].sides)) if side == 0 else (side,):
            if (agrees := self.rounds[at].agrees(other)) is not None:
                self.add(round=at, side=other, agrees=agrees)

    def _show_prompts(self, at: int) -> None:
        for i, side in enumerate(self.rounds[at].sides):
            self.add(round=at, side=i, name=side.arm.name, sent=side.text)

    def _show_figures(self, at: int, side: int) -> None:
        """What a finished side took, or why it failed."""
        ended = self.rounds[at].sides[side]
        if ended.error:
            self.add(round=at, side=side, error=ended.error)
        if ended.whole is not None and (ended.answer or not ended.error):
            self.add(round=at, side=side, figures=figures(ended))

    def ways(self) -> list[tuple[list[ComparedSide], list[bool]]]:
        """Of each way its finished sides, and whether their answers agree with the full prompt's; the full prompt
        first."""
        ways = []
        for i in range(len(self.rounds[0].sides) if self.rounds else 0):
            ended = [(each.sides[i], agreed) for each in self.rounds if (agreed := each.agrees(i)) is not None]
            ways.append(([side for side, _ in ended], [agreed for _, agreed in ended]))
        return ways

    def summary(self) -> str:
        """What is said of all questions; "" in the arena."""
        return "" if self.blind else comparison_summary(self.ways(), self.judge.text, self.prices)

    # --- the end -------------------------------------------------------------------------------------------

    @property
    def failed(self) -> bool:
        """Whether a side could not be answered."""
        return any(side.error for each in self.rounds for side in each.sides)

    def close(self) -> str:
        """Nothing more will come: show what may be seen now, and ask for a vote if it is one of the arena."""
        stopped = "Cancelled. What came until then is shown."
        if not self.blind:
            done = len(self.rounds) == len(self.questions) and all(each.whole for each in self.rounds)
            return self.add(end="" if done or self.failed else stopped)
        for i, side in enumerate(self.duel):
            self.add(round=0, side=i, piece=side.answer)
        if self.rounds and self.rounds[0].whole:
            self.asked = time.monotonic()
            return self.add(ask=True)
        self._reveal()
        return self.add(end="" if self.failed else stopped)

    @property
    def duel(self) -> tuple[ComparedSide, ...]:
        """The sides of the arena's only round; () before it has begun."""
        return self.rounds[0].sides if self.rounds else ()

    def _reveal(self) -> None:
        """All that was hidden."""
        if self.rounds:
            self._show_prompts(0)
        for i in range(len(self.duel)):
            self._show_figures(0, i)

    def played(self, side: int) -> str:
        """How the answer of a side of the first round was unmasked, in the format of `app.components.canvas_lines`;
        "" = it was not, or must not be seen."""
        if not self.rounds or (self.blind and not self.voted):
            return ""
        shown = self.rounds[0].sides[side]
        if shown.trace is None:
            return ""
        prompt, steps = shown.trace
        document = document_line(f"{self.id}/{side}", prompt, steps.config, steps.pins)
        return document + "".join(map(step_line, steps.steps)) + end_line(steps, shown.whole or 0.0, self.judge.name)

    # --- the vote ------------------------------------------------------------------------------------------

    def vote_fields(self, winner: str, annotator: str, target: str) -> dict[str, Any]:
        """What the store is given of the vote."""
        left, right = (dict(name=side.arm.name, text=side.text, answer=side.answer) for side in self.duel)
        return {
            "id": self.id,
            "prompt": self.context,
            "question": self.rounds[0].question,
            "target": target,
            "winner": winner,
            "blind": True,
            "annotator": annotator,
            "left": left,
            "right": right,
            "seconds": round(time.monotonic() - self.asked, 1),
        }

    def show_vote(self, winner: str) -> str:
        """The vote is in the store: say so, and reveal."""
        self.voted = winner
        self._reveal()
        self.add(gain=gain(self.duel, self.prices))
        return self.add(voted=winner)


def refusal_line(message: str) -> str:
    """What went wrong before anything was compared."""
    return _line({"error": message, "at": time.monotonic()})


def _line(record: dict[str, Any]) -> str:
    return json.dumps(record, separators=(",", ":")).replace("<", "\\u003c") + "\n"
