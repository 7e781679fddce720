"""What leads on from a run: to checking the answers, to Compare, to Correct, whose verdict follows the edits."""

from __future__ import annotations

from typing import Any

from tests.support.browsing import explore, needs_chromium, token

pytestmark = needs_chromium

PROMPT = (
    "Answer from the notes.\n\nNotes: The office opens at 9. Never pay in cash. Ann left.\n\nQuestion: How do I pay?"
)


def test_a_run_leads_to_the_answers_and_to_other_ways(page: Any) -> None:
    assert page.locator("#explore-canvas .dm-first").is_visible(), "a first visit explains itself"
    explore(page, PROMPT)
    assert not page.locator("#explore-canvas .dm-first").is_visible()
    for _ in range(2):  # open, it stays open
        page.click("#explore-canvas [data-act=check]")
        page.locator("#check-questions textarea").wait_for()
    page.click("#compare-this")
    page.locator("#compare-questions textarea").wait_for()
    assert page.input_value("#compare-questions textarea") == "Question: How do I pay?"
    assert page.input_value("#compare-prompt textarea").endswith("Ann left.")


def test_what_is_pressed_during_a_run_is_not_lost(page: Any) -> None:
    for word in ("one", "two", "three"):
        page.fill("#prompt textarea", f"{PROMPT} Number {word}.")
        page.click("#run")
    page.wait_for_function(
        "() => document.querySelector('#explore-canvas .dm-out').textContent.includes('three')"
        " && !document.querySelector('#explore-canvas .dm').classList.contains('is-stale')"
    )


def test_the_verdict_follows_a_persons_edits(page: Any) -> None:
    explore(page, PROMPT)
    page.click("#correct-this")
    page.wait_for_selector('#correct-canvas .dm[data-state="done"]')
    words = page.locator("#correct-canvas .dm-scroll .t").all_inner_texts()
    token(page, "correct-canvas", words.index("Answer")).click()
    assert page.locator("#correct-canvas .dm-verdict.is-old").count() == 1
    page.wait_for_selector("#correct-canvas .dm-verdict:not(.is-old)")
    assert "the instruction is not whole" in page.inner_text("#correct-canvas .dm-verdict")
    page.click("#correct-canvas [data-act=undo]")
    page.wait_for_selector("#correct-canvas .dm-verdict:not(.is-old)")
    assert "not whole" not in page.inner_text("#correct-canvas .dm-verdict")
