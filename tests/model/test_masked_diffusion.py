"""Diffusion LLMs as targets: weights and scores against plain computations of the same tiny models."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

import model.evaluation.tasks.task
import model.llm.causal
from model.cli import main
from model.data.fewshot import Dataset, Example, FewShot
from model.errors import InputError
from model.llm.answers import greedy_answers
from model.llm.causal import Prefix, Target
from model.llm.load import load_target
from model.llm.masked_diffusion import DiffusionTarget
from model.teacher.gates import gate_gradient
from model.teacher.score import Case, gold_goals
from tests.support.plain_diffusion import Plain, load_both
from tests.support.tiny_diffusion import write_llada
from tests.support.toy_rows import NEWS, write_data

PROMPT = "Article: Shares fell.\nAnswer: Business\n\n"
QUERIES = ["Article: A game.\nAnswer:", "Article: The team won the final game at last.\nAnswer:", "A:"]
LABELS = [40, 90, 200]


@pytest.fixture(scope="module", params=["llada", "dream"])
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[DiffusionTarget, Plain]:
    return load_both(request.param, tmp_path_factory.mktemp(request.param))


def encoded(target: Target) -> tuple[list[int], list[list[int]]]:
    return target.encode(PROMPT), [target.encode(query) for query in QUERIES]


def test_weights_make_the_network_that_they_made_under_their_own_names(both: tuple[DiffusionTarget, Plain]) -> None:
    target, plain = both
    ids = target.encode(PROMPT)
    n = len(ids)
    hidden = target.see(torch.tensor([ids]), torch.arange(n)[None], torch.zeros(1, n))[0]
    got = target.model.lm_head(hidden).log_softmax(-1)
    got = torch.cat([got[:1], got[:-1]]) if target.shift else got
    torch.testing.assert_close(got, plain(ids), atol=1e-4, rtol=1e-4)
    assert got.std(0).min() > 1e-2


@pytest.mark.parametrize("prompt", ["", PROMPT])
@pytest.mark.parametrize("chunk", [1, 150, 4096])
def test_labels_are_what_stands_in_a_mask_after_the_query(
    both: tuple[DiffusionTarget, Plain], prompt: str, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model.llm.causal, "TOKENS_PER_CHUNK", chunk)
    target, plain = both
    ids, queries = target.encode(prompt), encoded(target)[1]
    got = target.label_log_probs(target.read(ids), queries, LABELS)
    wanted = torch.stack([plain([*target.bos, *ids, *query, target.mask])[-1, LABELS] for query in queries])
    torch.testing.assert_close(got, wanted, atol=1e-4, rtol=1e-4)
    assert wanted.std(0).min() > 1e-3  # queries differ, so a wrong order would show


def bound(target: DiffusionTarget, plain: Plain, before: list[int], answer: list[int]) -> float:
    """The bound of an answer's log-likelihood per subword, over all ways to mask it."""
    n, by_count = len(answer), []
    for count in range(1, n + 1):
        values = []
        for places in itertools.combinations(range(n), count):
            masked = [target.mask if i in places else token for i, token in enumerate(answer)]
            table = plain([*before, *masked])[len(before) :]
            values.append(float(sum(table[i, answer[i]] for i in places)) / count)
        by_count.append(sum(values) / len(values))
    return sum(by_count) / n


def test_sampled_likelihoods_of_answers_go_to_the_bound_over_all_maskings(both: tuple[DiffusionTarget, Plain]) -> None:
    target, plain = both
    ids, queries = encoded(target)
    answers = [[300, 7, 120, 260], [41], [9, 350]]
    wanted = [bound(target, plain, [*target.bos, *ids, *q], a) for q, a in zip(queries, answers, strict=True)]
    prefix, errors = target.read(ids), []
    for samples in (1, 16, 1024):
        target.samples = samples
        tries = [_answers(target, prefix, queries, answers, seed) for seed in range(1 if samples > 100 else 8)]
        errors.append(float(torch.stack([(tried - torch.tensor(wanted)).abs().mean() for tried in tries]).mean()))
        assert all(float(tried[1]) == pytest.approx(wanted[1], abs=1e-4) for tried in tries)  # nothing to draw
    target.samples, target.seed = 32, 0
    assert errors[0] > 2 * errors[1] > 4 * errors[2] and errors[2] < 0.05


def _answers(target: DiffusionTarget, prefix: Prefix, queries: Any, answers: Any, seed: int) -> Tensor:
    target.seed = seed
    return target.answer_log_probs(prefix, queries, answers)


def test_an_answers_likelihood_hangs_on_the_seed_alone(both: tuple[DiffusionTarget, Plain]) -> None:
    target, _ = both
    ids, queries = encoded(target)
    answers = [target.encode(" The team won"), [5, 6, 7], [8, 9, 10]]
    first, again, other = (_answers(target, target.read(ids), queries, answers, seed) for seed in (0, 0, 1))
    target.seed = 0
    assert torch.equal(first, again) and not torch.allclose(first, other)
    # alone, the first query meets the same masks as together with others, whatever is read before it
    alone = target.answer_log_probs(target.read(ids), queries[:1], answers[:1])
    torch.testing.assert_close(alone, first[:1], atol=1e-5, rtol=1e-5)


def test_gates_reach_the_score_through_every_query(both: tuple[DiffusionTarget, Plain]) -> None:
    target, plain = both
    ids, queries = encoded(target)
    full = target.label_log_probs(target.read(ids), queries, LABELS)
    gates = torch.zeros(len(ids), requires_grad=True)
    opened = target.label_log_probs(target.read(ids, gates), queries, LABELS)
    torch.testing.assert_close(opened, full)
    opened[:, 0].sum().backward()
    gradient = gates.grad
    assert gradient is not None and (gradient.abs() > 1e-9).all()
    j, step = int(gradient.abs().argmax()), 1e-2
    nudge = torch.nn.functional.one_hot(torch.tensor(j), len(ids)) * step
    up, down = (target.label_log_probs(target.read(ids, g), queries, LABELS)[:, 0].sum() for g in (nudge, -nudge))
    assert float(gradient[j]) == pytest.approx(float(up - down) / (2 * step), rel=0.05)


def test_the_teacher_can_ask_it(both: tuple[DiffusionTarget, Plain]) -> None:
    target, _ = both
    labels = ("World", "Sports")
    rows = tuple(Example(str(i), text, labels[i % 2], i % 2) for i, text in enumerate(QUERIES * 2))
    case = Case.of(FewShot("agnews", ("0", "1"), 0, (0, 1)), Dataset("agnews", rows, labels))
    wanted = gate_gradient([target], [gold_goals(target, case, rows[2:])], case.prompt)
    assert wanted.shape == (len(case.prompt),) and wanted.isfinite().all() and wanted.abs().min() > 0


# --- whole runs --------------------------------------------------------------------------------------------------


def evaluated(target: Target, data: Path, *more: str) -> list[dict[str, Any]]:
    """The rows of a small run of the command."""
    out = data / "out.json"
    run = ["evaluate", "--task", data.name, "--data", str(data), "--target", target.name, "--json", str(out)]
    sizes = ["--prompts", "1", "--queries", "4", "--methods", "full,zero,first", "--retention", "0.5"]
    assert main([*run, *sizes, *more]) == 0
    rows: list[dict[str, Any]] = json.loads(out.read_text())["rows"]
    return rows


def test_evaluate_reads_a_folder(both: tuple[DiffusionTarget, Plain], tmp_path: Path) -> None:
    data = write_data(tmp_path) / "agnews"
    shots = "".join(f"Article: {texts[0]}\nAnswer: {label}\n\n" for label, texts in NEWS.items())
    row = {"prompt": shots + "Article: {sentence_1}\nAnswer:"}
    (data / "prompts_1shot.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    assert {row["method"] for row in evaluated(both[0], data)} == {"full", "zero", "first"}


def test_evaluate_generates_answers(
    both: tuple[DiffusionTarget, Plain], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model.evaluation.tasks.task, "greedy_answers", lambda *args: greedy_answers(*args[:3], 8))
    assert len(evaluated(both[0], write_data(tmp_path) / "gsm8k", "--shots", "1", "--generate")) == 3


# --- mistakes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mask_token_id": None}, "has no mask token: set mask_token_id"),
        ({"mask_token_id": 126336}, "has no mask token: set mask_token_id"),
        ({"block_type": "sequential"}, "block_type = 'sequential'"),
        ({"alibi": True}, "alibi = True"),
        ({"n_layers": 3}, "not those of its config"),
        ({"n_layers": 1}, "not those of its config"),
        ({"n_heads": None}, "cannot load the diffusion LLM"),
    ],
)
def test_a_folder_that_does_not_fit_is_refused_in_one_line(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    weights = load_file(write_llada(tmp_path) / "model.safetensors")
    write_llada(tmp_path, weights, **changes)
    with pytest.raises(InputError, match=message) as caught:
        load_target(str(tmp_path), "cpu")
    assert "\n" not in str(caught.value)


def test_weights_of_another_size_or_none_are_refused_in_one_line(tmp_path: Path) -> None:
    weights = load_file(write_llada(tmp_path) / "model.safetensors")
    write_llada(tmp_path, weights, d_model=64)
    for broken in (None, b"not safetensors", b""):
        if broken is not None:
            (tmp_path / "model.safetensors").write_bytes(broken)
        with pytest.raises(InputError) as caught:
            load_target(str(tmp_path), "cpu")
        assert "\n" not in str(caught.value) and str(tmp_path) in str(caught.value)
    (tmp_path / "model.safetensors").unlink()
    torch.save(weights, tmp_path / "pytorch_model.bin")  # a pickle is never opened
    with pytest.raises(InputError):
        load_target(str(tmp_path), "cpu")


def test_other_models_are_no_diffusion_llms(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no config.json"):
        DiffusionTarget.load(str(tmp_path / "nowhere"), "cpu")
    (tmp_path / "config.json").write_text('{"model_type": "llama"}', encoding="utf-8")
    with pytest.raises(InputError, match="model type 'llama'"):
        DiffusionTarget.load(str(tmp_path), "cpu")
    (tmp_path / "config.json").write_text('{"model_type": "llada_moe"}', encoding="utf-8")
    with pytest.raises(InputError, match="cannot load the target LLM"):
        load_target(str(tmp_path), "cpu")
