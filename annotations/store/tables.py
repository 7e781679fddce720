"""The tables, as the newest migration leaves them, and how a correction or vote becomes rows and is read from them.

The tables are on a registry of their own, so that importing this module a second time (Gradio's reload) does not fail.
`prompts` holds a text and its tokens once, however many revisions refer to it.
"""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import BigInteger, FromClause
from sqlalchemy.orm import registry
from sqlalchemy.sql.base import ReadOnlyColumnCollection
from sqlmodel import Field, SQLModel

from annotations.votes import SIDE_FIELDS, SIDES, VOTE_COLUMNS, Vote, VoteSide
from model.record import CONSENT, CORRECTION_FIELDS, CorrectionRecord, sha256_of


class StoreTable(SQLModel, registry=registry()):
    """Base of all tables, and of nothing else: `StoreTable.metadata` has exactly them."""


class PromptRow(StoreTable, table=True):
    """A text with its tokens and shots; key: sha256 of all three. offsets: flat JSON [start, end, start, ...]."""

    __tablename__ = "prompts"
    key: str = Field(primary_key=True)
    sha256: str = Field(index=True)
    text: str
    offsets: str
    shot_starts: str
    tokens: int


class RevisionRow(StoreTable, table=True):
    """A revision of a correction, never changed or deleted; revision 0 is a draft, which is overwritten.

    content: sha256 of what fine-tuning learns from (prompt, human mask, pins).
    """

    __tablename__ = "revisions"
    correction_id: str = Field(primary_key=True)
    revision: int = Field(primary_key=True)
    status: str
    prompt_key: str = Field(foreign_key="prompts.key")
    prompt_sha256: str
    model_mask: str
    human_mask: str
    pins: str
    retention: float
    steps: int
    threshold: float
    seed: int = Field(sa_type=BigInteger)
    checkpoint: str
    annotator: str
    seconds: float
    note: str
    reviewer: str
    review_note: str
    created_at: str
    content: str
    edits: int
    granularity: str
    guards: bool
    least: float
    least_demonstration: float


class CheckpointRow(StoreTable, table=True):
    """A model; at most one has status "served"."""

    __tablename__ = "checkpoints"
    id: str = Field(primary_key=True)
    path: str
    parent: str | None = Field(default=None, foreign_key="checkpoints.id")
    created_at: str
    metrics: str
    status: str
    served_at: str | None = None


class UseRow(StoreTable, table=True):
    """Checkpoint `checkpoint_id` was trained on this revision."""

    __tablename__ = "uses"
    checkpoint_id: str = Field(primary_key=True, foreign_key="checkpoints.id")
    correction_id: str = Field(primary_key=True)
    revision: int = Field(primary_key=True)


class ContributionRow(StoreTable, table=True):
    """A correction that its annotator gave to the shared corpus, under a licence."""

    __tablename__ = "contributions"
    correction_id: str = Field(primary_key=True)
    owner: str
    licence: str
    contributed_at: str


class TombstoneRow(StoreTable, table=True):
    """A correction or vote that was erased: nothing but its id, when, and by whom."""

    __tablename__ = "tombstones"
    id: str = Field(primary_key=True)
    erased_by: str
    erased_at: str


class AuditRow(StoreTable, table=True):
    """Somebody did something that concerns others."""

    __tablename__ = "audit"
    id: str = Field(primary_key=True)
    at: str = Field(index=True)
    actor: str
    action: str
    subject: str
    detail: str


class QueueRow(StoreTable, table=True):
    """A prompt to correct. owner: the only one who sees it; "" = everybody. id: sha256 of the text, with the owner."""

    __tablename__ = "queue"
    id: str = Field(primary_key=True)
    text: str
    uncertainty: float | None = None
    source: str
    created_at: str
    owner: str = ""
    sha256: str = ""


class AssignmentRow(StoreTable, table=True):
    """What an annotator did with a queued prompt: assigned, skipped or done."""

    __tablename__ = "assignments"
    queue_id: str = Field(primary_key=True, foreign_key="queue.id")
    annotator: str = Field(primary_key=True)
    state: str
    changed_at: str


class VoteRow(StoreTable, table=True):
    """A vote, never changed or deleted. The long texts come last, so that figures need not read past them."""

    __tablename__ = "votes"
    id: str = Field(primary_key=True)
    target: str
    left_name: str
    right_name: str
    winner: str
    blind: bool
    annotator: str
    seconds: float
    created_at: str = Field(index=True)
    note: str
    question: str
    left_answer: str
    right_answer: str
    left_text: str
    right_text: str
    prompt: str


def columns(table: type[StoreTable], alias: str = "") -> ReadOnlyColumnCollection[str, Any]:
    """The columns of a table, or of an alias of it, to build queries with."""
    clause: FromClause = StoreTable.metadata.tables[str(table.__tablename__)]
    return clause.alias(alias).c if alias else clause.c


def prompt_row(correction: CorrectionRecord) -> PromptRow:
    """The row of the correction's prompt."""
    offsets = json.dumps([end for span in correction.offsets for end in span], separators=(",", ":"))
    starts = json.dumps(correction.shot_starts, separators=(",", ":"))
    return PromptRow(
        key=sha256_of("\n".join((correction.prompt_sha256, offsets, starts))),
        sha256=correction.prompt_sha256,
        text=correction.prompt,
        offsets=offsets,
        shot_starts=starts,
        tokens=len(correction.offsets),
    )


def revision_row(correction: CorrectionRecord, prompt_key: str) -> RevisionRow:
    """The row of the correction itself."""
    pins = json.dumps(correction.pins, separators=(",", ":"))
    values = {name: getattr(correction, name) for name in _SAME}
    content = sha256_of("\n".join((prompt_key, correction.human_mask, pins)))
    return RevisionRow(
        **values, correction_id=correction.id, prompt_key=prompt_key, pins=pins, content=content, edits=correction.edits
    )


def correction_of(row: RevisionRow, prompt: PromptRow, given: ContributionRow | None) -> CorrectionRecord:
    """The correction in the rows of `revision_row` and `prompt_row`, with its consent; not checked again."""
    flat = json.loads(prompt.offsets)
    return CorrectionRecord.model_construct(
        **{name: getattr(row, name) for name in _SAME},
        licence=given.licence if given else "",
        contributed_at=given.contributed_at if given else "",
        id=row.correction_id,
        prompt=prompt.text,
        offsets=tuple(zip(flat[::2], flat[1::2], strict=True)),
        shot_starts=tuple(json.loads(prompt.shot_starts)),
        pins={int(i): keep for i, keep in json.loads(row.pins).items()},
    )


def vote_row(vote: Vote) -> VoteRow:
    """The row of a vote."""
    return VoteRow(**vote.to_columns())


def vote_of(row: VoteRow) -> Vote:
    """The vote in a row of `vote_row`; not checked again."""
    fields: dict[str, Any] = {name: getattr(row, name) for name in VOTE_COLUMNS}
    for side in SIDES:
        fields[side] = VoteSide.model_construct(**{name: fields.pop(f"{side}_{name}") for name in SIDE_FIELDS})
    return Vote.model_construct(**fields)


_SAME = tuple(
    name for name in CORRECTION_FIELDS if name not in ("id", "prompt", "offsets", "shot_starts", "pins", *CONSENT)
)
