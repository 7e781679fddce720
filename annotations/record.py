"""The correction record: what a person says about the mask of one prompt. Checked here, and nowhere else.

JSONL is the contract with model/ (`python -m model finetune --corrections FILE`): one JSON object a line, pure ASCII
(everything else escaped, so that no reader splits a line in the wrong place), fields:

| field | JSON | meaning |
|---|---|---|
| id | string | 32 hexadecimal digits (uuid4().hex), chosen by the client; all revisions of a correction share it |
| revision | integer | 1, 2, ...; 0 = a draft |
| status | string | draft, submitted, accepted, rejected |
| prompt | string | the full text, 1 to 1,000,000 characters |
| prompt_sha256 | string | of the text in UTF-8; may be left out |
| offsets | [[start, end], ...] | the prompt tokens, in characters (Unicode code points, not UTF-16 units) |
| shot_starts | [start, ...] | characters where shots begin; 0 may be left out; [] = one shot |
| model_mask | string | '1' keep or '0' drop for each token, as the model decided |
| human_mask | string | the same as the person wants it: the label to learn |
| pins | {"index": true or false} | tokens that the person fixed; agrees with human_mask |
| retention | number | share to keep that was asked of the model, 0 to 1 |
| steps | integer | denoising steps, from 1 |
| threshold | number | confidence threshold, 0 to 1 |
| seed | integer | of the sampler, 0 to 2^63 - 1 |
| checkpoint | string | id of the model that made model_mask |
| annotator | string | who corrected |
| seconds | number | time the person spent |
| note | string | the annotator's remark |
| reviewer | string | who accepted or rejected; "" = the annotator's own revision |
| review_note | string | the reviewer's remark |
| created_at | string | when this revision was made: ISO 8601, written in UTC with microseconds and Z |

prompt_sha256, shot_starts, pins, seconds, note, reviewer and review_note may be left out; other fields are refused.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from annotations.checks import (
    NAME_LIMIT,
    NOTE_LIMIT,
    SECONDS_LIMIT,
    TEXT_LIMIT,
    choice_field,
    id_field,
    integer_field,
    number_field,
    shown,
    text_field,
    utc_field,
)
from annotations.errors import RecordError

TOKEN_LIMIT = 400_000
STEP_LIMIT = 10_000
STATUSES = ("draft", "submitted", "accepted", "rejected")

_CIRCUMSTANCES = ("revision", "status", "seconds", "reviewer", "review_note", "created_at")
_INDEX = re.compile(r"0|[1-9][0-9]{0,6}")
_DEFAULTS: dict[str, Any] = {
    "prompt_sha256": None,
    "shot_starts": (),
    "pins": {},
    "seconds": 0.0,
    "note": "",
    "reviewer": "",
    "review_note": "",
}


@dataclass(frozen=True, slots=True)
class Correction:
    """One revision of a correction; the fields are those of the module's table. Made by `checked`."""

    id: str
    revision: int
    status: str
    prompt: str
    prompt_sha256: str
    offsets: tuple[tuple[int, int], ...]
    shot_starts: tuple[int, ...]
    model_mask: str
    human_mask: str
    pins: dict[int, bool]
    retention: float
    steps: int
    threshold: float
    seed: int
    checkpoint: str
    annotator: str
    seconds: float
    note: str
    reviewer: str
    review_note: str
    created_at: str

    @property
    def edits(self) -> int:
        """How many tokens the person changed."""
        return sum(a != b for a, b in zip(self.model_mask, self.human_mask, strict=True))

    @property
    def content(self) -> dict[str, Any]:
        """What the person says, without when and how long: two submissions that say the same are one."""
        return {name: getattr(self, name) for name in NAMES if name not in _CIRCUMSTANCES}

    def to_fields(self) -> dict[str, Any]:
        """The record as in the module's table, fit for JSON."""
        out = {name: getattr(self, name) for name in NAMES}
        out["offsets"] = [list(span) for span in self.offsets]
        out["shot_starts"] = list(self.shot_starts)
        out["pins"] = {str(i): keep for i, keep in sorted(self.pins.items())}
        return out


NAMES = tuple(field.name for field in fields(Correction))


def checked(record: Mapping[str, Any]) -> Correction:
    """The correction that a mapping of fields describes, in canonical form.

    >>> made = checked({
    ...     "id": "0" * 32, "revision": 1, "status": "submitted", "prompt": "Be brief.",
    ...     "offsets": [[0, 2], [3, 8], [8, 9]], "model_mask": "110", "human_mask": "010", "pins": {"0": False},
    ...     "retention": 0.5, "steps": 8, "threshold": 0, "seed": 0, "checkpoint": "base", "annotator": "Ann",
    ...     "created_at": "2026-11-22T04:05:00+01:00"})
    >>> made.edits, made.pins, made.created_at
    (1, {0: False}, '2026-11-22T03:05:00.000000Z')

    Raises RecordError, one line that begins with the field's name, for the first thing wrong.
    """
    if not isinstance(record, Mapping):
        raise RecordError("record: is not an object with fields")
    for name in record:
        if name not in NAMES:
            raise RecordError(f"{shown(name)}: is not a field of a correction")
    given = {**_DEFAULTS, **record}
    for name in NAMES:
        if name not in given:
            raise RecordError(f"{name}: is missing")
    prompt = text_field("prompt", given["prompt"], TEXT_LIMIT, blank=False)
    offsets = _offsets(given["offsets"], len(prompt))
    correction = Correction(
        id=id_field("id", given["id"]),
        revision=integer_field("revision", given["revision"], 0, 1_000_000),
        status=choice_field("status", given["status"], STATUSES),
        prompt=prompt,
        prompt_sha256=_digest(given["prompt_sha256"], prompt),
        offsets=offsets,
        shot_starts=_shot_starts(given["shot_starts"], len(prompt)),
        model_mask=_mask("model_mask", given["model_mask"], len(offsets)),
        human_mask=_mask("human_mask", given["human_mask"], len(offsets)),
        pins=_pins(given["pins"], len(offsets)),
        retention=number_field("retention", given["retention"], 1.0),
        steps=integer_field("steps", given["steps"], 1, STEP_LIMIT),
        threshold=number_field("threshold", given["threshold"], 1.0),
        seed=integer_field("seed", given["seed"], 0, 2**63 - 1),
        checkpoint=text_field("checkpoint", given["checkpoint"], NAME_LIMIT, blank=False),
        annotator=text_field("annotator", given["annotator"], NAME_LIMIT, blank=False),
        seconds=number_field("seconds", given["seconds"], SECONDS_LIMIT),
        note=text_field("note", given["note"], NOTE_LIMIT),
        reviewer=text_field("reviewer", given["reviewer"], NAME_LIMIT),
        review_note=text_field("review_note", given["review_note"], NOTE_LIMIT),
        created_at=utc_field("created_at", given["created_at"]),
    )
    _check_together(correction)
    return correction


def _check_together(correction: Correction) -> None:
    if (correction.status == "draft") != (correction.revision == 0):
        raise RecordError("revision: is 0 for a draft and at least 1 for everything else")
    for i, keep in correction.pins.items():
        if (correction.human_mask[i] == "1") != keep:
            raise RecordError(f"pins: token {i} is pinned to {'keep' if keep else 'drop'}, but human_mask differs")


# --- JSON --------------------------------------------------------------------------------------------------


def to_line(correction: Correction) -> str:
    """The record as one line of ASCII JSON, without the line break."""
    return json.dumps(correction.to_fields(), separators=(",", ":"), allow_nan=False)


def from_line(line: str) -> Correction:
    """The correction in one line of JSON. RecordError when it is not JSON, or not a valid record."""
    return checked(from_json("record", line))


def from_json(name: str, text: str) -> Any:
    """The value of a JSON text, however hostile: no NaN, no doubled fields, no giant numbers, no endless nesting.

    Raises RecordError with the name in front.
    """
    try:
        return json.loads(text, parse_int=_json_int, parse_constant=_no_constant, object_pairs_hook=_unique)
    except RecordError as error:
        raise RecordError(f"{name}: {error}") from None
    except json.JSONDecodeError as error:
        raise RecordError(f"{name}: is not JSON ({error.msg} at character {error.pos})") from None
    except RecursionError:
        raise RecordError(f"{name}: is nested too deeply") from None


def _json_int(digits: str) -> int:
    if len(digits) > 20:
        raise RecordError(f"holds a number of {len(digits)} digits")
    return int(digits)


def _no_constant(constant: str) -> float:
    raise RecordError(f"holds {constant}, which is not a number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) < len(pairs):
        raise RecordError("has a field twice")
    return out


# --- single fields -----------------------------------------------------------------------------------------


def _digest(value: object, prompt: str) -> str:
    digest = hashlib.sha256(prompt.encode("utf-8")).hexdigest()
    if value is not None and value != digest:
        raise RecordError("prompt_sha256: is not that of the prompt")
    return digest


def _offsets(value: object, length: int) -> tuple[tuple[int, int], ...]:
    """Token spans, increasing, not empty, inside a text of `length` characters."""
    if not isinstance(value, (list, tuple)) or not value:
        raise RecordError("offsets: is not a list of [start, end] with at least one token")
    if len(value) > TOKEN_LIMIT:
        raise RecordError(f"offsets: {len(value):,} tokens; at most {TOKEN_LIMIT:,} are allowed")
    spans, before = [], 0
    for i, span in enumerate(value):
        if not isinstance(span, (list, tuple)) or [type(end) for end in span] != [int, int]:
            raise RecordError(f"offsets: token {i} is not [start, end]")
        if not before <= span[0] < span[1] <= length:
            raise RecordError(f"offsets: token {i} is empty, overlaps the one before or lies outside the prompt")
        before = span[1]
        spans.append((span[0], span[1]))
    return tuple(spans)


def _shot_starts(value: object, length: int) -> tuple[int, ...]:
    if not isinstance(value, (list, tuple)):
        raise RecordError("shot_starts: is not a list of characters where shots begin")
    before = -1
    for start in value:
        if type(start) is not int or not before < start < length:
            raise RecordError(f"shot_starts: {shown(start)} is not a number that rises and lies inside the prompt")
        before = start
    return tuple(value)


def _mask(name: str, value: object, tokens: int) -> str:
    if not isinstance(value, str) or value.strip("01"):
        raise RecordError(f"{name}: is not a text of 0 and 1")
    if len(value) != tokens:
        raise RecordError(f"{name}: has {len(value):,} marks, but the prompt has {tokens:,} tokens")
    return value


def _pins(value: object, tokens: int) -> dict[int, bool]:
    """Token index -> keep; JSON's text keys become numbers."""
    if not isinstance(value, Mapping):
        raise RecordError("pins: is not an object of token index -> true or false")
    pins: dict[int, bool] = {}
    for key, keep in value.items():
        index = int(key) if isinstance(key, str) and _INDEX.fullmatch(key) else key
        if type(index) is not int or not 0 <= index < tokens or index in pins:
            raise RecordError(f"pins: {shown(key)} is not the index of a token")
        if not isinstance(keep, bool):
            raise RecordError(f"pins: token {index} is {shown(keep)}, not true or false")
        pins[index] = keep
    return dict(sorted(pins.items()))
