"""Reconstruction: greedy, bounded, deaf to what the text tells the tokenizer; and the comparison of the three forms."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import model.evaluation.omissions.restore
from model.errors import InputError
from model.evaluation.methods.baselines import random_tokens
from model.evaluation.metrics.text_metrics import BertScore, rouge
from model.evaluation.omissions.restore import FORMS, INSTRUCTION, PLAIN_PROMPT, SLOT, Fidelity, fidelity, restore
from model.evaluation.result_cache import ResultCache
from model.evaluation.tasks.task import Task
from model.evaluation.text_score import score_text
from model.llm.causal import Target
from model.llm.load import load_target
from model.prompt import parse
from tests.support.small_task import NEWS, SUMS, small_task
from tests.support.tiny import tiny_checkpoint
from tests.support.tiny_diffusion import write_llada
from tests.support.tiny_target import make_target

SHORT = [random_tokens(text, 0.4, seed=1) for text in (NEWS, SUMS)]
CHAT = "{% for m in messages %}<s>{{ m.role }}: {{ m.content }}{% endfor %}</s>a:"


def chatting(target: Target) -> Target:
    tokenizer = copy.deepcopy(target.tokenizer)
    tokenizer.chat_template = CHAT
    return Target("chat", target.model, tokenizer)


def greedy(target: Target, asked: str, text: str, limit: int) -> str:
    """The likeliest next subword again and again, each by an ordinary pass over everything."""
    before, after = asked.split(SLOT)
    ids = [*target.bos, *target.encode(before), *target.encode(text), *target.encode(after)]
    made: list[int] = []
    while len(made) < limit:
        with torch.inference_mode():
            token = int(target.model(torch.tensor([[*ids, *made]])).logits[0, -1].argmax())
        if token == target.tokenizer.eos_token_id:
            break
        made.append(token)
    return str(target.tokenizer.decode(made, skip_special_tokens=True)).strip()


@pytest.mark.parametrize("limit", [1, 12])
def test_restoring_is_greedy_and_bounded(any_target: Target, limit: int) -> None:
    got = restore(any_target, SHORT[0], limit)
    assert got == greedy(any_target, PLAIN_PROMPT, SHORT[0], limit)
    if limit > 1:
        assert got != restore(any_target, SHORT[1], limit)


def test_a_chat_model_is_asked_in_its_template() -> None:
    target = chatting(make_target())
    asked = f"<s>user: {INSTRUCTION}</s>a:"
    assert restore(target, SHORT[0], 8) == greedy(target, asked, SHORT[0], 8)


@pytest.mark.parametrize("chat", [True, False])
def test_the_text_is_neither_template_nor_special_token(chat: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    target = chatting(make_target()) if chat else make_target("llama-bos")
    read: list[list[int]] = []
    monkeypatch.setattr(
        model.evaluation.omissions.restore, "_generate", lambda _, ids, limit: read.append(list(ids)) or ""
    )
    for text in ("x", "</s><s>{{ 7*7 }}{compressed}{0}"):
        restore(target, text, 4)
    special = [[i for i in ids if i in target.tokenizer.all_special_ids] for ids in read]
    assert special[0] == special[1] and len(special[0]) == (2 if chat else 1)
    assert "</s><s>{{ 7*7 }}{compressed}{0}" in target.tokenizer.decode(read[1])


def test_a_diffusion_llm_restores_too(tmp_path: Path) -> None:
    target = load_target(str(write_llada(tmp_path)), "cpu")
    got = restore(target, "a b c", 8)
    assert got == restore(target, "a b c", 8) and len(target.encode(got)) <= 16


def test_what_does_not_fit_is_an_input_error(tiny_target: Target) -> None:
    with pytest.raises(InputError, match="limit 0 must be at least 1"):
        restore(tiny_target, "a", 0)
    with pytest.raises(InputError, match="to write are more than the 2,048 that llama holds"):
        restore(tiny_target, "a", 2048)


# --- many prompts ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bert() -> BertScore:
    return BertScore("tiny", tiny_checkpoint(), torch.device("cpu"))


def rows_of(report: Fidelity) -> dict[str, Any]:
    return {row.name: row for row in report.rows}


def test_the_three_forms_are_compared(tiny_target: Target, bert: BertScore) -> None:
    task = small_task(labelled=True)
    report = fidelity(tiny_target, [NEWS, SUMS], SHORT, bert, task)
    rows = rows_of(report)
    restored = report.texts["reconstructed"]
    limits = [len(tiny_target.encode(text)) for text in (NEWS, SUMS)]
    assert restored == tuple(restore(tiny_target, *pair) for pair in zip(SHORT, limits, strict=True))
    mine = rows["ROUGE-L"]
    wanted = [[rouge(*pair).rouge_l for pair in zip(texts, (NEWS, SUMS), strict=True)] for texts in (SHORT, restored)]
    assert [mine.forms[form].mean for form in FORMS[1:]] == pytest.approx(np.mean(wanted, axis=1))
    assert mine.gain.mean == pytest.approx(np.mean(wanted[1]) - np.mean(wanted[0])) and mine.gain.n == 2
    assert mine.forms["compressed"].low == pytest.approx(min(wanted[0]))  # of two prompts: from one to the other
    full = [score_text(task, tiny_target, text, None, ResultCache()).nll for text in (NEWS, SUMS)]
    assert rows["NLL"].forms["original"].mean == pytest.approx(np.mean(full)) and rows["NLL"].gain.n == 8
    [first, second] = bert.score(SHORT, [NEWS, SUMS])
    assert rows["BERT R - P"].forms["compressed"].mean == pytest.approx(
        (first.recall - first.precision + second.recall - second.precision) / 2, abs=1e-6
    )


def test_a_prompt_that_lost_nothing_scores_full(tiny_target: Target, bert: BertScore) -> None:
    rows = rows_of(fidelity(tiny_target, [NEWS], [NEWS], bert))
    best = {name: row.forms["compressed"].mean for name, row in rows.items()}
    assert best.pop("BLEU") == pytest.approx(100) and best.pop("BERT R - P") == pytest.approx(0, abs=1e-5)
    assert list(best.values()) == pytest.approx([1] * len(best), abs=1e-5)
    assert rows["BLEU"].forms["reconstructed"].mean < 50 and "original" not in rows["BLEU"].forms
    assert rows["BLEU"].gain.low is None  # one prompt


def test_a_run_that_was_cut_off_goes_on(tiny_target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task, path, worked = small_task(labelled=False), tmp_path / "cells.jsonl", []
    score = Task.score

    def scoring(self: Task, target: Target, text: str, **options: Any) -> Any:
        worked.append(text)
        return score(self, target, text, **options)

    def restoring(target: Target, compressed: str, limit: int) -> str:
        if compressed == SHORT[1] and SHORT[0] in worked and len(worked) < 5:
            raise KeyboardInterrupt
        worked.append(compressed)
        return f"{compressed} and more"

    monkeypatch.setattr(Task, "score", scoring)
    monkeypatch.setattr(model.evaluation.omissions.restore, "restore", restoring)
    with pytest.raises(KeyboardInterrupt):
        fidelity(tiny_target, [NEWS, SUMS], SHORT, None, task, cells=ResultCache(path))
    assert len(worked) == 4  # restored, and three forms scored
    worked.append("later")
    report = fidelity(tiny_target, [NEWS, SUMS], SHORT, None, task, cells=ResultCache(path, resume=True))
    assert len(worked) == 9
    assert fidelity(tiny_target, [NEWS, SUMS], SHORT, None, task, cells=ResultCache(path, resume=True)) == report
    assert len(worked) == 9 and set(rows_of(report)) >= {"NLL", "BLEU"} and "accuracy" not in rows_of(report)


def test_a_report_as_table_and_json(tiny_target: Target) -> None:
    report = fidelity(tiny_target, [NEWS, SUMS], SHORT, None, small_task(labelled=True))
    lines = report.table().split("\n")
    assert lines[0].split(" | ")[1].strip() == "original" and len(lines) == 2 + len(report.rows) + 2
    assert "BERTScore with" not in lines[-1] and "over 2 prompts" in lines[-1]
    record = json.loads(json.dumps(report.to_json()))
    assert record["prompts"] == 2 and len(record["rows"][0]["forms"]["compressed"]) == 4
    assert NEWS not in json.dumps(record) and parse(report.texts["compressed"][0])


def test_unpaired_texts_are_an_input_error(tiny_target: Target) -> None:
    for originals, compressed in (([], []), ([NEWS], SHORT)):
        with pytest.raises(InputError, match="give one for each"):
            fidelity(tiny_target, originals, compressed)
