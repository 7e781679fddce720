"""PubMedQA (Jin et al. 2019): a question that the abstract answers with yes, no or maybe."""

from __future__ import annotations

import random
from dataclasses import replace

from ...data.fewshot import Example, balanced
from ...errors import InputError
from . import grading
from .layouts import arrange
from .reading import question_prompt
from .request import TaskRequest, check_enough
from .sources import SourceRow, find_file, read_jsonl_rows, text_of, texts_of
from .task import EvaluationPrompt, Query, Task

LABELS = ("yes", "no", "maybe")
INSTRUCTION = "Answer the question from the abstract with yes, no or maybe."


def load(request: TaskRequest) -> Task:
    """A file pubmedqa.jsonl of question, contexts, labels, answer; as many of each answer as can be.

    Raises InputError when a row is not one, or there are too few.
    """
    rows = read_jsonl_rows(find_file(request.folder(), "pubmedqa.jsonl"))
    check_enough(request.prompts, "prompts", len(rows), "the rows of pubmedqa")
    examples = [Example(str(i), "", _answer(row), LABELS.index(_answer(row))) for i, row in enumerate(rows)]
    drawn = balanced(examples, request.prompts, random.Random(f"prompts:{request.seed}"))
    prompts = [_prompt(i, rows[int(example.row)], request) for i, example in enumerate(drawn)]
    return Task(request.name, tuple(prompts), (), LABELS, grade=grading.named_label, new_tokens=4)


def _answer(row: SourceRow) -> str:
    answer = text_of(row, "answer")
    if answer not in LABELS:
        raise InputError(f"{row[0]}: the field 'answer' is none of {', '.join(LABELS)}")
    return answer


def _prompt(index: int, row: SourceRow, request: TaskRequest) -> EvaluationPrompt:
    sections = list(zip(texts_of(row, "labels"), texts_of(row, "contexts"), strict=False))
    made = question_prompt(
        index,
        arrange(sections, request.options.layout or "section"),
        text_of(row, "question"),
        (_answer(row),),
        instruction=INSTRUCTION,
        first=request.options.question_first,
        row=row[0].rpartition("/")[2],
    )
    asked = made.queries[0]
    query = Query(asked.text, asked.answer, LABELS.index(asked.answer), asked.row)
    return replace(made, queries=(query,), labels=LABELS)
