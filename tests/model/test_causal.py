"""Target LLMs: scores after a shared prefix and with gates, against plain passes of the same model."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest
import torch
from torch import Tensor

import model.llm.causal
from model.errors import InputError
from model.llm.answers import cut, greedy_answers
from model.llm.causal import Target
from model.llm.load import load_target

PROMPT = "Article: Shares fell sharply.\nAnswer: Business\n\n"
QUERIES = ["Article: A game.\nAnswer:", "Article: The team won the final game at last.\nAnswer:", "A:"]
LABELS = [40, 90, 200]


def plain(target: Target, ids: list[int], mask: Tensor | None = None) -> Tensor:
    """Log-probabilities of what follows each of `ids`: [len(ids), vocabulary], by one ordinary pass."""
    tokens = torch.tensor([[*target.bos, *ids]])
    logits = target.model(tokens, attention_mask=mask).logits[0]
    return torch.log_softmax(logits.float(), -1)[len(target.bos) :]


def encoded(target: Target) -> tuple[list[int], list[list[int]]]:
    return target.encode(PROMPT), [target.encode(query) for query in QUERIES]


@pytest.mark.parametrize("prompt", ["", PROMPT])
@pytest.mark.parametrize("chunk", [1, 40, 4096])
def test_labels_after_a_shared_prefix_score_as_in_plain_passes(
    any_target: Target, prompt: str, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model.llm.causal, "TOKENS_PER_CHUNK", chunk)
    ids, queries = any_target.encode(prompt), encoded(any_target)[1]
    got = any_target.label_log_probs(any_target.read(ids), queries, LABELS)
    wanted = torch.stack([plain(any_target, ids + query)[-1, LABELS] for query in queries])
    torch.testing.assert_close(got, wanted, atol=1e-4, rtol=1e-4)
    assert wanted.std(0).min() > 1e-3  # queries differ, so a wrong order would show


@pytest.mark.parametrize("chunk", [1, 60, 4096])
def test_answers_after_a_shared_prefix_score_as_in_plain_passes(
    any_target: Target, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model.llm.causal, "TOKENS_PER_CHUNK", chunk)
    ids, queries = encoded(any_target)
    answers = [any_target.encode(text) for text in (" Sports", " 3 + 4 = 7\n#### 7", " x")]
    got = any_target.answer_log_probs(any_target.read(ids), queries, answers)
    wanted = []
    for query, answer in zip(queries, answers, strict=True):
        table = plain(any_target, [*ids, *query, *answer])[-len(answer) - 1 : -1]
        wanted.append(table[torch.arange(len(answer)), torch.tensor(answer)].mean())
    torch.testing.assert_close(got, torch.stack(wanted), atol=1e-4, rtol=1e-4)


def test_open_gates_change_nothing(any_target: Target) -> None:
    ids, queries = encoded(any_target)
    plain_prefix, gated = any_target.read(ids), any_target.read(ids, torch.zeros(len(ids)))
    for a, b in zip(plain_prefix.layers, gated.layers, strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)
    got = any_target.label_log_probs(gated, queries, LABELS)
    wanted = any_target.label_log_probs(plain_prefix, queries, LABELS)
    torch.testing.assert_close(got, wanted, atol=1e-4, rtol=1e-4)


def test_a_closed_gate_masks_its_subword(any_target: Target) -> None:
    ids, queries = encoded(any_target)
    shut = 5
    log_gates = torch.zeros(len(ids))
    log_gates[shut] = -1e4
    got = any_target.label_log_probs(any_target.read(ids, log_gates), queries, LABELS)
    wanted = []
    for query in queries:
        mask = torch.ones(1, len(any_target.bos) + len(ids) + len(query), dtype=torch.long)
        mask[0, len(any_target.bos) + shut] = 0
        wanted.append(plain(any_target, ids + query, mask)[-1, LABELS])
    torch.testing.assert_close(got, torch.stack(wanted), atol=1e-4, rtol=1e-4)
    full = any_target.label_log_probs(any_target.read(ids), queries, LABELS)
    assert (got - full).abs().max() > 1e-3


def test_gradients_reach_every_gate(any_target: Target) -> None:
    ids, queries = encoded(any_target)
    log_gates = torch.zeros(len(ids), requires_grad=True)
    any_target.label_log_probs(any_target.read(ids, log_gates), queries, LABELS)[:, 0].sum().backward()
    gradient = log_gates.grad
    assert gradient is not None and gradient.isfinite().all()
    assert (gradient.abs() > 1e-9).all()
    step, j = 1e-2, int(gradient.abs().argmax())
    nudge = torch.zeros(len(ids))
    nudge[j] = step
    up, down = (
        any_target.label_log_probs(any_target.read(ids, g), queries, LABELS)[:, 0].sum() for g in (nudge, -nudge)
    )
    assert float(gradient[j]) == pytest.approx(float(up - down) / (2 * step), rel=0.05)
    assert all(p.grad is None for p in any_target.model.parameters())


@pytest.mark.parametrize("prompt", ["", PROMPT])
def test_batched_greedy_answers_equal_plain_decoding(any_target: Target, prompt: str) -> None:
    ids, queries = any_target.encode(prompt), encoded(any_target)[1]
    got = greedy_answers(any_target, any_target.read(ids), queries, new_tokens=12)
    for query, text in zip(queries, got, strict=True):
        answer: list[int] = []
        for _ in range(12):
            token = int(plain(any_target, [*ids, *query, *answer])[-1].argmax())
            if token == any_target.tokenizer.eos_token_id:
                break
            answer.append(token)
        assert text == cut(any_target.tokenizer.decode(answer, skip_special_tokens=True))
    assert len(set(got)) > 1


def test_an_unknown_target_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot load the target LLM"):
        load_target(str(tmp_path), "cpu")


def test_chunks_example() -> None:
    example = doctest.DocTestFinder().find(model.llm.causal.chunks_of, globs=vars(model.llm.causal))
    assert doctest.DocTestRunner().run(example[0]).failed == 0
