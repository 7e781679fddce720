"""The vote: a person compared two answers side by side and says which is better. Checked here, and nowhere else.

JSONL is one JSON object a line, pure ASCII, fields:

| field | JSON | meaning |
|---|---|---|
| id | string | 32 hexadecimal digits (uuid4().hex), chosen by the client |
| target | string | the LLM that answered |
| winner | string | left, right, equal (both as good), neither (both bad) |
| blind | boolean | the names were hidden while the person voted |
| annotator | string | who voted |
| seconds | number | time the person spent |
| note | string | the annotator's remark |
| created_at | string | when the vote was saved: ISO 8601, in UTC with microseconds and Z |
| question | string | what was asked about the prompt, "" when the prompt asks it itself |
| prompt | string | the full prompt, 1 to 1,000,000 characters |
| left, right | object | the two arms: name ("DiffuMask 35 %"), text (the prompt that was sent), answer |

seconds, note and question may be left out; other fields are refused. The two names differ.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from annotations.checks import (
    NAME_LIMIT,
    NOTE_LIMIT,
    SECONDS_LIMIT,
    TEXT_LIMIT,
    choice_field,
    id_field,
    number_field,
    shown,
    text_field,
    utc_field,
)
from annotations.errors import RecordError

ANSWER_LIMIT = 100_000  # characters of an answer
WINNERS = ("left", "right", "equal", "neither")
SIDES = ("left", "right")

_DEFAULTS: dict[str, Any] = {"seconds": 0.0, "note": "", "question": ""}


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two arms: its name, the prompt that was sent, and the answer."""

    name: str
    text: str
    answer: str


@dataclass(frozen=True, slots=True)
class Vote:
    """One vote; the fields are those of the module's table. Made by `checked_vote`."""

    id: str
    target: str
    winner: str
    blind: bool
    annotator: str
    seconds: float
    note: str
    created_at: str
    question: str
    prompt: str
    left: Side
    right: Side

    @property
    def content(self) -> dict[str, Any]:
        """What the person says, without when and how long: two votes of one id that say the same are one."""
        return {name: getattr(self, name) for name in NAMES if name not in ("seconds", "created_at")}

    def to_fields(self) -> dict[str, Any]:
        """The vote as in the module's table, fit for JSON."""
        return asdict(self)

    def to_columns(self) -> dict[str, Any]:
        """The vote without nesting, "left" as "left_name", "left_text" and "left_answer": a row of a table."""
        columns = self.to_fields()
        for side in SIDES:
            columns |= {f"{side}_{name}": value for name, value in columns.pop(side).items()}
        return columns

    def to_line(self) -> str:
        """The vote as one line of ASCII JSON, without the line break."""
        return json.dumps(self.to_fields(), separators=(",", ":"), allow_nan=False)


NAMES = tuple(field.name for field in fields(Vote))
SIDE_NAMES = tuple(field.name for field in fields(Side))
COLUMNS = (*(name for name in NAMES if name not in SIDES), *(f"{side}_{name}" for side in SIDES for name in SIDE_NAMES))


def checked_vote(record: Mapping[str, Any]) -> Vote:
    """The vote that a mapping of fields describes.

    >>> made = checked_vote({
    ...     "id": "0" * 32, "target": "smollm2", "prompt": "Be brief. 1 + 1?", "winner": "right", "blind": True,
    ...     "left": {"name": "Full prompt", "text": "Be brief. 1 + 1?", "answer": "3"},
    ...     "right": {"name": "DiffuMask 35 %", "text": "1 + 1?", "answer": "2"},
    ...     "annotator": "Ann", "created_at": "2026-11-22T04:05:00+01:00"})
    >>> made.right.answer, made.seconds, made.created_at
    ('2', 0.0, '2026-11-22T03:05:00.000000Z')

    Raises RecordError, one line that begins with the field's name, for the first thing wrong.
    """
    given = {**_DEFAULTS, **_object("record", record)}
    _check_names("", given, NAMES)
    vote = Vote(
        id=id_field("id", given["id"]),
        target=text_field("target", given["target"], NAME_LIMIT, blank=False),
        winner=choice_field("winner", given["winner"], WINNERS),
        blind=_boolean("blind", given["blind"]),
        annotator=text_field("annotator", given["annotator"], NAME_LIMIT, blank=False),
        seconds=number_field("seconds", given["seconds"], SECONDS_LIMIT),
        note=text_field("note", given["note"], NOTE_LIMIT),
        created_at=utc_field("created_at", given["created_at"]),
        question=text_field("question", given["question"], TEXT_LIMIT),
        prompt=text_field("prompt", given["prompt"], TEXT_LIMIT, blank=False),
        left=_side("left", given["left"]),
        right=_side("right", given["right"]),
    )
    if vote.left.name == vote.right.name:
        raise RecordError(f"right.name: {shown(vote.right.name)} is the name of the left side, too")
    return vote


def _object(name: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise RecordError(f"{name}: is not an object with fields")
    return value


def _check_names(prefix: str, given: Mapping[str, Any], names: tuple[str, ...]) -> None:
    for name in given:
        if name not in names:
            raise RecordError(f"{prefix}{shown(name)}: is not a field of a vote")
    for name in names:
        if name not in given:
            raise RecordError(f"{prefix}{name}: is missing")


def _side(name: str, value: object) -> Side:
    given = _object(name, value)
    _check_names(f"{name}.", given, SIDE_NAMES)
    return Side(
        name=text_field(f"{name}.name", given["name"], NAME_LIMIT, blank=False),
        text=text_field(f"{name}.text", given["text"], TEXT_LIMIT),
        answer=text_field(f"{name}.answer", given["answer"], ANSWER_LIMIT),
    )


def _boolean(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise RecordError(f"{name}: {shown(value)} is not true or false")
    return value
