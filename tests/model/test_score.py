"""s(z) against plain passes of the target, and prompts that come as text."""

from __future__ import annotations

import doctest
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import model.teacher.gates
import model.teacher.score
from model.data.fewshot import TEMPLATES, FewShot, draw, load_dataset
from model.errors import InputError
from model.llm.answers import greedy_answers
from model.llm.causal import Target
from model.teacher.score import QUERY_JOIN, Case, first_subwords, full_prompt_goals, score
from model.teacher.search import Scorer, held_out
from tests.support.scoring import SMALL, scorer_for

KINDS = ("sst-2", "agnews", "gsm8k")


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
    prefix = [*target.bos, *target.encode(text + QUERY_JOIN if text else "")]
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
    first, *more = some_masks(len(scorer.case.prompt), 20)
    masks = [first, *(keep for keep in more if not all(keep))]
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
    whole = tiny_target.encode(scorer.case.prompt.text.strip() + QUERY_JOIN)
    with torch.no_grad():
        own = greedy_answers(tiny_target, tiny_target.read(whole), goals.queries, model.teacher.score.ANSWER_SUBWORDS)
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
    assert [s.start for s in got.prompt.parts] == [s.start for s in want.prompt.parts]
    assert [(f.start, f.text, f.answer) for f in got.fields] == [(f.start, f.text, f.answer) for f in want.fields]
    assert [text[slice(*f.answer)] for f in got.fields] == [loaded[row].answer for row in shot.rows]
    example = loaded.examples[0]
    assert got.shot.query(example) == replace(shot, max_words=len(example.text.split(" "))).query(example)


def test_a_text_by_another_template_is_refused(data: Path) -> None:
    loaded = load_dataset(data, "sst-2")
    text = draw(loaded, random.Random(0), template=0).render(loaded)
    with pytest.raises(InputError, match="the demonstration at character 0 has no 'Label:'"):
        Case.of_text(text, "sst-2", 3, loaded.labels or ())


def test_docstring_examples() -> None:
    results = doctest.testmod(model.teacher.score)
    assert results.attempted > 0 and results.failed == 0
    results = doctest.testmod(model.teacher.gates, extraglobs={"torch": torch})
    assert results.attempted > 0 and results.failed == 0
