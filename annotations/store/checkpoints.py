"""Checkpoints in the database: where they come from, what they were trained on, which one is served."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from annotations.errors import ConflictError, NotFoundError, RecordError, StoreError
from annotations.results import CheckpointEntry
from annotations.store.sessions import Sessions
from annotations.store.tables import CheckpointRow as C
from annotations.store.tables import RevisionRow, columns
from annotations.store.tables import UseRow as U
from model.fields import NAME_LIMIT, now, now_after, text_field

_PATH_LIMIT = 4096  # characters

_c, _u = columns(C), columns(U)


class Checkpoints(Sessions):
    """The part of the store that holds checkpoints."""

    def add_checkpoint(
        self,
        id: str,
        path: str,
        parent: str | None = None,
        metrics: Mapping[str, Any] | None = None,
        used: Iterable[tuple[str, int]] = (),
    ) -> CheckpointEntry:
        """Register a model as available; a second time changes nothing.

        used: id and revision of the corrections it was trained on.
        Raises NotFoundError when the parent is not registered, ConflictError when the id has another path or parent,
        StoreError when a correction in `used` does not exist.
        """
        text_field("checkpoint", id, NAME_LIMIT, blank=False)
        text_field("path", path, _PATH_LIMIT, blank=False)
        try:
            written = json.dumps(dict(metrics or {}), allow_nan=False)
        except (TypeError, ValueError) as error:
            raise RecordError(f"metrics: cannot be written as JSON ({error})") from None
        with self._write() as session:
            row = session.get(C, id)
            if row is not None and (row.path, row.parent) != (path, parent):
                raise ConflictError("a checkpoint with this id and another path or parent is there")
            if row is None:
                if parent is not None:
                    _registered(session, parent)
                session.add(C(id=id, path=path, parent=parent, created_at=now(), metrics=written, status="available"))
                session.flush()
                session.add_all(_uses(session, id, set(used)))
                session.flush()
            return _checkpoint(session, id)

    def checkpoints(self) -> tuple[CheckpointEntry, ...]:
        """All checkpoints, newest first."""
        with self._read() as session:
            ids = session.execute(select(_c.id).order_by(_c.created_at.desc(), _c.id)).scalars().all()
            return tuple(_checkpoint(session, id) for id in ids)

    def checkpoint(self, id: str) -> CheckpointEntry:
        """One checkpoint, or NotFoundError."""
        with self._read() as session:
            return _checkpoint(session, id)

    def lineage(self, id: str) -> tuple[CheckpointEntry, ...]:
        """The checkpoint, its parent, and so on to the first."""
        with self._read() as session:
            return tuple(_checkpoint(session, ancestor) for ancestor in lineage(session, id))

    def used_by(self, id: str) -> tuple[tuple[str, int], ...]:
        """Id and revision of the corrections that the checkpoint was trained on."""
        with self._read() as session:
            query = select(_u.correction_id, _u.revision).where(_u.checkpoint_id == id)
            return tuple(session.execute(query.order_by(_u.correction_id, _u.revision)))

    def served(self) -> CheckpointEntry | None:
        """The checkpoint that is served, or None."""
        with self._read() as session:
            id = session.execute(select(_c.id).where(_c.status == "served")).scalar()
            return _checkpoint(session, id) if id is not None else None

    def serve(self, id: str) -> CheckpointEntry:
        """Put a checkpoint in use; the one before becomes available. NotFoundError when it is not registered."""
        with self._write() as session:
            _registered(session, id)
            _serve(session, id, before="available")
            return _checkpoint(session, id)

    def roll_back(self) -> CheckpointEntry:
        """Take the served checkpoint out of use and go back to the one in use before it, or else its parent.

        Raises StoreError when there is none.
        """
        with self._write() as session:
            current = session.execute(select(C).where(_c.status == "served")).scalar()
            if current is None:
                raise StoreError("no checkpoint is served")
            earlier = select(_c.id).where(_c.served_at.is_not(None), _c.status == "available")
            back = session.execute(earlier.order_by(_c.served_at.desc()).limit(1)).scalar() or current.parent
            if back is None:
                raise StoreError("there is no earlier checkpoint to go back to")
            _serve(session, back, before="rolled back")
            return _checkpoint(session, back)


def _uses(session: Session, id: str, used: Iterable[tuple[str, int]]) -> list[U]:
    """Rows for what a checkpoint was trained on. StoreError when there is no such correction."""
    for key in used:
        if session.get(RevisionRow, key) is None:
            raise StoreError(f"not saved: there is no revision {key[1]} of correction {key[0]!a} to be trained on")
    return [U(checkpoint_id=id, correction_id=key[0], revision=key[1]) for key in used]


def lineage(session: Session, id: str) -> list[str]:
    """Ids of the checkpoint and its ancestors, or NotFoundError."""
    ids: list[str] = []
    at: str | None = id
    while at is not None:
        ids.append(at)
        at = _registered(session, at).parent
    return ids


def _serve(session: Session, id: str, before: str) -> None:
    session.execute(update(C).where(_c.status == "served", _c.id != id).values(status=before))
    latest = session.execute(select(func.max(_c.served_at))).scalar()
    session.execute(update(C).where(_c.id == id).values(status="served", served_at=now_after(latest)))


def _registered(session: Session, id: str) -> C:
    row = session.get(C, id, populate_existing=True)
    if row is None:
        raise NotFoundError(f"checkpoint {id!a} is not registered")
    return row


def _checkpoint(session: Session, id: str) -> CheckpointEntry:
    row = _registered(session, id)
    count = session.execute(select(func.count()).select_from(U).where(_u.checkpoint_id == id)).scalar_one()
    metrics = json.loads(row.metrics)
    return CheckpointEntry(row.id, row.path, row.parent, row.created_at, metrics, row.status, row.served_at, count)
