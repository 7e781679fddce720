"""The Review tab in a real browser: find, look, review, open again, export, import."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from annotations.files.archive import unzipped
from annotations.files.importing import import_file
from annotations.results import Filter
from annotations.store import Store, open_store
from model.prompt import parse
from model.record import CorrectionRecord
from tests.support.browsing import confirm, needs_chromium, open_tab, states, token
from tests.support.saving import record

pytestmark = needs_chromium

PROMPT = "Sort the news.\n\nArticle: The team won.\nAnswer: Sports\n\nArticle: Shares fell sharply.\nAnswer:"
HOSTILE = "Say ${1+1} `x` {{value}} </script><img src=x onerror=\"document.title='owned'\"> " + "long" * 90


def corrected(store: Store, text: str = PROMPT, flip: tuple[int, ...] = (1, 4), **given: Any) -> CorrectionRecord:
    """A correction in the store: the model keeps every second token, the person changes some."""
    prompt = parse(text)
    model = ["01"[i % 2] for i in range(len(prompt))]
    human = [str(1 - int(bit)) if i in flip else bit for i, bit in enumerate(model)]
    fields: dict[str, Any] = {
        "id": uuid.uuid4().hex,
        "prompt": text,
        "offsets": [[t.start, t.end] for t in prompt.tokens],
        "shot_starts": [shot.start for shot in prompt.parts],
        "model_mask": "".join(model),
        "human_mask": "".join(human),
        "pins": {str(i): human[i] == "1" for i in flip},
        "retention": 0.5,
        "steps": 8,
        "threshold": 0.0,
        "seed": 0,
        "checkpoint": "scripted",
        "annotator": "Ann",
        **given,
    }
    return store.submit(fields).correction


def open_corrections(page: Any) -> None:
    open_tab(page, "Review")
    page.wait_for_selector("#corrections-list .sheet > *")


def search(page: Any, words: str) -> None:
    """Search for an annotator or an id, and wait until nothing else is listed."""
    page.get_by_label("Search", exact=True).fill(words)
    script = "words => { const all = document.querySelectorAll('#corrections-list tbody tr');"
    script += " return all.length && [...all].every(row => (row.textContent + row.dataset.id).includes(words)); }"
    page.wait_for_function(script, arg=words)


def pick(page: Any, correction: CorrectionRecord) -> None:
    search(page, correction.id)
    page.locator(f"#corrections-list tr[data-id^='{correction.id}']").first.click(position={"x": 4, "y": 4})
    page.wait_for_function(
        "id => document.querySelector('#review-card').textContent.includes(id)"
        " && document.querySelector('#review-canvas .dm').dataset.state === 'done'",
        arg=correction.id,
    )


def wait_for(page: Any, selector: str, words: str) -> None:
    script = "([selector, words]) => document.querySelector(selector).textContent.includes(words)"
    page.wait_for_function(script, arg=[selector, words])


def shown(mask: str) -> str:
    return mask.replace("1", "k").replace("0", "d")


def test_an_empty_store_says_what_to_do(page: Any, store: Store) -> None:
    assert store.find().total == 0, "this test must be the first"
    open_corrections(page)
    wait_for(page, "#corrections-list", "No corrections yet. Open a prompt in the Correct tab")
    wait_for(page, "#review-canvas", "Choose a correction above")


def test_search_filter_and_pages(page: Any, store: Store) -> None:
    name = f"Pat {uuid.uuid4().hex[:8]}"
    all_of_them = [corrected(store, f"Number {i} of many.", (1,), annotator=name) for i in range(25)]
    store.review(all_of_them[3].id, 1, "rejected", "Rex")
    open_corrections(page)
    search(page, name)
    rows = page.locator("#corrections-list tbody tr")
    assert rows.count() == 20 and "1–20 of 25" in page.inner_text("#corrections-list")
    page.get_by_role("button", name="Older").click()
    wait_for(page, "#corrections-list", "21–25 of 25")
    assert rows.count() == 5
    page.get_by_label("submitted", exact=True).uncheck()
    page.wait_for_function("() => document.querySelectorAll('#corrections-list tbody tr').length === 1")
    assert rows.first.get_attribute("data-id") == f"{all_of_them[3].id}/2"
    page.get_by_label("rejected", exact=True).uncheck()
    page.get_by_label("accepted", exact=True).uncheck()
    page.get_by_label("draft", exact=True).check()
    wait_for(page, "#corrections-list", "No correction matches this filter")
    assert "25 of 25" not in page.inner_text("#corrections-list")


def test_the_masks_and_their_difference(page: Any, store: Store) -> None:
    one = corrected(store, note="names stay")
    prompt = parse(PROMPT)
    open_corrections(page)
    pick(page, one)
    assert states(page, "review-canvas") == shown(one.human_mask)
    for kind, kept in (("plus", "1"), ("minus", "0")):
        script = "spans => spans.map(span => Number(span.dataset.i))"
        marked = page.locator(f"#review-canvas .dm-scroll .t.{kind}").evaluate_all(script)
        assert marked == [i for i in (1, 4) if one.human_mask[i] == kept]
    for button, mask in (("model", one.model_mask), ("person", one.human_mask)):
        page.click(f"#review-canvas [data-act={button}]")
        assert states(page, "review-canvas") == shown(mask)
        assert page.inner_text("#review-canvas .dm-out") == prompt.render([bit == "1" for bit in mask])
    token(page, "review-canvas", 0).click()
    assert states(page, "review-canvas") == shown(one.human_mask), "it is read only"
    assert "names stay" in page.inner_text("#review-card")


def test_hostile_texts_are_shown_literally_and_long_words_break(page: Any, store: Store) -> None:
    one = corrected(store, HOSTILE, note=HOSTILE, annotator=HOSTILE[:60], checkpoint=HOSTILE[:60])
    page.set_viewport_size({"width": 390, "height": 844})
    open_corrections(page)
    pick(page, one)
    assert page.locator("#review-canvas .dm-scroll .t").all_text_contents() == [t.text for t in parse(HOSTILE).tokens]
    assert HOSTILE in page.inner_text("#review-card") and "${1+1}" in page.inner_text("#corrections-list")
    assert page.locator("#review-part img, #corrections-list img").count() == 0
    assert page.title() == "DiffuMask Studio"
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390


def test_accept_reject_and_a_verdict_that_came_too_late(page: Any, store: Store) -> None:
    one = corrected(store)
    open_corrections(page)
    pick(page, one)
    page.fill("#reviewer input, #reviewer textarea", "Rex")
    page.fill("#remark textarea", "well seen")
    page.click("#accept")
    wait_for(page, "#review-said", "Accepted by Rex: revision 2.")
    saved = store.get(one.id)
    assert (saved.status, saved.reviewer, saved.review_note) == ("accepted", "Rex", "well seen")
    assert saved.human_mask == one.human_mask
    assert page.locator("#corrections-list tr.is-picked .is-accepted").count() == 1
    assert page.locator("#review-card tbody tr").count() == 2, "its history"
    page.locator(f"#review-card tr[data-id='{one.id}/1']").click(position={"x": 4, "y": 4})
    wait_for(page, "#review-card", "revision 1,")
    page.click("#reject")
    wait_for(page, "#review-said", "revision 1 is not the newest (2)")
    assert len(store.history(one.id)) == 2
    page.reload()
    page.wait_for_selector("#run")
    open_corrections(page)
    pick(page, one)
    page.wait_for_function("() => document.querySelector('#reviewer input, #reviewer textarea')?.value === 'Rex'")


def test_open_again_makes_the_next_revision(page: Any, store: Store) -> None:
    one = corrected(store, "Open it again, please, and again.", (2,), note="first")
    open_corrections(page)
    pick(page, one)
    page.fill("#reviewer input, #reviewer textarea", "Ann")
    page.click("#open-again")
    page.wait_for_selector('#correct-canvas .dm[data-state="done"]')
    assert states(page, "correct-canvas") == shown(one.human_mask)
    token(page, "correct-canvas", 5).click()
    page.locator("#correct-canvas .dm-scroll").press("Enter")
    wait_for(page, "#correct-canvas .dm-saved", "Saved")
    first, second = store.history(one.id)
    assert first == one and second.revision == 2 and second.annotator == "Ann"
    changed = [i for i, (a, b) in enumerate(zip(one.human_mask, second.human_mask, strict=True)) if a != b]
    assert changed == [5] and second.model_mask == one.model_mask and set(second.pins) == {2, 5}


@pytest.mark.parametrize("title", ["JSONL", "CSV", "Parquet", "Data set (zip)"])
def test_export_is_what_the_filter_shows_and_comes_back(page: Any, store: Store, title: str, tmp_path: Path) -> None:
    name = f"=Eve {uuid.uuid4().hex[:8]}"
    made = [corrected(store, text, (1,), annotator=name) for text in (PROMPT, HOSTILE)]
    open_corrections(page)
    search(page, name)
    with page.expect_download() as download:
        page.get_by_role("button", name=f"Export {title}").click()
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    other = open_store("sqlite://")
    with unzipped(path) as source:
        assert import_file(other, source).added == 2
    assert all(other.get(one.id) == one for one in made)
    page.get_by_text("Import corrections").click()
    page.set_input_files("#import-file input[type=file]", path)
    confirm(page, "#import-this", "Import this file?")
    wait_for(page, "#import-report", "0 new, 2 known already, 0 refused.")


def test_import_reports_row_by_row(page: Any, store: Store, tmp_path: Path) -> None:
    known = corrected(store)
    new = json.dumps(record("Fresh from a file.", annotator="Far away"))
    path = tmp_path / "mixed.jsonl"
    path.write_text("\n".join([known.to_line(), new, '{"id": 5}', "<img src=x>"]), encoding="utf-8")
    open_corrections(page)
    page.get_by_text("Import corrections").click()
    page.set_input_files("#import-file input[type=file]", path)
    confirm(page, "#import-this", "Import this file?")
    wait_for(page, "#import-report", "1 new, 1 known already, 2 refused.")
    assert page.locator("#import-report tbody tr").count() == 4
    assert "prompt: is missing" in page.inner_text("#import-report") or "is missing" in page.inner_text(
        "#import-report"
    )
    assert store.get(CorrectionRecord.from_line(new).id).prompt == "Fresh from a file."
    (tmp_path / "broken.zip").write_bytes(b"PK nonsense")
    page.get_by_label("Remove").or_(page.get_by_label("Clear")).first.click()
    confirm(page, "#import-this", "Import this file?")
    wait_for(page, "#import-report", "Choose a file first.")
    page.set_input_files("#import-file input[type=file]", tmp_path / "broken.zip")
    confirm(page, "#import-this", "Import this file?")
    wait_for(page, "#import-report", "not a zip file")


def test_agreement(page: Any, store: Store) -> None:
    text = f"Agree on this {uuid.uuid4().hex[:8]} or not."
    for name, flip in (("Ann", (1,)), ("Bob", (1,)), ("Cem", (1, 2))):
        corrected(store, text, flip, annotator=name)
    (expected,) = [one for one in store.agreement().prompts if one.start == text]
    open_corrections(page)
    page.get_by_text("Agreement between annotators").click()
    row = page.locator("#agreement-sheet tbody tr", has_text=text)
    assert "Ann, Bob, Cem" in row.inner_text() and f"{expected.alpha:.2f}" in row.inner_text()
    row.click()
    page.wait_for_function("() => document.querySelectorAll('#corrections-list tbody tr').length === 3")
    assert store.find(Filter(text=text)).total == 3
