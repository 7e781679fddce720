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
from annotations.store.usage import check_room
from annotations.store.viewers import Viewer, check_own, sees_queue
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
                rows.append(_row(prompt, uncertainty, source, self._new_owner))
            except RecordError as error:
                refused.append((i, str(error)))
        new = 0
        with self._write() as session:
            if self._new_owner:
                check_room(session, self._viewer, sum(len(row.text) for row in rows))
            for row in rows:
                if session.get(Q, row.id) is None:
                    session.add(row)
                    session.flush()
                    new += 1
        return Added(new, len(rows) - new, tuple(refused))

    @property
    def _new_owner(self) -> str:
        """Whose prompts are that are added now; those of an admin are for everybody."""
        return "" if self._viewer is None or self._viewer.everything else self._viewer.owner

    def waiting(self, offset: int = 0, limit: int = 50) -> tuple[QueueItem, ...]:
        """Prompts that nobody has done yet, most uncertain first."""
        done = select(_a.queue_id).where(_a.state == "done")
        query = (
            select(Q)
            .where(_q.id.not_in(done), sees_queue(self._viewer))
            .order_by(*_ORDER)
            .offset(max(0, offset))
            .limit(max(0, limit))
        )
        with self._read() as session:
            return tuple(_item(row) for row in session.execute(query).scalars())

    def unmeasured(self, limit: int = 100) -> tuple[QueueItem, ...]:
        """Prompts without an uncertainty, oldest first."""
        with self._read() as session:
            query = (
                select(Q)
                .where(_q.uncertainty.is_(None), sees_queue(self._viewer))
                .order_by(_q.created_at, _q.id)
                .limit(limit)
            )
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
        check_own(self._viewer, annotator)
        of_item = _a.queue_id == _q.id
        taken = select(func.count()).select_from(A).where(of_item, _busy()).scalar_subquery()
        seen = exists().where(of_item, _a.annotator == annotator)
        with self._write() as session:
            held = select(Q).join(A).where(_a.annotator == annotator, _a.state == "assigned")
            row = session.execute(held.order_by(*_ORDER).limit(1)).scalar()
            if row is None:
                query = select(Q).where(~seen, taken < people, sees_queue(self._viewer)).order_by(*_ORDER).limit(1)
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
        check_own(self._viewer, annotator)
        with self._write() as session:
            session.execute(delete(A).where(_a.queue_id == id, _a.annotator == annotator))

    def _set_state(self, id: str, annotator: str, state: str) -> None:
        text_field("annotator", annotator, NAME_LIMIT, blank=False)
        with self._write() as session:
            if not mark(session, id, annotator, state, self._viewer):
                raise NotFoundError("this prompt is not in the queue")

    def progress(self, annotator: str = "") -> QueueProgress:
        """How many prompts of the queue are done, in all and by this annotator."""
        with self._read() as session:
            return count_progress(session, annotator, self._viewer)


def mark(session: Session, id: str, annotator: str, state: str, viewer: Viewer | None = None) -> bool:
    """Save what an annotator did with a queued prompt, by its id or the sha256 of its text; False when it is not in
    the queue, or in that of somebody else."""
    mine = _q.owner.in_(("", annotator) if viewer is None or annotator == viewer.owner else (viewer.owner,))
    ids = session.execute(select(_q.id).where(or_(_q.id == id, _q.sha256 == id), mine)).scalars().all()
    for item in ids:
        session.merge(A(queue_id=item, annotator=annotator, state=state, changed_at=now()))
    session.flush()
    return bool(ids)


def count_progress(session: Session, annotator: str, viewer: Viewer | None = None) -> QueueProgress:
    """As `Queue.progress`, within a session that is open."""

    def prompts(*where: ColumnElement[bool]) -> int:
        query = select(func.count(func.distinct(_a.queue_id))).join(Q).where(*where, sees_queue(viewer))
        return session.execute(query).scalar_one()

    finished = select(_a.queue_id).where(_a.state == "done")
    mine = _a.annotator == annotator
    return QueueProgress(
        total=session.execute(select(func.count()).select_from(Q).where(sees_queue(viewer))).scalar_one(),
        done=prompts(_a.state == "done"),
        assigned=prompts(_a.state == "assigned", _busy(), _a.queue_id.not_in(finished)),
        mine_done=prompts(mine, _a.state == "done"),
        mine_skipped=prompts(mine, _a.state == "skipped"),
    )


def _busy() -> ColumnElement[bool]:
    """Done, or being worked on: taken less than LEASE ago, or ahead, where the clock was set back."""
    moment = datetime.now(timezone.utc)
    held = _a.changed_at.between(utc_of(moment - LEASE), utc_of(moment + LEASE))
    return or_(_a.state == "done", and_(_a.state == "assigned", held))


def _row(prompt: str, uncertainty: float | None, source: str, owner: str) -> Q:
    text_field("prompt", prompt, TEXT_LIMIT, blank=False)
    uncertainty = None if uncertainty is None else _finite(uncertainty)
    sha256 = sha256_of(prompt)
    id = sha256_of(f"{owner}\n{sha256}") if owner else sha256
    fields = {"uncertainty": uncertainty, "source": source, "created_at": now(), "owner": owner, "sha256": sha256}
    return Q(id=id, text=prompt, **fields)


def _finite(uncertainty: float) -> float:
    if not isinstance(uncertainty, (int, float)) or not math.isfinite(uncertainty):
        raise RecordError("uncertainty: is not a number")
    return float(uncertainty)


def _item(row: Q) -> QueueItem:
    return QueueItem(row.id, row.text, row.uncertainty, row.source, row.created_at)
