"""A sentence is chosen: by mouse or keys to see why it stays, by a finger on a phone to correct it word by word."""

from __future__ import annotations

from typing import Any

from tests.support.browsing import correct, explore, needs_chromium, pins, states, token, wait_for_text

pytestmark = needs_chromium

PROMPT = "Answer from the notes.\n\nNotes: Harbourmasters considered furniture. Never pay in cash.\n\nQuestion: How?"


def test_a_click_says_why_and_what_can_be_done(page: Any) -> None:
    explore(page, PROMPT)
    token(page, "explore-canvas", 10).hover()
    assert "At step 8 the model gives it" in token(page, "explore-canvas", 10).get_attribute("title")
    token(page, "explore-canvas", 10).click()
    card = page.locator("#explore-canvas .dm-unit")
    assert "Harbourmasters" in card.locator(".dm-unit-text").inner_text()
    assert "At step 8 the model gives it" in card.locator(".dm-unit-why").inner_text()
    page.locator("#explore-canvas .dm-scroll").press("ArrowDown")
    assert "Never pay in cash." in card.locator(".dm-unit-text").inner_text()
    card.get_by_role("button", name="Drop it").click()
    wait_for_text(page, "#explore-canvas .dm-unit-why", "Always dropped, by you.")
    assert "cash" not in page.inner_text("#explore-canvas .dm-out")
    card.get_by_role("button", name="This is the question").click()
    page.wait_for_function(
        "() => [...document.querySelectorAll('#explore-canvas .dm-role')]"
        ".filter((select) => select.value === 'question').length === 2"
    )
    page.locator("#explore-canvas .dm-scroll").press("Escape")
    assert not card.is_visible()


def test_on_a_phone_a_tap_chooses_a_sentence_and_its_words_are_large_enough(phone: Any) -> None:
    correct(phone, PROMPT)
    before = states(phone, "correct-canvas")
    token(phone, "correct-canvas", 14).tap()
    words = phone.locator("#correct-canvas .dm-unit-words button")
    assert words.all_inner_texts() == ["Never", "pay", "in", "cash", "."] and states(phone, "correct-canvas") == before
    assert all(min(words.nth(i).bounding_box()[side] for side in ("width", "height")) >= 44 for i in range(5))
    words.nth(1).tap()
    after = states(phone, "correct-canvas")
    assert [i for i, (a, b) in enumerate(zip(before, after, strict=True)) if a != b] == [words_at(phone, 1)]
    phone.locator("#correct-canvas [data-act=unit-keep]").tap()
    first = words_at(phone, 0)
    assert states(phone, "correct-canvas")[first : first + 5] == "kkkkk" and pins(phone) == set(range(first, first + 5))
    phone.locator("#correct-canvas [data-act=unit-free]").tap()
    assert pins(phone) == set()


def words_at(page: Any, at: int) -> int:
    return int(page.locator("#correct-canvas .dm-unit-words button").nth(at).get_attribute("data-word"))
