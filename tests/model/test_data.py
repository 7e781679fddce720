"""Data sets from disk, prompts by reference: what is rendered is what the rows say, and the fields cut it out."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import pytest

from model.data.fewshot import (
    SPLITS,
    TEMPLATES,
    Dataset,
    Example,
    FewShot,
    balanced,
    draw,
    load_dataset,
    load_gsm8k,
    load_test,
)
from model.errors import InputError
from model.evaluation.tasks.load import load_task
from tests.support.toy_rows import news, reviews, sums, write_data

KINDS = ("sst-2", "gsm8k", "agnews")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_data(tmp_path)


# --- loading -----------------------------------------------------------------------------------------------


def test_the_splits_of_a_task_are_read_together_and_each_text_once(data: Path) -> None:
    loaded = load_dataset(data, "sst-2")
    assert {(e.text, e.label) for e in loaded.examples} == set(reviews())
    assert len(loaded.examples) == len(reviews())
    assert {e.row.split(":")[0] for e in loaded.examples} == set(SPLITS)
    assert all(e.answer == ("terrible", "great")[e.label or 0] for e in loaded.examples)


def test_a_row_is_named_by_its_place_in_its_file(data: Path) -> None:
    loaded = load_dataset(data, "sst-2")
    lines = (data / "train_tasks" / "sst-2" / "dev.tsv").read_text(encoding="utf-8").splitlines()[1:]
    named = [e for e in loaded.examples if e.row.startswith("dev:")]
    assert named
    assert [lines[int(e.row.split(":")[1])] for e in named] == [f"{e.text}\t{e.label}" for e in named]
    assert all(loaded[e.row] == e for e in loaded.examples)
    with pytest.raises(InputError, match="sst-2 has no row 'dev:99'"):
        loaded["dev:99"]


def test_free_answers_and_held_out_rows(data: Path) -> None:
    train, test = load_dataset(data, "gsm8k"), load_test(data / "gsm8k", "gsm8k")
    assert train == load_gsm8k(data / "gsm8k", "train") and train.labels is None
    for loaded, split in ((train, "train"), (test, "test")):
        assert [{"question": e.text, "answer": e.answer} for e in loaded.examples] == sums(split)
        assert [e.row for e in loaded.examples] == [f"{split}:{i}" for i in range(12)]
    assert {(e.text, e.label) for e in load_test(data / "agnews", "agnews").examples} == set(news())
    assert all(not e.row.startswith("test") for e in load_dataset(data, "agnews").examples)


def test_line_ends_of_windows_and_blank_lines_change_nothing(data: Path) -> None:
    before = [load_dataset(data, name) for name in KINDS]
    for path in (*data.rglob("*.tsv"), *data.rglob("*.jsonl")):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n") + b"\r\n\r\n")
    assert [load_dataset(data, name) for name in KINDS] == before


@pytest.mark.parametrize(
    ("file", "line", "message"),
    [
        ("train_tasks/sst-2/dev.tsv", "good fun\t2", r"dev.tsv line 14: '2' is not a label from 0 to 1"),
        ("train_tasks/sst-2/dev.tsv", "good fun\tgreat", r"dev.tsv line 14: 'great' is not a label"),
        ("train_tasks/sst-2/dev.tsv", "good fun\t-1", r"dev.tsv line 14: '-1' is not a label"),
        ("train_tasks/sst-2/dev.tsv", "good fun\t²", r"dev.tsv line 14: '²' is not a label"),
        ("train_tasks/sst-2/dev.tsv", "1", r"dev.tsv line 14 has no tab"),
        ("gsm8k/train.jsonl", '{"question": "1+1', r"train.jsonl line 13 is not a question and its answer"),
        ("gsm8k/train.jsonl", '{"question": "1+1?"}', r"train.jsonl line 13 .*KeyError\('answer'\)"),
        ("gsm8k/train.jsonl", '{"question": "1+1?", "answer": 2}', r"train.jsonl line 13 "),
        ("gsm8k/train.jsonl", '["1+1?", "2"]', r"train.jsonl line 13 "),
    ],
)
def test_a_bad_row_is_named(data: Path, file: str, line: str, message: str) -> None:
    with open(data / file, "a", encoding="utf-8") as out:
        out.write(f"{line}\n")
    name = Path(file).parent.name
    with pytest.raises(InputError, match=message):
        load_dataset(data, name)
    if name == "gsm8k":
        with pytest.raises(InputError, match=message):
            load_task("gsm8k", data / "gsm8k", prompts=1, queries=2, shots=2, seed=0)


@pytest.mark.parametrize("file", ["train_tasks/sst-2/train_87.tsv", "agnews/dev.tsv", "gsm8k/train.jsonl"])
def test_a_file_that_is_missing_or_not_text_is_named(data: Path, file: str) -> None:
    path = data / file
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=f"cannot read .*{path.name}"):
        load_dataset(data, path.parent.name)
    path.unlink()
    with pytest.raises(InputError, match=f"{path.name} is not there"):
        load_dataset(data, path.parent.name)


def test_a_data_set_that_is_not_known(data: Path) -> None:
    with pytest.raises(InputError, match="unknown data set 'imdb'; known: gsm8k, sst-2"):
        load_dataset(data, "imdb")


# --- prompts by reference ----------------------------------------------------------------------------------


@pytest.mark.parametrize("template", range(len(TEMPLATES)))
@pytest.mark.parametrize("name", KINDS)
def test_fields_cut_out_the_text_and_answer_of_every_row(data: Path, name: str, template: int) -> None:
    loaded, rng = load_dataset(data, name), random.Random(template)
    before, between, after = TEMPLATES[template]
    for _ in range(5):
        shot = draw(loaded, rng, template=template)
        text, fields = shot.render(loaded), shot.fields(loaded)
        assert [f.start for f in fields] == [0, *(f.end for f in fields[:-1])] and fields[-1].end == len(text)
        for row, field in zip(shot.rows, fields, strict=True):
            shown = text[slice(*field.text)]
            words = loaded[row].text.split(" ")
            assert shown.split(" ") == (words[: shot.max_words] if loaded.labels else words)
            assert text[slice(*field.answer)] == loaded[row].answer
            whole = f"{before}{shown}{between} {loaded[row].answer}{after}"
            assert text[field.start : field.end] == whole == shot.demonstration(loaded[row])
            assert whole.startswith(shot.query(loaded[row]))


def test_only_texts_that_stand_for_a_class_are_cut() -> None:
    long = " ".join(str(i) for i in range(90))
    cut, whole = Example("a:0", long, "great", 1), Example("a:1", long, "great")
    shot = FewShot("toy", ("a:0", "a:1"), 9, (0, 1), max_words=4)
    assert shot.query(cut) == "0 1 2 3\nAnswer:"
    assert shot.query(whole) == f"{long}\nAnswer:"


@pytest.mark.parametrize("name", KINDS)
def test_a_reference_survives_json(data: Path, name: str) -> None:
    loaded = load_dataset(data, name)
    for seed in range(20):
        shot = draw(loaded, random.Random(seed))
        again = FewShot.from_json(json.loads(json.dumps(shot.to_json())))
        assert again == shot and again.render(loaded) == shot.render(loaded)


# --- drawing -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
def test_drawing_varies_everything_and_follows_its_seed(data: Path, name: str) -> None:
    loaded = load_dataset(data, name)
    shots = [draw(loaded, random.Random(seed)) for seed in range(300)]
    assert shots == [draw(loaded, random.Random(seed)) for seed in range(300)]
    assert len({s.rows for s in shots}) > 250
    assert {s.dataset for s in shots} == {name}
    assert len({len(s.rows) for s in shots}) >= 3
    assert any(list(s.rows) != sorted(s.rows) for s in shots)
    for shot in shots:
        assert len(set(shot.rows)) == len(shot.rows)
        assert all(loaded[row].label in shot.classes for row in shot.rows) if loaded.labels else not shot.classes
    if loaded.labels:
        assert {s.template for s in shots} == set(range(len(TEMPLATES)))
        assert {s.max_words for s in shots} == {15, 25, 40, 60}
        assert {c for s in shots for c in s.classes} == set(range(len(loaded.labels)))
        firsts = Counter(loaded[s.rows[0]].label for s in shots)
        assert min(firsts.values()) > 300 / len(loaded.labels) / 2  # no class always comes first
    else:
        assert {s.template for s in shots} == {1, 2, 5}  # those that ask a question


def test_labels_are_those_of_the_drawn_classes(data: Path) -> None:
    loaded = load_dataset(data, "agnews")
    sizes = set()
    for seed in range(40):
        shot = draw(loaded, random.Random(seed))
        labels = shot.labels(loaded)
        sizes.add(len(labels))
        assert {loaded[row].answer for row in shot.rows} <= set(labels)
        assert [("World", "Sports", "Business", "Tech").index(w) for w in labels] == list(shot.classes)
    assert sizes == {3, 4}
    sums = load_dataset(data, "gsm8k")
    assert draw(sums, random.Random(0)).labels(sums) == []


@pytest.mark.parametrize("shots", [1, 3, 12])
def test_shots_and_template_can_be_asked_for(data: Path, shots: int) -> None:
    shot = draw(load_dataset(data, "gsm8k"), random.Random(0), shots=shots, template=4)
    assert (len(shot.rows), shot.template) == (shots, 4)


def test_too_few_rows_to_draw_from(data: Path) -> None:
    with pytest.raises(InputError, match="gsm8k has 12 rows, too few for 13"):
        draw(load_dataset(data, "gsm8k"), random.Random(0), shots=13)
    loaded = load_dataset(data, "sst-2")
    liked = Dataset("sst-2", tuple(e for e in loaded.examples if e.label), loaded.labels)
    with pytest.raises(InputError, match="sst-2 has no row of 'terrible'"):
        draw(liked, random.Random(0))


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 13, 48, 60])
def test_balanced_takes_as_many_of_each_class_as_can_be(count: int) -> None:
    sizes = (4, 30, 2)
    rows = [Example(f"{c}:{i}", f"{c} {i}", "x", c) for c, size in enumerate(sizes) for i in range(size)]
    chosen = balanced(rows, count, random.Random(count))
    assert len(chosen) == len(set(chosen)) == min(count, len(rows)) and set(chosen) <= set(rows)
    taken = Counter(e.label for e in chosen)
    most = max(taken.values())
    assert all(taken[c] >= min(size, most - 1) for c, size in enumerate(sizes))


def test_balanced_is_a_sample_without_labels_and_follows_its_seed() -> None:
    rows = [Example(f"r:{i}", str(i), "x") for i in range(20)]
    picks = [balanced(rows, 5, random.Random(seed)) for seed in range(50)]
    assert picks == [balanced(rows, 5, random.Random(seed)) for seed in range(50)]
    assert {e for pick in picks for e in pick} == set(rows)
    assert all(len(set(pick)) == 5 for pick in picks)
