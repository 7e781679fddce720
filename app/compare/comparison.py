"""One comparison: two prompts, their answers, the vote. Pure: no Gradio, no model, no database.

What is shown of it is sent as a growing text of JSON lines, as the canvas's is (`app.components.canvas_lines`). What
a blind visitor must not know yet is not in it.

    {"round": "5f2c", "blind": true}
    {"say": "Loading smollm2 ..."}
    {"side": 0, "name": "DiffuMask 35 %", "sent": "the prompt"}
    {"side": 0, "piece": "The ans"}
    {"side": 0, "tiles": [["212", "tokens sent"], ...]}    or    {"side": 0, "error": "The endpoint ..."}
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

from app.compare.sides import ComparedSide, Prices
from app.compare.view import gain, tiles
from app.components.canvas_lines import document_line, end_line, step_line
from model.llm.writers import Writer


@dataclass
class Comparison:
    """One comparison, and the lines that show it. Only its own visitor knows its id.

    Attributes:
        context: the prompt that is shortened.
        question: what follows it.
        target: name of what answers.
        writer: an endpoint, or the name of a model to load here; None once it is at work.
        chat: for a model here: see `model.llm.writers.LocalWriter`.
        limit: tokens of an answer.
        sides: as they stand on the page, left and right.
        stop: set to end the work.
        lines: what the page has been sent.
        asked: when the visitor could vote (time.monotonic); 0 = not yet.
        voted: who won.
    """

    context: str
    question: str
    target: str
    blind: bool
    prices: Prices
    writer: Writer | str | None = None
    chat: bool = False
    limit: int = 64
    sides: tuple[ComparedSide, ...] = ()
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    stop: threading.Event = field(default_factory=threading.Event)
    lines: str = ""
    asked: float = 0.0
    voted: str = ""

    def add(self, **line: Any) -> str:
        """Append a line to what is shown; returns the whole text."""
        self.lines += _line(line)
        return self.lines

    def announce(self, writer: Writer) -> None:
        """Say who answers, and how."""
        order = "both at once" if writer.at_once else "one after the other"
        hidden = "The answers appear together." if self.blind else "Each is timed from its own start."
        self.add(say=f"{writer.name} answers {order}. {hidden}")

    def hear(self, side: int, text: str, seconds: float) -> None:
        """Some of an answer has come."""
        text = text.replace("\0", "\ufffd")  # no database takes a NUL
        self.sides[side].hear(text, seconds)
        if not self.blind:
            self.add(side=side, piece=text)

    def show_prompts(self) -> None:
        """Names and prompts."""
        for i, side in enumerate(self.sides):
            self.add(side=i, name=side.arm.name, sent=side.text)

    def finished(self, side: int) -> None:
        """A side has ended."""
        if not self.blind:
            self.show_figures(side)

    def show_figures(self, side: int) -> None:
        """What a finished side took, or why it failed."""
        finished = self.sides[side]
        if finished.error:
            self.add(side=side, error=finished.error)
        if finished.whole is not None and (finished.answer or not finished.error):
            self.add(side=side, tiles=tiles(finished, self.prices))

    def reveal(self) -> None:
        """All that was hidden."""
        self.show_prompts()
        for i in range(len(self.sides)):
            self.show_figures(i)

    @property
    def whole(self) -> bool:
        """Whether both sides have answered."""
        return bool(self.sides) and all(side.whole is not None and not side.error for side in self.sides)

    def close(self) -> str:
        """Nothing more will come: show what may be seen now, and ask for a vote if there are two answers."""
        if self.blind:
            for i, side in enumerate(self.sides):
                self.add(side=i, piece=side.answer)
        if self.whole:
            self.asked = time.monotonic()
            if not self.blind:
                self.add(gain=gain(self.sides, self.prices))
            return self.add(ask=True)
        if self.blind:
            self.reveal()
        failed = any(side.error for side in self.sides)
        return self.add(end="" if failed else "Cancelled. What came until then is shown.")

    def played(self, side: int) -> str:
        """How the answer of a side was unmasked, in the format of `app.components.canvas_lines`; "" = it was not, or
        must not be seen."""
        trace = self.sides[side].trace if self.sides and (self.voted or not self.blind) else None
        if trace is None:
            return ""
        prompt, steps = trace
        document = document_line(f"{self.id}/{side}", prompt, steps.config, steps.pins)
        seconds = self.sides[side].whole or 0.0
        return document + "".join(map(step_line, steps.steps)) + end_line(steps, seconds, self.target)

    def vote_fields(self, winner: str, annotator: str) -> dict[str, Any]:
        """What the store is given of the vote."""
        left, right = (dict(name=side.arm.name, text=side.text, answer=side.answer) for side in self.sides)
        return {
            "id": self.id,
            "prompt": self.context,
            "question": self.question,
            "target": self.target,
            "winner": winner,
            "blind": self.blind,
            "annotator": annotator,
            "left": left,
            "right": right,
            "seconds": round(time.monotonic() - self.asked, 1),
        }

    def show_vote(self, winner: str) -> str:
        """The vote is in the store: say so, and reveal."""
        self.voted = winner
        if self.blind:
            self.reveal()
            self.add(gain=gain(self.sides, self.prices))
        return self.add(voted=winner)


def refusal_line(message: str) -> str:
    """What went wrong before anything was compared."""
    return _line({"error": message, "at": time.monotonic()})


def _line(record: dict[str, Any]) -> str:
    return json.dumps(record, separators=(",", ":")).replace("<", "\\u003c") + "\n"
