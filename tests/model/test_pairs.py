"""Training pairs on disk: no text of the data sets in them, and a labelling run that can be interrupted anywhere."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import model.teacher.pairs
import model.teacher.search
from model.data.fewshot import Dataset, draw, load_dataset
from model.errors import InputError
from model.llm.causal import Target
from model.teacher.pairs import Pair, TeachConfig, read_pairs, teach
from model.teacher.score import Case
from model.teacher.search import Labelled, ScoredMask, TeacherConfig, best_first, random_pruning
from tests.support.toy_rows import write_data

LEVELS = (0.2, 0.35, 0.5)
TASKS = ("sst-2", "gsm8k")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_data(tmp_path / "data")


@pytest.fixture
def config(data: Path, tmp_path: Path, tiny_target: Target, monkeypatch: pytest.MonkeyPatch) -> TeachConfig:
    """Four pairs, labelled by the tiny target."""
    monkeypatch.setattr(model.teacher.pairs, "load_target", lambda *_, **__: tiny_target)
    teacher = TeacherConfig(LEVELS, queries=4, gate_steps=1, gate_queries=4)
    return TeachConfig(data, tmp_path / "out" / "pairs.jsonl", TASKS, ("tiny",), pairs=4, teacher=teacher)


def pair_for(loaded: Dataset, seed: int = 0) -> Pair:
    """A pair with random masks, as the teacher would write it."""
    rng = random.Random(seed)
    shot = draw(loaded, rng)
    prompt = Case.of(shot, loaded).prompt
    drawn = [random_pruning(len(prompt), LEVELS, rng) for _ in range(3)]
    tried = {r: best_first(ScoredMask(masks[r], -rng.random(), "2 shots, gates") for masks in drawn) for r in LEVELS}
    return Pair.of(shot, prompt, Labelled(tried, -0.5, -0.7), 1.23)


def timeless(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) | {"seconds": 0} for line in path.read_text(encoding="utf-8").splitlines()]


# --- one pair ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TASKS)
def test_a_pair_survives_json_and_writes_its_prompt_again(data: Path, name: str) -> None:
    loaded = load_dataset(data, name)
    for seed in range(10):
        pair = pair_for(loaded, seed)
        line = pair.to_json()
        again = Pair.from_json(line)
        assert again == pair and again.to_json() == line and "\n" not in line
        assert again.prompt(loaded) == Case.of(pair.shot, loaded).prompt
        for r in LEVELS:
            tried = again.found.tried[r]
            assert len(tried) == 3 and tried == best_first(tried) and again.found.masks[r] == tried[0].keep
            assert {sum(mask.keep) for mask in tried} == {round(r * len(again.prompt(loaded)))}


def test_a_pair_knows_which_of_its_masks_passed_the_filter(data: Path) -> None:
    pair = pair_for(load_dataset(data, "sst-2"))
    best = {0.2: -0.71, 0.35: -0.69, 0.5: -0.1}
    tried = {
        r: [ScoredMask(pair.found.masks[r], best[r], "a"), ScoredMask(pair.found.masks[r], -9.0, "b")] for r in LEVELS
    }
    pair = replace(pair, found=replace(pair.found, tried=tried))
    assert pair.held() == [0.35, 0.5]
    assert pair.held(margin=0.3) == [0.2, 0.35, 0.5]


def test_a_prompt_of_other_data_is_refused(data: Path) -> None:
    loaded = load_dataset(data, "sst-2")
    pair = pair_for(loaded)
    first = pair.shot.rows[0]
    changed = tuple(replace(e, text=f"{e.text} really") if e.row == first else e for e in loaded.examples)
    with pytest.raises(InputError, match="the rows of sst-2 are not those that this pair was made from"):
        pair.prompt(replace(loaded, examples=changed))
    fewer = tuple(e for e in loaded.examples if e.row != first)
    with pytest.raises(InputError, match=f"sst-2 has no row '{first}'"):
        pair.prompt(replace(loaded, examples=fewer))
    for place in range(3):
        tried = {0.2: list(pair.found.tried[0.2])}
        tried[0.2][place] = replace(tried[0.2][place], keep=[*tried[0.2][place].keep, False])
        with pytest.raises(InputError, match="has not one bit for each"):
            replace(pair, found=replace(pair.found, tried=tried)).prompt(loaded)


# --- files -------------------------------------------------------------------------------------------------


def test_a_file_cut_anywhere_gives_its_whole_pairs(data: Path, tmp_path: Path) -> None:
    pairs = [pair_for(load_dataset(data, name), seed) for seed, name in enumerate((*TASKS, "mr"))]
    lines = [pair.to_json() + "\n" for pair in pairs]
    whole, path = "".join(lines), tmp_path / "cut.jsonl"
    ends = [len("".join(lines[: i + 1])) - 1 for i in range(3)]  # a pair is whole without its line break, too
    for cut in (*range(0, len(whole), 7), *ends, *(end + 1 for end in ends)):
        path.write_text(whole[:cut], encoding="utf-8")
        assert read_pairs(path) == [pair for pair, end in zip(pairs, ends, strict=True) if end <= cut]


@pytest.mark.parametrize(
    "text", ["notes of mine", "notes\n", "{}", '{"shot": {"rows": 3}}\n', "[1]\n", "\n\n", '{"shot": {"x"\n', "7"]
)
def test_what_is_not_a_pairs_file_is_refused_and_left_alone(config: TeachConfig, text: str) -> None:
    config.out.parent.mkdir()
    config.out.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="pairs.jsonl line 1 is not a pair"):
        teach(config)
    assert config.out.read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    "change",
    [
        {"masks": ["01"]},
        {"masks": None},
        {"masks": {"0.2": []}},
        {"masks": {"low": [["01", -1.0, "a"]]}},
        {"masks": {"0.2": ["01"]}},
        {"full": None, "more": 1},
    ],
)
def test_a_damaged_line_is_named(data: Path, tmp_path: Path, change: dict[str, Any]) -> None:
    good = pair_for(load_dataset(data, "sst-2")).to_json()
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join([good, json.dumps(json.loads(good) | change), good, ""]), encoding="utf-8")
    with pytest.raises(InputError, match="line 2 is not a pair"):
        read_pairs(path)


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_cannot_be_read(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "pairs.jsonl").write_bytes(content)
    with pytest.raises(InputError, match="cannot read the pairs in .*pairs.jsonl"):
        read_pairs(tmp_path / "pairs.jsonl")


# --- labelling ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["hierarchical", "classic", "random"])
def test_pairs_meet_their_budgets_and_hold_no_text_of_the_rows(config: TeachConfig, method: str) -> None:
    teach(replace(config, method=method, pairs=2, teacher=replace(config.teacher, retentions=(0.8, 0.9))))
    text = config.out.read_text(encoding="utf-8")
    pairs = read_pairs(config.out)
    assert [pair.shot.dataset for pair in pairs] == list(TASKS)
    for pair in pairs:
        loaded = load_dataset(config.data, pair.shot.dataset)
        n = len(pair.prompt(loaded))
        assert {r: sum(mask) for r, mask in pair.found.masks.items()} == {0.8: round(0.8 * n), 0.9: round(0.9 * n)}
        assert pair.seconds >= 0
        for row in pair.shot.rows:
            words = f"{loaded[row].text} {loaded[row].answer}".split()
            runs = [f"{a} {b}" for a, b in zip(words, words[1:], strict=False)]
            assert len(runs) > 3 and not [run for run in runs if run in text]
            assert not [word for word in words if len(word) > 6 and word in text]


@pytest.mark.parametrize("left", ["nothing", "half a line", "all but the line break"])
def test_an_interrupted_run_goes_on_where_it_stopped(
    config: TeachConfig, left: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = replace(config, out=config.out.with_name("whole.jsonl"))
    teach(whole)
    lines = whole.out.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 4
    labelled: list[Labelled] = []

    def interrupted(*arguments: Any) -> Labelled:
        if len(labelled) == 2:
            raise KeyboardInterrupt
        labelled.append(model.teacher.search.label(*arguments))
        return labelled[-1]

    with monkeypatch.context() as patch:
        patch.setattr(model.teacher.pairs, "label", interrupted)
        with pytest.raises(KeyboardInterrupt):
            teach(config)
    assert timeless(config.out) == timeless(whole.out)[:2]
    with open(config.out, "a", encoding="utf-8") as file:
        file.write({"nothing": "", "half a line": lines[2][: len(lines[2]) // 2]}.get(left, lines[2]))
    teach(config)
    assert timeless(config.out) == timeless(whole.out)
    assert config.out.read_text(encoding="utf-8").endswith("\n")
    assert sorted(p.name for p in config.out.parent.iterdir()) == ["pairs.jsonl", "whole.jsonl"]


def test_a_finished_run_does_nothing_and_more_pairs_are_added_to_it(
    config: TeachConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    teach(replace(config, pairs=2))
    before = config.out.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(model.teacher.pairs, "load_target", lambda *_, **__: pytest.fail("a target was loaded"))
        teach(replace(config, pairs=2))
        teach(replace(config, pairs=1))
    assert config.out.read_bytes() == before
    teach(replace(config, pairs=3))
    assert config.out.read_bytes().startswith(before) and len(read_pairs(config.out)) == 3


@pytest.mark.parametrize("change", [{"seed": 1}, {"tasks": ("gsm8k", "sst-2")}])
def test_a_run_does_not_go_on_in_the_file_of_another(config: TeachConfig, change: dict[str, Any]) -> None:
    teach(replace(config, pairs=2, method="random"))
    before = config.out.read_bytes()
    with pytest.raises(InputError, match="pairs.jsonl line 1 is of a run with another seed or other tasks"):
        teach(replace(config, pairs=3, method="random", **change))
    assert config.out.read_bytes() == before


def test_another_seed_labels_other_prompts(config: TeachConfig) -> None:
    shots = []
    for seed in range(2):
        out = config.out.with_name(f"{seed}.jsonl")
        teach(replace(config, out=out, seed=seed, pairs=2, method="random"))
        shots.append([pair.shot for pair in read_pairs(out)])
    assert shots[0][0] != shots[1][0] and shots[0][1] != shots[1][1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tasks": ("sst-2", "agnews")}, "cannot teach on agnews; training tasks: gsm8k, sst-2"),
        ({"tasks": ()}, "at least one task"),
        ({"targets": ()}, "at least one task and one target"),
        ({"method": "best"}, "unknown method 'best'"),
        ({"pairs": 0}, "pairs 0 must be at least 1"),
    ],
)
def test_a_wrong_setting_is_an_input_error(config: TeachConfig, change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(config, **change)


def test_missing_data_is_named_before_a_target_is_loaded(config: TeachConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model.teacher.pairs, "load_target", lambda *_, **__: pytest.fail("a target was loaded"))
    (config.data / "train_tasks" / "sst-2" / "train.tsv").unlink()
    with pytest.raises(InputError, match="train.tsv is not there"):
        teach(config)
    assert not config.out.parent.exists()
