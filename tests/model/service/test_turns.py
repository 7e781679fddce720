"""Turns: what is shortened together, and that later messages change nothing of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import InputError
from model.service.turns import BORROWED, TurnOfTalk, Wishes, turns_of
from tests.support.talks import BEDS, NOTES, TALK, call, result, user


def turns(messages: Any, **wishes: Any) -> list[TurnOfTalk]:
    return turns_of(messages, Wishes(**wishes), len)


def places(found: list[TurnOfTalk]) -> list[tuple[int, ...]]:
    return [turn.places for turn in found]


def test_results_are_judged_by_the_question_before_them() -> None:
    first, second = turns(TALK)
    assert (first.places, second.places) == ((BORROWED, 3), (BORROWED, 7))
    assert first.messages[0]["content"] == "How many beds has Town 7?"
    assert second.messages[0]["content"] == "When was House 12 painted?"


def test_a_users_documents_are_judged_by_the_question_behind_them() -> None:
    talk = [user(NOTES), user("When was House 3 painted?")]
    assert turns(talk) == []
    (turn,) = turns(talk, user=True, min_tokens=100)
    assert turn.places == (0, 1)
    assert [each.protected for each in turn.texts()] == [False, True]


def test_the_assistants_words_stay_unless_one_asks() -> None:
    assert places(turns(TALK, assistant=True, min_tokens=0)) == [(BORROWED, 3), (BORROWED, 4), (BORROWED, 7)]


def test_the_last_messages_can_be_protected() -> None:
    assert places(turns(TALK, protect_recent=1)) == [(BORROWED, 3)]
    assert turns(TALK, protect_recent=100) == []


def test_short_turns_stay_whole() -> None:
    talk = [*TALK, call(3), result(3, "ok")]
    assert places(turns(talk, min_tokens=50)) == places(turns(TALK))


def test_a_result_inside_of_a_message_of_the_user() -> None:
    content = [{"type": "tool_result", "tool_use_id": "t", "content": BEDS}, {"type": "text", "text": "And Town 9?"}]
    (turn,) = turns([user("Hello."), {"role": "assistant", "content": "Hi."}, user(content)])
    assert [(each.speaker, each.protected) for each in turn.texts()] == [("tool", False), ("last_user", True)]


def test_a_protected_message_lends_its_words_and_not_its_results() -> None:
    content = [{"type": "tool_result", "tool_use_id": "t", "content": BEDS}, {"type": "text", "text": "And Town 9?"}]
    talk = [user("Hello."), {"role": "assistant", "content": "Hi."}, user(NOTES), user(content)]
    turn = turns(talk, user=True, protect_recent=1)[-1]
    assert turn.places == (2, BORROWED)
    assert turn.messages[1]["content"] == "And Town 9?"


def test_what_is_asked_behind_documents_in_one_message_stays_whole() -> None:
    parts = [{"type": "text", "text": text} for text in (NOTES, NOTES, "As above, " * 20)]
    (turn,) = turns([user(parts)], user=True)
    assert [each.protected for each in turn.texts()] == [False, False, True]


def test_results_without_calls_are_judged_alone() -> None:
    """As LiteLLM sends them, which holds back what the assistant said."""
    held_back = [message for message in TALK if message["role"] not in ("assistant", "system")]
    assert places(turns(held_back)) == [(1,), (3,)]
    assert places(turns(held_back[1:])) == [(0,), (2,)]


MESSAGE = st.sampled_from(
    [user("What?"), user(NOTES), call(1), result(1, BEDS), {"role": "assistant", "content": "So."}]
)


@settings(max_examples=60)
@given(st.lists(MESSAGE, min_size=1, max_size=8), st.lists(MESSAGE, max_size=4), st.booleans())
def test_what_comes_after_an_assistant_changes_no_turn_before(said: Any, more: Any, users: bool) -> None:
    before = turns([user("What?"), *said], user=users)
    after = turns([user("What?"), *said, {"role": "assistant", "content": "Well."}, *more], user=users)
    assert after[: len(before)] == before


@pytest.mark.parametrize("message", [3, {}, {"role": "king", "content": "x"}, {"role": "user", "content": 4}])
def test_what_is_no_message(message: Any) -> None:
    with pytest.raises(InputError, match="message 1"):
        turns([user("What?"), message])


def test_a_text_that_is_too_long_is_refused_before_anything_is_counted() -> None:
    talk = [user("Why?"), call(1), result(1, "word " * 50_000)]
    with pytest.raises(InputError, match="has 250,000 characters"):
        turns_of(talk, Wishes(), lambda text: pytest.fail("it was counted"))
    assert turns_of([user("word " * 50_000), call(1), result(1, "short")], Wishes(min_tokens=9), len) == []
