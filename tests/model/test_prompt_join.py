"""Several texts as one prompt: each is cut back out as it was, and what joins them costs nothing."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import InputError
from model.prompt import parse
from model.prompt.join import JOINT, Joined, framed, with_roles
from model.prompt.pieces import GRANULARITIES, PieceSet
from model.reader import prices
from tests.support.prompts import prompts

seeds = st.integers(0, 2**32 - 1)
texts = st.lists(
    st.one_of(prompts, st.sampled_from(["", " \n", "\nOne. Two.\n", '[{"a": 1}]'])), min_size=1, max_size=4
)


def joined(given: list[str]) -> Joined:
    return Joined.of([parse(text) if text.strip() else None for text in given])


@settings(max_examples=60, deadline=None)
@given(texts, st.sampled_from(GRANULARITIES), seeds)
def test_what_is_joined_is_cut_apart_again(given: list[str], granularity: str, seed: int) -> None:
    if not any(text.strip() for text in given):
        with pytest.raises(InputError, match="empty"):
            joined(given)
        return
    made = joined(given)
    prompt, filled = made.prompt, [text for text in given if text.strip()]
    assert prompt.text == JOINT.join(filled)
    assert all(prompt.text[t.start : t.end] == t.text for t in prompt.tokens)
    assert prompt.parts[0].start == 0 and prompt.parts[-1].end == len(prompt.text)
    assert all(a.end == b.start and a.last == b.first for a, b in zip(prompt.parts, prompt.parts[1:], strict=False))
    for u, unit in enumerate(prompt.units[1:], start=1):
        around = prompt.units[unit.parent]
        assert unit.parent < u and around.first <= unit.first < unit.last <= around.last
    assert made.texts([True] * len(prompt)) == [text.lstrip("\ufeff") if text.strip() else None for text in given]
    chance = random.Random(seed)
    pieces = PieceSet.of(prompt, granularity, least_demonstration=0.5)
    mask = pieces.settle(p for p in range(len(pieces)) if chance.random() < 0.5)
    for alone, part, left in zip(made.prompts, made.masks(mask), made.texts(mask), strict=True):
        assert left == (None if alone is None else alone.render(part))


def test_what_joins_costs_nothing() -> None:
    made = joined(["One two.", "Three."])
    assert sum(prices(made.prompt, None)) == len(parse("One two.")) + len(parse("Three."))
    assert [made.prompt.tokens[i].text for i in made.prompt.joints] == [JOINT]


@pytest.mark.parametrize("text", ["One. Two two. Three.", "- a b\n- c d\n", "x"])
def test_marks_stay_with_what_is_between_them(text: str) -> None:
    for granularity in ("token", "unit", "part"):
        prompt = framed(parse(text), "<#1#> ", " <#1#>")
        pieces = PieceSet.of(prompt, granularity)
        assert prompt.render([True] * len(prompt)) == f"<#1#> {text} <#1#>"
        assert prompt.render(pieces.settle([])) == ""
        for p in range(len(pieces)):
            left = prompt.render(pieces.settle([p]))
            assert left.startswith("<#1#>") and left.endswith("<#1#>") and len(left) > 10


def test_parts_may_be_called_otherwise() -> None:
    prompt = parse("Sort the mail.\n\nThe bill is from May. The card is from Ann.\n\nWhich is older?")
    roles: dict[str, Any] = {"instruction": "document", "question": "text"}
    made = with_roles(prompt, roles)
    assert [part.role for part in made.parts] == [roles.get(part.role, part.role) for part in prompt.parts]
    assert not {"instruction", "question"} & {unit.kind for unit in made.units}
