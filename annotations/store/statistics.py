"""Statistics of the corrections: agreement between people, counts, edit rates."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Float, cast, func, select
from sqlalchemy.orm import Session

from annotations.agreement import krippendorff_agreement
from annotations.results import Agreement, Group, Stats
from annotations.store.corrections import CURRENT, DRAFT
from annotations.store.queue import count_progress
from annotations.store.sessions import Sessions
from annotations.store.tables import PromptRow as P
from annotations.store.tables import RevisionRow as R
from annotations.store.tables import columns
from annotations.store.viewers import sees_revision

GROUPS = 200  # annotators or checkpoints that are told apart, those with most corrections

_r, _p = columns(R), columns(P)


class Statistics(Sessions):
    """The part of the store that counts."""

    def agreement(self) -> Agreement:
        """Agreement over prompts (same text, same tokens) that several annotators corrected.

        Of each annotator the newest correction of a prompt counts, unless it was rejected.
        """
        valid = (CURRENT, _r.status != "rejected", sees_revision(self._viewer))
        shared = select(_r.prompt_key).where(*valid).group_by(_r.prompt_key)
        shared = shared.having(func.count(func.distinct(_r.annotator)) > 1)
        query = select(_p.key, _p.sha256, func.substr(_p.text, 1, 200), _r.annotator, _r.human_mask).join(P)
        query = query.where(*valid, _r.prompt_key.in_(shared)).order_by(_p.key, _r.created_at)
        prompts: dict[str, tuple[str, str, dict[str, str]]] = {}
        with self._read() as session:
            for key, sha256, start, annotator, mask in session.execute(query):
                prompts.setdefault(key, (sha256, start, {}))[2][annotator] = mask
        return krippendorff_agreement(list(prompts.values()))

    def stats(self, annotator: str = "") -> Stats:
        """The store in figures; annotator: whose share of the queue is reported."""
        seen = sees_revision(self._viewer)
        with self._read() as session:
            statuses = select(_r.status, func.count()).where(CURRENT | DRAFT, seen).group_by(_r.status)
            revisions = select(func.count()).select_from(R).where(_r.revision > 0, seen)
            prompts = select(func.count(func.distinct(_r.prompt_sha256))).where(_r.revision > 0, seen)
            return Stats(
                statuses=dict(session.execute(statuses.order_by(_r.status)).all()),
                all=_groups(session, "", seen).get("", Group()),
                annotators=_groups(session, "annotator", seen),
                checkpoints=_groups(session, "checkpoint", seen),
                prompts=session.execute(prompts).scalar_one(),
                revisions=session.execute(revisions).scalar_one(),
                queue=count_progress(session, annotator, self._viewer),
            )


def _groups(session: Session, by: str, seen: ColumnElement[bool]) -> dict[str, Group]:
    """Sums over the newest revisions, for each of the most frequent values of a column; "" = all in one."""
    sums = (func.count(), func.sum(_p.tokens), func.sum(_r.edits), cast(func.sum(_r.seconds), Float))
    if not by:
        row = session.execute(select(*sums).select_from(R).join(P).where(CURRENT, seen)).one()
        return {"": Group(*row)} if row[0] else {}
    column = _r[by]
    query = select(column, *sums).select_from(R).join(P).where(CURRENT, seen).group_by(column)
    rows = session.execute(query.order_by(func.count().desc(), column).limit(GROUPS)).all()
    return {row[0]: Group(*row[1:]) for row in sorted(rows)}
