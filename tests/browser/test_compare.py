"""The Compare tab in a real browser: arms side by side, the arena, and endpoints that refuse or break off."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from annotations.ranking import LEAST_VOTES
from annotations.store import Store
from app.studio import Studio
from app.ui import launch
from tests.support.accessibility import serious_faults
from tests.support.browsing import needs_chromium, wait_for_text
from tests.support.comparing import CONTEXT, QUESTION
from tests.support.fake_endpoint import KEY, FakeEndpoint
from tests.support.voting import ballot

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def url(comparing: Studio) -> Iterator[str]:
    from gradio import networking

    networking.url_ok = lambda url: True  # Gradio gives a busy machine three seconds
    _, address, _ = launch(comparing, prevent_thread_lock=True, quiet=True)
    yield address
    gr.close_all(verbose=False)


def open_tab(page: Any, questions: str = QUESTION) -> None:
    page.get_by_role("tab", name="Compare", exact=True).click()
    page.wait_for_selector("#compare")
    page.fill("#compare-prompt textarea", CONTEXT)
    page.fill("#compare-questions textarea", questions)


def test_three_arms_beside_the_full_prompt_over_several_questions(page: Any) -> None:
    open_tab(page, "\n\n".join(f"Message: {noun}?\nTeam:" for noun in ("lid", "bill", "menu", "box", "tide")))
    page.get_by_role("button", name="Against chance").click()
    page.wait_for_function("() => [...document.querySelectorAll('input')].some(i => i.value === 'Random words')")
    page.locator("#compare").press("Enter")
    page.wait_for_selector('#board .dc[data-state="done"]')
    names = ["Full prompt", "DiffuMask 35 %", "Random words 35 %", "Cut off 35 %"]
    assert page.locator("#board .dc-side h3").all_inner_texts() == names * 5
    assert page.locator("#board .dc-agrees:visible").count() == 15
    summary = page.inner_text("#compare-summary")
    assert "smollm2 is a small model on this server, a weak judge" in summary
    assert "DiffuMask 35 %" in page.inner_text("#compare-summary h2") and "95 % interval" in summary
    assert page.locator("#compare-summary tbody tr").count() == 4
    assert not page.locator("#board .dc-vote").is_visible(), "answers with names are not voted on"
    assert not serious_faults(page)
    page.fill("#compare-questions textarea", QUESTION)
    page.click("#compare")
    page.locator("#compare-summary h2", has_text="too few to tell").wait_for()


def test_a_vote_in_the_arena_reaches_the_standings_which_tell_once_there_are_enough(
    page: Any, store: Store, tmp_path: Path
) -> None:
    for _ in range(LEAST_VOTES - 1):
        store.vote(ballot("DiffuMask 35 %", "Cut off 35 %"))
    open_tab(page)
    wait_for_text(page, "#votes-sheet h2", f"{LEAST_VOTES - 1} votes: too few to tell.")
    page.get_by_text("Blind arena", exact=True).click()
    for method in ("DiffuMask", "Cut off"):
        page.locator("#contestants").get_by_label(method, exact=True).wait_for()
    for box in page.locator("#contestants label").all():
        if box.inner_text() not in ("DiffuMask", "Cut off"):
            box.locator("input").uncheck()
    page.wait_for_function("() => document.querySelector('#compare').textContent.includes('Draw a pair')")
    page.locator("#compare").press("Enter")
    page.wait_for_selector('#board .dc[data-state="done"]')
    assert page.locator("#board h3").all_inner_texts() == ["Left", "Right"]
    board = page.inner_text("#board")
    assert "DiffuMask" not in board and "Cut off" not in board and "tokens sent" not in board
    assert not serious_faults(page)
    answers = page.locator("#board .dc-answer").all_inner_texts()
    page.locator('#board [data-winner="right"]').press("Enter")
    page.wait_for_selector('#board .dc[data-state="voted"]')
    (vote,) = [vote for vote in store.votes().votes if vote.target == "smollm2"]
    assert vote.winner == "right" and vote.blind and vote.annotator.startswith("guest-")
    assert page.locator("#board h3").all_inner_texts() == [f"Left: {vote.left.name}", f"Right: {vote.right.name}"]
    assert {vote.left.name, vote.right.name} == {"DiffuMask 35 %", "Cut off 35 %"}
    assert answers == page.locator("#board .dc-answer").all_inner_texts()
    for at, side in enumerate((vote.left, vote.right)):
        page.locator("#board summary").nth(at).click()
        assert page.locator("#board pre").nth(at).text_content() == side.text
    assert " against " in page.inner_text("#board .dc-gain")
    wait_for_text(page, "#votes-sheet h2", f"{LEAST_VOTES} votes: DiffuMask 35 %")
    first = page.locator("#votes-sheet tbody tr").first.inner_text()
    assert first.startswith("DiffuMask 35 %") and "too few" not in first
    with page.expect_download() as caught:
        page.click("#votes-export")
    caught.value.save_as(tmp_path / "votes.jsonl")
    saved = [json.loads(line) for line in (tmp_path / "votes.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(saved) == store.votes().total and vote.id in {record["id"] for record in saved}


def test_an_endpoint_that_refuses_and_one_that_breaks_off(page: Any, server: FakeEndpoint) -> None:
    heard: list[str] = []
    page.on("response", lambda answer: heard.append(answer.url))
    open_tab(page)
    page.get_by_role("button", name="Against chance").click()
    page.click("#who button")
    page.locator("#who").get_by_text("An endpoint", exact=True).click()
    page.fill("#endpoint-url :is(input, textarea)", server.url)
    cases = (("bad-key", "refuses the key (401)", ""), ("cut-off", "its end is missing", "So far so good"))
    for model, says, came in cases:
        page.fill("#endpoint-model :is(input, textarea)", model)
        if model == "bad-key":
            page.fill("#endpoint-key input", KEY)
        page.click("#compare")
        page.wait_for_function(
            "says => document.querySelector('.dc').dataset.state === 'done'"
            " && [...document.querySelectorAll('.dc-side .dm-error')].every(e => e.textContent.includes(says))",
            arg=says,
        )
        assert page.locator("#board .dc-answer").all_inner_texts() == [came] * 4
        assert not page.locator("#board .dc-vote").is_visible(), "there is nothing to vote on"
    assert page.input_value("#endpoint-key input") == "" and KEY not in page.content()
    assert server.seen[-1][1]["Authorization"] == f"Bearer {KEY}", "it is kept for the address, on the server"
    assert not any(KEY in address for address in heard)
    assert KEY not in page.evaluate("() => JSON.stringify({...localStorage, ...sessionStorage}) + document.cookie")
    assert page.locator("#board b b, #board pre b").count() == 0
    page.fill("#endpoint-model :is(input, textarea)", "pausing")
    page.click("#compare")
    page.wait_for_function("() => document.querySelector('.dc-answer').textContent === 'So far '")
    page.click("#compare-cancel")
    wait_for_text(page, "#board .dc-say", "Cancelled.")
    page.wait_for_selector("#compare:not([disabled])")
    server.go_on.set()
    assert server.left.wait(30), "nobody listens to the endpoint any more"
    page.fill("#compare-prompt textarea", " ")
    page.click("#compare")
    wait_for_text(page, "#board .dc-error", "The prompt is empty")
    assert page.locator("#board .dc-answer").first.inner_text() == "So far ", "what was there stays"
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
