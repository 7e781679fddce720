"""The Learn tab in a real browser: a tiny real model learns, is promoted, seen in Explore, and rolled back."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from annotations.store import Store
from app.background.finetuning import HELD_OUT, Lesson
from app.opened import Opened
from app.studio import Studio
from app.ui import launch
from model.compress import Compressor, CompressRequest
from tests.support.accessibility import serious_faults
from tests.support.browsing import confirm, correct, explore, needs_chromium, states, token, wait_for_text
from tests.support.learning import learning_studio

pytestmark = needs_chromium

PROMPT = (
    "Sort.\n\nQ: is it a cat or a dog?\nA: animal\n\nQ: is it a rose or a lily?\nA: plant\n\n"
    "Q: is it a trout or a carp?\nA: animal\n\nQ: is it an oak?\nA:"
)
go_on = threading.Event()  # cleared: the job waits at its first step


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def studio(store: Store, data: Path) -> Studio:
    """A studio that ships a tiny random model, and four corrections that drop all and keep all."""
    studio = learning_studio(store, data, go_on)
    for i in range(4):
        ask = CompressRequest(f"{PROMPT} {i}", 0.5, 8)
        run = studio.start(ask)
        list(studio.denoise(run))
        opened = Opened(uuid.uuid4().hex, ask, run.trace.keep, run.checkpoint)
        mask = [not keep for keep in run.trace.keep]
        studio.save(opened, mask, dict(enumerate(mask)), "Ann", "", 1.0)
    return studio


@pytest.fixture(scope="module")
def url(studio: Studio) -> Iterator[str]:
    go_on.set()
    _, address, _ = launch(studio, prevent_thread_lock=True, quiet=True)
    yield address
    gr.close_all(verbose=False)


def open_tab(page: Any) -> None:
    page.get_by_role("tab", name="Learn", exact=True).click()
    page.wait_for_selector("#checkpoints tbody tr")


def wait_for_job(page: Any, state: str) -> None:
    page.wait_for_selector(f'#learn-job .dl-job[data-state="{state}"]')


def served_row(page: Any) -> str:
    (row,) = page.locator("#checkpoints tr.is-served").evaluate_all("rows => rows.map(row => row.dataset.id)")
    return str(row)


def test_a_job_outlives_the_page_keeps_nobody_waiting_and_is_cancelled(page: Any, studio: Studio, url: str) -> None:
    open_tab(page)
    learnt, held = studio.finetuning.split(studio.finetuning.choose(Lesson()), HELD_OUT)
    said = f"{len(learnt)} corrections to learn from, {len(held)} held out to measure on."
    wait_for_text(page, "#learn-count", said)
    go_on.clear()
    confirm(page, "#fine-tune", "Fine-tune?")
    wait_for_job(page, "running")
    page.reload()
    explore(page, PROMPT)  # meanwhile the studio goes on
    open_tab(page)
    wait_for_job(page, "running")
    assert page.locator("#fine-tune").is_disabled()
    page.click("#cancel")
    wait_for_job(page, "cancelling")
    go_on.set()
    wait_for_job(page, "cancelled")
    page.wait_for_selector("#fine-tune:not([disabled])")
    assert page.locator("#checkpoints tbody tr").count() == 1 and not page.locator("#cancel").is_visible()


def test_learn_promote_see_the_new_mask_and_roll_back(page: Any, studio: Studio, data: Path) -> None:
    explore(page, PROMPT)
    before, shipped = states(page, "explore-canvas"), studio.compressor.checkpoint.id
    open_tab(page)
    confirm(page, "#fine-tune", "Fine-tune?")
    wait_for_job(page, "done")
    page.wait_for_selector("#loss .js-plotly-plot")
    job = studio.finetuning.job
    assert job and job.result
    tiles = page.inner_text("#learn-job .dm-tiles")
    for rate in (job.result.agreement_before, job.result.agreement_after, job.result.edit_rate_after):
        assert f"{100 * rate:.1f} %" in tiles
    new = job.result.checkpoint
    page.wait_for_selector(f'#checkpoints tr[data-id="{new}"]')
    assert served_row(page) == shipped, "nothing is promoted by itself"
    assert f"{shipped}" in page.inner_text(f'#checkpoints tr[data-id="{new}"]')
    confirm(page, "#learn-job [data-act=promote]", f"Promote {new}?")
    page.wait_for_selector(f'#checkpoints tr.is-served[data-id="{new}"]')
    wait_for_text(page, "#learn-count", "0 corrections to learn from")
    assert f"Left out: {job.result.train} learned already." in page.inner_text("#learn-count")

    page.reload()
    explore(page, PROMPT)
    after = states(page, "explore-canvas")
    kept = Compressor.load(data / "checkpoints" / new, "cpu").compress(PROMPT, 0.5, 8).trace.keep
    assert after == "".join("k" if keep else "d" for keep in kept) != before

    open_tab(page)
    page.click("#checkpoints [data-act=back]")
    dialog = page.get_by_role("dialog", name=f"Roll back from {new}?", exact=True)
    assert dialog.get_by_role("button", name="Cancel").evaluate("button => button === document.activeElement")
    assert not serious_faults(page)
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    assert page.locator("#checkpoints [data-act=back]").evaluate("button => button === document.activeElement")
    assert served_row(page) == new == studio.compressor.checkpoint.id, "nothing is done without a yes"
    confirm(page, "#checkpoints [data-act=back]", f"Roll back from {new}?")
    page.wait_for_selector(f'#checkpoints tr.is-served[data-id="{shipped}"]')
    assert "rolled back" in page.inner_text(f'#checkpoints tr[data-id="{new}"]')
    page.reload()
    explore(page, PROMPT)
    assert states(page, "explore-canvas") == before

    open_tab(page)
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390


def test_a_draft_survives_the_end_of_the_server(page: Any, studio: Studio, store: Store, url: str) -> None:
    """The last test of the module: it leaves another server behind."""
    correct(page, PROMPT)
    token(page, "correct-canvas", 2).click()
    edited = states(page, "correct-canvas")
    wait_for_text(page, "#correct-canvas .dm-saved", "Draft kept")
    gr.close_all(verbose=False)
    anew = Studio(studio.settings, lambda folder=None: studio.compressor, lambda: store)
    launch(anew, prevent_thread_lock=True, quiet=True, server_port=int(url.rstrip("/").rsplit(":", 1)[1]))
    page.goto(url)
    page.get_by_role("tab", name="Correct", exact=True).click()
    page.click("#correct-canvas [data-act=restore]")
    page.wait_for_selector('#correct-canvas .dm[data-state="done"]')
    assert states(page, "correct-canvas") == edited and page.input_value("#correct-prompt textarea") == PROMPT
