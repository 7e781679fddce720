"""What a denoiser is shown of a mask while it learns; fitting learns, stops in time and can be interrupted anywhere."""

from __future__ import annotations

import random
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from model.compress import PAPER, Compressor
from model.data.fewshot import Dataset, FewShot, draw
from model.denoiser.checkpoint import Checkpoint
from model.diffusion.schedule import DROP, KEEP, MASK
from model.errors import InputError
from model.prompt import Prompt, Token, parse
from model.prompt.pins import pins_for_task
from model.teacher.score import Case
from model.training.augment import augmented
from model.training.batches import Item, NoisyBatch
from model.training.fit import Epoch, mask_agreement
from model.training.fit import fit as fit_denoiser
from tests.support.fitting import ONE_STEP, QUICK, is_sign, is_word
from tests.support.tiny import PROMPT, calm_checkpoint, tiny_checkpoint

TASK = pins_for_task(parse(PROMPT))
Rule = Callable[[Token], bool]


# --- what it is shown --------------------------------------------------------------------------------------


def shown(keep: list[bool], weight: list[float] | None = None) -> list[set[int]]:
    """States that each token was shown in, over many draws of noise."""
    prompt, generator = parse(PROMPT), torch.Generator().manual_seed(0)
    draws = [
        NoisyBatch.draw(tiny_checkpoint().collator, [Item(prompt, keep, weight)], generator, torch.device("cpu"))
        .states[0]
        .tolist()
        for _ in range(30)
    ]
    return [set(states) for states in zip(*draws, strict=True)]


def test_the_task_is_shown_as_kept_as_pins_would_keep_it() -> None:
    keep = [i in TASK or i % 2 == 0 for i in range(len(parse(PROMPT)))]
    for i, states in enumerate(shown(keep)):
        assert states == ({KEEP} if i in TASK else {MASK, KEEP if keep[i] else DROP})


def test_what_a_person_decided_about_the_task_is_to_be_learnt() -> None:
    n = len(parse(PROMPT))
    dropped, touched = min(TASK), max(TASK)
    keep = [i != dropped for i in range(n)]
    states = shown(keep, [float(i == touched) for i in range(n)])
    assert states[dropped] == {MASK, DROP} and states[touched] == {MASK, KEEP}


def fit(checkpoint: Checkpoint, *args: Any, **options: Any) -> list[Epoch]:
    """Train the checkpoint's denoiser, which is the test's own; what it was before judges what has no weight."""
    parent = deepcopy(checkpoint.denoiser)
    return fit_denoiser(checkpoint.denoiser, checkpoint.collator, *args, parent=parent, **options)


# --- fitting -----------------------------------------------------------------------------------------------


def items_for(loaded: Dataset, rule: Rule = is_sign, prompts: int = 6) -> list[Item]:
    """Prompts whose tokens are kept by a rule that can be learnt."""
    shots = [draw(loaded, random.Random(seed), shots=3) for seed in range(prompts)]
    found = [Case.of(shot, loaded).prompt for shot in shots]
    return [Item(prompt, [rule(t) for t in prompt.tokens]) for prompt in found]


def weights_of(checkpoint: Checkpoint) -> dict[str, Tensor]:
    return {k: v.clone() for k, v in checkpoint.denoiser.state_dict().items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def test_a_handful_of_prompts_can_be_learnt_by_heart(loaded: Dataset) -> None:
    items, checkpoint = items_for(loaded), calm_checkpoint()
    before = mask_agreement(checkpoint, items, 4)
    history = fit(checkpoint, items, items, replace(QUICK, epochs=40, patience=40))
    assert [e.index for e in history] == list(range(40))
    assert history[-1].train_loss < history[0].train_loss / 2
    assert history[-1].valid_loss < history[0].valid_loss / 2
    assert mask_agreement(checkpoint, items, 4) > max(before, 0.95)
    assert not checkpoint.denoiser.training


@pytest.mark.parametrize("rate", [0.01, 0.2])  # best: the second epoch, the first
def test_training_stops_when_validation_gets_worse_and_keeps_the_best_epoch(loaded: Dataset, rate: float) -> None:
    items, valid = items_for(loaded), items_for(loaded, is_word)  # what is learnt is wrong there
    checkpoint, after, steps = calm_checkpoint(), [], []

    def progress(step: int, total: int, value: float) -> None:
        steps.append((step, total))
        after.append(weights_of(checkpoint))

    config = replace(ONE_STEP, epochs=60, patience=3, rate=rate)
    history = fit(checkpoint, items, valid, config, progress=progress)
    losses = [e.valid_loss for e in history]
    best = losses.index(min(losses))
    assert len(history) == len(after) == best + 1 + 3 < 60
    assert steps == [(i + 1, 60) for i in range(len(history))]
    assert same(weights_of(checkpoint), after[best]) and not same(after[best], after[-1])


def varied_items(loaded: Dataset) -> list[Item]:
    """Items that draw varied copies of themselves."""
    items = []
    for seed in range(5):
        shot = draw(loaded, random.Random(seed), shots=3)
        prompt = Case.of(shot, loaded).prompt
        keep = [is_sign(t) for t in prompt.tokens]

        def resample(rng: random.Random, shot: FewShot = shot, prompt: Prompt = prompt,
                  keep: list[bool] = keep) -> tuple[Prompt, list[bool]]:  # fmt: skip
            return augmented(shot, prompt, keep, loaded, rng)

        items.append(Item(prompt, keep, resample=resample))
    return items


@pytest.mark.parametrize("stop", [1, 5, 9])
def test_a_resumed_run_ends_with_the_same_weights_to_the_bit(loaded: Dataset, tmp_path: Path, stop: int) -> None:
    items, valid = varied_items(loaded), items_for(loaded)
    state = tmp_path / "run.state"
    ends = []

    def run(state: Path | None, stop: int = 0) -> tuple[list[Epoch], dict[str, Tensor], list[int]]:
        checkpoint, steps = calm_checkpoint(), []

        def progress(step: int, total: int, value: float) -> None:
            steps.append(step)
            if len(steps) == stop:
                raise KeyboardInterrupt
            if step == total:
                ends.append(weights_of(checkpoint))  # of the last epoch, which need not be the best

        return fit(checkpoint, items, valid, QUICK, state=state, progress=progress), weights_of(checkpoint), steps

    history, weights, steps = run(None)
    assert len(steps) > 2 * QUICK.epochs and steps == sorted(steps)
    with pytest.raises(KeyboardInterrupt):
        run(state, stop)
    torch.manual_seed(99)  # another process
    resumed, again, more = run(state)
    assert resumed == history and same(again, weights) and same(*ends)
    assert steps[-len(more) :] == more  # whole epochs are not done again
    assert len(steps) - len(more) in ((0,) if stop == 1 else range(1, stop))


def test_the_seed_decides_and_other_random_numbers_do_not(loaded: Dataset) -> None:
    items, valid = varied_items(loaded), items_for(loaded)
    results = []
    for seed, disturbance in ((0, 1), (0, 2), (1, 1)):
        torch.manual_seed(disturbance)
        random.seed(disturbance)
        checkpoint = calm_checkpoint()
        fit(checkpoint, items, valid, replace(QUICK, epochs=1, seed=seed))
        results.append(weights_of(checkpoint))
    assert same(results[0], results[1]) and not same(results[0], results[2])


@pytest.mark.parametrize("content", [b"", b"not a state", None])
def test_a_state_of_something_else_is_refused(loaded: Dataset, tmp_path: Path, content: bytes | None) -> None:
    state = tmp_path / "run.state"
    if content is None:
        torch.save({"model": {"weight": torch.zeros(2)}}, state)
    else:
        state.write_bytes(content)
    items = items_for(loaded)
    with pytest.raises(InputError, match=r"^cannot go on from \S*run.state, damaged or .*; remove it to start again$"):
        fit(calm_checkpoint(), items, items, QUICK, state=state)


def test_a_run_goes_on_with_more_epochs_but_not_with_other_settings(loaded: Dataset, tmp_path: Path) -> None:
    state, items = tmp_path / "run.state", items_for(loaded)
    fit(calm_checkpoint(), items, items, replace(QUICK, epochs=1), state=state)
    for change, what in (({"seed": 1}, "seed"), ({"rate": 0.1, "tokens": 50}, "tokens, rate")):
        with pytest.raises(InputError, match=f"that run had other {what}; give the same"):
            fit(calm_checkpoint(), items, items, replace(QUICK, epochs=2, **change), state=state)
    with pytest.raises(InputError, match="that run had other masks; give the same"):
        fit(calm_checkpoint(), items[1:], items, replace(QUICK, epochs=2), state=state)
    assert len(fit(calm_checkpoint(), items, items, replace(QUICK, epochs=2), state=state)) == 2


def test_heavy_items_win_over_light_ones(loaded: Dataset) -> None:
    prompt = items_for(loaded, prompts=1)[0].prompt
    half = [i % 2 == 0 for i in range(len(prompt))]
    other = [not k for k in half]
    got = []
    for mine, theirs in ((5.0, 0.1), (0.1, 5.0)):
        items = [Item(prompt, half, [mine] * len(prompt)), Item(prompt, other, [theirs] * len(prompt))]
        checkpoint = calm_checkpoint()
        fit(checkpoint, items, items, replace(QUICK, epochs=25, patience=25))
        got.append(mask_agreement(checkpoint, items[:1], 4) - mask_agreement(checkpoint, items[1:], 4))
    assert got[0] > 0.5 and got[1] < -0.5


def test_what_is_taught_counts_as_much_as_said(loaded: Dataset) -> None:
    items = items_for(loaded)
    plain, one, two = calm_checkpoint(), calm_checkpoint(), calm_checkpoint()
    quick = replace(QUICK, epochs=1)
    fit(plain, items, items, quick)
    fit(one, [replace(i, token_weight=[1.0] * len(i.keep)) for i in items], items, quick)
    fit(two, [items[0], *(replace(i, token_weight=[2.0] * len(i.keep)) for i in items[1:])], items, quick)
    assert same(weights_of(plain), weights_of(one)) and not same(weights_of(plain), weights_of(two))


def test_what_is_not_taught_is_judged_as_before(loaded: Dataset) -> None:
    prompt = items_for(loaded)[0].prompt

    def judged(checkpoint: Checkpoint) -> Tensor:
        with torch.inference_mode():
            return torch.sigmoid(checkpoint.predictor(prompt, 0.5)(torch.zeros(len(prompt), dtype=torch.long))[0])

    before = judged(calm_checkpoint())
    weight = [float(i < 4) for i in range(len(prompt))]
    keep = [bool(p < 0.5) for p in before]  # the opposite of what it thinks, of every token
    drifts = []
    for item in (Item(prompt, keep, weight), Item(prompt, keep)):
        checkpoint = calm_checkpoint()
        fit(checkpoint, [item] * 4, [item], replace(QUICK, epochs=40, patience=40))
        moved = (judged(checkpoint) - before).abs()
        assert moved[:4].mean() > 0.2
        drifts.append(float(moved[4:].mean()))
    assert drifts[0] < drifts[1] / 2


def test_an_item_that_is_drawn_anew_is_drawn_in_every_epoch_and_never_to_validate(loaded: Dataset) -> None:
    drawn = []

    def resample(rng: random.Random) -> tuple[Prompt, list[bool]]:
        drawn.append(rng.random())
        return items[0].prompt, list(items[0].keep)

    items = items_for(loaded, prompts=4)
    anew = [replace(i, resample=resample) for i in items]
    fit(calm_checkpoint(), anew, anew, replace(QUICK, epochs=2))
    assert len(drawn) == len(set(drawn)) == 8  # 4 in each of 2 epochs


@pytest.mark.parametrize("empty", [0, 1])
def test_nothing_to_train_on_or_to_validate_with(loaded: Dataset, empty: int) -> None:
    lists = [items_for(loaded, prompts=2), items_for(loaded, prompts=2)]
    lists[empty] = []
    with pytest.raises(InputError, match="at least one of each"):
        fit(calm_checkpoint(), lists[0], lists[1], QUICK)


@pytest.mark.parametrize("change", [{"epochs": 0}, {"patience": 0}, {"tokens": 0}, {"rate": 0.0}, {"rate": 1.0}])
def test_a_wrong_setting_is_an_input_error(change: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="at least 1 and the learning rate between 0 and 1"):
        replace(QUICK, **change)


@pytest.mark.parametrize("steps", [1, 4])
def test_a_checkpoint_agrees_with_its_own_masks(loaded: Dataset, steps: int) -> None:
    checkpoint = tiny_checkpoint()
    compressor = Compressor(checkpoint)
    items = []
    for item in items_for(loaded):
        found = compressor.compress(item.prompt, item.retention, steps, keep_task=False, exact=True, **PAPER)
        items.append(Item(item.prompt, list(found.trace.keep)))
    assert mask_agreement(checkpoint, items, steps) == 1
    flipped = [replace(i, keep=[not items[0].keep[0], *i.keep[1:]]) if i is items[0] else i for i in items]
    wrong = mask_agreement(checkpoint, flipped, steps)
    assert 0 < wrong < 1
    prompt = items[0].prompt
    half = compressor.compress(
        prompt, (len(prompt) // 2) / len(prompt), steps, keep_task=False, exact=True, **PAPER
    ).trace.keep
    if len(prompt) % 2 == 0:
        assert mask_agreement(checkpoint, [Item(prompt, [not k for k in half])], steps) == 0
