"""The Explore tab without a browser: what the canvas is sent of a run, what its verdict says, what a click keeps."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.components.counting import OWN
from app.components.forms import UNCHANGED
from app.components.sampling import GRANULARITIES, TASK, UNIT, WORDS_ALONE
from app.examples import example_prompts
from app.explore.events import ExploreEvents
from app.settings import Settings
from app.studio import Studio
from model.compress import AUTO
from model.prompt.limits import MAX_CHARACTERS
from tests.support.scripted import ScriptedCompressor

SETTINGS: dict[str, Any] = {"steps": 8, "threshold": 0, "seed": 0, "rules": [TASK], "granularity": UNIT, "words": ""}
ASKED = {**SETTINGS, "counter": OWN, "by_hand": None}


@pytest.fixture
def tab() -> ExploreEvents:
    return ExploreEvents(Studio(Settings(), ScriptedCompressor))  # type: ignore[arg-type]


def run(tab: ExploreEvents, text: str, retention: int, **more: Any) -> tuple[list[dict[str, Any]], Any]:
    """The lines on the canvas when a run is done, and its last page."""
    *_, page = tab.run({"text": text, "retention": retention, **ASKED, **more})
    return [json.loads(line) for line in page.canvas.splitlines()], page


@pytest.mark.parametrize("retention", [10, 50, 100])
@pytest.mark.parametrize("title", example_prompts())
def test_pins_and_steps_decide_every_token_once(tab: ExploreEvents, title: str, retention: int) -> None:
    (document, *steps, end), page = run(tab, example_prompts()[title].text, retention)
    kept = {i: mark in "kK" for i, mark in enumerate(document["pins"]) if mark != "."}
    for step in steps:
        for i, bit in zip(step["decided"], step["keep"], strict=True):
            assert i not in kept
            kept[i] = bit == "1"
    trace = tab.studio.run(page.last_run).trace  # type: ignore[union-attr]
    assert tuple(kept[i] for i in range(len(document["tokens"]))) == trace.keep and end["kept"] == sum(trace.keep)


RULES = (
    "Answer the question from the notes. Do not guess.\n\n"
    "Notes: The office of the harbourmaster has extraordinarily comfortable furniture. Never pay in cash. "
    "Call Ann on 0176-2231 first. Boats of visiting fishermen are registered internationally.\n\n"
    "Question: How do I pay?"
)


def verdict_of(lines: list[dict[str, Any]]) -> dict[str, Any]:
    return dict(lines[-1]["verdict"])


def fixing(tab: ExploreEvents, text: str, retention: int, marks: str) -> tuple[list[dict[str, Any]], Any]:
    """The canvas after a click that keeps something, and what the page remembers of it."""
    asked = {"text": text, "retention": retention, **ASKED}
    first, *_, page = tab.fix({**asked, "event": {"marks": marks}})
    return [json.loads(line) for line in page.canvas.splitlines()], first.by_hand


def text_of(tab: ExploreEvents, page: Any) -> str:
    result = tab.studio.run(page.last_run)
    assert result is not None
    return result.result().text


def test_the_verdict_leads_to_what_was_lost_and_one_click_keeps_it(tab: ExploreEvents) -> None:
    shown, page = run(tab, RULES, 75)
    assert "Never pay in cash." not in text_of(tab, page)
    verdict = verdict_of(shown)
    (line,) = [line for line in verdict["lines"] if "negation" in line["text"]]
    (place,) = line["places"]
    tokens = shown[0]["tokens"]
    assert place["text"] == "Never pay in cash." and tokens[place["first"]] == "Never"
    assert verdict["level"] == "look" and [place["first"], place["last"]] in verdict["rules"]
    marks = "".join("K" if place["first"] <= i < place["last"] else "." for i in range(len(tokens)))
    shown, by_hand = fixing(tab, RULES, 75, marks)
    verdict = verdict_of(shown)
    assert not verdict["rules"] and verdict["level"] == "good" and shown[-1]["kept"] <= 0.75 * len(tokens)
    assert [line["act"] for line in verdict["lines"]][-1] == "free"
    assert "cash" in text_of(tab, run(tab, RULES, 75, by_hand=by_hand)[1]), "and it stays when the slider is moved"
    assert "free" not in str(verdict_of(run(tab, RULES + " Now?", 75, by_hand=by_hand)[0])), "but not in another text"


def test_the_verdict_says_why_the_result_is_longer_than_asked(tab: ExploreEvents) -> None:
    shown, _ = run(tab, RULES, 5)
    (line,) = [line for line in verdict_of(shown)["lines"] if line["text"].startswith("longer than asked")]
    assert line["text"].endswith("less would leave nothing that may answer")


def test_the_verdict_does_not_call_shortened_code_good_to_send(tab: ExploreEvents) -> None:
    lines = "".join(f"    total_{i} = price_{i} * count_{i}\n" for i in range(12))
    text = f"Review this.\n\n```python\ndef pay(prices, counts):\n{lines}    return total_0\n```\n\nWhat is wrong?"
    verdict = verdict_of(run(tab, text, 40)[0])
    assert verdict["level"] == "look" and any(line["text"].startswith("code is short") for line in verdict["lines"])
    assert "code is short" not in str(verdict_of(run(tab, text, 100)[0]))


@pytest.mark.parametrize("marks", ["K", "", "k" * 50, "K" * 10_000])
def test_marks_that_do_not_fit_are_refused_in_one_line(tab: ExploreEvents, marks: str) -> None:
    asked = {"text": RULES, "retention": 60, **ASKED}
    (page,) = tab.fix({**asked, "event": {"marks": marks}})
    assert "press Run" in json.loads(page.canvas)["error"]


@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_every_granularity_can_be_chosen(tab: ExploreEvents, granularity: str) -> None:
    shown, page = run(tab, RULES, 70, granularity=granularity)
    asked = tab.studio.run(page.last_run).request  # type: ignore[union-attr]
    assert asked.rules.free == (granularity == WORDS_ALONE) and shown[-1]["kept"] <= 0.7 * len(asked.prompt)


def test_a_granularity_that_there_is_not_is_refused(tab: ExploreEvents) -> None:
    (page,) = tab.run({"text": RULES, "retention": 60, **ASKED, "granularity": "letters"})
    assert json.loads(page.canvas)["error"].startswith("Choose")


def test_a_length_of_its_own_is_found_and_stands_on_the_slider() -> None:
    tab = ExploreEvents(Studio(Settings()))
    text = example_prompts()["Documents + question"].text
    first, *_, page = tab.find_length({"text": text, "retention": 90, **ASKED})
    found = tab.studio.run(page.last_run)
    assert found is not None
    exact = tab.studio.compressor.with_length(replace(found.request, retention=AUTO)).retention
    assert found.request.retention == exact
    assert 0 <= first.retention / 100 - float(exact) < 0.01, "rounded up to a whole per cent"  # type: ignore[operator]
    link = json.loads(page.canvas.splitlines()[-1])["use"]["links"]["text"]
    *_, again = tab.open_link({"text": "", "retention": 90, **ASKED, "event": {"link": link}})
    assert text_of(tab, again) == found.result().text, "and a link finds it again"
    messages = json.dumps([{"role": "user", "content": text}, {"role": "user", "content": "What is a berth?"}])
    first, *_ = tab.find_length({"text": messages, "retention": 90, **ASKED})
    assert 5 <= first.retention < 100  # type: ignore[operator]


def test_a_file_that_cannot_be_shortened_leaves_the_prompt_alone(tab: ExploreEvents, tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    path.write_text("word " * (MAX_CHARACTERS // 4), encoding="utf-8")
    (page,) = tab.open_file({"text": RULES, "retention": 50, **ASKED, "file": str(path)})
    assert "at most" in json.loads(page.canvas)["error"] and page.text is UNCHANGED


class SlowCompressor(ScriptedCompressor):
    """It answers once it may."""

    may = threading.Event()

    def predictor(self, *given: Any, **more: Any) -> Any:
        assert self.may.wait(60)
        return super().predictor(*given, **more)


def test_others_who_wait_for_the_model_are_counted() -> None:
    tab = ExploreEvents(Studio(Settings(), SlowCompressor))  # type: ignore[arg-type]
    first = threading.Thread(target=run, args=(tab, RULES, 50))
    first.start()
    while not tab.studio.waiting:
        time.sleep(0.01)
    pages = tab.run({"text": RULES, "retention": 50, **ASKED})
    assert json.loads(next(pages).canvas.splitlines()[-1]) == {"waiting": 1}
    SlowCompressor.may.set()
    *_, last = pages
    first.join()
    assert last.last_run and tab.studio.waiting == 0
    assert "waiting" not in next(tab.run({"text": RULES, "retention": 50, **ASKED})).canvas


def test_what_a_first_run_needs_is_loaded_beforehand() -> None:
    studio = Studio(Settings())
    studio.warm_up()
    assert {"encoder", "reader"} <= vars(studio.compressor).keys()
