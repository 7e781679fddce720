"""Whole runs over documents: what is left of the answer, what readers make of it, and readers of all kinds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import model.evaluation.tasks.task
from model.cli import main
from model.compress import Compressor
from model.denoiser.checkpoint import save_checkpoint
from model.errors import InputError
from model.evaluation.config import EvaluateConfig
from model.evaluation.evaluate import evaluate
from model.evaluation.methods.budget import tokens_counter
from model.evaluation.methods.denoised import denoise_context
from model.evaluation.methods.method import Compression, Method, of_prompts
from model.evaluation.methods.registry import METHODS
from model.evaluation.metrics.answers import contains
from model.evaluation.table import EvaluationTable, TableRow
from model.evaluation.tasks.load import load_task
from model.evaluation.tasks.task import Task
from model.llm.causal import Target
from model.prompt import parse
from tests.support.fake_endpoint import fake_endpoint
from tests.support.questions import write_questions, write_rows
from tests.support.tiny import tiny_checkpoint

METHODS_USED = ("full", "zero", "first", "random-sentences", "bm25")


def silent(items: Iterable[Any], **_: Any) -> Iterable[Any]:
    return items


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_questions(tmp_path_factory.mktemp("questions"))


@pytest.fixture
def config(folder: Path) -> EvaluateConfig:
    return EvaluateConfig("nq", folder / "qa", "none", METHODS_USED, (0.2, 0.5), prompts=6, documents=4)


def by_cell(report: EvaluationTable) -> dict[tuple[str, float | None], TableRow]:
    return {(row.method, row.retention): row for row in report.rows}


def task_of(config: EvaluateConfig) -> Task:
    return load_task(config.task, config.data, config.prompts, 1, options=config.options)


# --- nobody reads ------------------------------------------------------------------------------------------


def test_whether_the_answer_is_still_there(config: EvaluateConfig) -> None:
    report = evaluate(config, silent)
    rows = by_cell(report)
    assert report.main == "answer kept" and list(rows["bm25", 0.2].measures) == ["answer kept"]
    means = {cell: (row.measures["answer kept"] or pytest.fail()).mean for cell, row in rows.items()}
    assert means["full", None] == 1 and means["zero", None] == 0
    assert means["bm25", 0.5] == 1, "the question names the town"
    assert set(rows["first", 0.2].differences) == {"bm25", "full", "zero"}
    for (_, retention), row in rows.items():
        assert row.subwords is None and (retention is None or row.words <= retention)
    table = report.table()
    assert "asked: of its words" in table and "positive is better than X" in table
    assert json.loads(json.dumps(report.to_json()))["rows"][3]["subwords_kept"] is None


def test_gold_words_of_a_meeting(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the mask that a method gives, or the one behind a text."""

    def last_turns(with_mask: bool) -> Method:
        def compress(case: Any, share: float) -> Compression:
            keep = [token.start >= case.parts[5].start for token in case.parsed.tokens]
            return Compression(case.parsed.render(keep), tuple(keep) if with_mask else None)

        return Method(lambda study, makers: of_prompts(compress), counts=True)

    for name, with_mask in (("masked", True), ("texts", False)):
        monkeypatch.setitem(METHODS, name, last_turns(with_mask))
    config = EvaluateConfig("qmsum", folder / "qmsum", "none", ("full", "masked", "texts"), (0.5,), prompts=2)
    report = evaluate(config, silent)
    kept = [(row.measures["gold words kept"] or pytest.fail()).mean for row in report.rows]
    assert kept == pytest.approx([1, 2 / 3, 2 / 3], abs=1e-6), "turns 5 and 6 of 4 to 6"


@pytest.mark.parametrize("task", ["pubmedqa", "qmsum-general", "bbh", "gsm8k"])
def test_where_only_a_reader_can_tell(folder: Path, data: Path, task: str) -> None:
    places = {"pubmedqa": folder / "qa", "bbh": folder / "prompts", "gsm8k": data / "gsm8k"}
    config = EvaluateConfig(task, places.get(task, folder / "qmsum"), "none", ("full",), prompts=1, queries=2)
    with pytest.raises(InputError, match=f"without a reader nothing can be measured on {task}: name a --target"):
        evaluate(config, silent)


# --- a target LLM ------------------------------------------------------------------------------------------


def test_a_reader_sees_instruction_context_and_question(config: EvaluateConfig, tiny_target: Target) -> None:
    config = replace(config, target="llama", methods=("full", "zero"), prompts=2)
    rows = by_cell(evaluate(config, silent, target=tiny_target))
    full: list[tuple[float, int]] = []
    zero: list[tuple[float, int]] = []
    for prompt in task_of(config).prompts:
        query = prompt.queries[0]
        for before, found in ((f"{prompt.instruction}\n\n{prompt.context}", full), (prompt.instruction, zero)):
            ids = tiny_target.encode(f"{before}\n\n") + tiny_target.encode(query.text)
            answer = tiny_target.encode(f" {query.answer}")
            log_probs = tiny_target.answer_log_probs(tiny_target.read([]), [ids], [answer])
            found.append((float(log_probs[0]), len(answer)))
    for cell, found in (("full", full), ("zero", zero)):
        measures = rows[cell, None].measures
        nll, total = measures["NLL"], measures["NLL sum"]
        assert nll is not None and nll.mean == pytest.approx(-np.mean([p for p, _ in found]), abs=1e-3)
        assert total is not None and total.mean == pytest.approx(-np.mean([p * n for p, n in found]), abs=1e-2)


def test_no_method_leaves_more_of_the_readers_subwords_than_asked(config: EvaluateConfig, tiny_target: Target) -> None:
    methods = ("first", "random", "random-sentences", "random-parts", "bm25", "bm25-smoothed", "selective-context")
    config = replace(config, target="llama", methods=methods, prompts=3)
    report = evaluate(config, silent, target=tiny_target)
    assert config.unit == "reader"
    for row in report.rows:
        assert row.subwords is not None and row.retention is not None and row.subwords <= row.retention + 1e-9
        if row.method in ("first", "random", "selective-context"):
            assert row.subwords > 0.9 * row.retention


def test_generated_answers(config: EvaluateConfig, tiny_target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    config = replace(config, target="llama", methods=("full", "zero"), prompts=2, generate=True)
    queries = [prompt.queries[0] for prompt in task_of(config).prompts]
    known = {tuple(tiny_target.encode(query.text)): query.accepted[1] for query in queries}
    bare = len(tiny_target.encode(task_of(config).prompts[0].instruction)) + 5

    def greedy(_: Any, prefix: Any, asked: Sequence[Sequence[int]], new_tokens: int) -> list[str]:
        assert new_tokens == 32
        return [f"{known[tuple(asked[0])]}.\nMore" if len(prefix.bias) > bare else "no idea"]

    monkeypatch.setattr(model.evaluation.tasks.task, "greedy_answers", greedy)
    rows = by_cell(evaluate(config, silent, target=tiny_target))
    for name in ("exact match", "F1", "contains"):
        full, zero = (rows[cell, None].measures[name] for cell in ("full", "zero"))
        assert full is not None and zero is not None and (full.mean, zero.mean) == (1, 0)
    assert rows["full", None].paired["F1"]["zero"].mean == 1


def test_labels_of_single_queries_are_calibrated_over_prompts(
    folder: Path, tiny_target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model.evaluation.tasks.task, "first_subwords", lambda *_: [3, 40, 77])
    config = EvaluateConfig("pubmedqa", folder / "qa", "llama", ("full", "zero"), prompts=6)
    report = evaluate(config, silent, target=tiny_target)
    assert report.main == "NLL cal."
    measures = report.rows[0].measures
    assert list(measures) == ["acc. raw", "NLL raw", "acc. cal.", "NLL cal."]
    calibrated = measures["NLL cal."]
    assert calibrated is not None and calibrated.mean != pytest.approx(np.log(3), abs=1e-6)


def test_examples_share_the_demonstrations_of_their_task(folder: Path, tiny_target: Target) -> None:
    config = EvaluateConfig("bbh", folder / "prompts", "llama", ("full", "zero", "random-parts"), (0.7,), prompts=2)
    report = evaluate(config, silent, target=tiny_target)
    assert report.config["queries"] == 4 and "benefit kept" in report.rows[2].measures
    assert [row.prompts for row in report.rows] == [2, 2, 2]


def test_a_chat_template(config: EvaluateConfig, tiny_target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    config = replace(config, target="llama", methods=("full",), prompts=2, chat=True)
    with pytest.raises(InputError, match="llama has no chat template; leave --chat out"):
        evaluate(config, silent, target=tiny_target)
    template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>"
    monkeypatch.setattr(tiny_target.tokenizer, "chat_template", template)
    found = evaluate(config, silent, target=tiny_target).rows[0].measures["NLL"]
    wanted = []
    for prompt in task_of(config).prompts:
        ids = tiny_target.encode(f"<user>{prompt.whole[0]}<assistant>")
        answer = tiny_target.encode(prompt.queries[0].answer)
        wanted.append(-float(tiny_target.answer_log_probs(tiny_target.read([]), [ids], [answer])[0]))
    assert found is not None and found.mean == pytest.approx(np.mean(wanted), abs=1e-3)


def test_a_prompt_that_is_longer_than_the_target_reads(tiny_target: Target) -> None:
    config = EvaluateConfig("needle", None, "llama", ("full",), prompts=1, documents=40)
    with pytest.raises(InputError, match=r"a prompt has [\d,]+ tokens, and llama reads 2,048 at the most"):
        evaluate(config, silent, target=tiny_target)


# --- an endpoint -------------------------------------------------------------------------------------------


def test_an_endpoint_answers(config: EvaluateConfig, tmp_path: Path) -> None:
    with fake_endpoint() as server:
        target = f"kind@{server.url}"
        config = replace(config, target=target, methods=("full", "first"), prompts=2, json=tmp_path / "out.json")
        report = evaluate(config, silent)
        asked = [body["messages"][-1]["content"] for _, _, body in server.seen]
        assert len(asked) == 2 * 3
        evaluate(replace(config, resume=True), silent)
        assert len(server.seen) == 6, "finished cells are not asked again"
    prompts = task_of(config).prompts
    assert asked[0] == prompts[0].whole[0] and asked[1].endswith(prompts[0].queries[0].text)
    assert report.main == "exact match" and set(report.rows[0].measures) >= {"answer kept", "exact match", "contains"}
    assert report.rows[1].words <= 0.2


def test_what_an_endpoint_cannot_do(config: EvaluateConfig, tmp_path: Path) -> None:
    target = "kind@http://127.0.0.1:9/v1"
    with pytest.raises(InputError, match="nobody knows how kind@http.* counts; give its --tokenizer"):
        replace(config, target=target, budget="reader")
    with pytest.raises(InputError, match="selective-context needs an LLM that makes its masks, such as"):
        replace(config, target=target, methods=("selective-context",))
    row = {"prompt": "Sort.", "query": "Rain?", "answer": "World", "labels": ["World", "Sports"]}
    labels = EvaluateConfig("jsonl", write_rows(tmp_path / "own.jsonl", [row]), target, ("full",))
    with pytest.raises(InputError, match="jsonl compares the probabilities of labels, which no endpoint tells"):
        evaluate(labels, silent)


# --- the denoiser ------------------------------------------------------------------------------------------


def test_the_denoiser_reads_the_question_and_cuts_the_context(config: EvaluateConfig) -> None:
    tiny = tiny_checkpoint()
    compress = denoise_context(Compressor(tiny), tokens_counter(), 4, seed=0, granularity="token", least=0.0)
    for prompt in task_of(config).prompts[:2]:
        n = len(prompt.parsed)
        for share in (0.2, 0.6):
            made = compress(prompt, share)
            assert made.keep is not None and 0.5 * share * n < sum(made.keep) <= share * n
            assert prompt.question not in made.text and prompt.instruction not in made.text
            assert parse(made.text).tokens[0].text in {token.text for token in prompt.parsed.tokens}


def test_it_runs_within_the_readers_budget(config: EvaluateConfig, tiny_target: Target, tmp_path: Path) -> None:
    tiny = tiny_checkpoint()
    save_checkpoint(tmp_path / "tiny", tiny.denoiser, tiny.collator.tokenizer, {})
    methods = ("diffumask", "diffumask-parts", "diffumask-tokens", "paper", "one-pass")
    config = replace(config, target="llama", methods=methods, prompts=2, checkpoint=tmp_path / "tiny")
    for row in evaluate(config, silent, target=tiny_target).rows:
        assert row.subwords is not None and row.retention is not None and row.seconds > 0
        assert row.subwords <= row.retention + 1e-9
        assert row.subwords > 0.5 * row.retention or row.method == "diffumask-parts"


# --- the command -------------------------------------------------------------------------------------------


def test_the_command(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["evaluate", "--task", "nq", "--data", str(folder / "qa"), "--target", "none", "--prompts", "2"]
    more = ["--methods", "full,bm25", "--documents", "3", "--layout", "xml", "--place", "2", "--retention", "0.4"]
    assert main([*words, *more]) == 0
    assert "| bm25" in capsys.readouterr().out
    assert main(["evaluate", "--task", "needle", "--target", "none", "--methods", "bm25", "--prompts", "1"]) == 0
    for wrong, says in (
        (["--layout", "circles"], "unknown layout 'circles'; known: lost-in-the-middle"),
        (["--budget", "letters"], "budget is words, tokens or reader, not 'letters'"),
        (["--data", str(folder / "none")], "is not there"),
    ):
        capsys.readouterr()
        assert main([*words, *more, *wrong]) == 2
        error = capsys.readouterr().err
        assert says in error and error.count("\n") == 1


def test_a_finished_cell_is_that_of_its_context(config: EvaluateConfig, tmp_path: Path) -> None:
    """The same compressed text of another prompt counts anew."""
    config = replace(config, methods=("zero", "bm25"), json=tmp_path / "out.json")
    before = (evaluate(config, silent), len((tmp_path / "out.json.cells.jsonl").read_text().splitlines()))
    again = evaluate(replace(config, resume=True), silent)
    assert again.rows == before[0].rows
    evaluate(replace(config, resume=True, layout="xml"), silent)
    assert len((tmp_path / "out.json.cells.jsonl").read_text().splitlines()) == 2 * before[1]


def test_contains_is_what_full_prompts_are_chosen_by(config: EvaluateConfig) -> None:
    assert all(contains(prompt.context, prompt.queries[0].accepted) for prompt in task_of(config).prompts)
