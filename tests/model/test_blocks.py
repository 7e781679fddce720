"""Long prompts, block by block, with scripted predictions instead of a model."""

from __future__ import annotations

import doctest

import torch
from hypothesis import given
from hypothesis import strategies as st

import model.diffusion.blocks
from model.diffusion.blocks import denoise_blocks, part, shares, split_blocks
from model.diffusion.sampler import Predict, RefreshPolicy, budget, denoise
from model.diffusion.schedule import MASK
from model.diffusion.trace import SamplerConfig, Step, Trace
from model.prompt import Prompt, parse
from tests.support.scripted_predictions import scripted


def few_shot(count: int, words: int) -> Prompt:
    body = " ".join(["word"] * words)
    return parse("".join(f"Question: {i} {body}?\nAnswer: {i}.\n\n" for i in range(count)))


def predictor(prompt: Prompt, retention: float) -> Predict:
    made = scripted(len(prompt), len(prompt) % 7)
    return lambda states: (made(states)[0], torch.zeros(len(prompt.shots)))


@st.composite
def prompts(draw: st.DrawFn) -> tuple[Prompt, int, dict[int, bool]]:
    prompt = few_shot(draw(st.integers(1, 6)), draw(st.integers(0, 8)))
    pins = draw(st.dictionaries(st.integers(0, len(prompt) - 1), st.booleans(), max_size=len(prompt)))
    return prompt, draw(st.integers(1, 40)), pins


@given(prompts())
def test_ranges_cover_the_prompt_and_cut_no_shot_that_fits(case: tuple[Prompt, int, dict[int, bool]]) -> None:
    prompt, size, _ = case
    ranges = split_blocks(prompt, size)
    assert [a for a, _ in ranges] == [0, *(b for _, b in ranges[:-1])] and ranges[-1][1] == len(prompt)
    assert all(0 < b - a <= size for a, b in ranges)
    edges = {a for a, _ in ranges}
    for shot in prompt.shots:
        if shot.last - shot.first <= size:
            assert not any(shot.first < edge < shot.last for edge in edges)


@given(prompts())
def test_a_part_is_a_prompt(case: tuple[Prompt, int, dict[int, bool]]) -> None:
    prompt, size, _ = case
    for first, last in split_blocks(prompt, size):
        block = part(prompt, first, last)
        assert [t.text for t in block.tokens] == [t.text for t in prompt.tokens[first:last]]
        assert [s for i, shot in enumerate(block.shots) for s in [i] * (shot.last - shot.first)] == block.shot_of
        assert all(prompt.text[t.start : t.end] == t.text for t in block.tokens)


@given(prompts(), st.floats(0, 1, exclude_min=True))
def test_shares_add_up_and_leave_room_for_the_pins(case: tuple[Prompt, int, dict[int, bool]], retention: float) -> None:
    prompt, size, pins = case
    ranges, total = split_blocks(prompt, size), budget(len(prompt), retention, pins)
    found = shares(ranges, total, pins)
    assert sum(found) == total
    for (a, b), share in zip(ranges, found, strict=True):
        pinned = [pins[i] for i in range(a, b) if i in pins]
        assert sum(pinned) <= share <= b - a - (len(pinned) - sum(pinned))


@given(prompts(), st.floats(0, 1, exclude_min=True), st.integers(1, 9), st.sampled_from([0.0, 0.02]))
def test_a_run_is_a_run_of_the_whole_prompt(
    case: tuple[Prompt, int, dict[int, bool]], retention: float, count: int, tolerance: float
) -> None:
    prompt, size, pins = case
    config = SamplerConfig(retention, count)
    steps: list[Step] = list(denoise_blocks(predictor, prompt, config, pins, RefreshPolicy(tolerance, 0.2), size))
    assert [step.index for step in steps] == list(range(1, count + 1))
    decided = [i for step in steps for i in step.decided]
    assert sorted([*decided, *pins]) == list(range(len(prompt)))
    trace = Trace.of(steps, config, pins)
    assert sum(trace.keep) == budget(len(prompt), retention, pins)
    assert all(trace.keep[i] == keep for i, keep in pins.items())
    for step in steps:
        assert list(step.confidence) == sorted(step.confidence, reverse=True)
        assert len(step.states) == len(step.probability) == len(prompt) and len(step.shots) == len(prompt.shots)


def test_the_first_shots_are_decided_while_the_last_are_far() -> None:
    prompt = few_shot(8, 10)
    steps = list(denoise_blocks(predictor, prompt, SamplerConfig(0.5, 4), {}, size=len(prompt) // 4 + 1))
    half = len(prompt) // 2
    assert MASK not in steps[1].states[: half - 10]
    assert set(steps[1].states[half + 10 :]) == {MASK}
    assert set(steps[1].probability[half + 10 :]) == {0.5}


def test_one_block_is_the_plain_sampler() -> None:
    prompt, config = few_shot(3, 5), SamplerConfig(0.4, 6)
    blocks = list(denoise_blocks(predictor, prompt, config, {1: False}))
    assert blocks == list(denoise(predictor(prompt, 0.4), prompt.shot_of, config, {1: False}))


def test_documented_ranges() -> None:
    assert doctest.testmod(model.diffusion.blocks).failed == 0
