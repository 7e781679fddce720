"""The correction record: what a person says about the mask of one prompt.

The database, the exported files, and fine-tuning (`finetune --corrections FILE`) share this one model. In a JSONL file
a record is one object a line, pure ASCII. `python -m model.record` prints its JSON schema, docs/correction.schema.json.

>>> record = CorrectionRecord.from_fields({
...     "id": "0" * 32, "revision": 1, "status": "submitted", "prompt": "Be brief.",
...     "offsets": [[0, 2], [3, 8], [8, 9]], "model_mask": "110", "human_mask": "010", "pins": {"0": False},
...     "retention": 0.5, "steps": 8, "threshold": 0, "seed": 0, "checkpoint": "base", "annotator": "Ann",
...     "created_at": "2026-11-22T04:05:00+01:00"})
>>> record.edits, record.pins, record.created_at
(1, {0: False}, '2026-11-22T03:05:00.000000Z')
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import Field, StrictBool, ValidationInfo, field_validator, model_validator

from .fields import (
    Identifier,
    Mask,
    Name,
    Note,
    OptionalName,
    OptionalTime,
    PromptText,
    Record,
    Seconds,
    Share,
    UtcTime,
    mistake,
    quoted,
)

TOKEN_LIMIT = 400_000
STEP_LIMIT = 10_000

Status = Literal["draft", "submitted", "accepted", "rejected"]
Granularity = Literal["token", "unit", "part"]
STATUSES: tuple[Status, ...] = get_args(Status)

RULES = ("granularity", "guards", "least", "least_demonstration")  # settings of `CompressRequest` in a record
CONSENT = ("licence", "contributed_at")  # kept beside the revisions, for it changes without a new one
_CIRCUMSTANCES = ("revision", "status", "seconds", "reviewer", "review_note", "created_at", *CONSENT)
_INDEX = r"0|[1-9][0-9]{0,6}"  # the text of a token's index, which JSON needs as a key

Start = Annotated[int, Field(ge=0)]
Span = tuple[Start, Annotated[int, Field(ge=1)]]


def sha256_of(text: str) -> str:
    """The SHA-256 of a text in UTF-8, in hexadecimal digits."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


class CorrectionRecord(Record):
    """One revision of a person's correction of the mask that a model proposed for a prompt."""

    what: ClassVar[str] = "a correction"

    id: Identifier = Field(
        description="32 hexadecimal digits (uuid4().hex), chosen by the client; all revisions of a correction share it"
    )
    revision: int = Field(ge=0, le=1_000_000, description="1, 2, ...; 0 = a draft")
    status: Status = Field(description="draft, submitted, accepted or rejected")
    prompt: PromptText = Field(description="the full text")
    prompt_sha256: str = Field(
        default_factory=lambda valid: sha256_of(valid.get("prompt", "")),
        pattern="^[0-9a-f]{64}$",
        description="SHA-256 of the prompt in UTF-8; computed when it is left out",
    )
    offsets: tuple[Span, ...] = Field(
        min_length=1,
        max_length=TOKEN_LIMIT,
        description="[start, end] of each prompt token, in characters (Unicode code points, not UTF-16 units); rising, "
        "and none is empty",
    )
    shot_starts: tuple[Start, ...] = Field(
        default=(), description="characters where the shots of the prompt begin; 0 may be left out; [] = one shot"
    )
    model_mask: Mask = Field(description="1 (keep) or 0 (drop) for each token, as the model decided")
    human_mask: Mask = Field(description="the same as the person wants it: the label to learn")
    pins: dict[int, bool] = Field(
        default_factory=dict,
        json_schema_extra={"propertyNames": {"pattern": f"^({_INDEX})$"}},
        description="tokens that the person fixed, by index: true = keep, false = drop; agrees with human_mask",
    )
    retention: Share = Field(description="share of the tokens that the model was asked to keep")
    steps: int = Field(ge=1, le=STEP_LIMIT, description="denoising steps")
    threshold: Share = Field(description="confidence threshold of the sampler")
    seed: int = Field(ge=0, le=2**63 - 1, description="seed of the sampler")
    granularity: Granularity = Field(
        default="token", description="how fine the pieces were that the model kept or dropped: token, unit or part"
    )
    guards: StrictBool = Field(
        default=False, description="whether sentences with a negation, limit or condition were one piece"
    )
    least: Share = Field(default=0.0, description="share of a sentence's words that stayed if any did")
    least_demonstration: Share = Field(
        default=0.0, description="share of a demonstration that stayed, besides its answer, if any did"
    )
    checkpoint: Name = Field(description="id of the model that made model_mask")
    annotator: Name = Field(description="who corrected")
    seconds: Seconds = Field(default=0.0, description="time that the person spent")
    note: Note = Field(default="", description="the annotator's remark")
    reviewer: OptionalName = Field(
        default="", description="who accepted or rejected it; empty = the annotator's own revision"
    )
    review_note: Note = Field(default="", description="the reviewer's remark")
    created_at: UtcTime = Field(description="when this revision was made: ISO 8601; written in UTC, microseconds and Z")
    licence: OptionalName = Field(
        default="", description="under which the annotator contributed it; empty = it is private: not to be published"
    )
    contributed_at: OptionalTime = Field(default="", description="when the annotator did so")

    @property
    def edits(self) -> int:
        """How many tokens the person changed."""
        return sum(a != b for a, b in zip(self.model_mask, self.human_mask, strict=True))

    @property
    def rules(self) -> dict[str, Any]:
        """How pieces were made when the mask was proposed, as `CompressRequest` takes it. Records of versions that
        knew no pieces do not say it; their masks were made of single tokens, which are the defaults."""
        return {name: getattr(self, name) for name in RULES}

    @property
    def content(self) -> dict[str, Any]:
        """What the person says, without when and how long: two submissions that say the same are one."""
        return {name: getattr(self, name) for name in CORRECTION_FIELDS if name not in _CIRCUMSTANCES}

    @property
    def without_consent(self) -> CorrectionRecord:
        """The same as if it had not been contributed."""
        return self.model_copy(update=dict.fromkeys(CONSENT, ""))

    @field_validator("prompt_sha256", mode="before")
    @classmethod
    def _is_of_the_prompt(cls, given: object, info: ValidationInfo) -> str:
        digest = sha256_of(info.data.get("prompt", ""))
        if given is not None and given != digest:
            raise ValueError("is not that of the prompt")
        return digest

    @field_validator("offsets", mode="before")
    @classmethod
    def _rise_inside_the_prompt(cls, given: object, info: ValidationInfo) -> object:
        if not isinstance(given, (list, tuple)) or not given:
            raise ValueError("is not a list of [start, end] with at least one token")
        if len(given) > TOKEN_LIMIT:
            raise ValueError(f"{len(given):,} tokens; at most {TOKEN_LIMIT:,} are allowed")
        length, before = len(info.data.get("prompt", "")), 0
        for i, span in enumerate(given):
            if not isinstance(span, (list, tuple)) or [type(end) for end in span] != [int, int]:
                raise ValueError(f"token {i} is not [start, end]")
            if not before <= span[0] < span[1] <= length:
                raise ValueError(f"token {i} is empty, overlaps the one before or lies outside the prompt")
            before = span[1]
        return tuple(map(tuple, given))

    @field_validator("shot_starts", mode="before")
    @classmethod
    def _begin_inside_the_prompt(cls, given: object, info: ValidationInfo) -> object:
        if not isinstance(given, (list, tuple)):
            raise ValueError("is not a list of characters where shots begin")
        length, before = len(info.data.get("prompt", "")), -1
        for start in given:
            if type(start) is not int or not before < start < length:
                raise ValueError(f"{quoted(start)} is not a number that rises and lies inside the prompt")
            before = start
        return tuple(given)

    @field_validator("model_mask", "human_mask")
    @classmethod
    def _has_a_mark_for_each_token(cls, mask: str, info: ValidationInfo) -> str:
        tokens = len(info.data.get("offsets", ()))
        if len(mask) != tokens:
            raise ValueError(f"has {len(mask):,} marks, but the prompt has {tokens:,} tokens")
        return mask

    @field_validator("pins", mode="before")
    @classmethod
    def _agree_with_the_mask(cls, given: object, info: ValidationInfo) -> dict[int, bool]:
        """Token -> keep, in the order of the tokens; the texts that JSON has as keys become numbers."""
        if not isinstance(given, Mapping):
            raise ValueError("is not an object of token index -> true or false")
        mask, pins = info.data.get("human_mask", ""), {}
        for key, keep in given.items():
            index = int(key) if isinstance(key, str) and re.fullmatch(_INDEX, key) else key
            if type(index) is not int or not 0 <= index < len(mask) or index in pins:
                raise ValueError(f"{quoted(key)} is not the index of a token")
            if not isinstance(keep, bool):
                raise ValueError(f"token {index} is {quoted(keep)}, not true or false")
            if (mask[index] == "1") != keep:
                raise ValueError(f"token {index} is pinned to {'keep' if keep else 'drop'}, but human_mask differs")
            pins[index] = keep
        return dict(sorted(pins.items()))

    @model_validator(mode="after")
    def _only_a_draft_is_revision_0(self) -> CorrectionRecord:
        if (self.status == "draft") != (self.revision == 0):
            raise mistake("revision", "is 0 for a draft and at least 1 for everything else")
        return self


CORRECTION_FIELDS = tuple(CorrectionRecord.model_fields)


def correction_schema() -> str:
    """The record's JSON schema (2020-12), as it is published in docs/correction.schema.json."""
    return json.dumps(CorrectionRecord.model_json_schema(), indent=2) + "\n"


if __name__ == "__main__":
    print(correction_schema(), end="")
