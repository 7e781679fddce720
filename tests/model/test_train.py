"""Training: a run can be interrupted anywhere, a checkpoint comes out whole, a warm-up mask is coherent."""

from __future__ import annotations

import hashlib
import math
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tqdm import tqdm

import model.training.train
from model.data.fewshot import Dataset, draw, load_dataset
from model.denoiser.checkpoint import load_checkpoint, save_checkpoint
from model.errors import InputError
from model.teacher.pairs import Pair
from model.teacher.proposals import propose_text, self_information
from model.teacher.score import Case
from model.teacher.search import Labelled, ScoredMask
from model.training.fit import mask_agreement
from model.training.train import TrainConfig, items_of_pair, split_pairs, train, warm_up_items
from tests.support.fitting import ONE_STEP, is_sign, is_word
from tests.support.tiny import calm_checkpoint, tiny_bert, tiny_word_pieces


def pair_for(loaded: Dataset, seed: int) -> Pair:
    """A pair whose masks keep signs at 0.3 (and held) and words at 0.6 (and did not)."""
    shot = draw(loaded, random.Random(seed), shots=3)
    prompt = Case.of(shot, loaded).prompt
    rules = ((0.3, is_sign, -0.1), (0.6, is_word, -0.9))
    tried = {r: [ScoredMask([rule(t) for t in prompt.tokens], score, "all shots, head")] for r, rule, score in rules}
    return Pair.of(shot, prompt, Labelled(tried, -0.5, -0.7), 1.0)


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
    parts = split_pairs(config)
    texts = [{item.prompt.text for item in part} for part in parts]
    assert all(texts) and not texts[0] & texts[1]
    assert texts[0] | texts[1] == {pair_for(loaded, seed).prompt(loaded).text for seed in range(9)}
    assert sum(map(len, parts)) == 3 * 9  # each pair is there three times, with one mask that held
    for item in (*parts[0], *parts[1]):
        assert item.keep == [is_sign(t) for t in item.prompt.tokens] and item.resample is not None
        prompt, keep = item.resample(random.Random(0))
        assert len(prompt) == len(keep)
    assert [len(part) for part in split_pairs(replace(config, validation=0.0))] == [27, 0]
    assert [len(part) for part in split_pairs(replace(config, validation=1.0))] == [0, 27]
    assert [sorted(t) for t in texts] == [sorted({i.prompt.text for i in part}) for part in split_pairs(config)]


def test_of_the_masks_that_were_tried_the_better_is_learnt_more_often(loaded: Dataset) -> None:
    pair = pair_for(loaded, 0)
    good, bad = pair.found.masks[0.3], [not keep for keep in pair.found.masks[0.3]]
    tried = [ScoredMask(good, -0.1, "good"), ScoredMask(bad, -0.3, "bad")]  # their scores deviate by 0.1
    pair = replace(pair, found=replace(pair.found, tried={0.3: tried}))

    def share(temperature: float) -> float:
        """Of draws that show the prompt as it is, those that show the good mask."""
        (item,) = items_of_pair(pair, loaded, temperature)
        assert item.keep == good and item.resample is not None
        drawn = [item.resample(random.Random(i)) for i in range(600)]
        masks = [keep for prompt, keep in drawn if prompt == item.prompt and keep in (good, bad)]
        return sum(keep == good for keep in masks) / len(masks)

    assert 0.65 < share(2 / math.log(3)) < 0.85  # 3 of 4
    assert share(1e-3) == 1.0 and 0.4 < share(99.0) < 0.6


def test_training_writes_a_checkpoint_that_loads(config: TrainConfig) -> None:
    metrics = train(config)
    checkpoint = load_checkpoint(config.out)
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in config.pairs)).hexdigest()
    assert checkpoint.meta["metrics"] == metrics and checkpoint.meta["data"] == digest
    assert checkpoint.meta["parent"] is None and checkpoint.meta["base"] == config.base
    assert checkpoint.meta["fit"]["epochs"] == 3 and metrics["epochs"] == 3
    items, valid = split_pairs(config)
    assert checkpoint.meta["masks"] == len(items)
    again = mask_agreement(checkpoint, valid, 8)  # the weights were rounded to fp16
    assert metrics["agreement_8_steps"] == pytest.approx(again, abs=0.02)
    assert [p.name for p in config.out.parent.iterdir()] == ["mine"]


def test_training_goes_on_from_a_parent(config: TrainConfig, tmp_path: Path) -> None:
    parent = tmp_path / "parent"
    start = calm_checkpoint()
    identity = save_checkpoint(parent, start.denoiser, start.collator.tokenizer, start.meta)
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
        monkeypatch.setattr(model.training.train, "tqdm", bar)
        with pytest.raises(KeyboardInterrupt):
            train(replace(config, resume=True))
        assert calls == seen
        left = ["mine.state"] * (at in pairs[1:]) + ["mine.warm-up.state"] * (at in pairs)
        assert sorted(p.name for p in config.out.parent.iterdir()) == [*left, "whole"]
    bar, calls = stopping()
    monkeypatch.setattr(model.training.train, "tqdm", bar)
    assert train(replace(config, resume=True)) == metrics
    assert calls == [pairs[2]]
    assert load_checkpoint(config.out).id == load_checkpoint(whole.out).id
    assert sorted(p.name for p in config.out.parent.iterdir()) == ["mine", "whole"]


def test_without_resume_training_starts_again(config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    config.out.parent.mkdir()
    config.out.with_name("mine.state").write_bytes(b"of another run")
    bar, calls = stopping()
    monkeypatch.setattr(model.training.train, "tqdm", bar)
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
    assert all(i.resample is not None and i.resample(random.Random(0)) != (i.prompt, i.keep) for i in items[:20])
    assert all(0.05 < i.retention < 0.95 for i in items if len(i.keep) > 20)
    retentions = sorted(i.retention for i in items)
    assert retentions[30] < 0.25 and retentions[-30] > 0.65
    shares = []
    for item in items:
        shown = {t.part for t, k in zip(item.prompt.tokens, item.keep, strict=True) if k}
        shares.append(len(shown) / len(item.prompt.parts))
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
