"""What people give to the shared corpus and take back, what they erase, and who did what with the model."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import delete, exists, or_, select, text
from sqlalchemy.orm import Session

from annotations.errors import NotFoundError
from annotations.store.sessions import Sessions
from annotations.store.tables import AssignmentRow as A
from annotations.store.tables import AuditRow, TombstoneRow, columns
from annotations.store.tables import ContributionRow as C
from annotations.store.tables import PromptRow as P
from annotations.store.tables import QueueRow as Q
from annotations.store.tables import RevisionRow as R
from annotations.store.tables import VoteRow as V
from annotations.store.viewers import sees_revision, sees_vote
from model.fields import NAME_LIMIT, NOTE_LIMIT, now, text_field

_r, _p, _c, _q, _a, _v = (columns(table) for table in (R, P, C, Q, A, V))
_audit, _t = columns(AuditRow), columns(TombstoneRow)


@dataclass(frozen=True)
class AuditEntry:
    """Somebody did something that concerns others: promoted a model, imported a file, erased a text."""

    at: str
    actor: str
    action: str
    subject: str
    detail: str


class Consent(Sessions):
    """The part of the store that holds contributions, tombstones and the audit log."""

    # --- contributing --------------------------------------------------------------------------------------

    def contribute(self, id: str, licence: str) -> None:
        """Give one's own correction to the shared corpus, under a licence; it waits for a reviewer.

        Raises NotFoundError when it is not the viewer's own, or only a draft.
        """
        text_field("licence", licence, NAME_LIMIT, blank=False)
        with self._write() as session:
            owner = self._owner(session, id, _r.revision > 0)
            session.merge(C(correction_id=id, owner=owner, licence=licence, contributed_at=now()))
            _log(session, owner, "contribute", id, licence)

    def withdraw(self, id: str) -> None:
        """Take a contribution back: from now on it is in no export and no fine-tuning. NotFoundError as above."""
        with self._write() as session:
            owner = self._owner(session, id, _r.revision > 0)
            session.execute(delete(C).where(_c.correction_id == id))
            _log(session, owner, "withdraw", id)

    def licence(self, id: str) -> str:
        """Under which the correction was contributed; "" when it was not."""
        with self._read() as session:
            return session.execute(select(_c.licence).where(_c.correction_id == id)).scalar() or ""

    def _owner(self, session: Session, id: str, *where: object) -> str:
        """The annotator of a correction that is the viewer's own, or any for who sees everything."""
        viewer = self._viewer
        query = select(_r.annotator).where(_r.correction_id == id, sees_revision(viewer), *where)  # type: ignore[arg-type]
        owner = session.execute(query.limit(1)).scalar()
        if owner is None or not (viewer is None or viewer.everything or owner == viewer.owner):
            raise NotFoundError("there is no such correction of yours")
        return str(owner)

    # --- erasing -------------------------------------------------------------------------------------------

    def erase(self, id: str) -> None:
        """Erase a correction, its text, masks, notes and revisions, or a vote; a tombstone says that there was one.

        The same person's queued copy of the prompt goes, too. Raises NotFoundError when it is not the viewer's own.
        """
        with self._write() as session:
            voter = session.execute(select(_v.annotator).where(_v.id == id, sees_vote(self._viewer))).scalar()
            owner = voter or self._owner(session, id)
            hashes = session.execute(select(_r.prompt_sha256).where(_r.correction_id == id)).scalars().all()
            self._bury(session, [id], owner)
            session.execute(delete(R).where(_r.correction_id == id))
            session.execute(delete(V).where(_v.id == id))
            self._forget_queued(session, _q.owner == owner, _q.sha256.in_(set(hashes)))
            _sweep(session)
        self._scrub()

    def erase_person(self, owner: str) -> int:
        """Erase all of one person's corrections, drafts, votes and queued prompts; returns how many of the first."""
        viewer = self._viewer
        if viewer is not None and not viewer.everything and owner != viewer.owner:
            raise NotFoundError("there is no such work of yours")
        with self._write() as session:
            ids = session.execute(select(_r.correction_id).where(_r.annotator == owner).distinct()).scalars().all()
            votes = session.execute(select(_v.id).where(_v.annotator == owner)).scalars().all()
            self._bury(session, [*ids, *votes], owner)
            session.execute(delete(R).where(_r.annotator == owner))
            session.execute(delete(V).where(_v.annotator == owner))
            session.execute(delete(A).where(_a.annotator == owner))
            self._forget_queued(session, _q.owner == owner, _q.owner != "")
            _sweep(session)
        self._scrub()
        return len(ids)

    def erased(self, id: str) -> bool:
        """Whether there was a correction or vote with this id that was erased."""
        with self._read() as session:
            return session.get(TombstoneRow, id) is not None

    # --- for the log ---------------------------------------------------------------------------------------

    def tombstones(self) -> dict[str, str]:
        """When each work that was erased was, by id."""
        with self._read() as session:
            return {id: at for id, at in session.execute(select(_t.id, _t.erased_at))}

    def consents(self) -> dict[str, tuple[str, str]]:
        """Licence and time of each correction that is contributed, by id."""
        with self._read() as session:
            rows = session.execute(select(_c.correction_id, _c.licence, _c.contributed_at))
            return {id: (licence, at) for id, licence, at in rows}

    def take_tombstones(self, erased: Mapping[str, str]) -> None:
        """Erase here what was erased in another store, too. erased: when each was, by id."""
        with self._write() as session:
            ids = [id for id in erased if session.get(TombstoneRow, id) is None]
            session.add_all(TombstoneRow(id=id, erased_by="", erased_at=erased[id]) for id in ids)
            session.flush()
            for table, key in ((C, _c.correction_id), (R, _r.correction_id), (V, _v.id)):
                session.execute(delete(table).where(key.in_(ids)))
            _sweep(session)
        self._scrub()

    # --- inside --------------------------------------------------------------------------------------------

    def _bury(self, session: Session, ids: list[str], owner: str) -> None:
        """The tombstones, without which the database deletes nothing."""
        by = self._viewer.owner if self._viewer is not None else owner
        session.add_all(TombstoneRow(id=id, erased_by=by, erased_at=now()) for id in ids)
        session.execute(delete(C).where(_c.correction_id.in_(ids)))
        _log(session, by, "erase", ids[0] if len(ids) == 1 else f"{len(ids)} works of {owner}")
        session.flush()

    def _forget_queued(self, session: Session, *where: object) -> None:
        ids = session.execute(select(_q.id).where(*where)).scalars().all()  # type: ignore[arg-type]
        session.execute(delete(A).where(_a.queue_id.in_(ids)))
        session.execute(delete(Q).where(_q.id.in_(ids)))

    def _scrub(self) -> None:
        """Leave nothing of what was erased in SQLite's write-ahead log (pages are overwritten: secure_delete)."""
        if self._writer.dialect.name == "sqlite":
            with self._reader.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("COMMIT"))
                connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)")).fetchall()
                connection.execute(text("BEGIN"))

    # --- the log -------------------------------------------------------------------------------------------

    def log(self, actor: str, action: str, subject: str = "", detail: str = "") -> None:
        """Write down that somebody did something that concerns others."""
        with self._write() as session:
            _log(session, actor, action, subject, detail)

    def audit(self, limit: int = 100) -> tuple[AuditEntry, ...]:
        """What was done, newest first."""
        with self._read() as session:
            rows = session.execute(select(AuditRow).order_by(_audit.at.desc(), _audit.id).limit(limit)).scalars()
            return tuple(AuditEntry(row.at, row.actor, row.action, row.subject, row.detail) for row in rows)


def _log(session: Session, actor: str, action: str, subject: str = "", detail: str = "") -> None:
    fields = {
        "actor": actor[:NAME_LIMIT],
        "action": action,
        "subject": subject[:NAME_LIMIT],
        "detail": detail[:NOTE_LIMIT],
    }
    session.add(AuditRow(id=uuid.uuid4().hex, at=now(), **fields))


def _sweep(session: Session) -> None:
    """Delete the texts that nothing refers to any more."""
    session.execute(delete(P).where(~exists().where(_r.prompt_key == _p.key)))
    session.execute(delete(C).where(~exists().where(or_(_r.correction_id == _c.correction_id))))
