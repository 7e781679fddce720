"""Corrections in the database: save, review, read, import."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, exists, func, or_, select, tuple_
from sqlalchemy.orm import Session

from annotations.errors import ConflictError, NotFoundError, RecordError
from annotations.results import CorrectionPage, Entry, Filter, Saved
from annotations.store.checkpoints import lineage
from annotations.store.queue import mark
from annotations.store.sessions import Sessions
from annotations.store.tables import ContributionRow as C
from annotations.store.tables import PromptRow as P
from annotations.store.tables import RevisionRow as R
from annotations.store.tables import TombstoneRow, UseRow, columns, correction_of, prompt_row, revision_row
from annotations.store.usage import check_room
from annotations.store.viewers import Viewer, check_own, is_contributed, sees_revision
from model.fields import NAME_LIMIT, now, text_field
from model.record import CONSENT, CorrectionRecord

RevisionKey = tuple[str, int]  # id and revision of a correction

IMPORTED_REVISIONS = 10_000  # a larger number is made up, and would leave none for a reviewer
_BATCH = 50  # corrections read at a time
_KEYS = 500  # keys looked up at a time

_r, _p, _c, _u = columns(R), columns(P), columns(C), columns(UseRow)
_other = columns(R, "other")
_NEWEST = select(func.max(_other.revision)).where(_other.correction_id == _r.correction_id).scalar_subquery()
CURRENT = and_(_r.revision == _NEWEST, _r.revision > 0)  # the newest revision of a correction, but no draft
DRAFT = _r.revision == 0
_START = func.substr(_p.text, 1, 200)
_RECORDS = select(R, P, C).select_from(R).join(P).outerjoin(C, _c.correction_id == _r.correction_id)


class Corrections(Sessions):
    """The part of the store that holds corrections."""

    # --- saving --------------------------------------------------------------------------------------------

    def save_draft(self, fields: Mapping[str, Any]) -> Saved:
        """Keep unfinished work: one draft per annotator and prompt, each taking the place of the one before.

        fields: those of a record; revision, status, created_at, reviewer and review_note are set here. When they say
        the same as the correction's newest revision there is nothing to keep: the draft is deleted, and that revision
        is returned.
        Raises RecordError when a field is not valid or the id belongs to another annotator or prompt.
        """
        draft = _stamped(fields, "draft")
        check_own(self._viewer, draft.annotator)
        with self._write() as session:
            _check_owner(session, draft)
            check_room(session, self._viewer, len(draft.prompt))
            _drop_draft(session, draft)
            newest = _newest(session, draft.id)
            if newest is not None and newest.content == draft.content:
                return Saved(newest, new=False)
            _add(session, draft)
        return Saved(draft, new=True)

    def submit(self, fields: Mapping[str, Any], revision: int | None = None) -> Saved:
        """Append a revision, remove the draft, and mark the prompt as done by the annotator in the queue.

        fields: as for `save_draft`. revision: its number; None = the next. A repeated submit changes nothing, and the
        result's `new` is False: with a number when that revision says the same, without one when the newest does.
        Raises RecordError as `save_draft` does, ConflictError when the number is taken or leaves a gap.
        """
        if revision is not None and revision < 1:
            raise RecordError("revision: is at least 1")
        wanted = _checked(_stamped(fields, "submitted"))
        check_own(self._viewer, wanted.annotator)
        with self._write() as session:
            _check_owner(session, wanted)
            check_room(session, self._viewer, len(wanted.prompt))
            newest = _newest(session, wanted.id)
            last = newest.revision if newest else 0
            there = newest if revision is None else _get(session, wanted.id, revision)
            if there is not None and there.content == wanted.content:
                wanted, new = there, False
            elif revision in (None, last + 1):
                wanted, new = wanted.model_copy(update={"revision": last + 1}), True
                _add(session, wanted)
            else:
                raise ConflictError(f"revision {revision} cannot be saved: {last} revisions are there; load them again")
            _drop_draft(session, wanted)
            mark(session, wanted.prompt_sha256, wanted.annotator, "done")
        return Saved(wanted, new)

    def discard_draft(self, annotator: str, prompt_sha256: str) -> None:
        """Delete the draft, if there is one, and its prompt, unless another correction is about it."""
        check_own(self._viewer, annotator)
        with self._write() as session:
            session.execute(delete(R).where(DRAFT, _is_of(annotator, prompt_sha256)))
            session.execute(delete(P).where(_p.sha256 == prompt_sha256, ~exists().where(_r.prompt_key == _p.key)))

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
            newest = _newest(session, id, sees_revision(self._viewer))
            if newest is None:
                raise NotFoundError("there is no such submitted correction")
            if self._viewer is not None and newest.annotator == reviewer:
                raise RecordError("reviewer: nobody reviews their own work")
            there = {name: getattr(newest, name) for name in verdict}
            if there == verdict and revision in (newest.revision, newest.revision - 1):
                return Saved(newest, new=False)
            if newest.revision != revision:
                raise ConflictError(f"revision {revision} is not the newest ({newest.revision}): look at that first")
            record = {**newest.to_fields(), **verdict, "revision": revision + 1, "created_at": now()}
            made = CorrectionRecord.from_fields(record)
            _add(session, made)
        return Saved(made, new=True)

    def import_many(self, corrections: Sequence[CorrectionRecord]) -> list[tuple[str, str]]:
        """Take over records as they are, in one transaction.

        Returns for each ("added", ""), ("already there", "") or ("refused", why). Nothing is ever replaced; the consent
        of what is there already stays as it is here.
        """
        with self._write() as session:
            return [_import(session, correction) for correction in corrections]

    # --- reading -------------------------------------------------------------------------------------------

    def get(self, id: str, revision: int | None = None) -> CorrectionRecord:
        """One revision (0 = the draft); None = the newest, or the draft if that is all there is. Else NotFoundError."""
        with self._read() as session:
            seen = sees_revision(self._viewer)
            if revision is not None:
                correction = _get(session, id, revision, seen)
            else:
                correction = _newest(session, id, seen) or _get(session, id, 0, seen)
        if correction is None:
            raise NotFoundError("there is no such correction, or not this revision of it")
        return correction

    def history(self, id: str) -> tuple[CorrectionRecord, ...]:
        """All revisions, oldest first, without the draft; () when there are none."""
        with self._read() as session:
            query = _RECORDS.where(_r.correction_id == id, ~DRAFT, sees_revision(self._viewer))
            return tuple(correction_of(*row) for row in session.execute(query.order_by(_r.revision)))

    def draft(self, annotator: str, prompt_sha256: str) -> CorrectionRecord | None:
        """The annotator's draft on a prompt."""
        with self._read() as session:
            return _first(session, DRAFT, _is_of(annotator, prompt_sha256), sees_revision(self._viewer))

    def mine(self, annotator: str, prompt_sha256: str) -> CorrectionRecord | None:
        """The annotator's newest revision on a prompt, whatever its id, not counting a draft."""
        with self._read() as session:
            return _first(session, CURRENT, _is_of(annotator, prompt_sha256), sees_revision(self._viewer))

    def find(self, filter: Filter | None = None, offset: int = 0, limit: int = 50) -> CorrectionPage:
        """The corrections that the filter lets through, newest first: of each the newest revision, and open drafts."""
        with self._read() as session:
            where = _conditions(session, filter or Filter(), history=False, viewer=self._viewer)
            total = session.execute(select(func.count()).select_from(R).join(P).where(*where)).scalar_one()
            columns = (
                *(
                    _r.correction_id,
                    _r.revision,
                    _r.status,
                    _r.annotator,
                    _r.checkpoint,
                    _r.created_at,
                    _START,
                    _p.sha256,
                ),
                *(_p.tokens, _r.edits, _r.retention, _r.seconds, _r.note, _r.reviewer, _r.review_note),
            )
            query = select(*columns).select_from(R).join(P).where(*where)
            query = query.order_by(_r.created_at.desc(), _r.correction_id, _r.revision)
            rows = session.execute(query.offset(max(0, offset)).limit(max(0, limit))).all()
        return CorrectionPage(tuple(Entry(*list(row)) for row in rows), total)

    def keys(self, filter: Filter | None = None, history: bool = False) -> list[RevisionKey]:
        """Id and revision of what `find` finds, oldest first; with history, of all revisions that pass the filter."""
        with self._read() as session:
            where = _conditions(session, filter or Filter(), history, self._viewer)
            query = select(_r.correction_id, _r.revision).join(P).where(*where)
            query = query.order_by(_r.created_at, _r.correction_id, _r.revision)
            return [(id, revision) for id, revision in session.execute(query)]

    def prompts_of(self, keys: Iterable[RevisionKey]) -> dict[RevisionKey, str]:
        """The SHA-256 of the prompt of each revision that is there."""
        wanted, found = list(keys), dict[RevisionKey, str]()
        for at in range(0, len(wanted), _KEYS):
            query = select(_r.correction_id, _r.revision, _r.prompt_sha256).where(
                tuple_(_r.correction_id, _r.revision).in_(wanted[at : at + _KEYS]), sees_revision(self._viewer)
            )
            with self._read() as session:
                found |= {(id, revision): sha256 for id, revision, sha256 in session.execute(query)}
        return found

    def fetch(self, keys: Iterable[RevisionKey]) -> Iterator[CorrectionRecord]:
        """The corrections with these keys, a few at a time. Those that are gone, as a draft may be, are left out."""
        wanted = list(keys)
        for at in range(0, len(wanted), _BATCH):
            batch = wanted[at : at + _BATCH]
            with self._read() as session:
                wanted_now = tuple_(_r.correction_id, _r.revision).in_(batch)
                query = _RECORDS.where(wanted_now, sees_revision(self._viewer))
                corrections = [correction_of(*row) for row in session.execute(query)]
            by_key = {(correction.id, correction.revision): correction for correction in corrections}
            yield from (by_key[key] for key in batch if key in by_key)


def _stamped(fields: Mapping[str, Any], status: str) -> CorrectionRecord:
    """The record that a client's fields make now; a client cannot set status, time, reviewer or consent."""
    own = {"status": status, "revision": 0 if status == "draft" else 1, "created_at": now()}
    nobody = dict.fromkeys(("reviewer", "review_note", *CONSENT), "")
    return CorrectionRecord.from_fields({**fields, **own, **nobody})


def _checked(correction: CorrectionRecord) -> CorrectionRecord:
    """The same, unless nothing can be learnt from it. Raises RecordError."""
    if correction.status != "draft" and "1" not in correction.human_mask:
        raise RecordError("human_mask: keeps no token at all, which nothing can be learnt from")
    return correction


def _is_of(annotator: str, prompt_sha256: str) -> ColumnElement[bool]:
    return and_(_r.annotator == annotator, _r.prompt_sha256 == prompt_sha256)


def _first(session: Session, *where: ColumnElement[bool]) -> CorrectionRecord | None:
    query = _RECORDS.where(*where).order_by(_r.created_at.desc()).limit(1)
    row = session.execute(query).first()
    return correction_of(*row) if row else None


def _get(session: Session, id: str, revision: int, *seen: ColumnElement[bool]) -> CorrectionRecord | None:
    return _first(session, _r.correction_id == id, _r.revision == revision, *seen)


def _newest(session: Session, id: str, *seen: ColumnElement[bool]) -> CorrectionRecord | None:
    return _first(session, _r.correction_id == id, CURRENT, *seen)


def _check_owner(session: Session, correction: CorrectionRecord) -> None:
    """All revisions of an id are by one annotator on one prompt."""
    query = select(_r.annotator, _r.prompt_sha256).where(_r.correction_id == correction.id).distinct()
    if any(owner != (correction.annotator, correction.prompt_sha256) for owner in session.execute(query)):
        raise RecordError("id: belongs to a correction of another prompt, or by another annotator")


def _drop_draft(session: Session, correction: CorrectionRecord) -> None:
    mine = _is_of(correction.annotator, correction.prompt_sha256)
    session.execute(delete(R).where(DRAFT, or_(mine, _r.correction_id == correction.id)))


def _add(session: Session, correction: CorrectionRecord) -> None:
    prompt = prompt_row(correction)
    if not session.execute(select(exists().where(_p.key == prompt.key))).scalar_one():
        session.add(prompt)
        session.flush()
    session.add(revision_row(correction, prompt.key))
    session.flush()


def _import(session: Session, correction: CorrectionRecord) -> tuple[str, str]:
    if session.get(TombstoneRow, correction.id) is not None:
        return "refused", "it was erased here, and stays so"
    there = _get(session, correction.id, correction.revision)
    if there is not None and there.without_consent == correction.without_consent:
        return "already there", ""
    if correction.revision > IMPORTED_REVISIONS:
        return "refused", f"revision: nobody revised this {correction.revision:,} times; at most {IMPORTED_REVISIONS:,}"
    if there is not None:
        return "refused", f"revision {correction.revision} of this id is there with other content"
    mine = _is_of(correction.annotator, correction.prompt_sha256)
    if correction.status == "draft" and _first(session, DRAFT, mine) is not None:
        return "refused", "the annotator has another draft on this prompt"
    try:
        _check_owner(session, _checked(correction))
    except RecordError as error:
        return "refused", str(error)
    _add(session, correction)
    if correction.licence and session.get(C, correction.id) is None:
        given = {name: getattr(correction, name) for name in CONSENT}
        session.add(C(correction_id=correction.id, owner=correction.annotator, **given))
    return "added", ""


def _conditions(session: Session, filter: Filter, history: bool, viewer: Viewer | None) -> list[ColumnElement[bool]]:
    where: list[ColumnElement[bool]] = [sees_revision(viewer)]
    if not history:
        where.append(or_(CURRENT, DRAFT))
    if filter.contributed:
        where.append(or_(is_contributed(), _r.annotator == (viewer.owner if viewer else "")))
    if filter.statuses:
        where.append(_r.status.in_(filter.statuses))
    if filter.annotator:
        where.append(_r.annotator == filter.annotator)
    if filter.checkpoint:
        where.append(_r.checkpoint == filter.checkpoint)
    if filter.since:
        where.append(_r.created_at >= filter.since)
    if filter.until:
        where.append(_r.created_at < filter.until)
    if filter.text:
        searched = (_p.text, _r.note, _r.annotator, _r.correction_id)
        where.append(or_(*(column.icontains(filter.text, autoescape=True) for column in searched)))
    if filter.unused_by:
        where.append(~_used(lineage(session, filter.unused_by)))
    return where


def _used(checkpoints: Sequence[str]) -> ColumnElement[bool]:
    """Whether any of the checkpoints was trained on this or on another revision of the correction that says the same,
    as one does that a reviewer added."""
    same = and_(_other.correction_id == _r.correction_id, _other.content == _r.content)
    query = select(_u.checkpoint_id).where(_u.checkpoint_id.in_(checkpoints))
    query = query.where(_u.correction_id == _other.correction_id, _u.revision == _other.revision)
    return exists(query.where(same).correlate(R))
