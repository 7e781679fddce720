"""The queue of prompts to correct."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone

from sqlalchemy import ColumnElement, and_, delete, exists, func, or_, select, update
from sqlalchemy.orm import Session

from annotations.errors import NotFoundError, RecordError
from annotations.results import Added, QueueItem, QueueProgress
from annotations.store.sessions import Sessions
from annotations.store.tables import AssignmentRow as A
from annotations.store.tables import QueueRow as Q
from annotations.store.tables import columns
from model.fields import NAME_LIMIT, TEXT_LIMIT, now, text_field, utc_of
from model.record import sha256_of

LEASE = timedelta(hours=2)  # a prompt that was taken longer ago and is not done is offered to others

_a, _q = columns(A), columns(Q)
_ORDER = (_q.uncertainty.desc().nulls_last(), _q.created_at, _q.id)


class Queue(Sessions):
    """The part of the store that hands out prompts."""

    def add_prompts(self, prompts: Iterable[tuple[str, float | None]], source: str = "") -> Added:
        """Put (text, uncertainty) into the queue; a text that is there already stays as it is.

        uncertainty: the larger, the sooner the prompt is offered; None = not measured yet, offered after all others.
        source: where they come from, for display.
        """
        text_field("source", source, NAME_LIMIT)
        rows, refused = [], []
        for i, (prompt, uncertainty) in enumerate(prompts):
            try:
                rows.append(_row(prompt, uncertainty, source))
            except RecordError as error:
                refused.append((i, str(error)))
        new = 0
        with self._write() as session:
            for row in rows:
                if session.get(Q, row.id) is None:
                    session.add(row)
                    session.flush()
                    new += 1
        return Added(new, len(rows) - new, tuple(refused))

    def waiting(self, offset: int = 0, limit: int = 50) -> tuple[QueueItem, ...]:
        """Prompts that nobody has done yet, most uncertain first."""
        done = select(_a.queue_id).where(_a.state == "done")
        query = select(Q).where(_q.id.not_in(done)).order_by(*_ORDER).offset(max(0, offset)).limit(max(0, limit))
        with self._read() as session:
            return tuple(_item(row) for row in session.execute(query).scalars())

    def unmeasured(self, limit: int = 100) -> tuple[QueueItem, ...]:
        """Prompts without an uncertainty, oldest first."""
        with self._read() as session:
            query = select(Q).where(_q.uncertainty.is_(None)).order_by(_q.created_at, _q.id).limit(limit)
            return tuple(_item(row) for row in session.execute(query).scalars())

    def set_uncertainty(self, id: str, uncertainty: float) -> None:
        """Save how uncertain a model is about the prompt. NotFoundError when it is not in the queue."""
        with self._write() as session:
            row = session.get(Q, id)
            if row is None:
                raise NotFoundError("this prompt is not in the queue")
            row.uncertainty = _finite(uncertainty)

    def forget_uncertainties(self) -> None:
        """Mark all prompts as not measured, which another model that is served makes necessary."""
        with self._write() as session:
            session.execute(update(Q).values(uncertainty=None))

    def next_prompt(self, annotator: str, people: int = 1) -> QueueItem | None:
        """The prompt to correct now: one that is assigned to the annotator already, or else the most uncertain one,
        which is then assigned. None when nothing is left.

        people: how many are to correct each prompt; with more than one, their agreement can be measured.
        """
        text_field("annotator", annotator, NAME_LIMIT, blank=False)
        of_item = _a.queue_id == _q.id
        taken = select(func.count()).select_from(A).where(of_item, _busy()).scalar_subquery()
        seen = exists().where(of_item, _a.annotator == annotator)
        with self._write() as session:
            held = select(Q).join(A).where(_a.annotator == annotator, _a.state == "assigned")
            row = session.execute(held.order_by(*_ORDER).limit(1)).scalar()
            if row is None:
                query = select(Q).where(~seen, taken < people).order_by(*_ORDER).limit(1)
                row = session.execute(query).scalar()
            if row is None:
                return None
            mark(session, row.id, annotator, "assigned")
            return _item(row)

    def assign(self, id: str, annotator: str) -> None:
        """Assign a chosen prompt to the annotator, also one that was skipped or done."""
        self._set_state(id, annotator, "assigned")

    def skip(self, id: str, annotator: str) -> None:
        """Do not offer the prompt to this annotator again; others get it."""
        self._set_state(id, annotator, "skipped")

    def done(self, id: str, annotator: str) -> None:
        """Mark the prompt as corrected by this annotator, as `submit` does by itself."""
        self._set_state(id, annotator, "done")

    def release(self, id: str, annotator: str) -> None:
        """Give a prompt back: it may be offered to everybody again, to this annotator too."""
        with self._write() as session:
            session.execute(delete(A).where(_a.queue_id == id, _a.annotator == annotator))

    def _set_state(self, id: str, annotator: str, state: str) -> None:
        text_field("annotator", annotator, NAME_LIMIT, blank=False)
        with self._write() as session:
            if not mark(session, id, annotator, state):
                raise NotFoundError("this prompt is not in the queue")

    def progress(self, annotator: str = "") -> QueueProgress:
        """How many prompts of the queue are done, in all and by this annotator."""
        with self._read() as session:
            return count_progress(session, annotator)


def mark(session: Session, id: str, annotator: str, state: str) -> bool:
    """Save what an annotator did with a queued prompt; False when it is not in the queue."""
    if not session.execute(select(exists().where(_q.id == id))).scalar_one():
        return False
    session.merge(A(queue_id=id, annotator=annotator, state=state, changed_at=now()))
    session.flush()
    return True


def count_progress(session: Session, annotator: str) -> QueueProgress:
    """As `Queue.progress`, within a session that is open."""

    def prompts(*where: ColumnElement[bool]) -> int:
        return session.execute(select(func.count(func.distinct(_a.queue_id))).where(*where)).scalar_one()

    finished = select(_a.queue_id).where(_a.state == "done")
    mine = _a.annotator == annotator
    return QueueProgress(
        total=session.execute(select(func.count()).select_from(Q)).scalar_one(),
        done=prompts(_a.state == "done"),
        assigned=prompts(_a.state == "assigned", _busy(), _a.queue_id.not_in(finished)),
        mine_done=prompts(mine, _a.state == "done"),
        mine_skipped=prompts(mine, _a.state == "skipped"),
    )


def _busy() -> ColumnElement[bool]:
    """Done, or being worked on: taken less than LEASE ago."""
    earliest = utc_of(datetime.now(timezone.utc) - LEASE)
    return or_(_a.state == "done", and_(_a.state == "assigned", _a.changed_at > earliest))


def _row(prompt: str, uncertainty: float | None, source: str) -> Q:
    text_field("prompt", prompt, TEXT_LIMIT, blank=False)
    uncertainty = None if uncertainty is None else _finite(uncertainty)
    return Q(id=sha256_of(prompt), text=prompt, uncertainty=uncertainty, source=source, created_at=now())


def _finite(uncertainty: float) -> float:
    if not isinstance(uncertainty, (int, float)) or not math.isfinite(uncertainty):
        raise RecordError("uncertainty: is not a number")
    return float(uncertainty)


def _item(row: Q) -> QueueItem:
    return QueueItem(row.id, row.text, row.uncertainty, row.source, row.created_at)
