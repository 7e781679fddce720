"""Votes in the database: save, read, sum up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import ColumnElement, and_, case, exists, func, select
from sqlalchemy.orm import Session

from annotations.errors import RecordError
from annotations.results import VotePage
from annotations.standings import Standing, standings
from annotations.store.sessions import Sessions
from annotations.store.tables import VoteRow as V
from annotations.store.tables import columns, vote_of, vote_row
from annotations.store.usage import check_room
from annotations.store.viewers import check_own, sees_vote
from annotations.votes import Vote
from model.fields import NAME_LIMIT, now, text_field

MOST_OF_ONE = 10  # votes of one person on a pair of arms that count in a hosted studio's arena
_BATCH = 50  # votes read at a time

_v = columns(V)
_PAIR = tuple(
    case((_v.left_name < _v.right_name, one), else_=other)
    for one, other in ((_v.left_name, _v.right_name), (_v.right_name, _v.left_name))
)  # the names in the order of the alphabet


class Votes(Sessions):
    """The part of the store that holds votes."""

    def vote(self, fields: Mapping[str, Any]) -> Vote:
        """Save a vote and return it as it is in the database.

        fields: those of `annotations.votes`; created_at is set here. The same vote with the same id a second time
        changes nothing, and what was saved first is returned.
        Raises RecordError when a field is not valid, or the id is that of a vote that says something else; in a hosted
        studio also when the person has voted on this prompt, question, target and pair before, or has too much stored.
        """
        vote = Vote.from_fields({**fields, "created_at": now()})
        check_own(self._viewer, vote.annotator)
        with self._write() as session:
            row = session.get(V, vote.id)
            if row is None:
                if self._viewer is not None:
                    _check_first(session, vote)
                    check_room(session, self._viewer, sum(map(len, _texts(vote))))
                session.add(vote_row(vote))
                return vote
            there = vote_of(row)
        if there.content != vote.content:
            raise RecordError("id: belongs to another vote; a vote that was saved is never changed")
        return there

    def votes(self, annotator: str | None = None, limit: int = 50, offset: int = 0) -> VotePage:
        """Votes, newest first, and how many there are in all. annotator: only by this person; None or "" = by all."""
        where = [*_by(annotator), sees_vote(self._viewer)]
        query = select(V).where(*where).order_by(_v.created_at.desc(), _v.id)
        with self._read() as session:
            total = session.execute(select(func.count()).select_from(V).where(*where)).scalar_one()
            rows = session.execute(query.offset(max(0, offset)).limit(max(0, limit))).scalars()
            return VotePage(tuple(vote_of(row) for row in rows), total)

    def all_votes(self, annotator: str | None = None) -> Iterator[Vote]:
        """All votes (of one person), oldest first, a few at a time: for an export."""
        with self._read() as session:
            query = select(_v.id).where(*_by(annotator), sees_vote(self._viewer)).order_by(_v.created_at, _v.id)
            ids = list(session.execute(query).scalars())
        for at in range(0, len(ids), _BATCH):
            with self._read() as session:
                query = select(V).where(_v.id.in_(ids[at : at + _BATCH])).order_by(_v.created_at, _v.id)
                batch = [vote_of(row) for row in session.execute(query).scalars()]
            yield from batch

    def vote_summary(self, blind_only: bool = True) -> list[Standing]:
        """How each pair of arms stands with each target. blind_only: only votes with the names hidden."""
        pair = (_v.target, _v.left_name, _v.right_name, _v.winner)
        query = select(*pair, func.count()).where(sees_vote(self._viewer)).group_by(*pair)
        if blind_only:
            query = query.where(_v.blind)
        with self._read() as session:
            return standings((row[0], row[1], row[2], row[3], row[4]) for row in session.execute(query))

    def arena(self) -> list[Standing]:
        """How each pair of arms stands after everybody's blind votes, whatever the target: names and counts, nothing
        that anybody wrote. In a hosted studio the first `MOST_OF_ONE` votes of each person on a pair count."""
        nth = func.row_number().over(partition_by=(_v.annotator, *_PAIR), order_by=(_v.created_at, _v.id))
        blind = select(_v.left_name, _v.right_name, _v.winner, nth.label("nth")).where(_v.blind).subquery()
        pair = (blind.c.left_name, blind.c.right_name, blind.c.winner)
        query = select(*pair, func.count()).group_by(*pair)
        if self._viewer is not None:
            query = query.where(blind.c.nth <= MOST_OF_ONE)
        with self._read() as session:
            return standings(("", row[0], row[1], row[2], row[3]) for row in session.execute(query))


def _check_first(session: Session, vote: Vote) -> None:
    same = (_v.annotator == vote.annotator, _v.target == vote.target, _v.question == vote.question)
    names = (vote.left.name, vote.right.name)
    where = and_(*same, _v.left_name.in_(names), _v.right_name.in_(names), _v.prompt == vote.prompt)
    if session.execute(select(exists().where(where))).scalar_one():
        raise RecordError("prompt: you have voted on this comparison before; that vote counts")


def _texts(vote: Vote) -> tuple[str, ...]:
    sides = (vote.left, vote.right)
    return (vote.prompt, vote.question, vote.note, *(text for side in sides for text in (side.text, side.answer)))


def _by(annotator: str | None) -> list[ColumnElement[bool]]:
    if not annotator:
        return []
    return [_v.annotator == text_field("annotator", annotator, NAME_LIMIT)]
