"""From a pasted prompt to a program, and from a person's correction to a model that does better, in a real browser.

The tests are three parts of one way on one server, in this order.
"""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import gradio as gr
import pytest

from annotations.results import Filter
from annotations.store import Store
from app.studio import Studio
from app.ui import launch
from model.compress import CompressRequest
from model.prompt import Prompt, parse
from tests.support.browsing import confirm, explore, needs_chromium, new_page, open_tab, states, token, wait_for_text
from tests.support.corrected import fields_for
from tests.support.fake_endpoint import FakeEndpoint
from tests.support.learning import learning_studio

pytestmark = needs_chromium

RULE, LEFT = "Never pay in cash.", "Ann left the town early."
MORE = 65  # prompts that somebody corrects besides those of the tests


def notes(hour: int) -> tuple[str, ...]:
    return f"The office opens at {hour}.", LEFT, RULE, "The boats are painted every May.", "Do not call before noon."


def prompt(hour: int) -> str:
    return f"Answer from the notes.\n\nNotes: {' '.join(notes(hour))}\n\nQuestion: How do I pay?"


PROMPT = prompt(9)


@pytest.fixture(scope="module")
def studio(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Studio:
    """With a tiny model that learns."""
    go_on = threading.Event()
    go_on.set()
    return learning_studio(store, tmp_path_factory.mktemp("data"), go_on)


@pytest.fixture(scope="module")
def url(studio: Studio) -> Iterator[str]:
    _, address, _ = launch(studio, prevent_thread_lock=True, quiet=True)
    yield address
    gr.close_all(verbose=False)


def corrected_by(studio: Studio, name: str, hour: int, kept: str | None = None) -> None:
    """Save a correction in which somebody keeps this note alone; None: the opposite of what the model keeps."""
    run = studio.start(CompressRequest(prompt(hour), 0.5, 8))
    list(studio.denoise(run))
    parsed, model = run.request.prompt, run.trace.keep
    mask = [not keep for keep in model] if kept is None else list(model)
    for note in notes(hour) if kept else ():
        for i in tokens_of(parsed, note):
            mask[i] = note == kept
    given = {"annotator": name, "checkpoint": run.checkpoint, "retention": 0.5, "steps": 8}
    studio.store.submit(fields_for(parsed, model, mask, **given))


def tokens_of(text: Prompt, sentence: str) -> list[int]:
    start = text.text.index(sentence)
    return [i for i, each in enumerate(text.tokens) if start <= each.start < start + len(sentence)]


def test_from_a_pasted_prompt_to_a_program(page: Any, server: FakeEndpoint) -> None:
    explore(page, PROMPT)
    out = page.locator("#explore-canvas .dm-out")
    assert RULE not in out.inner_text()
    page.locator("#explore-canvas .dm-line li", has_text=RULE).get_by_role("button", name="Keep this").click()
    page.wait_for_function("rule => document.querySelector('.dm-out').textContent.includes(rule)", arg=RULE)
    page.wait_for_selector('#explore-canvas .dm[data-state="done"]:not([data-running])')

    page.click("#check > button")
    page.fill("#check-questions textarea", "\n".join(f"May I pay at {hour}?" for hour in range(5)))
    page.click("#check-who > button")
    page.locator("#check-who").get_by_text("An endpoint", exact=True).click()
    page.fill("#check-endpoint-url :is(input, textarea)", server.url)
    page.fill("#check-endpoint-model :is(input, textarea)", "good")
    page.click("#check-run")
    page.wait_for_function("() => /of 5 answers agree \\(/.test(document.querySelector('#check-answers').textContent)")
    asked = {body["messages"][-1]["content"] for _, _, body in server.seen}
    assert {f"{short}\n\nMay I pay at 0?" for short in (PROMPT, out.inner_text())} <= asked

    page.click("#explore-canvas .dm-use summary")
    page.select_option("#explore-canvas .dm-language", "JavaScript")
    program, node = page.inner_text("#explore-canvas .dm-program"), shutil.which("node")
    if node is None:
        pytest.skip("no Node.js here, so the program was not run")
    done = subprocess.run([node, "--input-type=module"], input=program, capture_output=True, text=True, check=False)
    assert done.stdout == out.inner_text() + "\n", done.stderr


def test_from_a_finger_on_a_phone_to_what_people_agree_on(phone: Any, studio: Studio, browser: Any, url: str) -> None:
    open_tab(phone, "Correct")
    phone.fill("#correct-prompt textarea", PROMPT)
    phone.tap("#open")
    phone.wait_for_selector('#correct-canvas .dm[data-state="done"]')
    rule = tokens_of(parse(PROMPT), RULE)
    token(phone, "correct-canvas", rule[0]).tap()
    phone.locator("#correct-canvas [data-act=unit-keep]").tap()
    assert [states(phone, "correct-canvas")[i] for i in rule] == ["k"] * len(rule)
    assert phone.evaluate("() => document.documentElement.scrollWidth") <= 390
    phone.locator("#correct-canvas [data-act=submit]").tap()
    wait_for_text(phone, "#correct-canvas .dm-saved", "Saved")
    corrected_by(studio, "Bob", 9, LEFT)

    with new_page(browser, url, viewport={"width": 1280, "height": 900}) as desk:
        open_tab(desk, "Review")
        desk.locator("#corrections-list tbody tr", has_text="Bob").first.click(position={"x": 4, "y": 4})
        wait_for_text(desk, "#review-people", "2 people corrected this prompt")
        assert RULE in desk.inner_text("#review-people")
        desk.fill("#reviewer :is(input, textarea)", "Cem")
        desk.click("#settle")
        desk.wait_for_selector('#correct-canvas .dm[data-state="done"]')
        assert [states(desk, "correct-canvas")[i] for i in rule] == ["k"] * len(rule), "where they are even it is kept"
        token(desk, "correct-canvas", tokens_of(parse(PROMPT), LEFT)[0]).click()
        desk.locator("#correct-canvas .dm-scroll").press("Enter")
        wait_for_text(desk, "#correct-canvas .dm-saved", "Saved")
    (settled,) = studio.store.find(Filter(annotator="Cem")).entries
    assert all(studio.store.get(settled.id).human_mask[i] == "1" for i in rule)


def test_from_corrections_to_a_model_that_has_learnt(page: Any, studio: Studio) -> None:
    explore(page, PROMPT)
    before = states(page, "explore-canvas")
    corrected_by(studio, "Bob", 10)
    learn(page)
    wait_for_text(page, "#learn-job .dl-verdict", "Too few to tell: measured on")
    page.click("#learn-job [data-act=keep]")
    for i in range(MORE):
        corrected_by(studio, "Bob", 11 + i)
    learn(page)
    page.wait_for_function(
        "() => /over 1\\d held-out/.test(document.querySelector('#learn-job .dl-verdict').textContent)"
    )
    new = page.locator("#learn-job [data-act=promote]")
    checkpoint = new.get_attribute("data-id")
    confirm(page, "#learn-job [data-act=promote]", f"Promote {checkpoint}?")
    page.wait_for_selector(f"#checkpoints tr.is-served[data-id='{checkpoint}']")

    page.reload()
    explore(page, PROMPT)
    after = states(page, "explore-canvas")
    kept = studio.compressor.compress(PROMPT, 0.5, 8).trace.keep
    assert after == "".join("k" if keep else "d" for keep in kept) != before


def learn(page: Any) -> None:
    """Fine-tune, for one epoch."""
    open_tab(page, "Learn")
    page.wait_for_selector("#checkpoints tbody tr")
    epochs = page.locator("input[type=number][aria-label*='Epochs']")
    if not epochs.is_visible():
        page.locator("button.label-wrap:visible", has_text="Settings").click()
    epochs.fill("1")
    page.keyboard.press("Tab")
    confirm(page, "#fine-tune", "Fine-tune?")
    page.wait_for_selector('#learn-job .dl-job[data-state="done"]')
