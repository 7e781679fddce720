"""The methods behind their one interface: names, makers, people's masks, failures, and any text."""

from __future__ import annotations

import doctest
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import model.evaluation.methods.registry
import model.evaluation.tasks.task
from model.denoiser.checkpoint import save_checkpoint
from model.errors import InputError
from model.evaluation.config import EvaluateConfig
from model.evaluation.evaluate import evaluate
from model.evaluation.methods.baselines import random_tokens
from model.evaluation.methods.method import Method, each
from model.evaluation.methods.registry import METHODS, split_name
from model.evaluation.methods.texts import Methods
from model.evaluation.tasks.load import load_task
from model.evaluation.tasks.task import EvaluationPrompt, Task
from model.llm.causal import Target
from model.prompt import parse
from model.teacher.search import Scorer
from tests.support.corrected import fields_for, write
from tests.support.tiny import tiny_checkpoint
from tests.support.toy_rows import write_data

RETENTION = (0.3, 0.6)


def silent(items: Iterable[Any], **_: Any) -> Iterable[Any]:
    return items


@pytest.fixture
def config(tmp_path: Path) -> EvaluateConfig:
    """Three prompts of two sums each; every method can run on them."""
    folder = write_data(tmp_path) / "gsm8k"
    return EvaluateConfig("gsm8k", folder, "llama", ("full", "zero"), RETENTION, prompts=3, queries=4, shots=2)


def task_of(config: EvaluateConfig) -> Task:
    return load_task(config.task, config.data, config.prompts, config.queries, config.shots, config.seed)


def texts(study: Methods, name: str, case: EvaluationPrompt) -> list[tuple[float | None, str]]:
    return [(retention, made.text) for retention, made in study.compressions(name, case)]


def test_examples() -> None:
    for module in (model.evaluation.methods.registry, model.evaluation.tasks.task):
        assert doctest.testmod(module).failed == 0


# --- names -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("random", ("random", ())),
        ("teacher@gemma3", ("teacher", ("gemma3",))),
        ("selective-context@smollm2+gemma3", ("selective-context", ("smollm2", "gemma3"))),
        ("ta-pruning@org/some-llm", ("ta-pruning", ("org/some-llm",))),
    ],
)
def test_a_name_is_a_method_and_its_makers(name: str, wanted: Any) -> None:
    assert split_name(name) == wanted


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("magic", "unknown method 'magic'; known: full, zero, random"),
        ("magic@gemma3", "unknown method 'magic'"),
        ("diffumask@gemma3", "no LLM makes the masks of diffumask; only selective-context, ta-pruning, teacher"),
        ("teacher@", "after @ goes an LLM"),
        ("teacher@a+", "after @ goes an LLM"),
        ("teacher@a+a", "each once"),
    ],
)
def test_a_name_that_is_none(name: str, message: str, config: EvaluateConfig) -> None:
    with pytest.raises(InputError, match=message):
        replace(config, methods=(name,))


def test_a_new_method_is_a_few_lines(
    config: EvaluateConfig, tiny_target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = Method(lambda study, makers: each(lambda text, retention: text[: round(retention * len(text))]))
    monkeypatch.setitem(METHODS, "characters", entry)
    report = evaluate(replace(config, methods=("characters",)), silent, target=tiny_target)
    assert [row.retention for row in report.rows] == list(RETENTION)
    assert report.rows[0].tokens < report.rows[1].tokens < 1


# --- makers ------------------------------------------------------------------------------------------------


def test_other_llms_are_loaded_once_and_when_they_are_needed(
    config: EvaluateConfig, tiny_target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []

    def load(name: str, *_: Any, **__: Any) -> Target:
        loaded.append(name)
        return tiny_target

    monkeypatch.setattr("model.evaluation.methods.texts.load_target", load)
    names = ("selective-context", "selective-context@other", "selective-context@llama+other")
    study = Methods(replace(config, methods=names), target=tiny_target)
    study.prepare()
    assert loaded == []
    case = study.task.prompts[0]
    own, other, both = (texts(study, name, case) for name in names)
    assert loaded == ["other"] and own == other == both  # all three are the same LLM here


def test_the_teacher_and_ta_pruning_run_on_tasks_of_all_kinds(
    config: EvaluateConfig, tiny_target: Target, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    scored: list[Sequence[bool]] = []
    score = Scorer.__call__

    def counting(self: Scorer, keep: Sequence[bool]) -> float:
        scored.append(keep)
        return score(self, keep)

    monkeypatch.setattr(Scorer, "__call__", counting)
    rows = [{"prompt": "Be brief.\nSay a town.", "query": f"Capital {i}?", "answer": f"Town {i}"} for i in range(6)]
    own = tmp_path / "mine.jsonl"
    own.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    for some in (config, replace(config, task="jsonl", data=own, queries=2)):
        study = Methods(replace(some, evaluations=12), target=tiny_target)
        case = study.task.prompts[0]
        n = len(parse(case.context))
        for (retention, text), wanted in zip(texts(study, "teacher", case), RETENTION, strict=True):
            assert retention == wanted and len(parse(text)) == pytest.approx(wanted * n, abs=3)
        scored.clear()
        short, long = (text for _, text in texts(study, "ta-pruning", case))
        assert len(scored) <= 12 and 0 < len(parse(short)) < len(parse(long)) < n
        again = Methods(replace(some, evaluations=12), target=tiny_target)
        assert [text for _, text in texts(again, "ta-pruning", case)] == [short, long]


def test_a_teacher_needs_queries_that_the_test_does_not_use(
    config: EvaluateConfig, tiny_target: Target, tmp_path: Path
) -> None:
    rows = [{"prompt": "Be brief.", "query": f"Capital {i}?", "answer": f"Town {i}"} for i in range(6)]
    own = tmp_path / "mine.jsonl"
    own.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with pytest.raises(InputError, match="teacher: asks queries .* prompt 0 of jsonl there are 3: .* lower --queries"):
        evaluate(replace(config, task="jsonl", data=own, queries=3, methods=("teacher",)), silent, target=tiny_target)


# --- people's masks ----------------------------------------------------------------------------------------


def correct(path: Path, *texts: str) -> Path:
    """Corrections that keep the second half of each prompt."""
    prompts = [parse(text) for text in texts]
    masks = [[i >= len(prompt) // 2 for i in range(len(prompt))] for prompt in prompts]
    records = (fields_for(prompt, [1] * len(prompt), keep) for prompt, keep in zip(prompts, masks, strict=True))
    return write(path, *records)


@pytest.mark.parametrize("which", [(1,), (0, 2)])
def test_human_masks_of_some_prompts(
    config: EvaluateConfig, tiny_target: Target, tmp_path: Path, which: tuple[int, ...]
) -> None:
    prompts = task_of(config).prompts
    human = correct(tmp_path / "c.jsonl", "Of another task.", *(prompts[i].context + "\n" for i in which))
    names = ("full", "zero", "human", "uncorrected")
    report = evaluate(replace(config, methods=names, human=human), silent, target=tiny_target)
    full, zero, people, before = report.rows
    assert (people.method, people.retention, people.prompts) == ("human", None, len(which))
    assert people.tokens == pytest.approx(0.5, abs=0.03) and full.prompts == 3
    # The difference to the full prompt is that on the same prompts.
    alone = []
    task = task_of(config)
    for i in which:
        text = prompts[i].context
        kept = parse(text).render([j >= len(parse(text)) // 2 for j in range(len(parse(text)))])
        whole, half = (task.score(tiny_target, t).log_probs for t in (text, kept))
        alone += [w[0] - h[0] for w, h in zip(whole, half, strict=True)]
    assert people.differences["full"].mean == pytest.approx(sum(alone) / len(alone), abs=1e-3)
    assert (before.method, before.prompts, before.tokens) == ("uncorrected", len(which), 1)
    assert people.differences["uncorrected"].mean == people.differences["full"].mean, "the model had kept all"
    assert "uncorrected" not in full.differences, "it has not all prompts"
    assert "| human" in report.table() and "| n |" in report.table()


def test_no_correction_is_of_the_tasks_prompts(config: EvaluateConfig, tiny_target: Target, tmp_path: Path) -> None:
    config = replace(config, methods=("human",), human=correct(tmp_path / "c.jsonl", "Of another task."))
    with pytest.raises(InputError, match="human: none of the 1 corrected prompts .* is one of the 3 that gsm8k"):
        evaluate(config, silent, target=tiny_target)
    with pytest.raises(InputError, match="human needs --human FILE"):
        replace(config, human=None)


# --- failures ----------------------------------------------------------------------------------------------


def test_a_failure_names_its_method_and_finished_cells_are_kept(
    config: EvaluateConfig, tiny_target: Target, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def compress(text: str, retention: float) -> str:
        if len(done) == 2:
            raise RuntimeError("out of memory")
        done.append(text)
        return random_tokens(text, retention, 0)

    done: list[str] = []
    monkeypatch.setitem(METHODS, "frail", Method(lambda study, makers: each(compress)))
    config = replace(config, methods=("zero", "frail"), cells=tmp_path / "deep" / "cells.jsonl")
    with pytest.raises(InputError, match="frail failed on prompt 1 .*out of memory.*; leave it out of the methods"):
        evaluate(config, silent, target=tiny_target)
    assert config.cells is not None and len(config.cells.read_text("utf-8").splitlines()) == 3
    report = evaluate(replace(config, methods=("zero",), resume=True), silent, target=tiny_target)
    assert len(report.rows) == 1 and len(config.cells.read_text("utf-8").splitlines()) == 3


def test_llmlingua2_needs_a_model_or_its_recording(config: EvaluateConfig, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="recorded for agnews only; name a --llmlingua2-model"):
        replace(config, methods=("llmlingua2",))
    study = Methods(replace(config, methods=("llmlingua2",), llmlingua2_model=tmp_path / "none"))
    assert study.retentions("llmlingua2", study.task.prompts[0]) == list(RETENTION)


# --- any text ----------------------------------------------------------------------------------------------


def test_what_each_method_makes_of_any_text(config: EvaluateConfig, tiny_target: Target, tmp_path: Path) -> None:
    tiny = tiny_checkpoint()
    save_checkpoint(tmp_path / "tiny", tiny.denoiser, tiny.collator.tokenizer, {})
    study = Methods(replace(config, checkpoint=tmp_path / "tiny"), target=tiny_target)
    text = "Q: Ann has 3 pears and eats 1. How many are left?\nA: 2\n\nQ: Bo has 2 hats. How many?\nA: 2"
    n = len(parse(text))
    assert (study.compress_with("full", text), study.compress_with("zero", text)) == (text, "")
    for name in ("random", "first", "selective-context", "teacher", "diffumask", "exact", "one-pass"):
        short = study.compress_with(name, text, 0.6)
        assert len(parse(short)) == pytest.approx(0.6 * n, abs=2), name
        assert short == study.compress_with(name, f"{text}\n", 0.6)
    with pytest.raises(InputError, match="random needs a retention between 0 and 1"):
        study.compress_with("random", text)


def test_a_text_that_nobody_corrected(config: EvaluateConfig, tmp_path: Path) -> None:
    mine = task_of(config).prompts[0].context
    study = Methods(replace(config, human=correct(tmp_path / "c.jsonl", mine)))
    kept = study.compress_with("human", mine)
    assert kept and mine.endswith(kept)
    with pytest.raises(InputError, match="nobody has corrected this text"):
        study.compress_with("human", "Another text.")


# --- a user's own task, whole ------------------------------------------------------------------------------


def test_prompts_with_queries_of_their_own(config: EvaluateConfig, tiny_target: Target, tmp_path: Path) -> None:
    words = ["World", "Sports"]  # with first subwords of their own
    rows = [
        {"prompt": f"Town list {p}: Rome, Oslo.", "query": f"{p}, {i}?", "answer": words[i % 2], "labels": words}
        for p in "ab"
        for i in range(4)
    ]
    own = tmp_path / "mine.jsonl"
    own.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    config = replace(config, task="jsonl", data=own, methods=("full", "zero", "random"), json=tmp_path / "out.json")
    report = evaluate(config, silent, target=tiny_target)
    assert [(row.method, row.prompts) for row in report.rows] == [("full", 2), ("zero", 2), *[("random", 2)] * 2]
    assert (report.config["prompts"], report.config["queries"]) == (2, 4)
    assert set(report.rows[0].differences) == {"zero"} and "acc. cal." in report.rows[0].measures
    with pytest.raises(InputError, match="has labels and no answers to generate"):
        evaluate(replace(config, generate=True, json=None), silent, target=tiny_target)
