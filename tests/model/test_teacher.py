"""The teacher: shots and tokens in their order, masks that meet their budgets, the best candidate wins."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import model.teacher.search
from model.data.fewshot import Dataset, Example, FewShot, draw, load_dataset
from model.llm.causal import Target
from model.teacher.proposals import head_first
from model.teacher.score import Case, score
from model.teacher.search import (
    EXPLORED,
    Scorer,
    best_first,
    candidates,
    explore,
    label,
    left_to_right_pruning,
    random_pruning,
    rank_shots,
    swap,
    threshold_accept,
    token_orders,
)
from tests.support.scoring import SMALL, scorer_for

# --- the three stages --------------------------------------------------------------------------------------


@pytest.mark.parametrize("shots", [1, 2, 3, 5])
def test_shots_are_ranked_by_what_they_are_worth(tiny_target: Target, data: Path, shots: int) -> None:
    scorer = scorer_for(tiny_target, data, "agnews", shots=shots)
    of = [t.part for t in scorer.case.prompt.tokens]
    count = len(scorer.case.prompt.parts)
    ranking = rank_shots(scorer)
    assert scorer.calls == (2 * count if 2 < count <= 4 else count)
    alone = [scorer([o == s for o in of]) for s in range(count)]
    without = [scorer([o != s for o in of]) if 2 < count <= 4 else 0.0 for s in range(count)]
    worth = [a - w for a, w in zip(alone, without, strict=True)]
    assert [worth[s] for s in ranking] == sorted(worth, reverse=True)


@pytest.mark.parametrize("gate_steps", [0, 1, 2])
@pytest.mark.parametrize("name", ["sst-2", "gsm8k"])
def test_candidates_have_exactly_the_budget_and_fill_up_shot_by_shot(
    tiny_target: Target, data: Path, name: str, gate_steps: int
) -> None:
    scorer = scorer_for(tiny_target, data, name, replace(SMALL, gate_steps=gate_steps), shots=4)
    case, n = scorer.case, len(scorer.case.prompt)
    orders = token_orders(scorer)
    assert len(orders) == 1 + (gate_steps > 0) * (1 + (name == "sst-2"))
    ranking = random.Random(0).sample(range(len(case.prompt.parts)), len(case.prompt.parts))
    of = [t.part for t in case.prompt.tokens]
    sizes = Counter(of)
    for budget in range(1, n + 1):
        found = candidates(case, ranking, orders, budget)
        assert found and len({tuple(keep) for _, keep in found}) == len(found)
        for source, keep in found:
            assert sum(keep) == budget
            kept = Counter(o for o, k in zip(of, keep, strict=True) if k)
            whole = int(source.split()[0])
            for place, shot in enumerate(ranking):
                if place >= whole and kept[shot]:  # only where the shots before it do not fill the budget
                    assert all(kept[s] == sizes[s] for s in ranking[:place])


def test_the_frame_and_the_answers_go_last(tiny_target: Target, data: Path) -> None:
    scorer = scorer_for(tiny_target, data, "sst-2", replace(SMALL, gate_steps=0), seed=4)
    case = scorer.case
    order = token_orders(scorer)["head"]
    for token, value in zip(case.prompt.tokens, order.tolist(), strict=True):
        (a, b), (c, d) = case.fields[token.part].text, case.fields[token.part].answer
        if a <= token.start < b:
            assert -1 < value <= 0
        else:
            assert value == (4 if c <= token.start < d else 3)
    first = [v for t, v in zip(case.prompt.tokens, order.tolist(), strict=True) if t.part == 0]
    inside = [v for v in first if v <= 0]
    assert inside == sorted(inside, reverse=True) and len(set(inside)) == len(inside)


def test_of_a_worked_answer_the_result_goes_last(data: Path) -> None:
    rows = load_dataset(data, "gsm8k")
    case = Case.of(draw(rows, random.Random(0), shots=2), rows)
    order = head_first(case).tolist()
    for field in case.fields:
        answer = case.prompt.text[slice(*field.answer)]
        result = field.answer[0] + answer.rindex("\n")
        values = {t.start: v for t, v in zip(case.prompt.tokens, order, strict=True) if t.start >= field.answer[0]}
        inside = {start: v for start, v in values.items() if start < field.answer[1]}
        early, late = ([v for start, v in inside.items() if (start >= result) == side] for side in (False, True))
        assert early and late and min(late) > max(early) and early == sorted(early, reverse=True)


@pytest.mark.parametrize("threshold", [0.0, 0.5])
def test_threshold_accepting_never_returns_worse_than_it_began(
    tiny_target: Target, data: Path, threshold: float
) -> None:
    config = replace(SMALL, swaps=8, threshold=threshold)
    scorer = scorer_for(tiny_target, data, "sst-2", config)
    n = len(scorer.case.prompt)
    gains = []
    for seed in range(4):
        rng = random.Random(seed)
        keep = [i in rng.sample(range(n), n // 3) for i in range(n)]
        value = scorer(keep)
        best, best_value = threshold_accept(scorer, keep, value, config, rng)
        assert sum(best) == sum(keep)
        assert best_value == scorer(best) >= value
        gains.append(best_value - value)
    assert max(gains) > 0.01
    before = scorer.calls
    assert threshold_accept(scorer, keep, value, SMALL, rng) == (keep, value) and scorer.calls == before


@given(st.lists(st.booleans(), min_size=1, max_size=30), st.integers(0, 10_000), st.integers(1, 5))
def test_a_swap_moves_a_run_and_keeps_the_count(keep: list[bool], seed: int, longest: int) -> None:
    before = list(keep)
    after = swap(keep, random.Random(seed), longest)
    assert keep == before and sum(after) == sum(keep) and len(after) == len(keep)
    moved = sum(a != b for a, b in zip(keep, after, strict=True))
    assert 2 <= moved <= 2 * longest if any(keep) and not all(keep) else moved == 0


def nested(masks: dict[float, list[bool]]) -> bool:
    """Whether each mask keeps all that a smaller one keeps."""
    rising = [masks[r] for r in sorted(masks)]
    return all(b or not a for small, large in zip(rising, rising[1:], strict=False)
               for a, b in zip(small, large, strict=True))  # fmt: skip


@pytest.mark.parametrize("threshold", [0.0, 0.3])
def test_the_classic_reference_meets_its_budgets_with_nested_masks(
    tiny_target: Target, data: Path, threshold: float
) -> None:
    scorer = scorer_for(tiny_target, data, "sst-2", shots=2)
    n, levels = len(scorer.case.prompt), (0.01, 0.35, 0.2, 0.7, 1.0)
    for span in (1, 5):
        masks = left_to_right_pruning(scorer, levels, threshold, span)
        assert {r: sum(keep) for r, keep in masks.items()} == {r: max(1, round(r * n)) for r in levels}
        assert nested(masks)


def test_the_classic_reference_deletes_what_does_not_help(tiny_target: Target, data: Path) -> None:
    scorer = scorer_for(tiny_target, data, "sst-2", shots=2)
    n = len(scorer.case.prompt)
    keep = left_to_right_pruning(scorer, [1 - 1 / n])[1 - 1 / n]
    lost = keep.index(False)
    values = [scorer([i != j for i in range(n)]) for j in range(lost + 1)]
    assert values[lost] >= scorer([True] * n) > max(values[:lost], default=-99)


@given(st.integers(1, 60), st.lists(st.floats(0.01, 1), min_size=1, max_size=5), st.integers(0, 99))
def test_the_random_reference_meets_its_budgets_with_nested_masks(n: int, levels: list[float], seed: int) -> None:
    masks = random_pruning(n, levels, random.Random(seed))
    assert {r: sum(keep) for r, keep in masks.items()} == {r: max(1, round(r * n)) for r in levels}
    assert nested(masks)


# --- labels ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sst-2", "gsm8k"])
@pytest.mark.parametrize(
    "change", [{"gate_steps": 0}, {"gate_steps": 1, "label_free": True}, {"gate_steps": 2, "swaps": 3, "span": 6}]
)
def test_labelling_a_prompt(
    tiny_target: Target, data: Path, name: str, change: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    scored = []

    def counted(*arguments: Any) -> Tensor:
        scored.append(arguments)
        return score(*arguments)

    monkeypatch.setattr(model.teacher.search, "score", counted)
    config = replace(SMALL, retentions=(0.5, 0.03, 0.2), **change)
    scorer = scorer_for(tiny_target, data, name, config)
    n = len(scorer.case.prompt)
    found = label(scorer, config, random.Random(0))
    assert scorer.calls == len(scored) > 2
    assert {r: sum(keep) for r, keep in found.masks.items()} == {r: max(1, round(r * n)) for r in config.retentions}
    assert (found.full, found.zero) == (scorer([True] * n), scorer([False] * n))
    for tried in found.tried.values():
        assert tried == best_first(tried) and all(mask.score == scorer(mask.keep) for mask in tried)
    again = scorer_for(tiny_target, data, name, config)
    assert label(again, config, random.Random(0)) == found


def test_the_best_candidate_wins(tiny_target: Target, data: Path) -> None:
    config = replace(SMALL, gate_steps=0, retentions=(0.2, 0.6))
    for seed in range(3):
        scorer = scorer_for(tiny_target, data, "agnews", config, shots=4, seed=seed)
        found, n = label(scorer, config, random.Random(0)), len(scorer.case.prompt)
        ranking, orders = rank_shots(scorer), token_orders(scorer)
        for r in config.retentions:
            tried = candidates(scorer.case, ranking, orders, round(r * n))
            assert found.tried[r][0].score == max(scorer(keep) for _, keep in tried)
            assert sorted((mask.source, mask.keep) for mask in found.tried[r]) == sorted(tried)


@pytest.mark.parametrize("count", [1, 5, 40])
def test_exploring_scores_different_masks_of_two_lengths(tiny_target: Target, data: Path, count: int) -> None:
    config = replace(SMALL, samples=count)
    scorer = scorer_for(tiny_target, data, "sst-2", config, shots=3)
    n = len(scorer.case.prompt)

    def propose(case: Case, retention: float, rng: random.Random) -> Iterator[tuple[str, list[bool]]]:
        budget = max(1, round(retention * len(case.prompt)))
        for i in itertools.count():  # every other one is the first again
            kept = range(budget) if i % 2 == 0 else rng.sample(range(n), budget)
            yield f"{i}", [j in kept for j in range(n)]

    found = explore(scorer, propose, config, random.Random(1))
    assert len(found.tried) == 2 and scorer.calls == 2 + sum(map(len, found.tried.values()))
    for (low, high), (retention, tried) in zip(EXPLORED, found.tried.items(), strict=True):
        assert low <= retention <= high and tried == best_first(tried)
        assert len({tuple(mask.keep) for mask in tried}) == len(tried) <= count and "0" in {m.source for m in tried}
        assert {sum(mask.keep) for mask in tried} == {max(1, round(retention * n))}
        assert len(tried) == count or count == 40
        assert all(mask.score == scorer(mask.keep) for mask in tried)


def test_a_prompt_of_two_words_still_keeps_one(tiny_target: Target) -> None:
    rows = tuple(Example(f"r:{i}", word, "great" if i % 2 else "terrible", i % 2) for i, word in enumerate("abcdef"))
    pool = Dataset("toy", rows, ("terrible", "great"))
    case = Case.of(FewShot("toy", ("r:0",), 9, (0, 1)), pool)
    config = replace(SMALL, retentions=(0.05,))
    scorer = Scorer([tiny_target], case, pool.examples, config, random.Random(0))
    assert sum(label(scorer, config, random.Random(0)).masks[0.05]) == 1
