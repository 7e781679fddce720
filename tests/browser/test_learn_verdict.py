"""What Learn says of a new model in a real browser: too few to tell, and a verdict once there are enough."""

from __future__ import annotations

import hashlib
import itertools
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from annotations.store import Store
from app.background.finetuning import HELD_OUT, Lesson
from app.learn.judgement import LEAST
from app.opened import Opened
from app.settings import Settings
from app.studio import Studio
from app.ui import launch
from model.compress import PAPER, Compressor, CompressRequest
from model.denoiser.checkpoint import save_checkpoint
from model.training.finetune import FinetuneConfig, FineTuned, finetune
from model.training.fit import FitConfig
from model.training.holdout import is_held_out
from tests.support.accessibility import serious_faults
from tests.support.browsing import confirm, needs_chromium
from tests.support.tiny import calm_checkpoint

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def studio(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Studio:
    """A studio that ships a tiny random model, which learns fast."""
    data, made = tmp_path_factory.mktemp("data"), calm_checkpoint()
    tiny = data / "tiny"
    save_checkpoint(tiny, made.denoiser, made.collator.tokenizer, {})

    def learn(
        file: Path, out: Path, parent: Path | None, lesson: Lesson, progress: Callable[[int, int, float], None]
    ) -> FineTuned:
        fit = FitConfig(epochs=3, patience=3, tokens=150, rate=0.03, head_factor=1.0)
        return finetune(FinetuneConfig(file, out, parent or tiny, lesson.held_out, lesson.seed, fit=fit), progress)

    return Studio(Settings(data=data), lambda folder=None: Compressor.load(folder or tiny, "cpu"), lambda: store, learn)


@pytest.fixture(scope="module")
def url(studio: Studio) -> Iterator[str]:
    _, address, _ = launch(studio, prevent_thread_lock=True, quiet=True)
    yield address
    gr.close_all(verbose=False)


def correct(studio: Studio, count: int, held_out: bool) -> None:
    """Somebody keeps the digits of so many prompts and drops the rest."""
    texts = (f"{i}, one two {i} three, four {i}!" for i in itertools.count(int(held_out)))
    wanted = (text for text in texts if is_held_out(hashlib.sha256(text.encode()).hexdigest(), HELD_OUT) == held_out)
    known = {entry.start for entry in studio.store.find(limit=1000).entries}
    for text in itertools.islice((text for text in wanted if text not in known), count):
        ask = CompressRequest(text, 0.3, 4, **PAPER)
        run = studio.start(ask)
        list(studio.denoise(run))
        mask = [token.text.isdigit() for token in ask.prompt.tokens]
        opened = Opened(uuid.uuid4().hex, ask, run.trace.keep, run.checkpoint)
        studio.save(opened, mask, dict(enumerate(mask)), "Ann", "", 1.0)


def fine_tune(page: Any) -> str:
    """Press the button; returns the verdict."""
    page.get_by_role("tab", name="Learn", exact=True).click()
    page.wait_for_selector("#checkpoints tbody tr")
    confirm(page, "#fine-tune", "Fine-tune?")
    page.wait_for_selector('#learn-job .dl-job[data-state="running"]')
    page.wait_for_selector('#learn-job .dl-job[data-state="done"]')
    return str(page.inner_text("#learn-job .dl-verdict"))


def test_too_few_to_tell_then_enough_and_the_texts_side_by_side(page: Any, studio: Studio) -> None:
    correct(studio, 6, held_out=False)
    correct(studio, LEAST - 1, held_out=True)
    said = fine_tune(page)
    assert said.startswith(f"Too few to tell: measured on {LEAST - 1} held-out prompts"), said
    assert page.inner_text("#learn-job [data-act=promote]") == "Promote it all the same"
    assert "dm-primary" in (page.get_attribute("#learn-job [data-act=keep]", "class") or "")
    page.locator("#learn-job [data-act=keep]").press("Enter")
    page.wait_for_selector("#learn-job .dl-idle:visible")

    correct(studio, 1, held_out=True)
    page.reload()
    page.wait_for_selector("#run")
    said = fine_tune(page)
    assert said.startswith("Better: people change ") and f"over {LEAST} held-out prompts" in said, said
    rows = page.locator("#learn-job .dl-row")
    assert rows.count() == 2 and rows.first.locator("pre").count() == 3 and rows.first.is_visible()
    before, after, person = rows.first.locator("pre").all_inner_texts()
    assert before != after and person.replace(" ", "").isdigit()
    assert not serious_faults(page)
    assert page.inner_text("#learn-job [data-act=promote]") == "Promote the new model"
    assert "answers everybody" in page.inner_text("#learn-job .dl-means")
    page.locator("#learn-job [data-act=promote]").press("Enter")
    page.keyboard.press("Shift+Tab")  # from Cancel
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('#learn-job [data-act=promote]').textContent === 'Promoted'")
    assert studio.compressor.checkpoint.id == studio.finetuning.job.result.checkpoint  # type: ignore[union-attr]
