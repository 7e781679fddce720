"""Learning from corrections: what is held out, and that a person's rule is learnt."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import model.training.finetune
from model.cli import main
from model.compress import PAPER, Compressor, CompressRequest
from model.denoiser.checkpoint import load_checkpoint, save_checkpoint
from model.denoiser.unit_head import UnitHead, UnitHeadConfig
from model.errors import InputError
from model.prompt import Prompt, Token, parse
from model.record import RULES
from model.training.corrections import CorrectedPrompt, read_corrections
from model.training.finetune import (
    REHEARSED,
    TOUCHED,
    FinetuneConfig,
    agreement_with_people,
    edit_rate,
    finetune,
    hold_out,
    items_of_correction,
    rehearsal,
)
from model.training.fit import FitConfig
from model.training.holdout import held_out_prompts, is_held_out
from tests.support.corrected import fields_for, read, write
from tests.support.tiny import calm_checkpoint, tiny_checkpoint

Rule = Callable[[Token], bool]
QUICK = FitConfig(epochs=3, patience=3, tokens=150, rate=0.01, head_factor=1.0)
WORDS = "ask bake call dig eat find give hold iron jump keep lift make note open pack quit read sell tell".split()


def is_sign(token: Token) -> bool:
    return not token.text.isalpha()


def text_for(seed: int) -> str:
    """Sentences of words and signs, no two seeds alike."""
    rng = random.Random(seed)
    one, two, three, four = (rng.choice(WORDS) for _ in range(4))
    return f"{one} {two}, {three} {seed}{rng.choice('.!?')} {four}: {two} {rng.randrange(10)}!"


# --- what is learnt and what is held out -------------------------------------------------------------------


def many(tmp_path: Path, prompts: int, annotators: int = 1) -> list[CorrectedPrompt]:
    """Corrections of so many prompts by several people: signs are kept, words are dropped."""
    found = []
    for seed in range(prompts):
        prompt = parse(text_for(seed))
        human = [is_sign(t) for t in prompt.tokens]
        found += [fields_for(prompt, [1] * len(prompt), human, annotator=name) for name in "abc"[:annotators]]
    return read(tmp_path, *found)


@pytest.mark.parametrize(("prompts", "share"), [(2, 0.2), (3, 0.2), (10, 0.2), (10, 0.5), (4, 0.99)])
def test_a_prompt_is_wholly_learnt_or_wholly_held_out(tmp_path: Path, prompts: int, share: float) -> None:
    corrections = many(tmp_path, prompts, annotators=3)
    config = FinetuneConfig(Path("c"), Path("o"), validation=share)
    parts = hold_out(corrections, config)
    learnt, held = ({c.sha256 for c in part} for part in parts)
    assert learnt and held and not learnt & held and len(parts[0]) + len(parts[1]) == 3 * prompts
    assert hold_out(corrections, replace(config, seed=5)) == parts
    assert hold_out(corrections[::-1], config)[1] == parts[1][::-1]  # whatever the order of the file


@settings(deadline=None)
@given(st.sets(st.integers(0, 16**64 - 1), min_size=2, max_size=60), st.floats(0.05, 0.5), st.floats(0.05, 0.5))
def test_what_is_held_out_stays_so_whatever_else_is_corrected(numbers: set[int], share: float, other: float) -> None:
    prompts = sorted(f"{number:064x}" for number in numbers)
    held, below = held_out_prompts(prompts, share), {sha256 for sha256 in prompts if is_held_out(sha256, share)}
    assert 0 < len(held) < len(prompts)
    assert held == below or below in (set(), set(prompts)), "each prompt decides for itself"
    assert below <= {sha256 for sha256 in prompts if is_held_out(sha256, max(share, other))}


def test_about_the_asked_share_of_prompts_is_held_out() -> None:
    prompts = [hashlib.sha256(str(i).encode()).hexdigest() for i in range(2000)]
    assert len(held_out_prompts(prompts, 0.2)) == pytest.approx(400, abs=60)


@pytest.mark.parametrize(("prompts", "message"), [(0, "no submitted or accepted"), (1, "3 corrections of one prompt")])
def test_nothing_can_be_held_out_of_a_single_prompt(tmp_path: Path, prompts: int, message: str) -> None:
    with pytest.raises(InputError, match=f"c.jsonl holds {message}.*at least 2 prompts"):
        hold_out(many(tmp_path, prompts, annotators=3), FinetuneConfig(Path("c.jsonl"), Path("o")))


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_the_held_out_share_must_leave_something_on_both_sides(share: float) -> None:
    with pytest.raises(InputError, match="between 0 and 1"):
        FinetuneConfig(Path("c"), Path("o"), validation=share)


def test_what_the_person_touched_weighs_more_and_holds_at_every_length(tmp_path: Path) -> None:
    prompt = parse(text_for(1) + " " + text_for(2))
    n = len(prompt)
    before = [i % 2 == 0 for i in range(n)]
    human = [k != (i in (0, 3)) for i, k in enumerate(before)]  # 0 dropped, 3 kept, n - 1 confirmed
    (correction,) = read(tmp_path, fields_for(prompt, before, human, pins={str(i): human[i] for i in (0, 3, n - 1)}))
    own, *others = items_of_correction(correction, Compressor(tiny_checkpoint()))
    assert list(own.keep) == human and len(others) >= 3
    lengths = [round(item.retention, 1) for item in others]
    assert lengths == sorted(set(lengths)) and lengths[0] < own.retention < lengths[-1]
    for item in (own, *others):
        assert item.token_weight == [TOUCHED if i in (0, 3, n - 1) else 0.0 for i in range(n)] and TOUCHED > 0
        assert [item.keep[i] for i in (0, 3, n - 1)] == [False, True, human[-1]]


def test_of_what_is_rehearsed_nothing_is_taught() -> None:
    items = rehearsal(Compressor(tiny_checkpoint()))
    assert len({item.prompt.text for item in items}) == len(list(REHEARSED.glob("*.txt"))) > 3
    assert all(item.token_weight == [0.0] * len(item.prompt) and any(item.keep) for item in items)


# --- how good it is ----------------------------------------------------------------------------------------


def corrected(compressor: Compressor, prompt: Prompt, rule: Rule, retention: float = 0.5, query: bool = True) -> dict:
    """What the model proposes, corrected by a rule, whatever length comes out."""
    trace = compressor.compress(prompt, retention, 4, keep_task=query, **PAPER).trace
    return fields_for(prompt, trace.keep, [rule(t) for t in prompt.tokens], retention=retention, seed=0)


def test_the_edit_rate_is_what_the_person_changed_then(tmp_path: Path) -> None:
    compressor = Compressor(tiny_checkpoint())
    prompts = [parse(text_for(1)), parse("Q: 2+2?\nA: 4\n\nQ: 3-1?\nA: 2\n\nQ: 3+4?\nA:")]
    records = [corrected(compressor, p, is_sign, r) for p, r in zip(prompts, (0.3, 0.7), strict=True)]
    corrections = read(tmp_path, *records)
    changed = sum(a != b for c in corrections for a, b in zip(c.model, c.keep, strict=True))
    assert prompts[1].parts[-1].role == "question" and changed
    assert edit_rate(compressor, corrections) == changed / sum(len(c.keep) for c in corrections)


def test_agreement_asks_for_a_mask_as_long_as_the_persons(tmp_path: Path) -> None:
    compressor = Compressor(tiny_checkpoint())
    records = []
    for seed in range(3):
        prompt = parse(text_for(seed))
        mask = compressor.compress(prompt, round(0.4 * len(prompt)) / len(prompt), 4, **PAPER).trace.keep
        records.append(fields_for(prompt, mask, mask, retention=0.8, seed=0))
    corrections = read(tmp_path, *records)
    assert agreement_with_people(compressor, corrections) == 1
    assert edit_rate(compressor, corrections) >= 0.3  # 80 % were asked for, 40 % wanted


@pytest.mark.parametrize("rules", [{}, dict(PAPER), {"granularity": "part"}, {"granularity": "token", "least": 0.4}])
def test_the_model_is_asked_as_it_was_for_each_correction(tmp_path: Path, rules: dict[str, Any]) -> None:
    compressor = Compressor(tiny_checkpoint())
    text = "\n\n".join(f"Do not ask. {text_for(seed)}" for seed in range(4))
    request = CompressRequest(parse(text), 0.5, 4, **rules)
    mask = compressor.run(request).trace.keep
    said = {name: getattr(request, name) for name in RULES}
    corrections = read(tmp_path, fields_for(request.prompt, mask, mask, retention=0.5, seed=0, **said))
    assert corrections[0].rules == said and edit_rate(compressor, corrections) == 0
    old = read(tmp_path, fields_for(request.prompt, mask, mask, retention=0.5, seed=0))
    assert (edit_rate(compressor, old) == 0) == (said == dict(PAPER))  # one that does not say it was made of tokens


# --- from corrections to a checkpoint ----------------------------------------------------------------------


@pytest.fixture
def config(tmp_path: Path) -> FinetuneConfig:
    """Ten corrections by a rule that can be learnt: signs are kept."""
    parent = tmp_path / "parent"
    start = calm_checkpoint()
    save_checkpoint(parent, start.denoiser, start.collator.tokenizer, {"base": "tiny", "licence": "none"})
    compressor = Compressor.load(parent, "cpu")
    records = [corrected(compressor, parse(text_for(seed)), is_sign) for seed in range(10)]
    file = write(tmp_path / "corrections.jsonl", *records)
    return FinetuneConfig(file, tmp_path / "new" / "mine", parent, validation=0.3, fit=QUICK)


def left(config: FinetuneConfig) -> list[str]:
    return sorted(p.name for p in config.out.parent.iterdir()) if config.out.parent.exists() else []


def test_a_rule_is_learnt_and_the_lineage_told(config: FinetuneConfig) -> None:
    calls: list[tuple[int, int, float]] = []
    config = replace(config, fit=replace(QUICK, epochs=25, patience=25))
    made = finetune(config, lambda *call: calls.append(call))
    assert made.edit_rate_before > 0.25 and made.agreement_before < 0.75
    assert made.edit_rate_after < made.edit_rate_before / 2 and made.agreement_after > 0.8
    learnt, held = hold_out(read_corrections(config.corrections)[0], config)
    assert (made.train, made.held_out, made.folder) == (len(learnt), len(held), config.out)
    assert [e.index for e in made.epochs] == list(range(25))
    assert calls[-1][0] == calls[-1][1] and [c[0] for c in calls] == sorted({c[0] for c in calls})
    children = Compressor.load(config.out), Compressor.load(config.parent)
    child, parent = (compressor.checkpoint for compressor in children)
    assert (made.checkpoint, made.parent) == (child.id, parent.id) and child.id != parent.id
    assert child.meta["parent"] == parent.id and child.meta["base"] == "tiny" and child.meta["licence"] == "none"
    assert child.meta["data"] == made.data == hashlib.sha256(config.corrections.read_bytes()).hexdigest()
    assert child.meta["corrections"] == {"train": len(learnt), "held_out": len(held)}
    for name, measure in (("agreement", agreement_with_people), ("edit_rate", edit_rate)):
        after, before = (measure(compressor, held) for compressor in children)  # of what is on disk, to the token
        assert (getattr(made, f"{name}_before"), getattr(made, f"{name}_after")) == (before, after)
        assert child.meta["metrics"][f"{name}_after"] == round(after, 4)
    assert len(child.meta["metrics"]["epochs"]) == 25 and made.seconds > 0
    assert left(config) == ["mine"]


def test_the_seed_decides(config: FinetuneConfig) -> None:
    config = replace(config, fit=replace(QUICK, epochs=1))
    made = [finetune(replace(config, out=config.out.with_name(str(i)), seed=s)) for i, s in enumerate((0, 0, 1))]
    assert made[0].checkpoint == made[1].checkpoint != made[2].checkpoint


def test_a_unit_head_goes_over_to_the_new_checkpoint(config: FinetuneConfig, tmp_path: Path) -> None:
    start, head = calm_checkpoint(), UnitHead(UnitHeadConfig(width=384)).eval()
    parent = tmp_path / "with units"
    save_checkpoint(parent, start.denoiser, start.collator.tokenizer, {"base": "tiny"}, unit_head=head)
    lines = config.corrections.read_text(encoding="utf-8").splitlines()
    write(config.corrections, *lines[:2])
    finetune(replace(config, parent=parent, fit=replace(QUICK, epochs=1)))
    child = load_checkpoint(config.out).unit_head
    assert child is not None
    assert all(torch.equal(a, b) for a, b in zip(child.parameters(), head.parameters(), strict=True))


def test_two_corrections_are_enough_to_learn_something(config: FinetuneConfig) -> None:
    lines = config.corrections.read_text(encoding="utf-8").splitlines()
    write(config.corrections, *lines[:2])
    made = finetune(replace(config, fit=replace(QUICK, epochs=1)))
    assert (made.train, made.held_out) == (1, 1)


def test_an_existing_folder_is_never_overwritten(config: FinetuneConfig) -> None:
    config.out.mkdir(parents=True)
    (config.out / "precious.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="mine is there already; checkpoints are never overwritten"):
        finetune(config)
    assert [p.name for p in config.out.iterdir()] == ["precious.txt"] and left(config) == ["mine"]


class Cancelled(Exception):
    pass


def cancel_at(wanted: int) -> Callable[[int, int, float], None]:
    def progress(step: int, total: int, loss: float) -> None:
        if step >= wanted:
            raise Cancelled

    return progress


@pytest.mark.parametrize("part", [0.0, 0.5, 1.0])
def test_a_cancelled_run_leaves_nothing(config: FinetuneConfig, part: float) -> None:
    totals: list[int] = []
    finetune(replace(config, out=config.out.with_name("whole")), lambda step, total, loss: totals.append(total))
    with pytest.raises(Cancelled):
        finetune(config, cancel_at(int(part * totals[0])))
    assert left(config) == ["whole"]
    assert load_checkpoint(config.parent).meta["base"] == "tiny"


def test_an_interrupted_run_goes_on_and_ends_the_same(config: FinetuneConfig) -> None:
    steps: list[int] = []
    whole = finetune(replace(config, out=config.out.with_name("whole")), lambda step, total, loss: steps.append(step))
    resumable = replace(config, resumable=True)
    with pytest.raises(Cancelled):
        finetune(resumable, cancel_at(steps[-1] // 3 + 1))  # in the second of three epochs
    assert len(left(config)) == 2 and left(config)[0].endswith(".state")
    other = replace(resumable, seed=7)  # another run does not go on from it
    with pytest.raises(Cancelled):
        finetune(other, cancel_at(1))
    again: list[int] = []
    made = finetune(resumable, lambda step, total, loss: again.append(step))
    assert made.checkpoint == whole.checkpoint and made.epochs == whole.epochs
    assert again == steps[-len(again) :] and len(again) < len(steps)
    assert left(config) == ["mine", "whole"]


def test_changed_corrections_do_not_go_on_from_the_old_state(config: FinetuneConfig) -> None:
    resumable = replace(config, resumable=True)
    total: list[int] = []
    with pytest.raises(Cancelled):
        finetune(resumable, cancel_at(3 * 2))
    config.corrections.write_text(config.corrections.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    finetune(resumable, lambda step, of, loss: total.append(step))
    assert total[0] == 1
    assert left(config) == ["mine"]


# --- the command line --------------------------------------------------------------------------------------


def test_the_command_line_learns_and_the_new_model_compresses(
    config: FinetuneConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--corrections", str(config.corrections), "--out", str(config.out), "--parent", str(config.parent)]
    assert main(["finetune", *flags, "--epochs", "2", "--rate", "0.01", "--seed", "5", "--json"]) == 0
    out = json.loads(capsys.readouterr().out)
    assert out["checkpoint"] == load_checkpoint(config.out).id and out["folder"] == str(config.out)
    assert len(out["epochs"]) == 2 and out["train"] + out["held_out"] == 10
    assert load_checkpoint(config.out).meta["fit"]["seed"] == 5
    assert left(config) == ["mine"]
    prompt = config.out.with_name("prompt.txt")
    prompt.write_text(text_for(3), encoding="utf-8")
    assert main(["compress", str(prompt), "--checkpoint", str(config.out)]) == 0
    assert capsys.readouterr().out.strip()
    assert main(["finetune", *flags]) == 2
    error = capsys.readouterr().err
    assert "is there already" in error and "Traceback" not in error


def test_the_command_line_goes_on_where_it_was_interrupted(
    config: FinetuneConfig, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--corrections", str(config.corrections), "--out", str(config.out), "--checkpoint", str(config.parent),
             "--epochs", "3", "--rate", "0.01"]  # fmt: skip
    fit: Any = model.training.finetune.fit

    def stopping(*args: Any, **options: Any) -> Any:
        def progress(step: int, total: int, loss: float) -> None:
            if step == total:
                raise KeyboardInterrupt

        return fit(*args, **{**options, "progress": progress})

    monkeypatch.setattr(model.training.finetune, "fit", stopping)
    assert main(["finetune", *flags]) == 130
    assert len(left(config)) == 1 and left(config)[0].startswith("mine.")
    monkeypatch.undo()
    assert main(["finetune", *flags]) == 0
    assert left(config) == ["mine"] and "edit rate" in capsys.readouterr().out


@pytest.mark.parametrize("flags", [[], ["--corrections", "c"], ["--corrections", "c", "--out", "o", "--epochs", "0"]])
def test_a_wrong_command_line_is_told_in_one_line(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["finetune", *flags])
    assert end.value.code == 2 and capsys.readouterr().err.count("\n") == 1
