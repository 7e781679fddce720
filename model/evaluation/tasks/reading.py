"""What the tasks over documents share: one question a prompt, before or after the documents, and its split of rows."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import TypeVar

from ...errors import InputError
from .request import TaskOptions, TaskRequest, check_enough
from .task import Document, EvaluationPrompt, Query

SHORT_ANSWER = 32  # subwords of a generated answer that is a name, a date, a number
LONG_ANSWER = 256  # of one that is a paragraph
WORDS = ("Question: ", "Answer:")  # before the question, and before the answer

Row = TypeVar("Row")


def question_prompt(
    index: int,
    arranged: tuple[str, tuple[Document, ...]],
    question: str,
    answers: Sequence[str],
    *,
    instruction: str = "",
    words: tuple[str, str] = WORDS,
    first: bool = False,
    row: str = "",
) -> EvaluationPrompt:
    """A prompt with one question over an arranged context.

    words: what stands before the question, and before the answer. first: the question stands before the context.
    """
    asked = f"{words[0]}{question}"
    query = words[1] if first else f"{asked}\n{words[1]}"
    return EvaluationPrompt(
        index,
        arranged[0],
        rows=(row,) if row else (),
        queries=(Query(query, answers[0], None, row, tuple(answers)),),
        instruction="\n\n".join(part for part in (instruction, asked if first else "") if part),
        question=question,
        documents=arranged[1],
    )


def split_of(request: TaskRequest, splits: Mapping[str, Sequence[Row]], default: str) -> Sequence[Row]:
    """The rows of the split that is asked for; InputError when there is no such split."""
    name = request.options.split or default
    if name not in splits:
        raise InputError(f"{request.name} has no split {name!r}; known: {', '.join(splits)}")
    return splits[name]


def place_of(options: TaskOptions, rng: random.Random) -> int:
    """Which of the documents holds the answer, from 0; InputError when it is asked for behind the last."""
    if options.place and options.place > options.documents:
        raise InputError(f"place {options.place} lies behind the last of {options.documents} documents")
    return options.place - 1 if options.place else rng.randrange(options.documents)


def chosen(request: TaskRequest, rows: Sequence[Row], where: str) -> list[Row]:
    """As many as prompts are asked for, drawn; fewer of them are the first of more."""
    check_enough(request.prompts, "prompts", len(rows), where)
    return random.Random(f"prompts:{request.seed}").sample(list(rows), len(rows))[: request.prompts]
