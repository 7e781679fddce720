"""Questions of NaturalQuestions over several documents, of which one holds the answer (Liu et al. 2023, arXiv
2307.03172): the others are passages of other questions, those nearest to this one by BM25 that do not answer it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...errors import InputError
from ..bm25 import BM25
from ..metrics.answers import contains
from . import grading
from .layouts import arrange
from .reading import SHORT_ANSWER, chosen, place_of, question_prompt, split_of
from .request import TaskRequest
from .sources import SourceRow, find_file, read_jsonl_rows, text_of, texts_of
from .task import EvaluationPrompt, Task

TRAINED = 1200  # rows before this one may be trained on
LAYOUT = "lost-in-the-middle"
INSTRUCTION = (
    "Write a high-quality answer for the given question using only the provided search results (some of which might be "
    "irrelevant)."
)


@dataclass(frozen=True)
class Row:
    """A question, its answers, and the passage that holds one."""

    index: int
    question: str
    answers: tuple[str, ...]
    title: str
    text: str

    @property
    def passage(self) -> str:
        return f"{self.title}\n{self.text}"


def load(request: TaskRequest) -> Task:
    """A file nq.jsonl of question, answers, title, text. Split test (the default): rows from 1,200 on; train: before.

    The other documents are passages of any row. Raises InputError when a row is not one, or there are too few.
    """
    path = find_file(request.folder(), "nq.jsonl")
    rows = [_row(i, row) for i, row in enumerate(read_jsonl_rows(path))]
    split = split_of(request, {"test": rows[TRAINED:], "train": rows[:TRAINED]}, "test")
    usable = [row for row in split if contains(row.text, row.answers)]
    passages = BM25([row.passage for row in rows])
    prompts = [
        _prompt(i, row, _distractors(row, rows, passages, request), request)
        for i, row in enumerate(chosen(request, usable, f"the {len(split)} rows of that split with their answer"))
    ]
    return Task(request.name, tuple(prompts), (), (), grade=grading.short_answer, new_tokens=SHORT_ANSWER)


def _row(index: int, row: SourceRow) -> Row:
    question, title, text = (text_of(row, name) for name in ("question", "title", "text"))
    return Row(index, question.rstrip("? ") + "?", texts_of(row, "answers"), title, text)


def _distractors(row: Row, rows: Sequence[Row], passages: BM25, request: TaskRequest) -> list[Row]:
    """The nearest passages without an answer, each once."""
    found: dict[str, Row] = {}
    wanted = request.options.documents - 1
    for i in np.argsort(-passages.scores(row.question), kind="stable").tolist():
        if len(found) == wanted:
            break
        if rows[i].text != row.text and not contains(rows[i].passage, row.answers):
            found.setdefault(rows[i].text, rows[i])
    if len(found) < wanted:
        raise InputError(f"{wanted + 1} documents asked for, but {len(found)} passages are there to stand beside one")
    return list(found.values())


def _prompt(index: int, row: Row, others: list[Row], request: TaskRequest) -> EvaluationPrompt:
    options, rng = request.options, random.Random(f"nq:{request.seed}:{row.index}")
    place = place_of(options, rng)
    rng.shuffle(others)
    documents = [(each.title, each.text) for each in (*others[:place], row, *others[place:])]
    return question_prompt(
        index,
        arrange(documents, options.layout or LAYOUT),
        row.question,
        row.answers,
        instruction=INSTRUCTION,
        first=options.question_first,
        row=f"row:{row.index}",
    )
