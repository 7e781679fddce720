"""What the store takes and returns: plain frozen dataclasses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from annotations.errors import RecordError
from annotations.votes import Vote
from model.fields import quoted, text_field, utc
from model.record import STATUSES, CorrectionRecord

SEARCH_LIMIT = 1000  # characters of a search text
TO_LEARN = ("submitted", "accepted")  # statuses that fine-tuning takes by default


@dataclass(frozen=True)
class Filter:
    """Which corrections; a field that is empty excludes nothing. Raises RecordError when a field makes no sense.

    Attributes:
        statuses: any of these; () = all, drafts too.
        annotator: exactly this name.
        checkpoint: made with exactly this model.
        since: ISO date or time (UTC when it has no zone), inclusive.
        until: the same; a date includes its whole day.
        text: contained in the prompt, note, annotator or id, whatever its case (ASCII); there are no wildcards.
        contributed: only those that were given to the shared corpus, and the viewer's own.
        unused_by: a checkpoint's id: only those which, as they are now, neither it nor its ancestors were trained on.
    """

    statuses: tuple[str, ...] = ()
    annotator: str = ""
    checkpoint: str = ""
    since: str = ""
    until: str = ""
    text: str = ""
    unused_by: str = ""
    contributed: bool = False

    def __post_init__(self) -> None:
        for status in self.statuses:
            if status not in STATUSES:
                raise RecordError(f"status: {quoted(status)} is not one of {', '.join(STATUSES)}")
        for name in ("annotator", "checkpoint", "text", "unused_by"):
            text_field(name, getattr(self, name), SEARCH_LIMIT)
        object.__setattr__(self, "since", _moment("since", self.since, days=0))
        object.__setattr__(self, "until", _moment("until", self.until, days=1))


def _moment(name: str, value: str, days: int) -> str:
    """A bound for created_at: the time itself, or the start of a day (so many days later)."""
    if not value:
        return ""
    try:
        if len(value) == len("2026-11-22"):
            return f"{date.fromisoformat(value) + timedelta(days=days)}T00:00:00.000000Z"
        has_zone = value.endswith("Z") or "+" in value[10:] or "-" in value[10:]
        return utc(value if has_zone else value + "Z")
    except (TypeError, ValueError, OverflowError):
        example = "a date such as 2026-11-22 or a time such as 2026-11-22T08:30"
        raise RecordError(f"{name}: {quoted(value)} is not {example}") from None


@dataclass(frozen=True)
class Entry:
    """A correction in a list; `Store.get` returns all of it. `start` is the first 200 characters of the prompt."""

    id: str
    revision: int
    status: str
    annotator: str
    checkpoint: str
    created_at: str
    start: str
    prompt_sha256: str
    tokens: int
    edits: int
    retention: float
    seconds: float
    note: str
    reviewer: str
    review_note: str


@dataclass(frozen=True)
class CorrectionPage:
    """Some entries, newest first, and how many there are in all."""

    entries: tuple[Entry, ...]
    total: int


@dataclass(frozen=True)
class Saved:
    """A correction that is in the database; `new` is False when it was there before."""

    correction: CorrectionRecord
    new: bool


@dataclass(frozen=True)
class VotePage:
    """Some votes, newest first, and how many there are in all."""

    votes: tuple[Vote, ...]
    total: int


@dataclass(frozen=True)
class CheckpointEntry:
    """A model. status: available, served, rolled back. corrections: how many it was trained on."""

    id: str
    path: str
    parent: str | None
    created_at: str
    metrics: Mapping[str, Any]
    status: str
    served_at: str | None
    corrections: int


@dataclass(frozen=True)
class QueueItem:
    """A prompt to correct; `id` is the sha256 of its text; uncertainty None = not measured yet."""

    id: str
    text: str
    uncertainty: float | None
    source: str
    created_at: str


@dataclass(frozen=True)
class Added:
    """What became of prompts given to the queue; refused: (index in what was given, reason)."""

    new: int
    already: int
    refused: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class QueueProgress:
    """Prompts in the queue: all, done by anybody, assigned to somebody, and done or skipped by the one who asks."""

    total: int
    done: int
    assigned: int
    mine_done: int
    mine_skipped: int


@dataclass(frozen=True)
class Group:
    """Sums over some corrections: how many, their tokens, the tokens changed, seconds spent."""

    corrections: int = 0
    tokens: int = 0
    edits: int = 0
    seconds: float = 0.0

    @property
    def edit_rate(self) -> float:
        """Share of tokens that a person changed; 0 when there are none."""
        return self.edits / self.tokens if self.tokens else 0.0


@dataclass(frozen=True)
class Stats:
    """Statistics of the store; drafts are counted in `statuses` only."""

    statuses: Mapping[str, int]
    all: Group
    annotators: Mapping[str, Group]
    checkpoints: Mapping[str, Group]
    prompts: int
    revisions: int
    queue: QueueProgress


@dataclass(frozen=True)
class PromptAgreement:
    """Agreement on one prompt. alpha None = not defined, since everybody gave every token the same mark."""

    prompt_sha256: str
    start: str
    annotators: tuple[str, ...]
    tokens: int
    alpha: float | None
    same: float


@dataclass(frozen=True)
class Agreement:
    """Krippendorff's alpha (1 = all agree, 0 = as by chance) over all prompts that several people corrected.

    same: of the pairs of people who marked the same token, the share that agrees. Both None when there is no such
    prompt.
    """

    alpha: float | None = None
    same: float | None = None
    prompts: tuple[PromptAgreement, ...] = field(default_factory=tuple)
