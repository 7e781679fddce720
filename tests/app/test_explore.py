"""The Explore tab without a browser: what the canvas is sent of a run."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.components.counting import OWN
from app.components.sampling import TASK, UNIT
from app.examples import example_prompts
from app.explore.events import ExploreEvents
from app.settings import Settings
from app.studio import Studio
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
