"""Gates: their gradients against finite differences of the score, a soft top-k, and what a search finds."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from model.llm.causal import Target
from model.prompt import parse
from model.teacher.gates import gate_gradient, gate_search, soft_top_k
from model.teacher.score import QUERY_JOIN, read, score
from tests.support.scoring import scorer_for


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
    _, offsets = any_target.encode_with_offsets(body + QUERY_JOIN)
    owners = (bias.exp() * (n + 1) - 1).round().int().tolist()
    assert owners[: len(any_target.bos)] == [n] * len(any_target.bos)  # a gate of 1
    assert len(owners) == len(any_target.bos) + len(offsets)
    for (_, end), owner in zip(offsets, owners[len(any_target.bos) :], strict=True):
        ends = [i for i, a, b in places if a < end + shift <= b]
        assert owner == (ends[0] if ends else next((i for i, a, _ in places if end + shift <= a), places[-1][0]))


@given(st.lists(st.floats(-8, 8, width=32), min_size=1, max_size=40), st.floats(0.01, 1), st.floats(0.05, 2))
def test_soft_top_k_adds_up_to_k_and_keeps_the_order(values: list[float], share: float, temperature: float) -> None:
    logits = torch.tensor(values, requires_grad=True)
    gates = soft_top_k(logits, share * len(values), temperature)
    assert float(gates.detach().sum()) == pytest.approx(min(share * len(values), len(values) - 0.5), rel=1e-3, abs=1e-3)
    assert ((gates >= 0) & (gates <= 1)).all()
    assert (gates.detach()[logits.detach().argsort()].diff() >= -1e-6).all()  # equal ones may differ by rounding
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
