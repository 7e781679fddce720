"""The queue of prompts to correct."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone

from sqlalchemy import ColumnElement, and_, delete, exists, func, or_, select, update
from sqlalchemy.orm import Session

from annotations.checks import NAME_LIMIT, TEXT_LIMIT, now, text_field, utc_field
from annotations.errors import NotFoundError, RecordError
from annotations.results import Added, Progress, QueueItem
from annotations.store.sessions import Sessions
from annotations.store.tables import AssignmentRow as A
from annotations.store.tables import QueueRow as Q
from annotations.store.tables import columns

LEASE = timedelta(hours=2)  # after which a prompt that somebody took and left is offered to others

a, q = columns(A), columns(Q)
_ORDER = (q.uncertainty.desc().nulls_last(), q.created_at, q.id)


class Queue(Sessions):
    """The part of the store that hands out prompts."""

    def add_prompts(self, prompts: Iterable[tuple[str, float | None]], source: str = "") -> Added:
        """Put (text, uncertainty) into the queue; a text that is there already stays as it is.

        uncertainty: the larger, the sooner it is its turn; None = not measured yet, so after all others.
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
        done = select(a.queue_id).where(a.state == "done")
        query = select(Q).where(q.id.not_in(done)).order_by(*_ORDER).offset(max(0, offset)).limit(max(0, limit))
        with self._read() as session:
            return tuple(_item(row) for row in session.execute(query).scalars())

    def unmeasured(self, limit: int = 100) -> tuple[QueueItem, ...]:
        """Prompts without an uncertainty, oldest first."""
        with self._read() as session:
            query = select(Q).where(q.uncertainty.is_(None)).order_by(q.created_at, q.id).limit(limit)
            return tuple(_item(row) for row in session.execute(query).scalars())

    def set_uncertainty(self, id: str, uncertainty: float) -> None:
        """Write down what a model made of the prompt. NotFoundError when it is not in the queue."""
        with self._write() as session:
            row = session.get(Q, id)
            if row is None:
                raise NotFoundError("this prompt is not in the queue")
            row.uncertainty = _finite(uncertainty)

    def forget_uncertainties(self) -> None:
        """Have all prompts that wait measured again: another model is served."""
        with self._write() as session:
            session.execute(update(Q).values(uncertainty=None))

    def next_prompt(self, annotator: str, people: int = 1) -> QueueItem | None:
        """The prompt to correct now, assigned to the annotator: one they have in hands, else the most uncertain.

        people: how many shall correct each prompt (more than one gives agreement figures). None = nothing left.
        """
        text_field("annotator", annotator, NAME_LIMIT, blank=False)
        of_item = a.queue_id == q.id
        taken = select(func.count()).select_from(A).where(of_item, _busy()).scalar_subquery()
        touched = exists().where(of_item, a.annotator == annotator)
        with self._write() as session:
            held = select(Q).join(A).where(a.annotator == annotator, a.state == "assigned")
            row = session.execute(held.order_by(*_ORDER).limit(1)).scalar()
            if row is None:
                query = select(Q).where(~touched, taken < people).order_by(*_ORDER).limit(1)
                row = session.execute(query).scalar()
            if row is None:
                return None
            mark(session, row.id, annotator, "assigned")
            return _item(row)

    def assign(self, id: str, annotator: str) -> None:
        """Put a chosen prompt into the annotator's hands, also one that was skipped or done."""
        self._set_state(id, annotator, "assigned")

    def skip(self, id: str, annotator: str) -> None:
        """Do not offer the prompt to this annotator again; others get it."""
        self._set_state(id, annotator, "skipped")

    def done(self, id: str, annotator: str) -> None:
        """The prompt needs no correction by this annotator any more; `submit` says so by itself."""
        self._set_state(id, annotator, "done")

    def release(self, id: str, annotator: str) -> None:
        """Give a prompt back: it is offered to anybody again, this annotator too."""
        with self._write() as session:
            session.execute(delete(A).where(a.queue_id == id, a.annotator == annotator))

    def _set_state(self, id: str, annotator: str, state: str) -> None:
        text_field("annotator", annotator, NAME_LIMIT, blank=False)
        with self._write() as session:
            if not mark(session, id, annotator, state):
                raise NotFoundError("this prompt is not in the queue")

    def progress(self, annotator: str = "") -> Progress:
        """How far the queue is, and what this annotator did of it."""
        with self._read() as session:
            return queue_progress(session, annotator)


def mark(session: Session, id: str, annotator: str, state: str) -> bool:
    """Write down what became of a queued prompt with an annotator; False when it is not in the queue."""
    if not session.execute(select(exists().where(q.id == id))).scalar_one():
        return False
    session.merge(A(queue_id=id, annotator=annotator, state=state, changed_at=now()))
    session.flush()
    return True


def queue_progress(session: Session, annotator: str) -> Progress:
    def prompts(*where: ColumnElement[bool]) -> int:
        return session.execute(select(func.count(func.distinct(a.queue_id))).where(*where)).scalar_one()

    finished = select(a.queue_id).where(a.state == "done")
    mine = a.annotator == annotator
    return Progress(
        total=session.execute(select(func.count()).select_from(Q)).scalar_one(),
        done=prompts(a.state == "done"),
        assigned=prompts(a.state == "assigned", _busy(), a.queue_id.not_in(finished)),
        mine_done=prompts(mine, a.state == "done"),
        mine_skipped=prompts(mine, a.state == "skipped"),
    )


def _busy() -> ColumnElement[bool]:
    """Done, or in hands since not too long ago."""
    recently = utc_field("lease", (datetime.now(timezone.utc) - LEASE).isoformat())
    return or_(a.state == "done", and_(a.state == "assigned", a.changed_at > recently))


def _row(prompt: str, uncertainty: float | None, source: str) -> Q:
    text_field("prompt", prompt, TEXT_LIMIT, blank=False)
    uncertainty = None if uncertainty is None else _finite(uncertainty)
    digest = hashlib.sha256(prompt.encode("utf-8")).hexdigest()
    return Q(id=digest, text=prompt, uncertainty=uncertainty, source=source, created_at=now())


def _finite(uncertainty: float) -> float:
    if not isinstance(uncertainty, (int, float)) or not math.isfinite(uncertainty):
        raise RecordError("uncertainty: is not a number")
    return float(uncertainty)


def _item(row: Q) -> QueueItem:
    return QueueItem(row.id, row.text, row.uncertainty, row.source, row.created_at)
