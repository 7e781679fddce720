"""A user's own task: a JSON Lines file of prompt, query, answer and, to classify, labels."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from ...data.fewshot import Example, balanced
from ...errors import InputError
from ...prompt import parse
from .request import TaskRequest
from .sources import SourceRow, read_rows, text_of
from .task import EvaluationPrompt, Query, Task


def load(request: TaskRequest) -> Task:
    """The first prompts of the file, of each as many of its rows, drawn; the others are held out.

    Rows that share a prompt are its queries; labels, where there are some, are the same in each row. Raises InputError
    when a row is not one.
    """
    rows, seed = read_rows(request.place), request.seed
    labels = _labels(rows[0])
    groups = dict(list(_groups(rows, labels).items())[: request.prompts])
    most = min(request.queries, *map(len, groups.values()))
    written: list[EvaluationPrompt] = []
    others: list[list[Query]] = []
    for i, (text, group) in enumerate(groups.items()):
        parse(text)
        examples = [Example(query.row, query.text, query.answer, query.label) for query in group]
        chosen = {e.row for e in balanced(examples, most, random.Random(f"queries:{seed}"))}
        asked = tuple(query for query in group if query.row in chosen)
        written.append(EvaluationPrompt(i, text, labels, queries=asked))
        others.append([query for query in group if query.row not in chosen])
    answers = [[(query.text, query.answer) for query in prompt.queries] for prompt in written]
    if all(same == answers[0] for same in answers):
        shared = written[0].queries
        written = [replace(prompt, queries=()) for prompt in written]
    else:
        shared = ()
    return Task("jsonl", tuple(written), shared, labels, lambda prompt: others[prompt.index])


def _groups(rows: Sequence[SourceRow], labels: tuple[str, ...]) -> dict[str, list[Query]]:
    groups: dict[str, list[Query]] = {}
    for i, row in enumerate(rows):
        if _labels(row) != labels:
            raise InputError(f"{row[0]}: the field 'labels' is not that of {rows[0][0]}; all rows must share it")
        prompt, query, answer = (text_of(row, name) for name in ("prompt", "query", "answer"))
        if labels and answer not in labels:
            raise InputError(f"{row[0]}: the field 'answer' is none of the labels")
        label = labels.index(answer) if labels else None
        groups.setdefault(prompt, []).append(Query(query, answer, label, f"row:{i}"))
    return groups


def _labels(row: SourceRow) -> tuple[str, ...]:
    labels = row[1].get("labels") or []
    if not isinstance(labels, list) or not all(isinstance(label, str) and label.strip() for label in labels):
        raise InputError(f"{row[0]}: the field 'labels' is not a list of words")
    if len(labels) == 1 or len(set(labels)) < len(labels):
        raise InputError(f"{row[0]}: the field 'labels' needs at least two, each once")
    return tuple(label.strip() for label in labels)
