"""The vectors of tests/web/vectors are what Python does; the page's scripts are tested against the same files."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.components.canvas_lines import parse_mask, parse_pins
from model.prompt import parse
from tests.web.make_vectors import FOLDER, MAKERS, content

SCENARIOS: list[dict[str, Any]] = json.loads((FOLDER / "edits.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", MAKERS)
def test_python_gives_the_vectors(name: str) -> None:
    committed = (FOLDER / f"{name}.json").read_text(encoding="utf-8")
    assert content(name) == committed, "Should it? Then: python -m tests.web.make_vectors, and mend the scripts"


def test_a_run_shows_its_own_mask_at_its_own_retention() -> None:
    for run in json.loads((FOLDER / "runs.json").read_text(encoding="utf-8")):
        document = json.loads(run["value"].split("\n")[0])
        own = run["masks"].get(str(round(100 * document["retention"])))
        assert own in (None, run["states"][-1].replace("k", "1").replace("d", "0"))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario["name"])
def test_python_reads_edits_as_they_were_meant(scenario: dict[str, Any]) -> None:
    prompt = parse(scenario["text"])
    for edit in scenario["edits"]:
        mask = parse_mask(edit["mask"], len(prompt))
        assert prompt.render(mask) == edit["text"]
        assert all(mask[i] == keep for i, keep in parse_pins(edit["pins"], len(prompt)).items())
