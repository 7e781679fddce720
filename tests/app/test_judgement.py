"""Whether a checkpoint is better is said only where it can be told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.learn.judgement import LEAST, judge, judgement_of
from model.training.finetune import HeldOut


def held(gains: list[float]) -> list[HeldOut]:
    return [
        HeldOut(0.5, 0.5 - gain, "person", f"before {i}", f"after {i}", f"{i:064x}") for i, gain in enumerate(gains)
    ]


@pytest.mark.parametrize(
    ("gains", "level"),
    [
        ([0.2] * (LEAST - 1), "few"),
        ([0.1, 0.2] * LEAST, "better"),
        ([-0.1, -0.2] * LEAST, "worse"),
        ([0.3, -0.3] * LEAST, "same"),
        ([0.0] * LEAST, "same"),
        ([], "few"),
    ],
)
def test_what_may_be_said(gains: list[float], level: str) -> None:
    said = judge(held(gains))
    assert said.level == level
    assert ("interval" in said.text) == (level != "few")


def test_several_people_on_one_prompt_are_not_several_prompts() -> None:
    crowd = [replace(each, sha256=str(i % (LEAST - 1))) for i, each in enumerate(held([0.1, 0.2] * LEAST))]
    assert judge(crowd).level == "few" and f"{LEAST - 1} held-out prompts" in judge(crowd).text


def test_the_texts_that_changed_most_are_shown() -> None:
    shown = judgement_of(held([0.0, 0.4, 0.1, 0.2, 0.3]))["texts"]
    assert [row["before"] for row in shown] == ["before 1", "before 4"]
    assert judgement_of([HeldOut(0.1, 0.1, "p", "same", "same", "")])["texts"] == []
