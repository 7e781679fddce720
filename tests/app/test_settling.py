"""Several people's masks of one prompt: how far they agree, what they dispute, and what the majority says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from annotations.store import open_store
from app.review.events import CorrectionsEvents
from app.review.settling import SharedPrompt, agreement_on_tokens, agreement_on_units, settling_table
from app.settings import Settings
from app.studio import Studio
from model.prompt import parse
from model.record import CorrectionRecord
from tests.support.saving import fields
from tests.support.scripted import ScriptedCompressor

PROMPT = (
    "Answer from the notes. Boats are blue. Never pay in cash. It rained all day. Call Ann first. Dogs are kept out."
)


def corrected(annotator: str, dropped: str, prompt: str = PROMPT) -> dict[str, object]:
    """A correction in which every sentence with one of the words is dropped."""
    parsed = parse(prompt)
    mask = ["1"] * len(parsed)
    for unit in parsed.units:
        if unit.leaf and any(word in prompt[unit.start : unit.end] for word in dropped.split()):
            mask[unit.first : unit.last] = ["0"] * (unit.last - unit.first)
    offsets = [[token.start, token.end] for token in parsed.tokens]
    masks = {"human_mask": "".join(mask), "model_mask": "1" * len(mask), "pins": {}}
    return fields(prompt, offsets=offsets, shot_starts=[], annotator=annotator, **masks)


def shared(*dropped: str) -> SharedPrompt:
    made = [CorrectionRecord.from_fields(_stored(corrected(f"P{i}", words))) for i, words in enumerate(dropped)]
    return SharedPrompt.of(made)


def _stored(record: dict[str, object]) -> dict[str, object]:
    store = open_store("sqlite://")
    return dict(store.submit(record).correction.to_fields())


def test_the_majority_decides_each_token_and_disputes_are_sorted() -> None:
    three = shared("blue rained", "blue Dogs", "blue rained Ann")
    dropped = [
        PROMPT[unit.start : unit.end] for unit in three.prompt.units if unit.leaf and three.majority[unit.first] == "0"
    ]
    assert dropped == ["Boats are blue.", "It rained all day."]
    spans = [three.prompt.text[three.prompt.tokens[three.spans[u][0]].start :] for u in three.disputed]
    assert sorted(text.split()[0] for text in spans) == ["Call", "Dogs", "It"]


def test_agreement_has_an_interval_over_units() -> None:
    some = shared("blue rained", "blue Dogs")
    for agreement in (agreement_on_units(some), agreement_on_tokens(some)):
        assert agreement.alpha is not None and agreement.low is not None and agreement.high is not None
        assert -1 <= agreement.low <= agreement.alpha <= agreement.high <= 1
    same = agreement_on_units(shared("blue", "blue"))
    assert same.alpha == 1 and same.low == same.high == 1
    assert "not defined" in str(agreement_on_tokens(shared("", "")))


def test_what_is_shown_names_people_and_counts() -> None:
    blocks = json.loads(settling_table(shared("blue rained", "blue Dogs", "blue")))
    assert blocks[0]["text"] == "3 people corrected this prompt" and "interval" in blocks[1]["text"]
    assert blocks[2]["columns"] == ["In dispute*", "P0", "P1", "P2", "Majority"] or len(blocks[2]["columns"]) == 5
    cells = {row[1][0]: row[1][1:] for row in blocks[2]["rows"]}
    assert sorted(cells["It rained all day."][:3]) == ["drop", "keep", "keep"]
    assert cells["It rained all day."][3] == "keep (2 of 3 keep it)"
    assert json.loads(settling_table(shared("blue"))) == []


@pytest.fixture
def tab(tmp_path: Path) -> CorrectionsEvents:
    store = open_store(f"sqlite:///{tmp_path / 'c.sqlite3'}")
    for name, dropped in (("Ann", "blue rained"), ("Bo", "blue"), ("Cy", "blue rained Dogs")):
        store.submit(corrected(name, dropped))
    store.submit(corrected("Dee", "other", "Another prompt. It rained all day."))
    return CorrectionsEvents(Studio(Settings(), ScriptedCompressor, lambda: store))  # type: ignore[arg-type]


def test_one_settles_it_in_the_correct_tab(tab: CorrectionsEvents) -> None:
    entry = next(e for e in tab.studio.store.find().entries if e.annotator == "Bo")
    page = tab.pick({"event": {"id": f"{entry.id}/{entry.revision}"}})
    assert json.loads(page.people)[0]["text"] == "3 people corrected this prompt"
    page = tab.settle({"chosen": page.chosen, "reviewer": "Rex"})
    document, masks = (json.loads(line) for line in page.correct_canvas.splitlines())
    tokens = document["tokens"]
    kept = [token for token, bit in zip(tokens, masks["human"], strict=True) if bit == "1"]
    assert "rained" not in kept and "blue" not in kept and "Dogs" in kept
    assert page.opened.annotator == "Rex" and page.opened.id != entry.id, "it will be a correction of their own"
