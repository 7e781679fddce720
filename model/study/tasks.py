"""Evaluation tasks: the demonstrations to compress, the queries that follow them, and how a target is scored.

AG News and GSM8K. Whatever is compressed, the target reads `demonstrations.strip() + "\\n\\n" + query`, or
the query alone where nothing is left.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from model.answers import exact_match, greedy_answers
from model.data import (
    LABELS,
    QUESTION_ANSWER,
    Example,
    FewShot,
    balanced,
    draw,
    load_gsm8k,
    load_test,
    read_lines,
)
from model.errors import InputError
from model.score import JOIN, first_subwords
from model.study.baselines import without_query
from model.targets import Prefix, Target

TASKS = ("agnews", "gsm8k")
ARTICLE_ANSWER = 0  # index into data.TEMPLATES
DECIMALS = 4  # of the log-probabilities that are written down and computed with


@dataclass(frozen=True)
class Demonstrations:
    """One prompt to compress.

    Attributes:
        index: number of the prompt in its task, from 0.
        text: the demonstrations, without white space at either end.
        labels: the label words (empty for free answers); a query is answered with " " + label.
        shot: how the text was written from rows of train.jsonl (gsm8k only; agnews comes as text).
    """

    index: int
    text: str
    labels: tuple[str, ...]
    shot: FewShot | None = None


@dataclass(frozen=True)
class Query:
    """What follows the demonstrations, up to "Answer:", and its gold answer (a label word or a solution)."""

    text: str
    answer: str
    label: int | None


@dataclass(frozen=True)
class Scores:
    """What a target made of all queries after one prompt.

    Attributes:
        log_probs: per query, rounded to 4 decimals: with labels the log-probability of each label's first
            subword, else one value, the mean log-probability per subword of the gold solution.
        exact: per query whether the generated answer is right (empty when nothing was generated).
    """

    log_probs: list[list[float]]
    exact: list[bool] = field(default_factory=list)


@dataclass(frozen=True)
class Task:
    """Prompts and queries, the same queries for every prompt and method."""

    name: str
    prompts: tuple[Demonstrations, ...]
    queries: tuple[Query, ...]
    labels: tuple[str, ...]

    @torch.inference_mode()
    def score(self, target: Target, text: str, generate: bool = False) -> Scores:
        """Score all queries after the demonstrations `text` (may be empty)."""
        text = text.strip()
        prefix = target.read(target.encode(text + JOIN if text else ""))
        queries = [target.encode(query.text) for query in self.queries]
        if self.labels:
            labels = first_subwords(target, self.labels)
            rows = target.label_log_probs(prefix, queries, labels).tolist()
        else:
            answers = [target.encode(f" {query.answer}") for query in self.queries]
            rows = target.answer_log_probs(prefix, queries, answers)[:, None].tolist()
        log_probs = [[round(value, DECIMALS) for value in row] for row in rows]
        return Scores(log_probs, self._exact(target, prefix, queries) if generate else [])

    def _exact(self, target: Target, prefix: Prefix, queries: Sequence[Sequence[int]]) -> list[bool]:
        answers = greedy_answers(target, prefix, queries)
        return [exact_match(got, query.answer) for got, query in zip(answers, self.queries, strict=True)]


def load_task(name: str, folder: Path, prompts: int, queries: int, shots: int, seed: int) -> Task:
    """Read a task from its data folder. The same arguments give the same prompts and queries.

    Args:
        name: one of TASKS.
        folder: with test.tsv and prompts_1shot.jsonl (agnews), or train.jsonl and test.jsonl (gsm8k).
        prompts: agnews: the first rows of prompts_1shot.jsonl; gsm8k: drawn from train.jsonl.
        queries: drawn from the test rows, as many of each class as can be.
        shots: gsm8k: demonstrations in a prompt (agnews: as in the file).

    Raises InputError when a file is missing or holds too little.
    """
    if name not in TASKS:
        raise InputError(f"unknown task {name!r}; known: {', '.join(TASKS)}")
    test = load_test(folder, name)
    if queries > len(test.examples):
        raise InputError(f"{queries} queries asked for, but {name} has {len(test.examples)} test rows")
    chosen = balanced(test.examples, queries, random.Random(f"queries:{seed}"))
    read = _agnews(folder, prompts) if name == "agnews" else _gsm8k(folder, prompts, shots, seed)
    return Task(name, tuple(read), tuple(_query(example, name) for example in chosen), LABELS.get(name, ()))


def _query(example: Example, task: str) -> Query:
    template = ARTICLE_ANSWER if task == "agnews" else QUESTION_ANSWER
    words = len(example.text.split(" "))  # whole text: a query is not cut
    text = FewShot(task, (), template, max_words=words).query(example)
    return Query(text, example.answer, example.label)


def _agnews(folder: Path, count: int) -> list[Demonstrations]:
    path = folder / "prompts_1shot.jsonl"
    rows = [line for line in read_lines(path) if line.strip()]
    if count > len(rows):
        raise InputError(f"{count} prompts asked for, but {path} has {len(rows)}")
    prompts = []
    for i, row in enumerate(rows[:count]):
        try:
            text = json.loads(row)["prompt"]
        except (ValueError, KeyError, TypeError) as e:
            raise InputError(f"{path} row {i + 1} has no prompt ({e!r})") from e
        prompts.append(Demonstrations(i, without_query(text, f"{path} row {i + 1}"), LABELS["agnews"]))
    return prompts


def _gsm8k(folder: Path, count: int, shots: int, seed: int) -> list[Demonstrations]:
    data = load_gsm8k(folder, "train")
    if shots > len(data.examples):
        raise InputError(f"{shots} shots asked for, but {folder / 'train.jsonl'} has {len(data.examples)} rows")
    prompts = []
    for i in range(count):
        shot = draw(data, random.Random(f"prompt:{seed}:{i}"), shots=shots, template=QUESTION_ANSWER)
        prompts.append(Demonstrations(i, shot.render(data).strip(), (), shot))
    return prompts
