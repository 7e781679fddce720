"""The teacher: s(z) and its gradients against plain passes of the target, masks that meet their budgets."""

from __future__ import annotations

import doctest
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from toy_rows import write_data

import model.score
import model.teacher
from model.answers import greedy_answers
from model.data import TEMPLATES, Dataset, Example, FewShot, draw, load_dataset
from model.errors import InputError
from model.gates import gate_gradient, gate_search, soft_top_k
from model.prompt import parse
from model.proposals import head_first
from model.score import JOIN, Case, first_subwords, full_prompt_goals, read, score
from model.targets import Target
from model.teacher import (
    Labelled,
    Scorer,
    TeacherConfig,
    candidates,
    classic_ta_pruning,
    held_out,
    label,
    random_pruning,
    rank_shots,
    swap,
    threshold_accept,
    token_orders,
)

SMALL = TeacherConfig(queries=4, gate_steps=2, gate_queries=4)
KINDS = ("sst-2", "agnews", "gsm8k")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data"))


def scorer_for(
    target: Target, data: Path, name: str, config: TeacherConfig = SMALL, shots: int = 3, seed: int = 0
) -> Scorer:
    loaded = load_dataset(data, name)
    shot = draw(loaded, random.Random(seed), shots=shots, template=seed % len(TEMPLATES))
    return Scorer([target], Case.of(shot, loaded), held_out(shot, loaded), config, random.Random(seed))


def some_masks(n: int, count: int, seed: int = 0) -> list[list[bool]]:
    """Random masks of every length."""
    rng = random.Random(seed)
    masks = [[rng.random() < share for _ in range(n)] for share in (rng.random() for _ in range(count))]
    return [[True] * n, [False] * n, *masks]


# --- s(z) --------------------------------------------------------------------------------------------------


def by_hand(target: Target, scorer: Scorer, keep: Sequence[bool]) -> float:
    """s(z) from one ordinary pass per query over the whole text."""
    case, goals = scorer.case, scorer.goals[0]
    text = case.prompt.render(keep).strip()
    prefix = [*target.bos, *target.encode(text + JOIN if text else "")]
    rows = []
    for i, query in enumerate(goals.queries):
        answer = goals.answers[i] if goals.answers else []
        logits = target.model(torch.tensor([[*prefix, *query, *answer]])).logits[0]
        table = torch.log_softmax(logits, -1)
        at = len(prefix) + len(query) - 1
        rows.append(
            torch.stack([table[at + k, t] for k, t in enumerate(answer)]).mean() if answer else table[at, goals.labels]
        )
    values = torch.stack(rows)
    if goals.weights is None:
        return float(values.mean())
    odds = (values - values.mean(0)).exp()
    return float((odds / odds.sum(1, keepdim=True)).log()[goals.weights.bool()].mean())


@pytest.mark.parametrize("name", KINDS)
def test_the_mask_that_scores_higher_is_the_one_the_target_answers_better_after(
    any_target: Target, data: Path, name: str
) -> None:
    scorer = scorer_for(any_target, data, name)
    masks = some_masks(len(scorer.case.prompt), 12)
    got = [scorer(keep) for keep in masks]
    with torch.no_grad():
        want = [by_hand(any_target, scorer, keep) for keep in masks]
    assert max(want) - min(want) > 0.05
    assert got == pytest.approx(want, abs=1e-3)
    assert got.index(max(got)) == want.index(max(want))
    assert scorer.calls == len(masks)


def test_queries_are_of_the_task_and_not_shown(data: Path) -> None:
    loaded = load_dataset(data, "agnews")
    classes = (0, 1, 3)
    shot = FewShot("agnews", tuple(e.row for e in loaded.examples if e.label in classes)[1:6:2], 0, classes)
    asked = held_out(shot, loaded)
    assert {e.label for e in asked} == set(classes)
    assert not {e.row for e in asked} & set(shot.rows)
    assert len(asked) == sum(e.label != 2 for e in loaded.examples) - len(shot.rows)


def test_several_targets_count_the_same(tiny_target: Target, data: Path) -> None:
    scorer = scorer_for(tiny_target, data, "sst-2")
    other = scorer_for(tiny_target, data, "sst-2", seed=1)
    keep = some_masks(len(scorer.case.prompt), 1)[-1]
    both = [scorer.goals[0], other.goals[0]]
    with torch.no_grad():
        alone = [score([tiny_target], [goals], scorer.case.prompt, keep) for goals in both]
        assert score([tiny_target] * 2, both, scorer.case.prompt, keep) == pytest.approx(float(sum(alone)) / 2)


@pytest.mark.parametrize("name", ["sst-2", "agnews"])
def test_label_free_no_mask_scores_above_the_full_prompt(tiny_target: Target, data: Path, name: str) -> None:
    scorer = scorer_for(tiny_target, data, name, replace(SMALL, label_free=True))
    wanted = scorer.goals[0].weights
    assert wanted is not None
    entropy = -(wanted * wanted.log()).sum(1).mean()
    masks = some_masks(len(scorer.case.prompt), 20)
    full, *others = [scorer(keep) for keep in masks]
    assert full == pytest.approx(-float(entropy), abs=1e-5)
    assert max(others) < full - 1e-4
    gold = scorer_for(tiny_target, data, name)
    assert max(gold(keep) for keep in masks) > gold(masks[0])  # which gold answers do allow


def test_label_free_goals_of_free_answers_are_what_the_target_says(tiny_target: Target, data: Path) -> None:
    scorer = scorer_for(tiny_target, data, "gsm8k")
    asked = scorer.pool[:3]
    with torch.no_grad():
        goals = full_prompt_goals(tiny_target, scorer.case, asked)
    whole = tiny_target.encode(scorer.case.prompt.text.strip() + JOIN)
    with torch.no_grad():
        own = greedy_answers(tiny_target, tiny_target.read(whole), goals.queries, model.score.ANSWER_SUBWORDS)
    assert goals.answers is not None and goals.weights is None
    assert [tiny_target.tokenizer.decode(a) for a in goals.answers] == [f" {answer or '?'}" for answer in own]


def test_labels_that_begin_alike_are_refused(tiny_target: Target) -> None:
    assert first_subwords(tiny_target, ("terrible", "great")) == [tiny_target.encode(w)[0] for w in (" t", " g")]
    with pytest.raises(InputError, match="llama begins two of the labels great, good with one subword"):
        first_subwords(tiny_target, ("great", "good"))


# --- prompts that come as text -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("template", [t for t, (before, _, _) in enumerate(TEMPLATES) if ":" in before])
def test_fields_found_in_a_text_are_those_it_was_written_with(data: Path, name: str, template: int) -> None:
    loaded = load_dataset(data, name)
    shot = draw(loaded, random.Random(template), shots=4, template=template)
    want = Case.of(shot, loaded)
    text = want.prompt.text.strip()
    got = Case.of_text(text, name, template, want.labels)
    assert [s.start for s in got.prompt.shots] == [s.start for s in want.prompt.shots]
    assert [(f.start, f.text, f.answer) for f in got.fields] == [(f.start, f.text, f.answer) for f in want.fields]
    assert [text[slice(*f.answer)] for f in got.fields] == [loaded[row].answer for row in shot.rows]
    example = loaded.examples[0]
    assert got.shot.query(example) == replace(shot, max_words=len(example.text.split(" "))).query(example)


def test_a_text_by_another_template_is_refused(data: Path) -> None:
    loaded = load_dataset(data, "sst-2")
    text = draw(loaded, random.Random(0), template=0).render(loaded)
    with pytest.raises(InputError, match="the demonstration at character 0 has no 'Label:'"):
        Case.of_text(text, "sst-2", 3, loaded.labels or ())


# --- gates -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["agnews", "gsm8k"])
def test_the_gate_gradient_is_a_finite_difference_of_the_score(any_target: Target, data: Path, name: str) -> None:
    scorer = scorer_for(any_target, data, name)
    prompt, n = scorer.case.prompt, len(scorer.case.prompt)
    keep = [i % 5 != 2 for i in range(n)]

    def at(change: Tensor) -> Tensor:
        with torch.no_grad():
            return score([any_target], scorer.goals, prompt, keep, torch.ones(n) + change)

    gradient = gate_gradient([any_target], scorer.goals, prompt, keep)
    assert all(gradient[i] == 0 for i in range(n) if not keep[i])
    assert at(torch.zeros(n)) == pytest.approx(scorer(keep), abs=1e-4)
    steps = 0.02 * torch.eye(n)
    for i in gradient.abs().topk(4).indices.tolist():
        assert (at(steps[i]) - at(-steps[i])) / 0.04 == pytest.approx(float(gradient[i]), rel=0.05, abs=2e-4)


@pytest.mark.parametrize("dropped", [(3, 7), (0, 1, 5), (9, 10, 11)])
def test_a_gate_weighs_the_subwords_that_end_in_its_token(any_target: Target, dropped: tuple[int, ...]) -> None:
    prompt = parse("\n\nArticle: The  team won 2,000 games .\nAnswer: Sports\n\n")
    n = len(prompt)
    keep = [i not in dropped for i in range(n)]
    gates = torch.arange(1, n + 1) / (n + 1)
    with torch.no_grad():
        bias = read(any_target, prompt, keep, gates).bias
    text, places = prompt.layout(keep)
    body, shift = text.strip(), len(text) - len(text.lstrip())
    _, offsets = any_target.encode_with_offsets(body + JOIN)
    owners = (bias.exp() * (n + 1) - 1).round().int().tolist()
    assert owners[: len(any_target.bos)] == [n] * len(any_target.bos)  # a gate of 1
    assert len(owners) == len(any_target.bos) + len(offsets)
    for (_, end), owner in zip(offsets, owners[len(any_target.bos) :], strict=True):
        ends = [i for i, a, b in places if a < end + shift <= b]
        assert owner == (ends[0] if ends else next((i for i, a, _ in places if end + shift <= a), places[-1][0]))


@given(
    st.lists(st.floats(-8, 8, width=32), min_size=1, max_size=40), st.floats(0.01, 1), st.floats(0.05, 2)
)
def test_soft_top_k_adds_up_to_k_and_keeps_the_order(values: list[float], share: float, temperature: float) -> None:
    logits = torch.tensor(values, requires_grad=True)
    gates = soft_top_k(logits, share * len(values), temperature)
    assert float(gates.detach().sum()) == pytest.approx(min(share * len(values), len(values) - 0.5), rel=1e-3, abs=1e-3)
    assert ((gates >= 0) & (gates <= 1)).all()
    assert (gates.detach()[logits.detach().argsort()].diff() >= 0).all()
    gates.sum().backward()
    assert logits.grad is not None and logits.grad.isfinite().all() and (logits.grad > 0).any()


def test_cold_soft_top_k_is_top_k() -> None:
    logits = torch.randn(30, generator=torch.Generator().manual_seed(0))
    hard = torch.zeros(30).index_fill(0, logits.topk(11).indices, 1.0)
    assert torch.allclose(soft_top_k(logits, 11, 1e-3), hard, atol=0.05)


@pytest.mark.parametrize("name", ["sst-2", "gsm8k"])
def test_searched_gates_score_better_than_even_ones(tiny_target: Target, data: Path, name: str) -> None:
    scorer = scorer_for(tiny_target, data, name)
    prompt, n = scorer.case.prompt, len(scorer.case.prompt)
    logits = gate_search([tiny_target], lambda: scorer.goals, prompt, 0.3, steps=6)

    def soft(logits: Tensor) -> float:
        with torch.no_grad():
            gates = soft_top_k(logits, 0.3 * n, 0.35)
            return float(score([tiny_target], scorer.goals, prompt, [True] * n, gates))

    assert logits.shape == (n,) and not logits.requires_grad
    assert soft(logits) > soft(torch.zeros(n)) > soft(-logits)


# --- the three stages --------------------------------------------------------------------------------------


@pytest.mark.parametrize("shots", [1, 2, 3, 5])
def test_shots_are_ranked_by_what_they_are_worth(tiny_target: Target, data: Path, shots: int) -> None:
    scorer = scorer_for(tiny_target, data, "agnews", shots=shots)
    of = [t.shot for t in scorer.case.prompt.tokens]
    count = len(scorer.case.prompt.shots)
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
    ranking = random.Random(0).sample(range(len(case.prompt.shots)), len(case.prompt.shots))
    of = [t.shot for t in case.prompt.tokens]
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
        (a, b), (c, d) = case.fields[token.shot].text, case.fields[token.shot].answer
        if a <= token.start < b:
            assert -1 < value <= 0
        else:
            assert value == (4 if c <= token.start < d else 3)
    first = [v for t, v in zip(case.prompt.tokens, order.tolist(), strict=True) if t.shot == 0]
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
    masks = classic_ta_pruning(scorer, levels, threshold)
    assert {r: sum(keep) for r, keep in masks.items()} == {r: max(1, round(r * n)) for r in levels}
    assert nested(masks)


def test_the_classic_reference_deletes_what_does_not_help(tiny_target: Target, data: Path) -> None:
    scorer = scorer_for(tiny_target, data, "sst-2", shots=2)
    n = len(scorer.case.prompt)
    keep = classic_ta_pruning(scorer, [1 - 1 / n])[1 - 1 / n]
    lost = keep.index(False)
    values = [scorer([i != j for i in range(n)]) for j in range(lost + 1)]
    assert values[lost] >= scorer([True] * n) > max(values[:lost], default=-99)


@given(st.integers(1, 60), st.lists(st.floats(0.01, 1), min_size=1, max_size=5), st.integers(0, 99))
def test_the_random_reference_meets_its_budgets_with_nested_masks(n: int, levels: list[float], seed: int) -> None:
    masks = random_pruning(n, levels, random.Random(seed))
    assert {r: sum(keep) for r, keep in masks.items()} == {r: max(1, round(r * n)) for r in levels}
    assert nested(masks)


# --- labels ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("full", "zero", "value", "holds"),
    [
        (-0.5, -0.9, -0.7, True),  # worse than the full prompt, but better than none
        (-0.5, -0.9, -0.95, False),
        (-0.9, -0.5, -0.95, True),  # demonstrations harm, and the pruned ones no more than the full ones
        (-0.9, -0.5, -1.05, False),
    ],
)
def test_a_mask_holds_against_none_or_nearly_the_full_prompt(
    full: float, zero: float, value: float, holds: bool
) -> None:
    assert Labelled({}, {0.3: value}, full, zero, {}).holds(0.3) is holds
    assert Labelled({}, {0.3: value}, full, zero, {}).holds(0.3, margin=9.0)


@pytest.mark.parametrize("name", ["sst-2", "gsm8k"])
@pytest.mark.parametrize(
    "change", [{"gate_steps": 0}, {"gate_steps": 1, "label_free": True}, {"gate_steps": 2, "swaps": 3}]
)
def test_labelling_a_prompt(
    tiny_target: Target, data: Path, name: str, change: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    scored = []

    def counted(*arguments: Any) -> Tensor:
        scored.append(arguments)
        return score(*arguments)

    monkeypatch.setattr(model.teacher, "score", counted)
    config = replace(SMALL, retentions=(0.5, 0.03, 0.2), **change)
    scorer = scorer_for(tiny_target, data, name, config)
    n = len(scorer.case.prompt)
    found = label(scorer, config, random.Random(0))
    assert scorer.calls == len(scored) > 2
    assert {r: sum(keep) for r, keep in found.masks.items()} == {r: max(1, round(r * n)) for r in config.retentions}
    assert (found.full, found.zero) == (scorer([True] * n), scorer([False] * n))
    assert found.scores == {r: scorer(keep) for r, keep in found.masks.items()}
    assert set(found.source) == set(config.retentions)
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
            assert found.scores[r] == max(scorer(keep) for _, keep in tried)
            assert (found.source[r], found.masks[r]) in tried


def test_a_prompt_of_two_words_still_keeps_one(tiny_target: Target) -> None:
    rows = tuple(Example(f"r:{i}", word, "great" if i % 2 else "terrible", i % 2) for i, word in enumerate("abcdef"))
    pool = Dataset("toy", rows, ("terrible", "great"))
    case = Case.of(FewShot("toy", ("r:0",), 9, (0, 1)), pool)
    config = replace(SMALL, retentions=(0.05,))
    scorer = Scorer([tiny_target], case, pool.examples, config, random.Random(0))
    assert sum(label(scorer, config, random.Random(0)).masks[0.05]) == 1


def test_docstring_examples() -> None:
    results = doctest.testmod(model.score)
    assert results.attempted > 0 and results.failed == 0
    results = doctest.testmod(model.gates, extraglobs={"torch": torch})
    assert results.attempted > 0 and results.failed == 0
