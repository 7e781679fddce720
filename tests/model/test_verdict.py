"""What a mask costs, read off it."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from model.prompt import parse
from model.prompt.pieces import PieceSet
from model.prompt.pins import pins_for_task
from model.prompt.selection import fill
from model.verdict import Verdict
from tests.support.prompts import prompts

NOTICE = (
    "Sum up.\n\nTenants pay EUR 1,140 by 3 May 2026. Ann Lee keeps the key. Do not keep dogs. "
    "Write to desk@lease.example about ticket BX-209.\n\nQuestion: Who keeps the key?"
)


def verdict_without(text: str, *gone: str) -> Verdict:
    """Of a mask that drops some stretches of a text."""
    prompt = parse(text)
    keep = [True] * len(prompt)
    for stretch in gone:
        start = text.index(stretch)
        keep = [k and not start <= t.start < start + len(stretch) for k, t in zip(keep, prompt.tokens, strict=True)]
    return Verdict.of(prompt, keep, asked=0.5, pins=pins_for_task(prompt))


def test_what_is_gone_is_of_one_sort() -> None:
    verdict = verdict_without(
        NOTICE, "Tenants pay EUR 1,140 by 3 May 2026.", "Ann Lee", "Write to", "desk@lease.example"
    )
    assert [loss.text for loss in verdict.numbers_gone] == ["EUR 1,140", "3 May 2026"]
    assert [loss.text for loss in verdict.names_gone] == ["Lee"]  # the first word of a sentence is no name for sure
    assert [loss.text for loss in verdict.identifiers_gone] == ["desk@lease.example"]


def test_rules_that_are_gone_or_broken_are_named_with_their_place() -> None:
    gone = verdict_without(NOTICE, "Do not keep dogs.")
    assert [loss.text for loss in gone.rules_gone] == ["Do not keep dogs."] and not gone.rules_broken
    assert parse(NOTICE).tokens[gone.rules_gone[0].token].text == "Do"
    broken = verdict_without(NOTICE, "not")
    assert [loss.text for loss in broken.rules_broken] == ["Do not keep dogs."] and not broken.rules_gone
    assert any("negation" in line for line in broken.warnings)


def test_instruction_and_question_are_whole_or_it_says_so() -> None:
    assert verdict_without(NOTICE, "Do not keep dogs.").question_whole
    verdict = verdict_without(NOTICE, "keeps the key?")
    assert (
        verdict.instruction_whole
        and verdict.question_whole is False
        and "the question is not whole" in verdict.warnings
    )
    assert verdict_without("Just a line. And one more.", "more").question_whole is None


@settings(max_examples=100, deadline=None)
@given(prompts, st.integers(0, 99), st.floats(0.05, 1))
def test_masks_of_pieces_leave_no_fragments(text: str, seed: int, share: float) -> None:
    prompt, chance = parse(text), random.Random(seed)
    pins = pins_for_task(prompt)
    for granularity, least in (("unit", 0.0), ("token", 0.7)):
        pieces = PieceSet.of(prompt, granularity, least=least, pins=pins)
        keep = pieces.settle(fill(pieces, [chance.random() for _ in range(len(pieces))], int(share * len(prompt))))
        verdict = Verdict.of(prompt, keep, asked=share, pins=pins, least=least)
        assert not verdict.fragments and not verdict.rules_broken and not verdict.broken_by_pins
        assert verdict.kept == sum(keep)


@settings(max_examples=100, deadline=None)
@given(prompts)
def test_at_the_clean_length_task_and_rules_can_stay_whole(text: str) -> None:
    prompt = parse(text)
    shortest = Verdict.of(prompt, [True] * len(prompt), asked=1.0).shortest
    pieces = PieceSet.of(prompt, "unit", pins=pins_for_task(prompt))
    guards = {i for unit in prompt.units if unit.leaf and unit.guard for i in range(unit.first, unit.last)}
    scores = [float(tokens[0] in guards) for tokens in pieces.tokens]
    keep = pieces.settle(fill(pieces, scores, round(shortest * len(prompt))))
    verdict = Verdict.of(prompt, keep, asked=shortest, pins=pins_for_task(prompt))
    assert not verdict.rules_gone and verdict.question_whole is not False
    nothing_else = all(part.role in ("instruction", "question") for part in prompt.parts)
    assert verdict.instruction_whole is not False or nothing_else
