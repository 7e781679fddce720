"""A small data folder laid out like the real one (every row is written for these tests), and fixtures that read it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from model.data.fewshot import LABELS, SPLITS, TRAIN_TASKS, Dataset, load_dataset

SUBJECTS = ("this film", "her second novel", "the late show", "our hotel room", "that phone", "the new album")
VERDICTS = {
    0: ("drags on for hours .", "broke within a week", "-3 stars , never again !", "is loud and far too long"),
    1: ("made us laugh  all night", "is worth every cent ( twice ) :)", "won 2,000 hearts", "grows on you, slowly ="),
}
NEWS = {
    "World": ("Ministers met again in the capital", "A storm closed both harbours"),
    "Sports": ("The keeper saved two penalties", "Rain stopped play after 14 overs"),
    "Business": ("Shares of the grocer fell 3.5%", "The bank opens #5 in the north"),
    "Tech": ("A chip the size of a crumb", "The patch mends an old browser's hole"),
}
THINGS = ("pears", "stamps", "nails", "coins")


def reviews() -> list[tuple[str, int]]:
    """48 texts with a label, 0 or 1; the signs in some of them are hard to tell from a template's."""
    return [(f"{s} {v}", label) for s in SUBJECTS for label in VERDICTS for v in VERDICTS[label]]


def news() -> list[tuple[str, int]]:
    rows = [(text, label) for label, texts in enumerate(NEWS.values()) for text in texts]
    return [(f"{text} on day {day} .", label) for day in range(3) for text, label in rows]


def sums(split: str) -> list[dict[str, str]]:
    return [
        {
            "question": f"In {split} box {i} lie {i + 2} {thing}.  Ann adds 4.\nHow many {thing} are there?",
            "answer": f"There are {i + 2} + 4 = <<{i + 2}+4={i + 6}>>{i + 6} {thing}.\n#### {i + 6}",
        }
        for i, thing in enumerate(THINGS * 3)
    ]


def write_data(folder: Path) -> Path:
    """gsm8k/, train_tasks/ and agnews/; the six splits of a task share some rows. Returns the folder."""
    for name in set(TRAIN_TASKS) - {"gsm8k"}:
        rows = reviews()
        if name not in ("sst-2", "mr"):  # nonsense, of as many classes as the task has
            rows = [(text, i % len(LABELS[name])) for i, (text, _) in enumerate(rows)]
        for i, split in enumerate(SPLITS):
            write_tsv(folder / "train_tasks" / name / f"{split}.tsv", rows[8 * i : 8 * i + 12])
    rows = news()
    for split, some in (("train", rows[:16]), ("dev", rows[8:]), ("test", rows)):
        write_tsv(folder / "agnews" / f"{split}.tsv", some)
    (folder / "gsm8k").mkdir()
    for split in ("train", "test"):
        text = "".join(json.dumps(row) + "\n" for row in sums(split))
        (folder / "gsm8k" / f"{split}.jsonl").write_text(text, encoding="utf-8")
    return folder


def write_tsv(path: Path, rows: list[tuple[str, int]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["sentence\tlabel", *(f"{text}\t{label}" for text, label in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `write_data` writes; only to read."""
    return write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def loaded(data: Path) -> Dataset:
    """Its sst-2."""
    return load_dataset(data, "sst-2")
