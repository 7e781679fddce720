"""Long prompts, block by block, with scripted predictions instead of a model."""

from __future__ import annotations

import doctest

import torch
from hypothesis import given
from hypothesis import strategies as st

import model.diffusion.blocks
from model.diffusion.blocks import block, predict_in_blocks, split_blocks
from model.diffusion.sampler import Predict, Prediction
from model.prompt import Prompt, parse
from tests.support.scripted_predictions import scripted


def few_shot(count: int, words: int) -> Prompt:
    body = " ".join(["word"] * words)
    return parse("".join(f"Question: {i} {body}?\nAnswer: {i}.\n\n" for i in range(count)))


def predictor(prompt: Prompt) -> Predict:
    return scripted(len(prompt), len(prompt) % 7, parts=len(prompt.parts))


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
    for shot in prompt.parts:
        if shot.last - shot.first <= size:
            assert not any(shot.first < edge < shot.last for edge in edges)


@given(prompts())
def test_a_part_is_a_prompt(case: tuple[Prompt, int, dict[int, bool]]) -> None:
    prompt, size, _ = case
    for first, last in split_blocks(prompt, size):
        cut = block(prompt, first, last)
        assert [t.text for t in cut.tokens] == [t.text for t in prompt.tokens[first:last]]
        assert [s for i, shot in enumerate(cut.parts) for s in [i] * (shot.last - shot.first)] == cut.part_of
        assert all(prompt.text[t.start : t.end] == t.text for t in cut.tokens)


def test_blocks_are_read_apart_and_put_together() -> None:
    prompt = few_shot(5, 6)
    ranges = split_blocks(prompt, 30)
    states = torch.arange(len(prompt)) % 3
    whole = predict_in_blocks(predictor, prompt, 30)(states)
    assert len(ranges) > 1 and len(whole.tokens) == len(prompt) and len(whole.parts) == len(prompt.parts)
    for first, last in ranges:
        alone = predictor(block(prompt, first, last))(states[first:last])
        assert torch.equal(whole.tokens[first:last], alone.tokens)


def test_a_part_in_several_blocks_gets_their_mean() -> None:
    prompt = parse("word " * 50)
    counts = iter((1.0, 3.0))

    def halves(prompt: Prompt) -> Predict:
        value = next(counts)
        return lambda states: Prediction(torch.zeros(len(states)), torch.tensor([value]))

    assert predict_in_blocks(halves, prompt, 25)(torch.zeros(50)).parts.tolist() == [2.0]


def test_one_block_is_read_as_it_is() -> None:
    prompt = few_shot(3, 5)
    seen: list[Prompt] = []
    predict_in_blocks(lambda whole: seen.append(whole) or predictor(whole), prompt, len(prompt))
    assert seen == [prompt]


def test_documented_ranges() -> None:
    assert doctest.testmod(model.diffusion.blocks).failed == 0
