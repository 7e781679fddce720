"""Tasks of demonstrations (agnews, gsm8k, yelp, yahoo, summary): the same queries follow every prompt.

Their test rows are never trained on; demonstrations of gsm8k are drawn from its train.jsonl.
"""

from __future__ import annotations

import random
from pathlib import Path

from ...data.fewshot import LABELS, Dataset, Example, balanced, load_test, load_tsv
from ...errors import InputError
from . import grading
from .kinds import FEW_SHOT
from .request import TaskRequest, check_enough
from .sources import train_and_test, written_prompts
from .task import EvaluationPrompt, Query, Task, right

WORDS = 80  # a demonstration's text is cut to so many, where a label is asked for
SHOTS = 4  # demonstrations in a prompt of free answers


def load(request: TaskRequest) -> Task:
    """agnews: a folder with test.tsv, prompts_1shot.jsonl (its first rows are the prompts) and, for the teacher,
    train.tsv and dev.tsv. gsm8k: train.jsonl (question, answer; demonstrations are drawn from it) and test.jsonl. yelp,
    yahoo: train.tsv, and test.tsv or dev.tsv. summary: a JSONL file of document, summary.

    Raises InputError when a file is missing, holds too little, or a row is not one.
    """
    name, data, prompts, queries, seed = request.name, request.place, request.prompts, request.queries, request.seed
    labels = FEW_SHOT[name].labels
    if name == "agnews" and isinstance(data, Path):
        test = load_test(data, name)
        texts = written_prompts(data)
        check_enough(prompts, "prompts", len(texts), f"{data / 'prompts_1shot.jsonl'}")
        written = [EvaluationPrompt(i, text, labels) for i, text in enumerate(texts[:prompts])]
    else:
        train, test = train_and_test(name, data, labels)
        check_enough(queries, "queries", len(test.examples), f"the test rows of {name}")
        if train == test:  # one file: the queries are drawn first
            asked = {e.row for e in balanced(test.examples, queries, random.Random(f"queries:{seed}"))}
            train = Dataset(name, tuple(e for e in train.examples if e.row not in asked), train.labels)
        written = _drawn(train, prompts, request.shots or len(labels) or SHOTS, seed)
    check_enough(queries, "queries", len(test.examples), f"the test rows of {name}")
    chosen = balanced(test.examples, queries, random.Random(f"queries:{seed}"))

    def held_out(prompt: EvaluationPrompt) -> list[Query]:
        rows = _agnews_rows(data) if name == "agnews" and isinstance(data, Path) else train.examples
        every = (_query(example, name) for example in rows)
        return [query for query in every if query.row not in prompt.rows and query.text not in prompt.context]

    grade = grading.summary if name == "summary" else right
    return Task(name, tuple(written), tuple(_query(example, name) for example in chosen), labels, held_out, grade)


def _agnews_rows(folder: Path) -> list[Example]:
    """Those that the test does not use, each text once."""
    seen: dict[str, Example] = {}
    for split in ("train", "dev"):
        for example in load_tsv(folder / f"{split}.tsv", split, LABELS["agnews"]):
            seen.setdefault(example.text, example)
    return list(seen.values())


def _query(example: Example, task: str) -> Query:
    return Query(_framed(example.text, task), example.answer, example.label, example.row)  # a query is not cut


def _framed(text: str, task: str) -> str:
    frame = FEW_SHOT[task].frame
    assert frame is not None
    return f"{frame[0]}{text}{frame[1]}"


def _drawn(train: Dataset, count: int, shots: int, seed: int) -> list[EvaluationPrompt]:
    """Prompts of demonstrations, as many of each class as can be."""
    frame = FEW_SHOT[train.name].frame
    assert frame is not None
    if shots > len(train.examples):
        raise InputError(f"{shots} shots asked for, but {train.name} has {len(train.examples)} rows to draw them from")
    prompts = []
    for i in range(count):
        rng = random.Random(f"prompt:{seed}:{i}")
        if train.labels:
            rows = balanced(train.examples, shots, rng)
            rng.shuffle(rows)
        else:
            rows = rng.sample(train.examples, shots)
        texts = [" ".join(row.text.split(" ")[:WORDS]) if train.labels else row.text for row in rows]
        shown = [f"{_framed(text, train.name)} {row.answer}" for text, row in zip(texts, rows, strict=True)]
        prompts.append(EvaluationPrompt(i, frame[2].join(shown), train.labels or (), tuple(row.row for row in rows)))
    return prompts
