"""How much is kept for one person, and whether there may be more."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from annotations.errors import RecordError
from annotations.store.tables import PromptRow, QueueRow, RevisionRow, VoteRow, columns
from annotations.store.viewers import Viewer

_r, _p, _q, _v = (columns(table) for table in (RevisionRow, PromptRow, QueueRow, VoteRow))
_VOTED = (_v.prompt, _v.question, _v.note, _v.left_text, _v.left_answer, _v.right_text, _v.right_answer)


def stored_characters(session: Session, owner: str) -> int:
    """Of the prompts that are kept for a person, each once, and of all that their votes are about."""
    mine = select(_r.prompt_key).where(_r.annotator == owner)
    kept = select(func.coalesce(func.sum(func.length(_p.text)), 0)).where(_p.key.in_(mine))
    queued = select(func.coalesce(func.sum(func.length(_q.text)), 0)).where(_q.owner == owner)
    size = sum((func.length(column) for column in _VOTED[1:]), start=func.length(_VOTED[0]))
    voted = select(func.coalesce(func.sum(size), 0)).where(_v.annotator == owner)
    return sum(int(session.execute(query).scalar_one()) for query in (kept, queued, voted))


def check_room(session: Session, viewer: Viewer | None, size: int) -> None:
    """Raise RecordError when a person would have more stored than they may."""
    if viewer is not None and stored_characters(session, viewer.owner) + size > viewer.stored:
        raise RecordError(
            f"prompt: you have {viewer.stored:,} characters stored already; erase some of your work first"
        )
