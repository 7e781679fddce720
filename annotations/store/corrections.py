"""Corrections in the database: save, review, read, import."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, exists, func, or_, select, tuple_
from sqlalchemy.orm import Session

from annotations.checks import NAME_LIMIT, now, text_field
from annotations.errors import ConflictError, NotFoundError, RecordError
from annotations.record import Correction, checked
from annotations.results import Entry, Filter, Page, Saved
from annotations.store.checkpoints import lineage
from annotations.store.queue import mark
from annotations.store.sessions import Sessions
from annotations.store.tables import PromptRow as P
from annotations.store.tables import RevisionRow as R
from annotations.store.tables import UseRow, columns, correction_of, prompt_row, revision_row

Key = tuple[str, int]  # id and revision of a correction
BATCH = 50  # corrections read at a time

r, p, u = columns(R), columns(P), columns(UseRow)
_other = columns(R, "other")
_NEWEST = select(func.max(_other.revision)).where(_other.correction_id == r.correction_id).scalar_subquery()
CURRENT = and_(r.revision == _NEWEST, r.revision > 0)  # of each correction the newest that is no draft
DRAFT = r.revision == 0
_START = func.substr(p.text, 1, 200)


class Corrections(Sessions):
    """The part of the store that holds corrections."""

    # --- saving --------------------------------------------------------------------------------------------

    def save_draft(self, fields: Mapping[str, Any]) -> Saved:
        """Keep unfinished work: one draft per annotator and prompt, each taking the place of the one before.

        fields: those of a record; revision, status, created_at, reviewer and review_note are set here. What says the
        same as the correction's newest revision is no draft: then the draft goes, and that revision is returned.
        Raises RecordError when a field is not valid or the id belongs to another annotator or prompt.
        """
        draft = _stamped(fields, "draft")
        with self._write() as session:
            _check_owner(session, draft)
            _drop_draft(session, draft)
            newest = _newest(session, draft.id)
            if newest is not None and newest.content == draft.content:
                return Saved(newest, new=False)
            _add(session, draft)
        return Saved(draft, new=True)

    def submit(self, fields: Mapping[str, Any], revision: int | None = None) -> Saved:
        """Append a revision, remove the draft, and mark the prompt as done by the annotator in the queue.

        fields: as for `save_draft`. revision: the number it shall have; None = the next. A repeated submit changes
        nothing: with a number when that revision says the same, without one when the newest does; the result's `new`
        is False then.
        Raises RecordError as `save_draft` does, ConflictError when the number is taken or leaves a gap.
        """
        if revision is not None and revision < 1:
            raise RecordError("revision: is at least 1")
        wanted = _stamped(fields, "submitted")
        with self._write() as session:
            _check_owner(session, wanted)
            newest = _newest(session, wanted.id)
            last = newest.revision if newest else 0
            there = newest if revision is None else _get(session, wanted.id, revision)
            if there is not None and there.content == wanted.content:
                wanted, new = there, False
            elif revision in (None, last + 1):
                wanted, new = replace(wanted, revision=last + 1), True
                _add(session, wanted)
            else:
                raise ConflictError(f"revision {revision} cannot be saved: {last} revisions are there; load them again")
            _drop_draft(session, wanted)
            mark(session, wanted.prompt_sha256, wanted.annotator, "done")
        return Saved(wanted, new)

    def discard_draft(self, annotator: str, prompt_sha256: str) -> None:
        """Forget the draft, if there is one, and the prompt, if no other correction speaks of it."""
        with self._write() as session:
            session.execute(delete(R).where(DRAFT, _is_of(annotator, prompt_sha256)))
            session.execute(delete(P).where(p.sha256 == prompt_sha256, ~exists().where(r.prompt_key == p.key)))

    def review(self, id: str, revision: int, status: str, reviewer: str, note: str = "") -> Saved:
        """Accept or reject, as a new revision that leaves the annotator's own as they are.

        revision: the one that was looked at. The same verdict by the same reviewer twice is one.
        Raises NotFoundError, or ConflictError when there is a newer revision, RecordError for a bad status or name.
        """
        if status not in ("accepted", "rejected"):
            raise RecordError("status: a review says accepted or rejected")
        text_field("reviewer", reviewer, NAME_LIMIT, blank=False)
        verdict = {"status": status, "reviewer": reviewer, "review_note": note}
        with self._write() as session:
            newest = _newest(session, id)
            if newest is None:
                raise NotFoundError("there is no such submitted correction")
            said = {name: getattr(newest, name) for name in verdict}
            if said == verdict and revision in (newest.revision, newest.revision - 1):
                return Saved(newest, new=False)
            if newest.revision != revision:
                raise ConflictError(f"revision {revision} is not the newest ({newest.revision}): look at that first")
            record = {**newest.to_fields(), **verdict, "revision": revision + 1, "created_at": now()}
            made = checked(record)
            _add(session, made)
        return Saved(made, new=True)

    def import_many(self, corrections: Sequence[Correction]) -> list[tuple[str, str]]:
        """Take over records as they are, in one transaction.

        Returns for each ("added", ""), ("already there", "") or ("refused", why). Nothing is ever replaced.
        """
        with self._write() as session:
            return [_import(session, correction) for correction in corrections]

    # --- reading -------------------------------------------------------------------------------------------

    def get(self, id: str, revision: int | None = None) -> Correction:
        """One revision (0 = the draft); None = the newest, or the draft if that is all there is. Else NotFoundError."""
        with self._read() as session:
            if revision is not None:
                found = _get(session, id, revision)
            else:
                found = _newest(session, id) or _get(session, id, 0)
        if found is None:
            raise NotFoundError("there is no such correction, or not this revision of it")
        return found

    def history(self, id: str) -> tuple[Correction, ...]:
        """All revisions, oldest first, without the draft; () when there are none."""
        with self._read() as session:
            query = select(R, P).join(P).where(r.correction_id == id, ~DRAFT).order_by(r.revision)
            return tuple(correction_of(row, prompt) for row, prompt in session.execute(query))

    def draft(self, annotator: str, prompt_sha256: str) -> Correction | None:
        """The annotator's draft on a prompt."""
        with self._read() as session:
            return _first(session, DRAFT, _is_of(annotator, prompt_sha256))

    def mine(self, annotator: str, prompt_sha256: str) -> Correction | None:
        """The annotator's newest revision on a prompt, whatever its id, not counting a draft."""
        with self._read() as session:
            return _first(session, CURRENT, _is_of(annotator, prompt_sha256))

    def find(self, filter: Filter | None = None, offset: int = 0, limit: int = 50) -> Page:
        """The corrections that the filter lets through, newest first: of each the newest revision, and open drafts."""
        with self._read() as session:
            where = _conditions(session, filter or Filter(), history=False)
            total = session.execute(select(func.count()).select_from(R).join(P).where(*where)).scalar_one()
            columns = (
                *(r.correction_id, r.revision, r.status, r.annotator, r.checkpoint, r.created_at, _START, p.sha256),
                *(p.tokens, r.edits, r.retention, r.seconds, r.note, r.reviewer, r.review_note),
            )
            query = select(*columns).select_from(R).join(P).where(*where)
            query = query.order_by(r.created_at.desc(), r.correction_id, r.revision)
            rows = session.execute(query.offset(max(0, offset)).limit(max(0, limit))).all()
        return Page(tuple(Entry(*list(row)) for row in rows), total)

    def keys(self, filter: Filter | None = None, history: bool = False) -> list[Key]:
        """Id and revision of what `find` finds, oldest first; with history every revision is looked at by itself."""
        with self._read() as session:
            where = _conditions(session, filter or Filter(), history)
            query = select(r.correction_id, r.revision).join(P).where(*where)
            query = query.order_by(r.created_at, r.correction_id, r.revision)
            return [(id, revision) for id, revision in session.execute(query)]

    def fetch(self, keys: Iterable[Key]) -> Iterator[Correction]:
        """The corrections with these keys, a few at a time. What is not there is left out: a draft may go meanwhile."""
        wanted = list(keys)
        for at in range(0, len(wanted), BATCH):
            batch = wanted[at : at + BATCH]
            with self._read() as session:
                query = select(R, P).join(P).where(tuple_(r.correction_id, r.revision).in_(batch))
                found = [correction_of(row, prompt) for row, prompt in session.execute(query)]
            by_key = {(correction.id, correction.revision): correction for correction in found}
            yield from (by_key[key] for key in batch if key in by_key)


def _stamped(fields: Mapping[str, Any], status: str) -> Correction:
    """The record that a client's fields make now; it cannot say itself who reviewed it, or when."""
    own = {"status": status, "revision": 0 if status == "draft" else 1, "created_at": now()}
    return checked({**fields, **own, "reviewer": "", "review_note": ""})


def _is_of(annotator: str, prompt_sha256: str) -> ColumnElement[bool]:
    return and_(r.annotator == annotator, r.prompt_sha256 == prompt_sha256)


def _first(session: Session, *where: ColumnElement[bool]) -> Correction | None:
    query = select(R, P).join(P).where(*where).order_by(r.created_at.desc()).limit(1)
    found = session.execute(query).first()
    return correction_of(*found) if found else None


def _get(session: Session, id: str, revision: int) -> Correction | None:
    return _first(session, r.correction_id == id, r.revision == revision)


def _newest(session: Session, id: str) -> Correction | None:
    return _first(session, r.correction_id == id, CURRENT)


def _check_owner(session: Session, correction: Correction) -> None:
    """All revisions of an id are by one annotator on one prompt."""
    query = select(r.annotator, r.prompt_sha256).where(r.correction_id == correction.id).distinct()
    if any(owner != (correction.annotator, correction.prompt_sha256) for owner in session.execute(query)):
        raise RecordError("id: belongs to a correction of another prompt, or by another annotator")


def _drop_draft(session: Session, correction: Correction) -> None:
    mine = _is_of(correction.annotator, correction.prompt_sha256)
    session.execute(delete(R).where(DRAFT, or_(mine, r.correction_id == correction.id)))


def _add(session: Session, correction: Correction) -> None:
    prompt = prompt_row(correction)
    if not session.execute(select(exists().where(p.key == prompt.key))).scalar_one():
        session.add(prompt)
        session.flush()
    session.add(revision_row(correction, prompt.key))
    session.flush()


def _import(session: Session, correction: Correction) -> tuple[str, str]:
    there = _get(session, correction.id, correction.revision)
    if there == correction:
        return "already there", ""
    if there is not None:
        return "refused", f"revision {correction.revision} of this id is there with other content"
    mine = _is_of(correction.annotator, correction.prompt_sha256)
    if correction.status == "draft" and _first(session, DRAFT, mine) is not None:
        return "refused", "the annotator has another draft on this prompt"
    try:
        _check_owner(session, correction)
    except RecordError as error:
        return "refused", str(error)
    _add(session, correction)
    return "added", ""


def _conditions(session: Session, filter: Filter, history: bool) -> list[ColumnElement[bool]]:
    where: list[ColumnElement[bool]] = [] if history else [or_(CURRENT, DRAFT)]
    if filter.statuses:
        where.append(r.status.in_(filter.statuses))
    if filter.annotator:
        where.append(r.annotator == filter.annotator)
    if filter.checkpoint:
        where.append(r.checkpoint == filter.checkpoint)
    if filter.since:
        where.append(r.created_at >= filter.since)
    if filter.until:
        where.append(r.created_at < filter.until)
    if filter.text:
        searched = (p.text, r.note, r.annotator, r.correction_id)
        where.append(or_(*(column.icontains(filter.text, autoescape=True) for column in searched)))
    if filter.unused_by:
        where.append(~_used(lineage(session, filter.unused_by)))
    return where


def _used(checkpoints: Sequence[str]) -> ColumnElement[bool]:
    """Whether any of the checkpoints was trained on what the correction says; a review in between changes nothing."""
    same = and_(_other.correction_id == r.correction_id, _other.content == r.content)
    query = select(u.checkpoint_id).where(u.checkpoint_id.in_(checkpoints))
    query = query.where(u.correction_id == _other.correction_id, u.revision == _other.revision)
    return exists(query.where(same).correlate(R))
