"""What masks leave out: kinds of tokens, masks of texts, drop rates by hand, and costs on a tiny target."""

from __future__ import annotations

import doctest
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import model.evaluation.align
import model.prompt.token_kinds
from model.errors import InputError
from model.evaluation.align import Masked, _common, mask_of
from model.evaluation.omissions.dropped import EVERYTHING, Drop, costly_omissions, dropped_more_than_chance
from model.evaluation.result_cache import ResultCache
from model.evaluation.tasks.task import EvaluationPrompt, Query, Task
from model.evaluation.text_score import TextScore, score_text
from model.llm.causal import Target
from model.prompt import parse
from model.prompt.token_kinds import KINDS, kinds_of_tokens
from tests.support.small_task import NEWS, SUMS, small_task

WORDS = ("World", "Sports")


def dropping(text: str, kinds: Sequence[str]) -> Masked:
    prompt = parse(text)
    return Masked(prompt, [kind not in kinds for kind in kinds_of_tokens(prompt, WORDS)])


def drops(masked: Sequence[Masked]) -> dict[str, Drop]:
    return {row.kind: row for row in dropped_more_than_chance(masked, WORDS).rows}


# --- kinds -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "token", "kind"),
    [
        ("It costs 3.50 today", "3.50", "number"),
        ("We met Ann there", "Ann", "name"),
        ("Ann was there", "Ann", "content word"),  # begins the sentence: cannot be told
        ('He said: "Ann was there"', "Ann", "content word"),
        ("I don’t know", "don’t", "negation"),
        ("Not now", "Not", "negation"),
        ("He left because it rained", "because", "connective"),
        ("Answer: 7", "Answer", "frame"),
        ("Answer: 7", ":", "frame"),
        ("x\n\n### Output\ny", "Output", "frame"),
        ("so 7\n#### 7", "####", "frame"),
        ("Answer: Sports", "Sports", "label"),
        ("We like Sports here", "Sports", "name"),
        ("3 - 4", "-", "operator"),
        ("48 / 2", "/", "operator"),
        ("a = b", "=", "operator"),
        ("a well-known fact", "well-known", "content word"),
        ("a 13-year wait", "13-year", "number"),
        ("this and/or that", "and/or", "content word"),
        ("Yes, and no", ",", "punctuation"),
        ("one\n\ntwo", "\n\n", "line break"),
        ("the old boat", "the", "function word"),
        ("the old boat", "boat", "content word"),
        ("der Fluß ist 深い", "深い", "content word"),
    ],
)
def test_the_kind_of_a_token(text: str, token: str, kind: str) -> None:
    prompt = parse(text)
    i = next(t for t in range(len(prompt)) if prompt.tokens[t].text == token)
    assert kinds_of_tokens(prompt, WORDS)[i] == kind


@given(st.text(min_size=1, max_size=60).filter(lambda t: not t.isspace()))
def test_every_token_of_any_text_has_a_kind(text: str) -> None:
    prompt = parse(text)
    kinds = kinds_of_tokens(prompt, ["a"])
    assert len(kinds) == len(prompt) and set(kinds) <= set(KINDS)


# --- masks of texts ----------------------------------------------------------------------------------------


@given(st.lists(st.booleans(), min_size=15, max_size=15).filter(any))
def test_a_rendered_mask_is_found_again(mask: list[bool]) -> None:
    prompt = parse("the cat sat on the mat, and the dog sat on the cat.")
    found = mask_of(prompt, prompt.render(mask))
    assert found.matched == 1 and prompt.render(found.keep) == prompt.render(mask)
    prompt = parse("one two three four five six seven (eight) 9 ten, eleven")
    assert len(prompt) == 14 and mask_of(prompt, prompt.render(mask[:14])).keep == mask[:14]


@given(st.text("abc", max_size=12), st.text("abcd", max_size=12))
def test_the_subsequence_is_a_longest_one(have: str, wanted: str) -> None:
    table = np.zeros((len(have) + 1, len(wanted) + 1), dtype=int)
    for i, a in enumerate(have):
        for j, b in enumerate(wanted):
            table[i + 1, j + 1] = table[i, j] + 1 if a == b else max(table[i, j + 1], table[i + 1, j])
    found = _common(have, wanted)
    assert len(found) == table[-1, -1] and found == sorted(set(found))
    rest = iter(wanted)
    assert all(have[i] in rest for i in found)


def test_words_of_the_methods_own_do_not_match() -> None:
    found = mask_of(parse(NEWS), "Rain in 2 cities: World")
    assert found.matched == 4 / 6 and sum(found.keep) == 4
    assert mask_of(parse(NEWS), " \n ").keep == [False] * len(parse(NEWS))


def test_texts_too_long_to_align_are_an_input_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model.evaluation.align, "MOST_EQUAL_PAIRS", 8)
    assert mask_of(parse("a a a a b"), "a a").matched == 1
    with pytest.raises(InputError, match="share 12 pairs: too long to align"):
        mask_of(parse("a a a a b"), "a a a")


# --- dropped more often than chance ------------------------------------------------------------------------


def test_drop_rates_of_a_case_computed_by_hand() -> None:
    # 2 of 6 tokens are dropped, both numbers; of the others 1 of 3, no number. Chance drops 2/6 of 3 and 1/3 of 1.
    first = Masked(parse("a 1 b 2 c 3"), [True, False, True, False, True, True])
    rows = drops([first, Masked(parse("4 a b"), [True, True, False])])
    number = rows["number"]
    assert (number.tokens, number.prompts, number.dropped) == (4, 2, 0.5)
    assert number.chance.mean == pytest.approx((3 * 2 / 6 + 1 / 3) / 4)
    assert number.ratio is not None and number.ratio.mean == pytest.approx(2 / (3 * 2 / 6 + 1 / 3))
    assert sum(row.tokens * row.chance.mean for row in rows.values()) == pytest.approx(3)  # as many as were dropped


def test_planted_omissions_are_found_and_chance_is_not() -> None:
    texts = [SUMS.replace("apples", f"{fruit} trees") for fruit in ("pear", "fig", "lime", "plum")]
    rows = drops([dropping(text, ["number", "operator"]) for text in texts])
    assert {kind for kind, row in rows.items() if row.verdict == "more"} == {"number", "operator"}
    assert rows["frame"].verdict == rows["content word"].verdict == "less"
    rng = random.Random(0)
    masks = [Masked(parse(SUMS), rng.sample([True, False] * 40, len(parse(SUMS)))) for _ in range(30)]
    assert sum(bool(row.verdict) for row in drops(masks).values()) <= 1


def test_chance_is_that_of_random_masks() -> None:
    rng, prompt = random.Random(0), parse(NEWS)
    mask = dropping(NEWS, ["function word", "punctuation", "name"]).keep
    kinds = np.array(kinds_of_tokens(prompt, WORDS))
    shares = [1 - np.array(rng.sample(list(mask), len(mask)))[kinds == "frame"].mean() for _ in range(4000)]
    chance = drops([Masked(prompt, mask)])["frame"].chance
    assert chance.mean == pytest.approx(np.mean(shares), abs=0.01)
    assert (chance.low, chance.high) == pytest.approx(np.percentile(shares, [2.5, 97.5]), abs=1 / 8)  # of 8 tokens


def test_a_kind_of_one_prompt_has_no_interval_and_no_verdict() -> None:
    rows = drops([dropping(SUMS, ["operator"]), dropping("a boat, a tree", ["punctuation"])])
    operator = rows["operator"]
    assert operator.prompts == 1 and operator.ratio is not None and operator.ratio.low is None
    assert operator.verdict == "" and operator.dropped > (operator.chance.high or 1)
    assert drops([dropping(SUMS, [])])["number"].ratio is None  # nothing is dropped


def test_few_tokens_that_are_all_dropped_prove_nothing() -> None:
    rows = drops([dropping(f"a boat and {n} tree, a man", ["number", "content word", "function word"]) for n in (1, 2)])
    assert rows["number"].ratio is not None and (rows["number"].ratio.low or 0) > 1 and rows["number"].verdict == ""


def test_a_drop_report_as_table_and_json() -> None:
    report = dropped_more_than_chance([dropping(NEWS, ["name"]), dropping(NEWS, ["name", "frame"])], WORDS)
    lines = report.table().split("\n")
    assert lines[2].startswith("| name") and "2 prompts" not in lines[0] and "random masks" in lines[-1]
    first = json.loads(json.dumps(report.to_json()))["drops"][0]
    assert first["kind"] == "name" and first["dropped"] == 1 and len(first["ratio"]) == 4


def test_masks_that_fit_no_prompt_are_an_input_error() -> None:
    with pytest.raises(InputError, match="a mask of 1 entries for 2 prompt tokens"):
        Masked(parse("a b"), [True])
    with pytest.raises(InputError, match="no masks to report on"):
        dropped_more_than_chance([])


# --- what it costs -----------------------------------------------------------------------------------------


def half(text: str) -> Masked:
    prompt = parse(text)
    return Masked(prompt, [i % 2 == 0 for i in range(len(prompt))])


def nll(task: Task, target: Target, text: str) -> TextScore:
    return score_text(task, target, text, None, ResultCache())


@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize("by", ["kind", "shot"])
def test_a_gain_is_the_fall_of_the_nll(tiny_target: Target, labelled: bool, by: str) -> None:
    task, masked = small_task(labelled), [half(NEWS), half(SUMS)]
    report = costly_omissions(task, tiny_target, masked, by)
    rows = {row.group: row for row in report.rows}
    short = [nll(task, tiny_target, each.prompt.render(each.keep)).nll for each in masked]
    full = [nll(task, tiny_target, text).nll for text in (NEWS, SUMS)]
    everything = rows[EVERYTHING]
    assert everything.gain.mean == pytest.approx(np.mean(short) - np.mean(full), abs=1e-9)
    assert everything.tokens == sum(list(each.keep).count(False) for each in masked)
    assert everything.gain.n == 8 and everything.per_thousand.mean == pytest.approx(
        everything.gain.mean * 2000 / everything.tokens
    )
    group = "number" if by == "kind" else "shot 2"
    back = []
    for each, before in zip(masked, short, strict=True):
        shots = [f"shot {i + 1}" for i in each.prompt.part_of]
        groups = kinds_of_tokens(each.prompt, task.labels) if by == "kind" else shots
        if group in [g for g, keep in zip(groups, each.keep, strict=True) if not keep]:
            keep = [k or g == group for k, g in zip(each.keep, groups, strict=True)]
            back.append(before - nll(task, tiny_target, each.prompt.render(keep)).nll)
    assert rows[group].gain.mean == pytest.approx(np.mean(back), abs=1e-9) and rows[group].prompts == len(back)
    gains = [row.gain.mean for row in report.rows]
    assert gains == sorted(gains, reverse=True) and max(map(abs, gains)) > 1e-3


def test_a_limit_leaves_the_last_groups_out_and_a_rerun_goes_on(
    tiny_target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, masked, seen = small_task(True), [half(NEWS), half(SUMS)], []
    score = Task.score

    def counting(self: Task, target: Target, text: str, **options: Any) -> Any:
        seen.append(text)
        return score(self, target, text, **options)

    def progress(items: Any, total: int, **_: Any) -> Any:
        assert total == len(items)
        return items

    monkeypatch.setattr(Task, "score", counting)
    path = tmp_path / "cells.jsonl"
    few = costly_omissions(task, tiny_target, masked, cells=ResultCache(path), progress=progress, limit=2)
    assert len(few.rows) == 2 and few.left_out > 0 and len(seen) == 3
    assert f"{few.left_out} groups were not measured" in few.table()
    every = costly_omissions(task, tiny_target, masked, cells=ResultCache(path, resume=True))
    texts = len(seen)
    assert len(set(seen)) == texts and every.left_out == 0
    again = costly_omissions(task, tiny_target, masked, cells=ResultCache(path, resume=True))
    assert len(seen) == texts and again == every
    record = json.loads(json.dumps(every.to_json()))
    assert record["rows"][0]["group"] == every.rows[0].group and len(record["rows"][0]["gain"]) == 4


def test_prompts_with_queries_of_their_own_are_asked_those(tiny_target: Target) -> None:
    own = [(Query("Who won?\nAnswer:", "Ann", None),), (Query("How many?\nAnswer:", "7", None),)]
    prompts = [EvaluationPrompt(i, text, queries=own[i]) for i, text in enumerate((NEWS, SUMS))]
    task = Task("jsonl", tuple(prompts), (), ())
    row = next(r for r in costly_omissions(task, tiny_target, [half(SUMS)]).rows if r.group == EVERYTHING)
    short = half(SUMS).prompt.render(half(SUMS).keep)
    wanted = [score_text(task, tiny_target, text, prompts[1], ResultCache()).nll for text in (short, SUMS)]
    assert row.gain.mean == pytest.approx(float((wanted[0] - wanted[1])[0]))
    with pytest.raises(InputError, match="is none of the task's"):
        costly_omissions(task, tiny_target, [half("another text, quite")])


def test_nothing_to_put_back_is_an_input_error(tiny_target: Target) -> None:
    with pytest.raises(InputError, match="drop nothing"):
        costly_omissions(small_task(True), tiny_target, [dropping(NEWS, [])])
    for options in ({"by": "word"}, {"limit": 0}):
        with pytest.raises(InputError, match="by: kind or shot"):
            costly_omissions(small_task(True), tiny_target, [half(NEWS)], **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("module", [model.evaluation.align, model.prompt.token_kinds])
def test_examples(module: Any) -> None:
    names = vars(module) | {"parse": parse}
    assert doctest.testmod(module, extraglobs=names).failed == 0
