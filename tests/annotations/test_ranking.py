"""How the arms of an arena stand after everybody's votes."""

from __future__ import annotations

import doctest

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotations import ranking
from annotations.ranking import LEAST_VOTES, rank_arms
from annotations.standings import Standing, standings
from annotations.store import Store
from annotations.store.viewers import Viewer
from tests.support.voting import ballot

COUNT = st.integers(0, 12)
PAIRS = st.lists(st.builds(Standing, st.just(""), st.just("a"), st.sampled_from("bcd"), COUNT, COUNT, COUNT, COUNT))


@settings(max_examples=40, deadline=None)
@given(PAIRS)
def test_every_vote_counts_for_both_arms_and_little_is_not_said_to_be_much(pairs: list[Standing]) -> None:
    ranked = rank_arms(pairs)
    assert sum(arm.votes for arm in ranked) == 2 * sum(pair.n for pair in pairs)
    assert sum(arm.wins for arm in ranked) == sum(arm.losses for arm in ranked)
    told = [arm for arm in ranked if arm.share is not None]
    assert told == ranked[: len(told)] and [arm.share for arm in told] == sorted(
        (arm.share for arm in told), reverse=True
    )
    for arm in told:
        low, high = arm.interval
        assert arm.votes >= LEAST_VOTES and 0 < low <= high < 1 and 0 < arm.share < 1  # type: ignore[operator]
    assert len(told) != 1, "one alone has nobody to be better than"


def test_strength_counts_whom_one_has_beaten() -> None:
    """d has won as often as b, but against a, whom everybody beats."""
    votes = [("b", "a", 18, 2), ("c", "a", 18, 2), ("d", "a", 10, 10), ("b", "c", 10, 10)]
    ranked = rank_arms([Standing("", *pair) for pair in votes])
    place = {arm.name: at for at, arm in enumerate(ranked)}
    assert max(place["b"], place["c"]) < place["d"] < place["a"]
    first, last = ranked[0], ranked[-1]
    assert first.interval[0] > last.interval[1], "so many votes tell the best from the worst"


def test_names_and_sides_do_not_matter() -> None:
    counts = [("", "x", "y", "left", 9), ("", "y", "x", "left", 4), ("", "x", "y", "equal", 2)]
    swapped = [(t, right, left, {"left": "right"}.get(winner, winner), n) for t, left, right, winner, n in counts]
    assert rank_arms(standings(counts)) == rank_arms(standings(swapped))
    (x, y) = rank_arms(standings(counts))
    assert (x.name, x.wins, x.losses, x.ties) == ("x", 9, 4, 2)
    assert x.share is not None and y.share is not None and x.share + y.share == pytest.approx(1)


def test_the_arena_counts_everybodys_blind_votes_and_tells_nothing_else(store: Store) -> None:
    for name, target in (("hf:ann", "tiny"), ("hf:ann", "other"), ("hf:bob", "tiny")):
        store.seen_by(Viewer(name)).vote(ballot(annotator=name, target=target))
    store.vote(ballot(blind=False))
    (standing,) = store.seen_by(Viewer("hf:bob")).arena()
    assert standing == Standing("", "DiffuMask 35 %", "Full prompt", 0, 3)
    assert sum(pair.n for pair in store.seen_by(Viewer("hf:bob")).vote_summary()) == 1, "pairs are one's own"


def test_examples_in_docstrings() -> None:
    assert doctest.testmod(ranking).failed == 0
