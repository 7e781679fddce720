"""Evaluation: calibration and bootstrap against hand-computed cases, whole tiny runs, resuming."""

from __future__ import annotations

import doctest
import json
import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import model.evaluation.evaluate
import model.evaluation.metrics.bootstrap
import model.evaluation.tasks.task
import model.llm.answers
from model.errors import InputError
from model.evaluation.config import EvaluateConfig
from model.evaluation.evaluate import evaluate
from model.evaluation.methods.baselines import random_tokens
from model.evaluation.metrics.bootstrap import Bootstrap, calibrate, correct, gold_nll, log_softmax
from model.evaluation.tasks.load import load_task
from model.evaluation.tasks.sources import QUERY
from model.evaluation.tasks.task import EvaluationPrompt, Task
from model.llm.answers import cut, final_number, greedy_answers, same_final_number
from model.llm.causal import Target
from model.prompt import parse

WORDS = ("World", "Sports", "Business", "Tech")
RANDOM = ("random", "selective-context", "diffumask")
RUN: dict[str, Any] = {"compressors": {m: lambda text, r: random_tokens(text, r, 5) for m in RANDOM}}


def silent(items: Iterable[Any], **_: Any) -> Iterable[Any]:
    return items


@pytest.fixture
def agnews(tmp_path: Path) -> Path:
    folder = tmp_path / "agnews"
    folder.mkdir()
    rows = [f"Some news number {i} about {WORDS[i % 4].lower()} today\t{i % 4}" for i in range(24)]
    (folder / "test.tsv").write_text("\n".join(["sentence\tlabel", *rows]) + "\n", encoding="utf-8")
    prompts, peers = [], []
    for i in range(3):
        shots = "".join(f"Article: Old story {i} of {w}, told at length.\nAnswer: {w}\n\n" for w in WORDS)
        prompts.append(json.dumps({"prompt": shots + QUERY, "index": str(i)}))
        short = f"Old story {i} World\n\nOld story Sports\n\n{QUERY}"
        peers.append(json.dumps({"compressed_output": {"compressed_prompt": short}}))
    (folder / "prompts_1shot.jsonl").write_text("\n".join(prompts) + "\n", encoding="utf-8")
    (folder / "llmlingua2_xlmr_1shot.jsonl").write_text("\n".join(peers) + "\n", encoding="utf-8")
    return folder


@pytest.fixture
def gsm8k(tmp_path: Path) -> Path:
    folder = tmp_path / "gsm8k"
    folder.mkdir()
    for split in ("train", "test"):
        rows = [
            {"question": f"{split}: what is {i} + 2?", "answer": f"{i} + 2 = {i + 2}\n#### {i + 2}"} for i in range(12)
        ]
        text = "\n".join(json.dumps(row) for row in rows) + "\n"
        (folder / f"{split}.jsonl").write_text(text, encoding="utf-8")
    return folder


def config_for(data: Path, **changes: Any) -> EvaluateConfig:
    config = EvaluateConfig(
        data.name, data, "llama", ("full", "zero", "random", "diffumask"), (0.3, 0.6), prompts=2, queries=8
    )
    return replace(config, **changes)


# --- numbers -----------------------------------------------------------------------------------------------


def test_calibration_matches_a_case_computed_by_hand() -> None:
    # Odds of label 0 are 9:1 and 3:2. The mean log odds, log sqrt(9 * 1.5) = log sqrt(13.5), is the bias.
    log_probs = np.log(np.array([[0.9, 0.1], [0.6, 0.4]]))
    odds = [9 / math.sqrt(13.5), 1.5 / math.sqrt(13.5)]
    wanted = [[o / (1 + o), 1 / (1 + o)] for o in odds]
    np.testing.assert_allclose(np.exp(calibrate(log_probs)), wanted, rtol=1e-9)


def test_calibration_ignores_label_bias_and_mass_outside_the_labels() -> None:
    rng = np.random.default_rng(0)
    log_probs = rng.normal(size=(3, 8, 4))
    shifted = log_probs + np.array([2.0, 0, -1, 0.5]) + rng.normal(size=(3, 8, 1))
    np.testing.assert_allclose(calibrate(log_probs), calibrate(shifted), atol=1e-9)
    np.testing.assert_allclose(np.exp(log_softmax(log_probs)).sum(-1), 1)


def test_accuracy_and_nll_of_the_gold_label() -> None:
    log_probs = np.log(np.array([[[0.7, 0.3], [0.2, 0.8], [0.9, 0.1]]]))
    gold = np.array([0, 1, 1])
    np.testing.assert_allclose(gold_nll(log_probs, gold), -np.log([[0.7, 0.8, 0.1]]))
    assert correct(log_probs, gold).tolist() == [[1.0, 1.0, 0.0]]


def test_bootstrap_interval_holds_the_mean_and_is_reproducible() -> None:
    values = np.random.default_rng(1).normal(0.7, 0.4, size=(6, 40))
    interval = Bootstrap(6, 40, seed=3).interval(values)
    assert interval.mean == pytest.approx(values.mean())
    assert interval.low is not None and interval.high is not None
    assert interval.low < interval.mean < interval.high
    assert interval == Bootstrap(6, 40, seed=3).interval(values)
    assert interval != Bootstrap(6, 40, seed=4).interval(values)


def test_bootstrap_width_is_that_of_independent_queries() -> None:
    values = np.random.default_rng(2).normal(size=(1, 400))
    interval = Bootstrap(1, 400, seed=0).interval(values)
    assert interval.low is not None and interval.high is not None
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)


def test_paired_difference_is_narrower_than_the_methods_themselves() -> None:
    rng = np.random.default_rng(3)
    common = rng.normal(size=(5, 30))
    a, b = common + 0.1, common + rng.normal(scale=0.01, size=common.shape)
    bootstrap = Bootstrap(5, 30, seed=0)
    difference = bootstrap.difference(a, b)
    assert difference.low is not None and difference.high is not None
    assert 0.09 < difference.low < difference.mean < difference.high < 0.11
    assert bootstrap.difference(a, a).to_json() == [0.0, 0.0, 0.0]


def test_benefit_kept() -> None:
    full, zero = np.full((3, 5), 1.0), np.full((1, 5), 2.0)
    bootstrap = Bootstrap(3, 5, seed=0)
    half = bootstrap.benefit(zero, np.full((3, 5), 1.5), full)
    assert half is not None and half.to_json() == [0.5, 0.5, 0.5]
    assert bootstrap.benefit(full[:1], zero, zero) is None  # the full prompt is worse than none
    unsure = bootstrap.benefit(np.array([[2.0, 0, 2, 2, 2]]), full, full)
    assert unsure is not None and unsure.to_json() == [1.0, None, None]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("#### 42", 42),
        ("3 then\n#### $1,234.50 dollars 7", 1234.5),
        ("#### -3", -3),
        ("first 5, then 6.", 6),
        ("#### none, so 8", 8),
        ("none", None),
        ("", None),
    ],
)
def test_final_number(text: str, number: float | None) -> None:
    assert final_number(text) == number
    assert same_final_number(text, f"because\n#### {number}") is (number is not None)


def test_answers_end_at_a_blank_line_or_the_next_question() -> None:
    assert cut("\n\n a\nb\n\nc") == "a\nb"
    assert cut("a Question: b") == "a"


def test_examples() -> None:
    for module in (model.evaluation.metrics.bootstrap, model.llm.answers):
        assert doctest.testmod(module).failed == 0


# --- whole runs --------------------------------------------------------------------------------------------


def test_agnews_report(tiny_target: Target, agnews: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "report.json"
    methods = ("full", "zero", "random", "selective-context", "llmlingua2", "diffumask")
    report = evaluate(config_for(agnews, methods=methods, json=out), silent, target=tiny_target, **RUN)
    rows = {(row.method, row.retention): row for row in report.rows}
    budgets = [(m, r) for m in ("random", "selective-context") for r in (0.3, 0.6)]
    assert list(rows) == [
        *[("full", None), ("zero", None), *budgets, ("llmlingua2", None)],
        *[("diffumask", 0.3), ("diffumask", 0.6)],
    ]
    assert (rows["full", None].tokens, rows["full", None].subwords) == (1, 1)
    assert (rows["zero", None].tokens, rows["zero", None].prompts) == (0, 1)
    assert rows["random", 0.3].tokens == pytest.approx(0.3, abs=0.05)
    assert 0 < rows["llmlingua2", None].tokens < 0.5
    assert set(rows["random", 0.3].differences) == {"diffumask", "llmlingua2", "full", "zero"}
    assert set(rows["full", None].differences) == {"llmlingua2", "zero"}
    # The stand-in for diffumask is the same as "random", so the paired difference is exactly nothing.
    assert rows["random", 0.6].differences["diffumask"].to_json() == [0.0, 0.0, 0.0]
    assert list(rows["full", None].measures) == ["acc. raw", "NLL raw", "acc. cal.", "NLL cal."]
    assert json.loads(out.read_text("utf-8")) == json.loads(json.dumps(report.to_json()))
    table = report.table().splitlines()
    assert len({len(line) for line in table[:-2]}) == 1 and len(table) == 2 + len(rows) + 2
    assert "vs diffumask" in table[0] and "| 30%" in report.table()


def test_scores_are_those_of_the_joined_text(tiny_target: Target, agnews: Path) -> None:
    report = evaluate(config_for(agnews, methods=("full", "zero")), silent, target=tiny_target)
    task = load_task("agnews", agnews, 2, 8, 4, 0)
    first = [tiny_target.encode(f" {word}")[0] for word in WORDS]
    texts = [f"{prompt.context}\n\n" for prompt in task.prompts]
    for row, prefixes in zip(report.rows, (texts, [""]), strict=True):
        tables = [
            tiny_target.label_log_probs(
                tiny_target.read([]),
                [tiny_target.encode(p) + tiny_target.encode(q.text) for q in task.queries],
                first,
            ).numpy()
            for p in prefixes
        ]
        gold = np.array([query.label for query in task.queries])
        nll = gold_nll(calibrate(np.array(tables, dtype=float)), gold)
        measure = row.measures["NLL cal."]
        assert measure is not None and measure.mean == pytest.approx(nll.mean(), abs=1e-3)


def test_gsm8k_report_with_generated_answers(tiny_target: Target, gsm8k: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model.evaluation.tasks.task, "greedy_answers", lambda *args: greedy_answers(*args[:3], 5))
    config = config_for(gsm8k, generate=True, shots=3)
    report = evaluate(config, silent, target=tiny_target, **RUN)
    rows = {(row.method, row.retention): row for row in report.rows}
    assert set(rows["random", 0.3].measures) == {"NLL", "exact match", "benefit kept"}
    assert set(rows["random", 0.3].differences) == {"diffumask", "full", "zero"}
    assert "benefit kept" in report.table()
    full, zero = rows["full", None].measures["NLL"], rows["zero", None].measures["NLL"]
    kept = rows["random", 0.3].measures["benefit kept"]
    assert full is not None and zero is not None and (kept is None) == (zero.mean <= full.mean)


def test_prompts_and_queries_are_the_same_each_time(agnews: Path, gsm8k: Path) -> None:
    task = load_task("agnews", agnews, 2, 8, 4, 0)
    assert task == load_task("agnews", agnews, 2, 8, 4, 0)
    assert sorted(q.label or 0 for q in task.queries) == [0, 0, 1, 1, 2, 2, 3, 3]
    assert task.queries != load_task("agnews", agnews, 2, 8, 4, 1).queries
    assert all(q.text.startswith("Article: ") and q.text.endswith("\nAnswer:") for q in task.queries)
    assert task.prompts[0].context.endswith("Answer: Tech")
    task = load_task("gsm8k", gsm8k, 2, 8, 3, 0)
    assert task == load_task("gsm8k", gsm8k, 2, 8, 3, 0)
    assert len(parse(task.prompts[0].context).parts) == 3
    assert task.prompts[0] != task.prompts[1] and "test:" not in task.prompts[0].context


# --- resuming ----------------------------------------------------------------------------------------------


def count_scored(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    scored: list[str] = []
    score = Task.score

    def counting(self: Task, target: Target, text: str, *more: Any) -> Any:
        scored.append(text)
        return score(self, target, text, *more)

    monkeypatch.setattr(Task, "score", counting)
    return scored


def test_a_rerun_skips_finished_cells_and_gives_the_same_report(
    tiny_target: Target, agnews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored = count_scored(monkeypatch)
    config = config_for(agnews, json=tmp_path / "report.json")
    first = evaluate(config, silent, target=tiny_target, **RUN)
    assert len(scored) == 1 + 2 * 5
    with pytest.raises(InputError, match="--resume"):
        evaluate(config, silent, target=tiny_target, **RUN)
    again = evaluate(replace(config, resume=True), silent, target=tiny_target, **RUN)
    assert len(scored) == 11 and again.table() == first.table() and again.rows == first.rows

    cells = tmp_path / "report.json.cells.jsonl"
    lines = cells.read_text("utf-8").splitlines()
    cells.write_text("\n".join([*lines[:4], lines[4][:50]]), encoding="utf-8")  # cut off in writing
    third = evaluate(replace(config, resume=True), silent, target=tiny_target, **RUN)
    assert len(scored) == 11 + 7 and third.rows == first.rows
    evaluate(replace(config, resume=True), silent, target=tiny_target, **RUN)
    assert len(scored) == 18


@pytest.mark.parametrize("change", [{"seed": 1}, {"queries": 4}])
def test_cells_of_another_setting_are_not_used(
    tiny_target: Target, agnews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    scored = count_scored(monkeypatch)
    config = config_for(agnews, json=tmp_path / "report.json", methods=("zero", "random"))
    evaluate(config, silent, target=tiny_target)
    evaluate(replace(config, resume=True, **change), silent, target=tiny_target)
    assert len(scored) == 2 * (1 + 2 * 2)


def test_another_compressed_text_is_measured_anew(
    tiny_target: Target, agnews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored = count_scored(monkeypatch)
    config = config_for(agnews, json=tmp_path / "report.json", methods=("diffumask",))
    evaluate(config, silent, target=tiny_target, **RUN)
    other = {"diffumask": lambda text, r: text[:40] if r < 0.5 else random_tokens(text, r, 5)}
    evaluate(replace(config, resume=True), silent, target=tiny_target, compressors=other)
    assert len(scored) == 4 + 2


def test_the_teacher_is_asked_once_per_prompt(tiny_target: Target, agnews: Path, tmp_path: Path) -> None:
    asked: list[int] = []

    def teacher(text: str, retentions: Any, case: EvaluationPrompt) -> dict[float, str]:
        asked.append(case.index)
        assert text == case.context and case.labels == WORDS
        return {r: random_tokens(text, r, 9) for r in retentions}

    config = config_for(agnews, json=tmp_path / "report.json", methods=("teacher", "zero"))
    first = evaluate(config, silent, target=tiny_target, teacher=teacher)
    again = evaluate(replace(config, resume=True), silent, target=tiny_target, teacher=teacher)
    assert asked == [0, 1] and again.rows == first.rows


# --- mistakes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"task": "news"}, "unknown task 'news'; known: agnews, gsm8k"),
        ({"methods": ("full", "magic")}, "unknown method 'magic'; known: full, zero, random"),
        ({"methods": ()}, "at least one method"),
        ({"methods": ("full", "full")}, "only once"),
        ({"retention": ()}, "at least one retention"),
        ({"retention": (1.0,)}, "between 0 and 1"),
        ({"retention": (float("nan"),)}, "between 0 and 1"),
        ({"prompts": 0}, "prompts must be at least 1"),
        ({"queries": 0}, "queries must be at least 1"),
        ({"seed": -1}, "seed must not be negative"),
        ({"resume": True}, "--resume needs --json or --cells"),
        ({"generate": True}, "agnews has labels and no answers to generate"),
        ({"task": "gsm8k", "methods": ("llmlingua2",)}, "recorded for agnews only"),
    ],
)
def test_a_wrong_setting_is_an_input_error(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        config_for(Path("agnews"), **change)


@pytest.mark.parametrize("missing", ["test.tsv", "prompts_1shot.jsonl", "llmlingua2_xlmr_1shot.jsonl"])
def test_a_missing_agnews_file_is_named(tiny_target: Target, agnews: Path, missing: str) -> None:
    (agnews / missing).unlink()
    with pytest.raises(InputError, match=missing):
        evaluate(config_for(agnews, methods=("zero", "llmlingua2")), silent, target=tiny_target)


@pytest.mark.parametrize("missing", ["test.jsonl", "train.jsonl"])
def test_a_missing_gsm8k_file_is_named(tiny_target: Target, gsm8k: Path, missing: str) -> None:
    (gsm8k / missing).unlink()
    with pytest.raises(InputError, match=missing):
        evaluate(config_for(gsm8k, methods=("zero",)), silent, target=tiny_target)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prompts": 4}, "4 prompts asked for"),
        ({"queries": 25}, "25 queries asked for"),
        ({"methods": ("teacher",)}, "train.tsv is not there"),  # the teacher asks rows that the test does not use
    ],
)
def test_asking_for_more_than_there_is(agnews: Path, tiny_target: Target, change: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        evaluate(config_for(agnews, **change), silent, target=tiny_target)
