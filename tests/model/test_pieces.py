"""PieceSet: whatever is picked, what is left is something that one would send."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from model.errors import InputError
from model.prompt import Prompt, parse
from model.prompt.pieces import GRANULARITIES, PieceSet
from model.prompt.selection import Selection, fill, nested
from tests.support.prompts import CODE, prompts, records

fast = settings(max_examples=120, deadline=None)
seeds = st.integers(0, 2**32 - 1)
rules = st.fixed_dictionaries(
    {
        "granularity": st.sampled_from(GRANULARITIES),
        "guards": st.booleans(),
        "least": st.sampled_from([0.0, 0.5, 0.7]),
        "least_demonstration": st.sampled_from([0.0, 0.6]),
    }
)


def some(pieces: PieceSet, seed: int) -> list[int]:
    chance = random.Random(seed)
    share = chance.random()
    return [p for p in range(len(pieces)) if chance.random() < share]


def pins_for(prompt: Prompt, seed: int) -> dict[int, bool]:
    chance = random.Random(seed)
    return {chance.randrange(len(prompt)): chance.random() < 0.6 for _ in range(chance.randrange(4))}


# --- every token has one place ---


@fast
@given(prompts, rules)
def test_pieces_frames_and_gaps_hold_every_token_once(text: str, asked: dict[str, Any]) -> None:
    prompt = parse(text)
    pieces = PieceSet.of(prompt, **asked)
    if not pieces.rules.free:
        found = [i for each in (pieces.tokens, pieces.own, pieces.gap) for tokens in each for i in tokens]
        assert sorted(found) == list(range(len(prompt)))
    assert pieces.settle(range(len(pieces))) == [True] * len(prompt)
    assert pieces.settle([]) == [False] * len(prompt)
    assert all(pieces.piece_of[i] == p for p, tokens in enumerate(pieces.tokens) for i in tokens)


@fast
@given(prompts)
def test_without_rules_every_token_is_a_piece(text: str) -> None:
    prompt = parse(text)
    pieces = PieceSet.of(prompt, "token", guards=False)
    assert pieces.tokens == [[i] for i in range(len(prompt))]
    assert pieces.settle(range(0, len(prompt), 2)) == [i % 2 == 0 for i in range(len(prompt))]


# --- what is left is sound ---


@fast
@given(prompts, rules, seeds)
def test_frames_stay_exactly_with_what_they_frame(text: str, asked: dict[str, Any], seed: int) -> None:
    prompt = parse(text)
    pieces = PieceSet.of(prompt, **{**asked, "least": 0.5})
    mask = pieces.settle(some(pieces, seed))
    children: dict[int, list[int]] = {}
    for u, unit in enumerate(prompt.units):
        children.setdefault(unit.parent, []).append(u)
    for u, unit in enumerate(prompt.units):
        inside = [prompt.units[c] for c in children.get(u, [])]
        if asked["granularity"] == "part" and unit.part >= 0:
            continue
        if inside:
            own = any(any(mask[c.first : c.last]) for c in inside if not c.frame)
            edges = mask[unit.first : inside[0].first] + mask[inside[-1].last : unit.last]
            frames = [keep for c in inside if c.frame for keep in mask[c.first : c.last]]
            assert all(keep == own for keep in edges + frames)
        elif unit.whole and not (unit.guard and not asked["guards"]):
            assert sum(mask[unit.first : unit.last]) in (0, unit.last - unit.first)


@fast
@given(prompts, st.sampled_from(GRANULARITIES), seeds)
def test_guards_are_whole_or_gone(text: str, granularity: str, seed: int) -> None:
    prompt = parse(text)
    pieces = PieceSet.of(prompt, granularity)
    mask = pieces.settle(some(pieces, seed))
    for unit in prompt.units:
        if unit.guard:
            assert sum(mask[unit.first : unit.last]) in (0, unit.last - unit.first)
    assert pieces.broken(mask) == []


@fast
@given(prompts, seeds)
def test_brackets_and_quotes_go_in_pairs(text: str, seed: int) -> None:
    prompt = parse(text)
    pieces = PieceSet.of(prompt, "token")
    mask = pieces.settle(some(pieces, seed))
    for unit in prompt.units:
        if unit.leaf and unit.kind == "sentence":
            kept = [prompt.tokens[i].text for i in range(unit.first, unit.last) if mask[i]]
            source = [token.text for token in prompt.tokens[unit.first : unit.last]]
            for a, b in (("(", ")"), ("[", "]"), ('"', '"')):
                if source.count(a) == source.count(b) and source.count(a) % (1 + (a == b)) == 0:
                    assert kept.count(a) == kept.count(b) and (a != b or kept.count(a) % 2 == 0)


@fast
@given(records, st.sampled_from([None, 2]), seeds)
def test_json_stays_json_and_no_value_moves(found: list[dict[str, Any]], indent: int | None, seed: int) -> None:
    prompt = parse("Which one is broken?\n\n" + json.dumps(found, indent=indent) + "\n\nAnswer:")
    part = next(part for part in prompt.parts if part.role == "data")
    pieces = PieceSet.of(prompt, "token")
    mask = pieces.settle(some(pieces, seed))
    out = prompt.render([keep and part.first <= i < part.last for i, keep in enumerate(mask)]).strip()
    if out:
        left = json.loads(out)
        assert all(any(each.items() <= whole.items() for whole in found) for each in left)


@fast
@given(prompts, st.sampled_from(GRANULARITIES), seeds)
def test_lines_of_code_and_data_are_lines_of_the_prompt(text: str, granularity: str, seed: int) -> None:
    text = f"Review this.\n\n```python\n{CODE}\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n\n{text}"
    prompt = parse(text)
    pieces = PieceSet.of(prompt, granularity)
    mask = pieces.settle(some(pieces, seed))
    for part in prompt.parts:
        lines = set(text[part.start : part.end].splitlines())
        if part.role in ("code", "data") and "{" not in text[part.start : part.end]:
            out = prompt.render([keep and part.first <= i < part.last for i, keep in enumerate(mask)])
            assert {line for line in out.splitlines() if line.strip()} <= lines


@fast
@given(prompts, rules, seeds)
def test_no_line_is_of_marks_that_are_left_over(text: str, asked: dict[str, Any], seed: int) -> None:
    prompt = parse(text)
    pieces = PieceSet.of(prompt, **{**asked, "least": 0.3})
    out = prompt.render(pieces.settle(some(pieces, seed)))
    marks = {line.strip() for line in text.splitlines()}
    assert all(line.strip() in marks for line in out.splitlines() if not any(map(str.isalnum, line)))


def test_a_demonstration_keeps_its_answer() -> None:
    text = (
        "Q: One is here. Two is there.\nA: First add this.\nThen add that.\n#### 3\n\n"
        "Q: Four is here. Five is there.\nA: yes\n\nQ: Six?\nA:"
    )
    prompt = parse(text)
    pieces = PieceSet.of(prompt, "unit")
    at = {prompt.tokens[tokens[0]].text: p for p, tokens in enumerate(pieces.tokens)}
    assert prompt.render(pieces.settle([at["Two"]])) == "Q: Two is there.\nA:\n#### 3"
    kept = [at["Then"], at["Four"]]
    assert prompt.render(pieces.settle(kept)) == "A: Then add that.\n#### 3\n\nQ: Four is here.\nA: yes"


def test_headings_labels_and_lead_ins_go_with_what_is_below() -> None:
    text = "# Guide\n\n## Rules\n\nYou must never:\n- guess names\n- print keys\n\n## Notes\n\nIt is small. It is old."
    prompt = parse(text)
    pieces = PieceSet.of(prompt, "unit")
    at = {prompt.tokens[tokens[-1]].text: p for p, tokens in enumerate(pieces.tokens)}
    assert prompt.render(pieces.settle([at["keys"]])) == "# Guide\n\n## Rules\n\nYou must never:\n- print keys"


# --- least shares ---


@fast
@given(prompts, st.sampled_from([0.4, 0.7, 1.0]), seeds)
def test_a_thinned_sentence_keeps_its_least_share(text: str, least: float, seed: int) -> None:
    prompt = parse(text)
    pieces = PieceSet.of(prompt, "token", least=least)
    mask = pieces.settle(some(pieces, seed))
    of = pieces.piece_of
    for unit in prompt.units:
        words = [i for i in range(unit.first, unit.last) if of[i] >= 0]
        if unit.leaf and words:
            kept = sum(mask[i] for i in words)
            assert kept == 0 or kept >= least * len(words) - 1e-9


# --- what one more costs, and budgets ---


@fast
@given(prompts, rules, seeds)
def test_a_piece_costs_what_it_adds(text: str, asked: dict[str, Any], seed: int) -> None:
    prompt = parse(text)
    asked = {**asked, "least": 0.0, "least_demonstration": 0.0}
    pieces = PieceSet.of(prompt, **asked, pins=pins_for(prompt, seed))
    selection, kept = Selection(pieces), []
    assert selection.size == sum(pieces.settle([]))
    for p in random.Random(seed).sample(range(len(pieces)), min(len(pieces), 20)):
        before, cost = selection.size, selection.cost(p)
        selection.add(p)
        kept.append(p)
        assert selection.size == before + cost == sum(pieces.settle(kept))
        assert selection.cost(p) == 0


@fast
@given(prompts, rules, seeds, st.floats(0, 1))
def test_a_budget_is_a_ceiling(text: str, asked: dict[str, Any], seed: int, share: float) -> None:
    prompt = parse(text)
    pieces = PieceSet.of(prompt, **asked, pins=pins_for(prompt, seed))
    chance = random.Random(seed)
    scores = [chance.random() for _ in range(len(pieces))]
    budget = round(share * len(prompt))
    kept = fill(pieces, scores, budget)
    mask = pieces.settle(kept)
    assert sum(mask) <= max(budget, sum(pieces.settle([])))
    assert all(mask[i] for p in kept for i in pieces.tokens[p])  # nothing that was paid for falls below a least share
    assert kept == fill(pieces, scores, budget)


@fast
@given(prompts, seeds, st.floats(0.1, 1))
def test_a_budget_is_spent_to_within_a_piece(text: str, seed: int, share: float) -> None:
    prompt = parse(text)
    pieces = PieceSet.of(prompt, "unit")
    chance = random.Random(seed)
    budget = round(share * len(prompt))
    kept = fill(pieces, [chance.random() for _ in range(len(pieces))], budget)
    selection = Selection(pieces)
    for p in kept:
        selection.add(p)
    assert all(selection.size + selection.cost(p) > budget for p in range(len(pieces)) if p not in kept)


def test_what_is_decided_stays_decided() -> None:
    prompt = parse("One is here. Two is there. Three is not. Four is away.")
    pieces = PieceSet.of(prompt, "unit")
    assert fill(pieces, [0, 3, 2, 1], 8, kept=[0], dropped=[1]) == [0, 2]
    assert fill(pieces, [0, 3, 2, 1], 1, kept=[0]) == [0]  # what is kept already is paid for


def test_the_mean_of_a_pieces_values() -> None:
    prompt = parse("One two. Three.")
    assert PieceSet.of(prompt, "unit").means([1, 2, 3, 4, 6]) == [2, 5]


# --- pins ---


@fast
@given(prompts, rules, seeds)
def test_pins_are_obeyed(text: str, asked: dict[str, Any], seed: int) -> None:
    prompt = parse(text)
    pins = pins_for(prompt, seed)
    pieces = PieceSet.of(prompt, **asked, pins=pins)
    for kept in (some(pieces, seed), [], range(len(pieces))):
        mask = pieces.settle(kept)
        assert all(mask[i] == keep for i, keep in pins.items())


def test_a_pin_inside_a_guard_breaks_it_and_is_told() -> None:
    prompt = parse("Be kind. Do not guess names. Be brief.")
    word = next(i for i, token in enumerate(prompt.tokens) if token.text == "guess")
    pieces = PieceSet.of(prompt, "unit", pins={word: True})
    mask = pieces.settle([])
    assert prompt.render(mask) == "guess"
    assert [prompt.units[u].guard for u in pieces.broken(mask)] == [True]
    assert pieces.broken(pieces.settle(range(len(pieces)))) == []
    dropped = PieceSet.of(prompt, "unit", pins={word: False})
    mask = dropped.settle(range(len(dropped)))
    assert "Do not names." in prompt.render(mask) and len(dropped.broken(mask)) == 1


def test_a_pin_keeps_the_frames_around_it() -> None:
    prompt = parse("Sort.\n\nQ: one two\nA: yes\n\nQ: three four\nA: no\n\nQ: five\nA:")
    word = next(i for i, token in enumerate(prompt.tokens) if token.text == "three")
    assert prompt.render(PieceSet.of(prompt, "unit", pins={word: True}).settle([])) == "Q: three\nA: no"


# --- mistakes ---


@pytest.mark.parametrize("text", ['[{}, {"x": null}, {}]', '[{"a": 1, "b": [2]}, {"a": 3, "b": [4]}, {"a": 5}]'])
@pytest.mark.parametrize("granularity", ["unit", "token"])
def test_a_pinned_member_of_a_row_stays_valid_json(text: str, granularity: str) -> None:
    prompt = parse(text)
    for unit in prompt.units:
        if unit.kind == "member":
            pins = {i: True for i in range(unit.first, unit.last)}
            left = json.loads(prompt.render(PieceSet.of(prompt, granularity, pins=pins).settle([])))
            assert left == [json.loads("{" + text[unit.start : unit.end] + "}")]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"granularity": "word"}, "granularity 'word'"),
        ({"least": 1.5}, "least share"),
        ({"least_demonstration": -0.1}, "least share"),
        ({"pins": {9: True}}, "Token 9 is pinned"),
    ],
)
def test_wrong_settings(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        PieceSet.of(parse("One two."), **wrong)


SHORT_DEMONSTRATIONS = (
    "".join(f"Question: The pump is quiet.\nAnswer: {a}\n\n" for a in ("yes 0", "yes 1")) + "Question:"
)


@example(SHORT_DEMONSTRATIONS, {"granularity": "token", "guards": False, "least": 0.5, "least_demonstration": 0.6}, 0)
@fast
@given(prompts, rules, seeds)
def test_any_number_of_first_bundles_is_a_sound_mask(text: str, asked: dict[str, Any], seed: int) -> None:
    """What a slider needs that shows all lengths: each mask holds the one before."""
    prompt = parse(text)
    pieces = PieceSet.of(prompt, **asked, pins=pins_for(prompt, seed))
    chance = random.Random(seed)
    scores = [chance.random() for _ in range(len(pieces))]
    first = fill(pieces, scores, chance.randrange(1, len(prompt) + 1))
    bundles = nested(pieces, scores, first)
    mask, picked = pieces.settle([]), []
    masks = [mask]
    for bundle in bundles:
        assert not any(mask[i] for i in bundle.tokens)
        mask = [keep or i in bundle.tokens for i, keep in enumerate(mask)]
        picked += bundle.pieces
        masks.append(mask)
        assert mask == pieces.settle(picked)
        assert bundle.cost == len(bundle.tokens)
    assert sorted(picked) == list(range(len(pieces)))
    assert pieces.settle(first) in masks


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("as_lines", [False, True])
def test_short_records_in_a_list_are_rows_and_large_ones_have_members(indent: int | None, as_lines: bool) -> None:
    def texts(found: list[dict[str, Any]]) -> list[str]:
        text = "\n".join(map(json.dumps, found)) if as_lines else json.dumps(found, indent=indent)
        prompt = parse(text)
        return [prompt.render(PieceSet.of(prompt).settle([p])) for p in range(len(PieceSet.of(prompt)))]

    rows = [{"id": i, "name": f"n{i}"} for i in range(3)]
    assert [json.loads(text) for text in texts(rows)] == [row if as_lines else [row] for row in rows]
    few = [json.loads(text) for text in texts(rows[:2])]
    assert len(few) == 4 and all(len(each if as_lines else each[0]) == 1 for each in few)
    large = [{"id": i, "text": "word " * 200} for i in range(3)]
    assert len(texts(large)) == 6
