"""The denoiser on a tiny encoder: windows, batches, what it looks at, its loss, and the noise it learns from."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from model.denoiser.batching import PromptBatch, PromptCollator
from model.denoiser.loss import loss
from model.denoiser.network import Denoiser, keep_logits
from model.diffusion.schedule import DROP, KEEP, MASK, MIN_TIME, corrupt, sample_times
from model.errors import InputError
from model.prompt import Prompt, parse
from tests.support.tiny import PROMPT, tiny_checkpoint

LONG = parse("Sort these.\n\n" + "Q: cats and 12 dogs?\nA: yes\n\n" * 40 + "Q: birds?\nA:")
CHECKPOINT = tiny_checkpoint()
DENOISER = CHECKPOINT.denoiser


def encoder(window: int, overlap: int) -> PromptCollator:
    return PromptCollator(CHECKPOINT.collator.tokenizer, replace(DENOISER.config, window=window, overlap=overlap))


@torch.no_grad()
def logits(
    encode: PromptCollator, prompts: list[Prompt], states: Tensor | None = None, retention: float = 0.5
) -> Tensor:
    """[batch, n]"""
    encoded = encode(prompts)
    states = torch.full(encoded.shot.shape, MASK) if states is None else states
    token, shot = DENOISER(encoded, states, torch.full((len(prompts),), retention))
    return keep_logits(token, shot, encoded.shot)


# --- windows -----------------------------------------------------------------------------------------------


@given(st.integers(4, 40), st.integers(0, 40), st.sampled_from([1, 3, 10, 40]))
def test_windows_cover_every_subword(window: int, overlap: int, tokens: int) -> None:
    overlap = min(overlap, window - 3)
    prompt = parse(" ".join(LONG.text.split()[:tokens]))
    whole = encoder(4096, 0)([prompt])
    encoded = encoder(window, overlap)([prompt])
    assert encoded.ids.shape[1] <= window
    length = whole.ids.shape[1] - 2
    spans = encoder(window, overlap)._spans(length)
    assert spans[0][0] == 0 and spans[-1][1] == length
    assert all(a[0] < b[0] <= a[1] for a, b in zip(spans, spans[1:], strict=False))  # forward, and no gap
    for row, (a, b) in enumerate(spans):
        inner = slice(1, 1 + b - a)
        assert torch.equal(encoded.ids[row, inner], whole.ids[0, 1 + a : 1 + b])
        assert torch.equal(encoded.token[row, inner], whole.token[0, 1 + a : 1 + b])
        assert (encoded.weight[row, inner] > 0).all()
        assert encoded.attention[row].sum() == b - a + 2
    assert set(encoded.token.flatten().tolist()) - {-1} == set(range(len(prompt)))


def test_special_tokens_are_no_prompt_tokens() -> None:
    encoded = encoder(30, 5)([LONG, parse(PROMPT)])
    tokenizer = CHECKPOINT.collator.tokenizer
    special = (encoded.ids == tokenizer.cls_token_id) | (encoded.ids == tokenizer.sep_token_id)
    assert (encoded.ids[:, 0] == tokenizer.cls_token_id).all()
    assert (special.sum(1) == 2).all() and (encoded.token[special] == -1).all()
    assert (encoded.token[~encoded.attention] == -1).all()
    assert (encoded.ids[~encoded.attention] == tokenizer.pad_token_id).all()


def test_line_breaks_have_a_subword_of_their_own() -> None:
    encoded = CHECKPOINT.collator([parse("a\n\nb")])
    ids = encoded.ids[0, 1:-1].tolist()
    assert ids == CHECKPOINT.collator.tokenizer.convert_tokens_to_ids(["a", "[unused1]", "b"])


def test_short_prompts_do_not_depend_on_the_window() -> None:
    prompt = parse(PROMPT)
    assert torch.equal(logits(encoder(64, 8), [prompt]), logits(encoder(512, 128), [prompt]))


def test_long_prompts_are_read_whole() -> None:
    prompt = parse(LONG.text * 12)
    assert len(prompt) > 4000
    keep = logits(encoder(512, 128), [prompt])
    assert keep.shape == (1, len(prompt)) and keep.isfinite().all()
    start, end = keep[0, :50], keep[0, -50:]
    assert start.std() > 0 and end.std() > 0


@pytest.mark.parametrize(("window", "overlap"), [(20, 18), (20, -1), (2, 0)])
def test_impossible_windows(window: int, overlap: int) -> None:
    with pytest.raises(InputError, match="overlap"):
        encoder(window, overlap)


# --- what the prediction depends on ------------------------------------------------------------------------


@pytest.mark.parametrize("window", [32, 512])
def test_padding_in_a_batch_changes_nothing(window: int) -> None:
    prompts = [parse(PROMPT), LONG, parse("Hi.")]
    encode = encoder(window, window // 4)
    together = logits(encode, prompts)
    for row, prompt in enumerate(prompts):
        alone = logits(encode, [prompt])[0]
        torch.testing.assert_close(together[row, : len(prompt)], alone, atol=1e-4, rtol=1e-4)


def test_states_matter_to_the_others() -> None:
    prompt = parse(PROMPT)
    blank = torch.full((1, len(prompt)), MASK)
    base = logits(CHECKPOINT.collator, [prompt], blank)[0]
    changed = []
    for state in (KEEP, DROP):
        states = blank.clone()
        states[0, 0] = state
        changed.append(logits(CHECKPOINT.collator, [prompt], states)[0])
    assert (changed[0][1:] != base[1:]).all() and (changed[0][1:] != changed[1][1:]).all()


def test_retention_matters() -> None:
    prompt = parse(PROMPT)
    levels = [logits(CHECKPOINT.collator, [prompt], retention=r)[0] for r in (0.01, 0.1, 0.2, 0.5, 0.99)]
    assert all((a != b).all() for a, b in zip(levels, levels[1:], strict=False))


def test_a_shot_raises_all_its_tokens() -> None:
    encoded = CHECKPOINT.collator([parse(PROMPT)])
    shot = torch.arange(float(encoded.shot.max() + 1))[None]
    zero = torch.zeros(encoded.shot.shape)
    assert torch.equal(keep_logits(zero, shot, encoded.shot)[0], encoded.shot[0].float())


# --- loss --------------------------------------------------------------------------------------------------


def example(hidden: list[int] | None = None) -> tuple[PromptBatch, Tensor, Tensor]:
    """One prompt, numbers and signs wanted; `hidden` tokens are MASK, None = all."""
    prompt = parse(PROMPT)
    encoded = CHECKPOINT.collator([prompt])
    clean = torch.tensor([[not token.text.strip().isalpha() for token in prompt.tokens]])
    states = torch.where(clean, KEEP, DROP)
    states[:, slice(None) if hidden is None else hidden] = MASK
    return encoded, clean, states


def test_loss_of_an_undecided_model_is_ln_2() -> None:
    encoded, clean, states = example()
    zero, shots = torch.zeros(states.shape), torch.zeros(1, int(encoded.shot.max()) + 1)
    value = loss(zero, shots, encoded, clean, states, torch.ones(1), shot_weight=0, anti_mask=0)
    assert value.item() == pytest.approx(math.log(2), abs=1e-5)
    half = loss(zero, shots, encoded, clean, states, torch.full((1,), 0.5), shot_weight=0, anti_mask=0)
    assert half.item() == pytest.approx(2 * math.log(2), abs=1e-5)


def test_loss_is_on_hidden_tokens_only() -> None:
    encoded, clean, states = example([1, 2])
    shots = torch.zeros(1, int(encoded.shot.max()) + 1)
    token = torch.zeros(states.shape, requires_grad=True)
    loss(token, shots, encoded, clean, states, torch.ones(1)).backward()
    assert token.grad is not None and set(token.grad[0].nonzero().flatten().tolist()) == {1, 2}
    token.grad = None
    weight = torch.ones(states.shape)
    weight[0, 1] = 0
    loss(token, shots, encoded, clean, states, torch.ones(1), weight, anti_mask=0).backward()
    assert set(token.grad[0].nonzero().flatten().tolist()) == {2}  # type: ignore[index]


def test_anti_mask_penalty_is_for_dropping_too_much() -> None:
    encoded, clean, states = example()
    shots = torch.zeros(1, int(encoded.shot.max()) + 1)

    def penalty(value: float) -> float:
        token = torch.full(states.shape, value)
        with_it, without = (
            loss(token, shots, encoded, clean, states, torch.ones(1), shot_weight=0, anti_mask=a) for a in (1, 0)
        )
        return (with_it - without).item()

    assert penalty(9.0) == pytest.approx(0, abs=1e-5)
    assert penalty(-9.0) > penalty(-1.0) > 0.1


def test_padding_has_no_loss() -> None:
    prompts = [parse(PROMPT), LONG]
    encoded = CHECKPOINT.collator(prompts)
    token = torch.zeros(encoded.shot.shape, requires_grad=True)
    shots = torch.zeros(2, int(encoded.shot.max()) + 1, requires_grad=True)
    clean = torch.zeros(encoded.shot.shape, dtype=torch.bool)
    loss(token, shots, encoded, clean, torch.full(clean.shape, MASK), torch.ones(2)).backward()
    assert token.grad is not None and shots.grad is not None
    assert (token.grad[0, len(prompts[0]) :] == 0).all() and (token.grad[1] != 0).all()
    assert (shots.grad[0, len(prompts[0].parts) :] == 0).all()


def test_gradients_reach_every_weight_and_training_learns() -> None:
    denoiser: Denoiser = tiny_checkpoint().denoiser
    encoded, clean, states = example()
    optimiser = torch.optim.Adam(denoiser.parameters(), 0.001)
    values = []
    for _ in range(150):
        token, shot = denoiser(encoded, states, torch.tensor([0.5]))
        value = loss(token, shot, encoded, clean, states, torch.ones(1))
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        values.append(value.item())
        for name, weight in denoiser.named_parameters():
            assert weight.grad is not None and weight.grad.isfinite().all(), name
    assert values[-1] < 0.3 * values[0]


# --- noise -------------------------------------------------------------------------------------------------


@given(st.integers(1, 64), st.integers(0, 2**31))
def test_times(count: int, seed: int) -> None:
    times = sample_times(count, torch.Generator().manual_seed(seed))
    assert times.shape == (count,) and (times >= MIN_TIME).all() and (times <= 1).all()
    gaps = times.sort().values.diff()
    assert (gaps < 1.01 / count).all()  # spread evenly


@given(st.integers(1, 5), st.integers(1, 50), st.integers(1, 6), st.floats(0.001, 1), st.floats(0, 1))
def test_corrupt(batch: int, n: int, shots: int, time: float, whole: float) -> None:
    generator = torch.Generator().manual_seed(batch + n)
    states = torch.randint(KEEP, DROP + 1, (batch, n), generator=generator)
    shot = torch.randint(shots, (batch, n), generator=generator).sort(1).values
    noisy = corrupt(states, shot, torch.full((batch,), time), generator, whole)
    hidden = noisy == MASK
    assert torch.equal(noisy[~hidden], states[~hidden])  # what is shown is the truth
    assert hidden.any(1).all()
    if time == 1:
        assert hidden.all()
    if whole == 1:
        by_shot = [hidden[i][shot[i] == s] for i in range(batch) for s in shot[i].unique()]
        assert all(part.all() or not part.any() for part in by_shot)


@pytest.mark.parametrize("whole", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("time", [0.05, 0.3, 0.9])
def test_corrupt_hides_a_share_t(time: float, whole: float) -> None:
    """... a little more at small t, where one token or shot is hidden at least, but never a whole prompt for that."""
    shot = torch.arange(5).repeat_interleave(40).expand(2000, -1)
    states = torch.full(shot.shape, KEEP)
    noisy = corrupt(states, shot, torch.full((2000,), time), torch.Generator().manual_seed(0), whole)
    share = (noisy == MASK).float().mean().item()
    at_least_one_shot = (1 - time) ** 5 / 5
    assert share == pytest.approx(time + whole * at_least_one_shot, abs=0.02)
