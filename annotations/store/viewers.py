"""Who looks at the store: what each person of a hosted studio may see of it, as conditions of every query."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, exists, or_, true

from annotations.errors import NotFoundError
from annotations.store.tables import ContributionRow, QueueRow, RevisionRow, VoteRow, columns

_r, _q, _v = (columns(table) for table in (RevisionRow, QueueRow, VoteRow))
_given = columns(ContributionRow, "given")  # queries may join the table itself


@dataclass(frozen=True)
class Viewer:
    """A person of a hosted studio. Their own work is what bears their id as its annotator.

    Attributes:
        owner: their id.
        reviews: they see what others have contributed before it is accepted, too.
        everything: they see and may erase all.
        stored: characters of prompts that are kept for them at most.
    """

    owner: str
    reviews: bool = False
    everything: bool = False
    stored: int = 2**60


def is_contributed() -> ColumnElement[bool]:
    """The annotator has given the correction to the shared corpus."""
    return exists().where(_given.correction_id == _r.correction_id)


def sees_revision(viewer: Viewer | None) -> ColumnElement[bool]:
    """A revision is the viewer's own, or contributed and accepted; reviewers see contributed ones before that."""
    if viewer is None or viewer.everything:
        return true()
    shown = ("submitted", "accepted", "rejected") if viewer.reviews else ("accepted",)
    return or_(_r.annotator == viewer.owner, and_(_r.status.in_(shown), is_contributed()))


def sees_queue(viewer: Viewer | None) -> ColumnElement[bool]:
    """A queued prompt is for everybody, or the viewer's own."""
    return true() if viewer is None or viewer.everything else _q.owner.in_(("", viewer.owner))


def sees_vote(viewer: Viewer | None) -> ColumnElement[bool]:
    """A vote is the viewer's own."""
    return true() if viewer is None or viewer.everything else _v.annotator == viewer.owner


def check_own(viewer: Viewer | None, annotator: str) -> None:
    """Raise NotFoundError unless work under this name is the viewer's own; nobody learns whether there is any."""
    if viewer is not None and annotator != viewer.owner:
        raise NotFoundError("there is no such work of yours")
