"""The vote: a person compared two answers side by side and says which is better.

In a JSONL file a vote is one object a line, pure ASCII.

>>> vote = Vote.from_fields({
...     "id": "0" * 32, "target": "smollm2", "prompt": "Be brief. 1 + 1?", "winner": "right", "blind": True,
...     "left": {"name": "Full prompt", "text": "Be brief. 1 + 1?", "answer": "3"},
...     "right": {"name": "DiffuMask 35 %", "text": "1 + 1?", "answer": "2"},
...     "annotator": "Ann", "created_at": "2026-11-22T04:05:00+01:00"})
>>> vote.right.answer, vote.seconds, vote.created_at
('2', 0.0, '2026-11-22T03:05:00.000000Z')
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from model.fields import (
    STORABLE,
    Identifier,
    Name,
    Note,
    OptionalText,
    PromptText,
    Record,
    Seconds,
    UtcTime,
    mistake,
    quoted,
)

Winner = Literal["left", "right", "equal", "neither"]
SIDES = ("left", "right")

AnswerText = Annotated[str, Field(max_length=100_000), STORABLE]


class VoteSide(Record):
    """One of the two sides of a comparison."""

    what: ClassVar[str] = "a vote"

    name: Name = Field(description='the method, as people read it: "DiffuMask 35 %"')
    text: OptionalText = Field(description="the prompt that was sent")
    answer: AnswerText = Field(description="what the LLM answered")


class Vote(Record):
    """One person's vote on two answers that stood side by side."""

    what: ClassVar[str] = "a vote"

    id: Identifier = Field(description="32 hexadecimal digits (uuid4().hex), chosen by the client")
    target: Name = Field(description="the LLM that answered")
    winner: Winner = Field(description="left, right, equal (both are good) or neither (both are bad)")
    blind: bool = Field(description="whether the names were hidden while the person voted")
    annotator: Name = Field(description="who voted")
    seconds: Seconds = Field(default=0.0, description="time that the person spent")
    note: Note = Field(default="", description="the annotator's remark")
    created_at: UtcTime = Field(description="when the vote was saved: ISO 8601; written in UTC, microseconds and Z")
    question: OptionalText = Field(
        default="", description="what was asked about the prompt; empty when the prompt asks it itself"
    )
    prompt: PromptText = Field(description="the full prompt")
    left: VoteSide = Field(description="the left side; its name differs from that of the right side")
    right: VoteSide = Field(description="the right side")

    @property
    def content(self) -> dict[str, Any]:
        """What the person says, without when and how long: two votes with one id that say the same are one."""
        return {name: getattr(self, name) for name in VOTE_FIELDS if name not in ("seconds", "created_at")}

    def to_columns(self) -> dict[str, Any]:
        """The vote as one row of a table, with "left" taken apart into left_name, left_text and left_answer."""
        columns = self.to_fields()
        for side in SIDES:
            columns |= {f"{side}_{name}": value for name, value in columns.pop(side).items()}
        return columns

    @model_validator(mode="after")
    def _names_differ(self) -> Vote:
        if self.left.name == self.right.name:
            raise mistake("right.name", f"{quoted(self.right.name)} is the name of the left side, too")
        return self


VOTE_FIELDS = tuple(Vote.model_fields)
SIDE_FIELDS = tuple(VoteSide.model_fields)
VOTE_COLUMNS = (
    *(name for name in VOTE_FIELDS if name not in SIDES),
    *(f"{side}_{name}" for side in SIDES for name in SIDE_FIELDS),
)
