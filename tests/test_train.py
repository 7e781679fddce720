"""Training: varied copies keep the same words, a run can be interrupted anywhere, a checkpoint comes out whole."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import tiny_bert, tiny_checkpoint, tiny_word_pieces
from torch import Tensor, nn
from toy_rows import write_data
from tqdm import tqdm

import model.train
from model.augment import augmented
from model.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from model.compress import Compressor
from model.data import TEMPLATES, Dataset, FewShot, draw, load_dataset
from model.errors import InputError
from model.fit import Epoch, FitConfig, Item, agreement, fit
from model.pairs import Pair
from model.prompt import Prompt, Token
from model.proposals import propose_text, self_information
from model.score import Case
from model.teacher import Labelled
from model.train import TrainConfig, split, train, warm_up_items

# About three steps in an epoch of six toy prompts.
QUICK = FitConfig(epochs=4, patience=4, tokens=110, rate=0.01, head_factor=1.0)
ONE_STEP = replace(QUICK, tokens=10_000)  # in an epoch
Rule = Callable[[Token], bool]


def is_word(token: Token) -> bool:
    return token.text.isalpha()


def is_sign(token: Token) -> bool:
    return not is_word(token)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def loaded(data: Path) -> Dataset:
    return load_dataset(data, "sst-2")


def items_for(loaded: Dataset, rule: Rule = is_sign, prompts: int = 6) -> list[Item]:
    """Prompts whose tokens are kept by a rule that can be learnt."""
    shots = [draw(loaded, random.Random(seed), shots=3) for seed in range(prompts)]
    found = [Case.of(shot, loaded).prompt for shot in shots]
    return [Item(prompt, [rule(t) for t in prompt.tokens]) for prompt in found]


def calm_checkpoint() -> Checkpoint:
    """The tiny checkpoint with small weights, as training begins with."""
    checkpoint = tiny_checkpoint()
    generator = torch.Generator().manual_seed(0)
    for weights in checkpoint.denoiser.parameters():
        if weights.dim() > 1:
            nn.init.normal_(weights, std=0.1, generator=generator)
    return checkpoint


def weights_of(checkpoint: Checkpoint) -> dict[str, Tensor]:
    return {k: v.clone() for k, v in checkpoint.denoiser.state_dict().items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


# --- varied copies -----------------------------------------------------------------------------------------


def demonstrations(prompt: Prompt, keep: list[bool], shot: FewShot, data: Dataset) -> dict[str, list[Any]]:
    """Row -> its kept tokens as (place in the row's text or answer, token), and whether its frame is kept."""
    found: dict[str, list[Any]] = {}
    for block in prompt.shots:
        text = prompt.text[block.start : block.end]
        row = next(row for row in shot.rows if _cut(shot, data, row) in text)
        words, answer = _cut(shot, data, row), data[row].answer
        first = block.start + text.index(words)
        second = block.start + text.rindex(answer)
        kept: list[Any] = []
        frame = []
        for token, k in zip(prompt.tokens[block.first : block.last], keep[block.first : block.last], strict=True):
            for name, start, length in (("text", first, len(words)), ("answer", second, len(answer))):
                if start <= token.start < start + length:
                    kept += [(name, token.start - start, token.text)] if k else []
                    break
            else:
                frame.append(k)
        found[row] = [kept, frame]
    return found


def _cut(shot: FewShot, data: Dataset, row: str) -> str:
    """A row's text as the prompt shows it."""
    before, between, _ = TEMPLATES[shot.template]
    query = shot.query(data[row])
    return query[len(before) : len(query) - len(between)]


@pytest.mark.parametrize("template", range(len(TEMPLATES)))
@pytest.mark.parametrize("name", ["sst-2", "agnews", "gsm8k"])
def test_a_varied_copy_keeps_the_same_words_of_each_demonstration(data: Path, name: str, template: int) -> None:
    loaded = load_dataset(data, name)
    seen, orders, sizes = set(), set(), set()
    for seed in range(40):
        rng = random.Random(seed)
        shot = draw(loaded, rng, shots=4, template=template)
        prompt = Case.of(shot, loaded).prompt
        spare = rng.randrange(5)  # a shot of which nothing is kept; 4 = none
        keep = [t.shot != spare and rng.random() < 0.4 for t in prompt.tokens]
        before = demonstrations(prompt, keep, shot, loaded)
        new, mask = augmented(shot, prompt, keep, loaded, rng)
        after = demonstrations(new, mask, shot, loaded)
        assert len(mask) == len(new) and new is not prompt
        for row, (kept, frame) in after.items():
            old = before[row][1]
            assert kept == before[row][0] and set(frame) == {2 * sum(old) >= len(old)}
        lost = before.keys() - after.keys()
        assert all(not kept and not any(frame) for kept, frame in (before[row] for row in lost))
        seen.add(new.text[: new.text.index(_cut(shot, loaded, next(iter(after))))])
        orders.add(list(after) == [row for row in before if row in after])
        sizes.add(len(lost))
    assert len(seen) >= 8 and False in orders and {0, 1} <= sizes


# --- fitting -----------------------------------------------------------------------------------------------


def test_a_handful_of_prompts_can_be_learnt_by_heart(loaded: Dataset) -> None:
    items, checkpoint = items_for(loaded), calm_checkpoint()
    before = agreement(checkpoint, items, 4)
    history = fit(checkpoint, items, items, replace(QUICK, epochs=40, patience=40))
    assert [e.index for e in history] == list(range(40))
    assert history[-1].train_loss < history[0].train_loss / 2
    assert history[-1].valid_loss < history[0].valid_loss / 2
    assert agreement(checkpoint, items, 4) > max(before, 0.95)
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

        def again(rng: random.Random, shot: FewShot = shot, prompt: Prompt = prompt,
                  keep: list[bool] = keep) -> tuple[Prompt, list[bool]]:  # fmt: skip
            return augmented(shot, prompt, keep, loaded, rng)

        items.append(Item(prompt, keep, None, again))
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

        return fit(checkpoint, items, valid, QUICK, state, progress), weights_of(checkpoint), steps

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
        fit(calm_checkpoint(), items, items, QUICK, state)


def test_heavy_items_win_over_light_ones(loaded: Dataset) -> None:
    prompt = items_for(loaded, prompts=1)[0].prompt
    half = [i % 2 == 0 for i in range(len(prompt))]
    other = [not k for k in half]
    got = []
    for mine, theirs in ((5.0, 0.1), (0.1, 5.0)):
        items = [Item(prompt, half, [mine] * len(prompt)), Item(prompt, other, [theirs] * len(prompt))]
        checkpoint = calm_checkpoint()
        fit(checkpoint, items, items, replace(QUICK, epochs=25, patience=25))
        got.append(agreement(checkpoint, items[:1], 4) - agreement(checkpoint, items[1:], 4))
    assert got[0] > 0.5 and got[1] < -0.5


def test_what_is_taught_counts_as_much_as_said(loaded: Dataset) -> None:
    items = items_for(loaded)
    plain, one, two = calm_checkpoint(), calm_checkpoint(), calm_checkpoint()
    quick = replace(QUICK, epochs=1)
    fit(plain, items, items, quick)
    fit(one, [replace(i, taught=[1.0] * len(i.keep)) for i in items], items, quick)
    fit(two, [items[0], *(replace(i, taught=[2.0] * len(i.keep)) for i in items[1:])], items, quick)
    assert same(weights_of(plain), weights_of(one)) and not same(weights_of(plain), weights_of(two))


def test_what_is_not_taught_is_judged_as_before(loaded: Dataset) -> None:
    prompt = items_for(loaded)[0].prompt

    def judged(checkpoint: Checkpoint) -> Tensor:
        with torch.inference_mode():
            return torch.sigmoid(checkpoint.predictor(prompt, 0.5)(torch.zeros(len(prompt), dtype=torch.long))[0])

    before = judged(calm_checkpoint())
    taught = [float(i < 4) for i in range(len(prompt))]
    keep = [bool(p < 0.5) for p in before]  # the opposite of what it thinks, of every token
    drifts = []
    for item in (Item(prompt, keep, taught), Item(prompt, keep)):
        checkpoint = calm_checkpoint()
        fit(checkpoint, [item] * 4, [item], replace(QUICK, epochs=40, patience=40))
        moved = (judged(checkpoint) - before).abs()
        assert moved[:4].mean() > 0.2
        drifts.append(float(moved[4:].mean()))
    assert drifts[0] < drifts[1] / 2


@pytest.mark.parametrize("vary", [0.0, 1.0])
def test_the_share_of_varied_copies(loaded: Dataset, vary: float) -> None:
    drawn = []

    def again(rng: random.Random) -> tuple[Prompt, list[bool]]:
        drawn.append(rng.random())
        return items[0].prompt, list(items[0].keep)

    items = items_for(loaded, prompts=4)
    fit(calm_checkpoint(), [replace(i, again=again) for i in items], items, replace(QUICK, epochs=2, vary=vary))
    assert len(drawn) == len(set(drawn))
    assert len(drawn) >= 8 if vary else not drawn  # 4 in each of 2 epochs


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
    compressor = Compressor(checkpoint, torch.device("cpu"))
    items = []
    for item in items_for(loaded):
        found = compressor.compress(item.prompt, item.retention, steps, keep_task=False, exact=True)
        items.append(Item(item.prompt, list(found.trace.keep)))
    assert agreement(checkpoint, items, steps) == 1
    flipped = [replace(i, keep=[not items[0].keep[0], *i.keep[1:]]) if i is items[0] else i for i in items]
    wrong = agreement(checkpoint, flipped, steps)
    assert 0 < wrong < 1
    prompt = items[0].prompt
    half = compressor.compress(prompt, (len(prompt) // 2) / len(prompt), steps, keep_task=False, exact=True).trace.keep
    if len(prompt) % 2 == 0:
        assert agreement(checkpoint, [Item(prompt, [not k for k in half])], steps) == 0


# --- from pairs to a checkpoint ----------------------------------------------------------------------------


def pair_for(loaded: Dataset, seed: int) -> Pair:
    """A pair whose masks keep signs at 0.3 (and held) and words at 0.6 (and did not)."""
    shot = draw(loaded, random.Random(seed), shots=3)
    prompt = Case.of(shot, loaded).prompt
    masks = {r: [rule(t) for t in prompt.tokens] for r, rule in ((0.3, is_sign), (0.6, is_word))}
    found = Labelled(masks, {0.3: -0.1, 0.6: -0.9}, -0.5, -0.7, dict.fromkeys(masks, "all shots, head"))
    return Pair.of(shot, prompt, found, 1.0)


@pytest.fixture
def config(data: Path, loaded: Dataset, tmp_path: Path) -> TrainConfig:
    """16 pairs in two files, and a tiny encoder to start from."""
    pairs = [pair_for(loaded, seed).to_json() for seed in range(16)]
    files = (tmp_path / "a.jsonl", tmp_path / "b.jsonl")
    for file, some in zip(files, (pairs[:9], pairs[9:]), strict=True):
        file.write_text("\n".join(some) + "\n", encoding="utf-8")
    base = tmp_path / "encoder"
    tiny_bert().save_pretrained(base)
    tiny_word_pieces().save_pretrained(base)
    out = tmp_path / "new" / "mine"
    return TrainConfig(files, data, out, str(base), warm_up=12, validation=0.3, fit=replace(ONE_STEP, epochs=3))


def test_a_prompt_is_wholly_in_one_part_and_only_with_masks_that_held(config: TrainConfig, loaded: Dataset) -> None:
    config.pairs[1].write_text(config.pairs[0].read_text(encoding="utf-8") * 2, encoding="utf-8")
    parts = split(config)
    texts = [{item.prompt.text for item in part} for part in parts]
    assert all(texts) and not texts[0] & texts[1]
    assert texts[0] | texts[1] == {pair_for(loaded, seed).prompt(loaded).text for seed in range(9)}
    assert sum(map(len, parts)) == 3 * 9  # each pair is there three times, with one mask that held
    for item in (*parts[0], *parts[1]):
        assert item.keep == [is_sign(t) for t in item.prompt.tokens] and item.again is not None
        prompt, keep = item.again(random.Random(0))
        assert len(prompt) == len(keep)
    assert [len(part) for part in split(replace(config, validation=0.0))] == [27, 0]
    assert [len(part) for part in split(replace(config, validation=1.0))] == [0, 27]
    assert [sorted(t) for t in texts] == [sorted({i.prompt.text for i in part}) for part in split(config)]


def test_training_writes_a_checkpoint_that_loads(config: TrainConfig) -> None:
    metrics = train(config)
    checkpoint = load_checkpoint(config.out)
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in config.pairs)).hexdigest()
    assert checkpoint.meta["metrics"] == metrics and checkpoint.meta["data"] == digest
    assert checkpoint.meta["parent"] is None and checkpoint.meta["base"] == config.base
    assert checkpoint.meta["fit"]["epochs"] == 3 and metrics["epochs"] == 3
    items, valid = split(config)
    assert checkpoint.meta["masks"] == len(items)
    again = agreement(checkpoint, valid, 8)  # the weights were rounded to fp16
    assert metrics["agreement_8_steps"] == pytest.approx(again, abs=0.02)
    assert [p.name for p in config.out.parent.iterdir()] == ["mine"]


def test_training_goes_on_from_a_parent(config: TrainConfig, tmp_path: Path) -> None:
    parent = tmp_path / "parent"
    start = calm_checkpoint()
    identity = save_checkpoint(parent, start.denoiser, start.encoder.tokenizer, start.meta)
    train(replace(config, base="never read", parent=parent, fit=replace(config.fit, epochs=1)))
    child = load_checkpoint(config.out)
    assert (child.meta["parent"], child.meta["base"]) == (identity, "tiny") and child.id != identity
    assert load_checkpoint(parent).id == identity


def test_an_existing_folder_is_never_overwritten(config: TrainConfig) -> None:
    config.out.mkdir(parents=True)
    (config.out / "precious.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="mine is there already; checkpoints are never overwritten"):
        train(config)
    assert [p.name for p in config.out.iterdir()] == ["precious.txt"]
    assert [p.name for p in config.out.parent.iterdir()] == ["mine"]


def stopping(at: tuple[str, int] | None = None) -> tuple[Any, list[tuple[str, int]]]:
    """A progress bar that a person interrupts at a step of "warm-up" or "pairs", and the steps that it saw."""
    calls: list[tuple[str, int]] = []

    class Bar(tqdm):
        def set_postfix(self, *_: Any, **__: Any) -> None:
            if (self.desc, self.n) == at:
                raise KeyboardInterrupt
            calls.append((self.desc, self.n))

    return Bar, calls


def test_an_interrupted_training_leaves_no_half_checkpoint_and_goes_on(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = replace(config, out=config.out.with_name("whole"))
    metrics = train(whole)
    warm_up, *pairs = ("warm-up", 1), ("pairs", 1), ("pairs", 2), ("pairs", 3)  # one step in each epoch
    for at, seen in (
        (warm_up, []),
        (pairs[0], [warm_up]),  # from here on the warm-up is not done again
        (pairs[1], [pairs[0]]),
        (pairs[2], [pairs[1]]),
    ):
        bar, calls = stopping(at)
        monkeypatch.setattr(model.train, "tqdm", bar)
        with pytest.raises(KeyboardInterrupt):
            train(replace(config, resume=True))
        assert calls == seen
        left = ["mine.state"] * (at in pairs[1:]) + ["mine.warm-up.state"] * (at in pairs)
        assert sorted(p.name for p in config.out.parent.iterdir()) == [*left, "whole"]
    bar, calls = stopping()
    monkeypatch.setattr(model.train, "tqdm", bar)
    assert train(replace(config, resume=True)) == metrics
    assert calls == [pairs[2]]
    assert load_checkpoint(config.out).id == load_checkpoint(whole.out).id
    assert sorted(p.name for p in config.out.parent.iterdir()) == ["mine", "whole"]


def test_without_resume_training_starts_again(config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    config.out.parent.mkdir()
    config.out.with_name("mine.state").write_bytes(b"of another run")
    bar, calls = stopping()
    monkeypatch.setattr(model.train, "tqdm", bar)
    with pytest.raises(InputError, match="cannot go on"):
        train(replace(config, resume=True))
    assert not config.out.exists() and calls == []
    train(config)
    assert calls[0] == ("warm-up", 1) and [p.name for p in config.out.parent.iterdir()] == ["mine"]


def test_warming_up_changes_what_is_learnt(config: TrainConfig) -> None:
    cold = replace(config, out=config.out.with_name("cold"), warm_up=0)
    for one in (config, cold):
        train(one)
    assert load_checkpoint(config.out).id != load_checkpoint(cold.out).id


def test_a_warm_up_mask_is_coherent(config: TrainConfig) -> None:
    items = warm_up_items(replace(config, warm_up=300))
    others = warm_up_items(replace(config, warm_up=300, fit=replace(config.fit, seed=1)))
    again = warm_up_items(replace(config, warm_up=300))
    masks, those, these = ([(i.prompt, i.keep) for i in some] for some in (items, others, again))
    assert masks == these and masks != those and len(items) == 300
    assert all(i.again is not None and i.again(random.Random(0)) != (i.prompt, i.keep) for i in items[:20])
    assert all(0.05 < i.retention < 0.95 for i in items if len(i.keep) > 20)
    retentions = sorted(i.retention for i in items)
    assert retentions[30] < 0.25 and retentions[-30] > 0.65
    shares = []
    for item in items:
        shown = {t.shot for t, k in zip(item.prompt.tokens, item.keep, strict=True) if k}
        shares.append(len(shown) / len(item.prompt.shots))
    assert sum(r < 1 for r in shares) > 100  # many leave out whole shots


def test_a_plain_text_keeps_its_rare_words_and_numbers(data: Path) -> None:
    sets = [load_dataset(data, name) for name in ("sst-2", "gsm8k")]
    bits = self_information(sets)
    prompt, keep = propose_text(sets[0], bits, random.Random(1))
    kept = [bits[t.text.lower()] for t, k in zip(prompt.tokens, keep, strict=True) if k and not t.text.isspace()]
    gone = [bits[t.text.lower()] for t, k in zip(prompt.tokens, keep, strict=True) if not k]
    assert kept and gone and min(kept) >= max(gone)
    assert math.inf in bits.values()


def test_no_pairs_file(config: TrainConfig, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read the pairs in .*missing.jsonl"):
        train(replace(config, pairs=(tmp_path / "missing.jsonl",)))
    assert not config.out.parent.exists()
