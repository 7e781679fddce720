"""Window-Diffusion: what is kept of earlier steps stands in for what a step does not compute."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from model.compress import PAPER, Compressor
from model.denoiser.cached import CacheConfig, CachedPredictor
from model.diffusion.schedule import DROP, KEEP, MASK
from model.layers import Layers
from model.prompt import Prompt, parse
from tests.support.tiny import tiny_checkpoint

PROMPT = parse("".join(f"Question: what are {i} and {i + 3}?\nAnswer: they make {2 * i + 3}.\n\n" for i in range(6)))
N = len(PROMPT)
EXAMPLES = Path(__file__).parents[2] / "examples"


def windowed(window: CacheConfig, prompt: Prompt = PROMPT, width: int = 512) -> CachedPredictor:
    checkpoint = tiny_checkpoint(window=width, overlap=width // 4)
    denoiser = checkpoint.denoiser
    return CachedPredictor(
        denoiser, Layers(denoiser.backbone, torch.float32), checkpoint.collator([prompt]), 0.4, window
    )


def path(count: int) -> list[Tensor]:
    """States of a run in which each step decides a few tokens."""
    states, found = torch.full((N,), MASK), []
    for step in range(count):
        found.append(states.clone())
        states[step * 3 : step * 3 + 3] = KEEP if step % 2 else DROP
    return found


@torch.inference_mode()
@pytest.mark.parametrize("width", [512, 40])
def test_refreshed_in_every_step_it_is_the_exact_prediction(width: int) -> None:
    exact = tiny_checkpoint(window=width, overlap=width // 4).predictor(PROMPT, 0.4)
    made = windowed(CacheConfig(refresh=0.0), width=width)
    for states in path(5):
        for mine, other in zip(made(states)[:2], exact(states)[:2], strict=True):
            assert torch.allclose(mine, other, atol=1e-5)


@torch.inference_mode()
def test_computing_all_tokens_anew_is_nearly_a_refresh() -> None:
    """Only the special tokens at the window's ends are as they were."""
    exact = tiny_checkpoint().predictor(PROMPT, 0.4)
    made = windowed(CacheConfig(band=torch.inf, refresh=torch.inf))
    first, moved = exact(path(1)[0])[0], 0.0
    for states in path(5):
        made.seen = torch.full((N,), -1)  # so that every token counts as changed
        mine, other = made(states)[0], exact(states)[0]
        moved = float((other - first).abs().max())
        assert torch.allclose(mine, other, atol=1e-2 + 0.25 * moved)
    assert moved > 0


@torch.inference_mode()
def test_only_what_changed_and_what_is_close_is_computed() -> None:
    made = windowed(CacheConfig(band=0.0, refresh=torch.inf))
    states = path(2)
    before = made(states[0])
    everything = made.computed
    again = made(states[0])
    assert made.computed == everything and all(torch.equal(a, b) for a, b in zip(before[:2], again[:2], strict=True))
    after = made(states[1])
    assert 3 <= made.computed - everything < everything // 4
    assert not torch.equal(before[0][:3], after[0][:3])


@torch.inference_mode()
def test_refreshes_come_often_at_first() -> None:
    made = windowed(CacheConfig(band=0.0, refresh=2.0))
    counts = []
    for states in path(8):
        before = made.computed
        made(states)
        counts.append(made.computed - before)
    everything = counts[0]
    assert [count == everything for count in counts] == [True, True, False, True, False, False, False, True]


@pytest.mark.parametrize("steps", [1, 8, 64])
def test_budget_and_pins_hold(steps: int) -> None:
    compressor = Compressor(tiny_checkpoint())
    pins = {0: True, 5: False, N - 1: True}
    for exact in (False, True):
        trace = compressor.compress(PROMPT, 0.3, steps, keep_task=False, pins=pins, exact=exact, **PAPER).trace
        assert sum(trace.keep) == int(0.3 * N)
        assert all(trace.keep[i] == keep for i, keep in pins.items())
        assert trace.steps[0].predicted and [step.index for step in trace.steps] == list(range(1, steps + 1))


def test_the_model_is_asked_less_often_and_the_same_run_gives_the_same_mask() -> None:
    compressor = Compressor(tiny_checkpoint(), CacheConfig(tolerance=0.05))
    traces = [compressor.compress(PROMPT, 0.3, 64, keep_task=False, **PAPER).trace for _ in range(2)]
    assert traces[0] == traces[1]
    assert 1 <= sum(step.predicted for step in traces[0].steps) < 64


def test_the_shipped_model_decides_fast_what_it_decides_exactly() -> None:
    compressor = Compressor.load(device="cpu")
    equal = []
    for name in ("agent", "documents", "meeting"):
        text = (EXAMPLES / f"{name}.txt").read_text("utf-8")
        fast, exact = (compressor.compress(text, 0.5, 64, exact=exact, **PAPER).trace for exact in (False, True))
        asked = [sum(step.predicted for step in trace.steps) for trace in (fast, exact)]
        assert 2 * asked[0] <= asked[1]
        equal += [a == b for a, b in zip(fast.keep, exact.keep, strict=True)]
    assert sum(equal) >= 0.97 * len(equal)


def test_an_encoder_without_such_layers_is_run_whole() -> None:
    checkpoint = tiny_checkpoint()
    checkpoint.denoiser.config.encoder["model_type"] = "distilbert"
    compressor = Compressor(checkpoint, CacheConfig(tolerance=0.0))
    assert compressor.layers is None
    kept = [compressor.compress(PROMPT, 0.3, 4, exact=exact, **PAPER).trace.keep for exact in (False, True)]
    assert kept[0] == kept[1]
