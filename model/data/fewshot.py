"""Few-shot tasks: where examples come from, and prompts written down as references to their rows.

A training pair never holds other people's text. It holds a `FewShot`: data set, rows, template and label words,
from which `FewShot.render` writes the same prompt again.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ..errors import InputError

SPLITS = ("train", "dev", "train_13", "train_21", "train_42", "train_87")
LABELS = {
    "sst-2": ("terrible", "great"),
    "mr": ("terrible", "great"),
    "cr": ("terrible", "great"),
    "sst-5": ("terrible", "bad", "okay", "good", "great"),
    "subj": ("subjective", "objective"),
    "trec": ("Description", "Entity", "Expression", "Human", "Location", "Number"),
    "dbpedia": (
        *("Company", "Education", "Artist", "Sports", "Office", "Transportation", "Building"),
        *("Natural", "Village", "Animal", "Plant", "Album", "Film", "Written"),
    ),
    "agnews": ("World", "Sports", "Business", "Tech"),
}
TRAIN_TASKS = ("gsm8k", "sst-2", "sst-5", "mr", "cr", "subj", "trec", "dbpedia")

# (before the text, between text and answer, between demonstrations)
TEMPLATES = (
    ("Article: ", "\nAnswer:", "\n\n"),
    ("Question: ", "\nAnswer:", "\n\n"),
    ("Input: ", "\nOutput:", "\n\n"),
    ("Text: ", "\nLabel:", "\n\n"),
    ("Review: ", "\nSentiment:", "\n\n"),
    ("Q: ", "\nA:", "\n\n"),
    ("Sentence: ", "\nCategory:", "\n\n"),
    ("User: ", "\nAssistant:", "\n"),
    ("Passage: ", "\nTopic:", "\n\n"),
    ("", "\nAnswer:", "\n\n"),
    ("Example: ", " =>", "\n"),
    ("### Input\n", "\n### Output:", "\n\n"),
)
QUESTION_ANSWER = 1


@dataclass(frozen=True)
class Example:
    """One row: `row` names it in its data set ("train_13:7"), `label` is its class (None for free answers)."""

    row: str
    text: str
    answer: str
    label: int | None = None


@dataclass(frozen=True)
class Dataset:
    """A data set held in memory; `labels` are the words that stand for its classes (None for free answers)."""

    name: str
    examples: tuple[Example, ...]
    labels: tuple[str, ...] | None

    def __getitem__(self, row: str) -> Example:
        try:
            return self._by_row[row]
        except KeyError:
            raise InputError(f"{self.name} has no row {row!r}; the pairs file belongs to other data") from None

    @cached_property
    def _by_row(self) -> dict[str, Example]:
        return {example.row: example for example in self.examples}


def load_dataset(data: Path, name: str) -> Dataset:
    """Read `data`/gsm8k, `data`/train_tasks/NAME or `data`/agnews: the rows that training may use.

    Raises InputError when a file is not there or a row is not one.
    """
    if name == "gsm8k":
        return load_gsm8k(data / name, "train")
    if name not in LABELS:
        raise InputError(f"unknown data set {name!r}; known: gsm8k, {', '.join(LABELS)}")
    folder = data / name if name == "agnews" else data / "train_tasks" / name
    splits = ("train", "dev") if name == "agnews" else SPLITS
    seen: dict[str, Example] = {}
    for split in splits:
        for example in load_tsv(folder / f"{split}.tsv", split, LABELS[name]):
            seen.setdefault(example.text, example)
    return Dataset(name, tuple(seen.values()), LABELS[name])


def load_test(folder: Path, name: str) -> Dataset:
    """Read the held-out rows of `folder` (".../agnews" or ".../gsm8k"), for evaluation only."""
    if name == "gsm8k":
        return load_gsm8k(folder, "test")
    return Dataset(name, tuple(load_tsv(folder / "test.tsv", "test", LABELS[name])), LABELS[name])


def load_gsm8k(folder: Path, split: str) -> Dataset:
    """Read `folder`/SPLIT.jsonl (SPLIT: train or test), one object with a question and its worked answer per line."""
    path = folder / f"{split}.jsonl"
    lines = [(number, line) for number, line in enumerate(read_lines(path), start=1) if line.strip()]
    examples = []
    for i, (number, line) in enumerate(lines):
        try:
            row = json.loads(line)
            examples.append(Example(f"{split}:{i}", row["question"].strip(), row["answer"].strip()))
        except (ValueError, KeyError, TypeError, AttributeError) as e:
            raise InputError(f"{path} line {number} is not a question and its answer ({e!r})") from e
    return Dataset("gsm8k", tuple(examples), None)


def read_lines(path: Path) -> list[str]:
    """The lines of a UTF-8 text file, or InputError saying that it is missing or not text."""
    try:
        return path.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError as e:
        raise InputError(f"{path} is not there; --data must name it, or the folder that holds it") from e
    except (UnicodeDecodeError, OSError) as e:
        raise InputError(f"cannot read {path}: {e}") from e


def load_tsv(path: Path, split: str, labels: tuple[str, ...]) -> list[Example]:
    """The rows of a plain TSV file of text and class number, under a line of names; rows without text are left out."""
    examples = []
    for i, line in enumerate(read_lines(path)[1:]):
        if line.strip():
            text, tab, label = line.rpartition("\t")
            if not tab:
                raise InputError(f"{path} line {i + 2} has no tab between a text and its label")
            if not label.strip().isdecimal() or int(label) >= len(labels):
                raise InputError(f"{path} line {i + 2}: {label!r} is not a label from 0 to {len(labels) - 1}")
            if text.strip():  # some files have a row or two without
                examples.append(Example(f"{split}:{i}", text.strip(), labels[int(label)], int(label)))
    return examples


@dataclass(frozen=True)
class Field:
    """One demonstration in a rendered prompt; all numbers are character offsets, ends exclusive."""

    start: int
    text: tuple[int, int]
    answer: tuple[int, int]
    end: int


@dataclass(frozen=True)
class FewShot:
    """A demonstration prompt by reference.

    Attributes:
        dataset: name for `load_dataset`.
        rows: the demonstrations, in order.
        template: index into TEMPLATES.
        classes: which classes of the data set the task has (its labels, in order); () = free answers.
        max_words: demonstrations' texts are cut to this many words, so that prompts of many lengths occur.
    """

    dataset: str
    rows: tuple[str, ...]
    template: int
    classes: tuple[int, ...] = ()
    max_words: int = 80

    def render(self, data: Dataset) -> str:
        """The demonstrations' text; every one ends with the template's separator."""
        return "".join(self.demonstration(data[row]) for row in self.rows)

    def demonstration(self, example: Example) -> str:
        return f"{self.query(example)} {example.answer}{TEMPLATES[self.template][2]}"

    def fields(self, data: Dataset) -> list[Field]:
        """Where each demonstration, its text and its answer lie in the rendered prompt."""
        found, start = [], 0
        for row in self.rows:
            example = data[row]
            before, between, after = TEMPLATES[self.template]
            end = start + len(self.demonstration(example))
            answer = (end - len(after) - len(example.answer), end - len(after))
            found.append(Field(start, (start + len(before), answer[0] - 1 - len(between)), answer, end))
            start = end
        return found

    def query(self, example: Example) -> str:
        """An unanswered example, as it follows the demonstrations; ends right before " answer"."""
        before, between, _ = TEMPLATES[self.template]
        words = example.text.split(" ")
        text = " ".join(words[: self.max_words]) if example.label is not None else example.text
        return f"{before}{text}{between}"

    def labels(self, data: Dataset) -> list[str]:
        return [data.labels[c] for c in self.classes] if data.labels else []

    def to_json(self) -> dict[str, object]:
        return asdict(self)

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> FewShot:
        return replace(
            cls(record["dataset"], tuple(record["rows"]), record["template"], tuple(record["classes"])),
            max_words=record["max_words"],
        )


def draw(data: Dataset, rng: random.Random, shots: int | None = None, template: int | None = None) -> FewShot:
    """Draw a demonstration prompt: number of shots, rows, order, template, classes and length all vary.

    Raises InputError when the data set has too few rows.
    """
    if template is None:
        template = rng.randrange(len(TEMPLATES)) if data.labels else rng.choice((QUESTION_ANSWER, 1, 2, 5))
    if data.labels is None:
        count = shots or rng.choice((2, 3, 4, 4))
        if count > len(data.examples):
            raise InputError(f"{data.name} has {len(data.examples)} rows, too few for {count} demonstrations")
        rows = rng.sample([e.row for e in data.examples], count)
        return FewShot(data.name, tuple(rows), template)
    most = min(len(data.labels), 6)
    classes = sorted(rng.sample(range(len(data.labels)), rng.randint(min(most, 3), most)))
    count = shots or rng.choice((2, 3, 4, 4, 4, 5, 6, 8))
    pools = [[e.row for e in data.examples if e.label == c] for c in classes]
    if not all(pools):
        raise InputError(f"{data.name} has no row of {data.labels[classes[pools.index([])]]!r}")
    rows = [rng.choice(pools[i % len(pools)]) for i in rng.sample(range(max(count, len(pools))), count)]
    rows = list(dict.fromkeys(rows))
    rng.shuffle(rows)
    return FewShot(data.name, tuple(rows), template, tuple(classes), rng.choice((15, 25, 40, 60)))


def balanced(examples: Sequence[Example], count: int, rng: random.Random) -> list[Example]:
    """`count` examples, as many of each class as can be; without labels a plain sample."""
    groups: dict[int | None, list[Example]] = {}
    for example in rng.sample(list(examples), len(examples)):
        groups.setdefault(example.label, []).append(example)
    chosen: list[Example] = []
    while len(chosen) < min(count, len(examples)):
        for group in groups.values():
            if group and len(chosen) < count:
                chosen.append(group.pop())
    return chosen
