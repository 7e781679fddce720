"""Check the answers: the full and the short prompt are asked the same, and it is said how far the answers agree."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.answering.agreement import LEAST_ANSWERS, agree
from app.answering.answerer import HERE, THERE
from app.answering.judge import Judge
from app.components.forms import Visitor
from app.explore.check_events import CheckEvents
from app.explore.checking import AnswerPair, check_table, questions_of
from app.studio import Studio
from model.compress import CompressRequest
from model.errors import InputError
from tests.support.fake_endpoint import KEY, FakeEndpoint

PROMPT = "Answer from the notes.\n\nNotes: Boats are registered internationally. Never pay in cash. It rained."


@pytest.fixture
def asked(comparing: Studio, server: FakeEndpoint) -> dict[str, Any]:
    """What the page sends after a run."""
    run = comparing.start(CompressRequest(PROMPT, 0.6))
    list(comparing.denoise(run))
    comparing.remember("run", run)
    there = {"where": THERE, "local": "", "chat": False, "url": server.url, "model": "good", "key": "", "limit": 64}
    return {**there, "kept_key": None, "questions": "", "last_run": "run", "visitor": Visitor("127.0.0.1")}


def shown(page: Any) -> list[dict[str, Any]]:
    return list(json.loads(page.answers))


def test_every_question_goes_behind_both_prompts(comparing: Studio, server: FakeEndpoint, asked: Any) -> None:
    before = len(server.seen)
    questions = [f"How many {noun}?" for noun in ("boats", "days", "men", "fish", "tides")]
    *_, page = CheckEvents(comparing).ask({**asked, "questions": "\n".join(questions), "key": KEY})
    sent = [body["messages"][-1]["content"] for _, _, body in server.seen[before:]]
    short = comparing.run("run").result().text  # type: ignore[union-attr]
    assert sorted(sent) == sorted(f"{prompt}\n\n{each}" for prompt in (PROMPT, short) for each in questions)
    headline, judge, table = shown(page)
    assert "strong judge" in judge["text"]
    assert len(table["rows"]) == 5 and KEY not in page.answers
    assert headline["text"] == "0 of 5 answers agree (0%, 95 % interval 0% to 43%).", "it answers with the length"


def test_a_model_here_is_named_as_a_weak_judge(comparing: Studio, asked: Any) -> None:
    first, *_, page = CheckEvents(comparing).ask({**asked, "where": HERE, "local": "smollm2", "limit": 4})
    headline, judge, _ = shown(page)
    assert "too few to tell" in headline["text"] and "weak judge" in judge["text"] and first.check


def test_an_endpoint_that_fails_is_said_in_its_row(comparing: Studio, asked: Any) -> None:
    *_, page = CheckEvents(comparing).ask({**asked, "model": "bad-key", "questions": "Who?"})
    headline, _, table = shown(page)
    assert "refuses the key" in table["rows"][0][1][1] and headline["text"] == "No answers to compare."


def test_a_check_of_an_endpoint_that_hangs_can_be_stopped(comparing: Studio, asked: Any) -> None:
    events = CheckEvents(comparing)
    pages = events.ask({**asked, "model": "pausing", "questions": "Who?\nWhy?"})
    id = next(pages).check
    next(pages)
    events.stop({"check": id})
    *_, page = pages
    assert shown(page)[0]["text"].startswith("Stopped.")


@pytest.mark.parametrize(
    ("changed", "says"),
    [({"last_run": None}, "Run a prompt first"), ({"questions": "\n".join(map(str, range(21)))}, "at most 20")],
)
def test_what_cannot_be_asked_is_refused(comparing: Studio, asked: Any, changed: dict[str, Any], says: str) -> None:
    (page,) = CheckEvents(comparing).ask({**asked, **changed})
    assert says in shown(page)[0]["text"]


@pytest.mark.parametrize(
    ("full", "short", "same"),
    [
        ("It costs 30 euros a night.", "30 euros", True),
        ("It costs 30 euros.", "It costs 40 euros.", False),
        ("Call the duty officer on channel 12.", "The duty officer, on channel 12, is called.", True),
        ("The harbour opens in April.", "Nobody knows.", False),
        ("北京", "北京。", True),
        ("Yes.", "No.", False),
        ("Yes.", "", False),
    ],
)
def test_answers_agree_where_they_say_the_same(full: str, short: str, same: bool) -> None:
    assert agree(full, short) is same


def test_little_is_not_said_to_be_much() -> None:
    few = [AnswerPair("?", "yes", "yes")] * (LEAST_ANSWERS - 1)
    assert "too few to tell" in json.loads(check_table(few, len(few), Judge("m", "")))[0]["text"]
    assert "interval" in json.loads(check_table([*few, few[0]], LEAST_ANSWERS, Judge("m", "")))[0]["text"]
    assert questions_of(" a \n\na\nb") == ["a", "b"] and questions_of(" ") == [""]
    with pytest.raises(InputError):
        questions_of("x" * 3000)
