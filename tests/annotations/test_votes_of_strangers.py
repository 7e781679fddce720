"""Votes in a hosted studio: one for each person and comparison, and nobody has more of a say than they may."""

from __future__ import annotations

import pytest

from annotations.errors import NotFoundError, RecordError
from annotations.store import Store, Viewer
from annotations.store.votes import MOST_OF_ONE
from tests.support.voting import ballot


def test_one_person_has_one_vote_on_a_comparison(store: Store) -> None:
    """However often they compare the same, and whichever side each arm stands on."""
    ann, bob = (store.seen_by(Viewer(name)) for name in ("ann", "bob"))
    first = ballot(annotator="ann")
    ann.vote(first)
    assert ann.vote(first).winner == "left", "sent twice"
    mirrored = ballot(annotator="ann", left=first["right"], right=first["left"])
    for again in (ballot(annotator="ann", winner="right"), mirrored):
        with pytest.raises(RecordError, match="voted on this comparison before"):
            ann.vote(again)
    bob.vote(ballot(annotator="bob"))
    ann.vote(ballot(annotator="ann", question="And 2 + 2?"))
    assert store.votes().total == 3


def test_nobody_stuffs_the_arena(store: Store) -> None:
    for i in range(MOST_OF_ONE + 5):
        store.seen_by(Viewer("mallory")).vote(ballot(annotator="mallory", prompt=f"Prompt {i}"))
    store.seen_by(Viewer("ann")).vote(ballot(annotator="ann", winner="right"))
    [seen] = store.seen_by(Viewer("ann")).arena()
    assert (seen.n, sorted((seen.first_wins, seen.second_wins))) == (MOST_OF_ONE + 1, [1, MOST_OF_ONE])
    assert [pair.n for pair in store.arena()] == [MOST_OF_ONE + 6], "on one's own machine all of them"


def test_votes_count_as_stored(store: Store) -> None:
    ann = store.seen_by(Viewer("ann", stored=1000))
    ann.vote(ballot(annotator="ann", prompt="x" * 800))
    with pytest.raises(RecordError, match="1,000 characters stored already"):
        ann.vote(ballot(annotator="ann", prompt="y" * 800))


def test_people_erase_their_own_votes(store: Store) -> None:
    ann, bob = (store.seen_by(Viewer(name)) for name in ("ann", "bob"))
    made = ann.vote(ballot(annotator="ann"))
    with pytest.raises(NotFoundError):
        bob.erase(made.id)
    ann.erase(made.id)
    assert store.votes().total == 0 and store.erased(made.id)
