"""Two people corrected one prompt and do not agree: a third settles it, in a real browser, by keyboard."""

from __future__ import annotations

from typing import Any

from annotations.results import Filter
from annotations.store import Store
from model.prompt import parse
from tests.support.accessibility import serious_faults
from tests.support.browsing import needs_chromium, states, wait_for_text
from tests.support.saving import fields

pytestmark = needs_chromium

PROMPT = "The office opens at nine. Never pay in cash. Ann left the firm in May."


def corrected(store: Store, name: str, *sentences: int, **given: Any) -> str:
    """Somebody keeps these sentences of the prompt and drops the rest; returns the correction's id."""
    prompt = parse(PROMPT)
    spans = [(unit.first, unit.last) for unit in prompt.units if unit.leaf]
    kept = {i for at in sentences for i in range(*spans[at])}
    mask = "".join("01"[i in kept] for i in range(len(prompt)))
    offsets = [[token.start, token.end] for token in prompt.tokens]
    sent = fields(PROMPT, offsets=offsets, model_mask="1" * len(prompt), human_mask=mask, pins={}, annotator=name)
    return store.submit({**sent, **given}).correction.id


def open_it(page: Any, id: str) -> None:
    page.get_by_role("tab", name="Review", exact=True).press("Enter")
    page.wait_for_selector("#corrections-list tbody tr")
    page.locator(f"#corrections-list tr[data-id^='{id}'] .sheet-pick").press("Enter")
    page.wait_for_function("id => document.querySelector('#review-card').textContent.includes(id)", arg=id)


def test_two_masks_are_settled_by_a_third_person(page: Any, store: Store) -> None:
    rejected = corrected(store, "Cem", 2)
    store.review(rejected, 1, "rejected", "Rita", "drops the rule")
    first = corrected(store, "Ann", 0, 1)
    open_it(page, first)
    assert not page.locator("#settle").is_visible(), "one mask that counts is no dispute"

    corrected(store, "Bob", 1, 2)
    page.reload()
    page.wait_for_selector("#run")
    open_it(page, rejected)
    wait_for_text(page, "#review-people h2", "2 people corrected this prompt")
    assert "95 % interval" in page.inner_text("#review-people") and "Cem" not in page.inner_text("#review-people")
    disputed = page.locator("#review-people tbody tr").all_inner_texts()
    assert len(disputed) == 2 and not any("Never pay" in row for row in disputed)
    assert not serious_faults(page)
    page.fill("#reviewer input, #reviewer textarea", "Rex")
    page.locator("#settle").press("Enter")
    page.wait_for_selector('#correct-canvas .dm[data-state="done"]')
    assert states(page, "correct-canvas") == "k" * len(parse(PROMPT)), "where they are even, it is kept"
    canvas = page.locator("#correct-canvas .dm-scroll")
    canvas.press("Home")
    canvas.press(" ")
    page.wait_for_function("() => document.querySelectorAll('#correct-canvas .dm-scroll .t.d').length > 0")
    decided = states(page, "correct-canvas")
    canvas.press("Enter")
    wait_for_text(page, "#correct-canvas .dm-saved", "Saved")
    (saved,) = store.find(Filter(annotator="Rex")).entries
    record = store.get(saved.id)
    assert record.human_mask == decided.replace("k", "1").replace("d", "0") and record.status == "submitted"
    assert {entry.annotator for entry in store.find(limit=10).entries} == {"Ann", "Bob", "Cem", "Rex"}

    open_it(page, first)
    wait_for_text(page, "#review-people h2", "3 people corrected this prompt")
