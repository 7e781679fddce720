"""How much is kept for one person."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from annotations.store.tables import PromptRow, QueueRow, RevisionRow, columns

_r, _p, _q = columns(RevisionRow), columns(PromptRow), columns(QueueRow)


def stored_characters(session: Session, owner: str) -> int:
    """Of the prompts that are kept for a person, each once."""
    mine = select(_r.prompt_key).where(_r.annotator == owner)
    kept = select(func.coalesce(func.sum(func.length(_p.text)), 0)).where(_p.key.in_(mine))
    queued = select(func.coalesce(func.sum(func.length(_q.text)), 0)).where(_q.owner == owner)
    return int(session.execute(kept).scalar_one()) + int(session.execute(queued).scalar_one())
