"""Questions over several passages, answered step by step, as IRCoT writes its demonstrations (Trivedi et al. 2023,
arXiv 2212.10509): each has gold passages, others, a question and a chain of thought.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from ...errors import InputError
from . import grading
from .request import TaskRequest, check_enough
from .sources import find_file, read_text
from .task import Document, EvaluationPrompt, Query, Task

SHOTS = 3
_HEAD = re.compile(r"^# METADATA:.*$", re.MULTILINE)


@dataclass(frozen=True)
class Demonstration:
    """passages and question, up to "A:"; the chain of thought."""

    row: str
    asked: str
    answer: str

    @property
    def text(self) -> str:
        return f"{self.asked} {self.answer}"


def load(request: TaskRequest) -> Task:
    """A file of such demonstrations, each under a line "# METADATA: ...". Split test (the default) is the second half
    of the file, train the first. Each prompt is drawn from the split, and asked what it does not show.

    Raises InputError when a part of the file is no demonstration, or there are too few.
    """
    path = find_file(request.folder(), "ircot_hotpotqa.txt")
    items = _items(path.name, read_text(path))
    splits = {"test": items[len(items) // 2 :], "train": items[: len(items) // 2]}
    split = splits.get(request.options.split or "test")
    if split is None:
        raise InputError(f"{request.name} has no split {request.options.split!r}; known: {', '.join(splits)}")
    shots = request.shots or SHOTS
    check_enough(shots + 1, "shots", len(split), f"the demonstrations of that split in {path.name}")
    most = min(request.queries, len(split) - shots)
    prompts = [_prompt(i, split, shots, most, request.seed) for i in range(request.prompts)]
    return Task(request.name, tuple(prompts), (), (), grade=grading.after_thought)


def _items(name: str, text: str) -> list[Demonstration]:
    found = []
    for i, block in enumerate(_HEAD.split(text)[1:]):
        asked, mark, answer = block.strip().rpartition("\nA: ")
        if not mark or "\nQ: " not in asked:
            raise InputError(f"{name}: demonstration {i + 1} has no question after 'Q: ' and answer after 'A: '")
        found.append(Demonstration(f"{name}:{i}", f"{asked.strip()}\nA:", answer.strip()))
    return found


def _prompt(index: int, items: list[Demonstration], shots: int, queries: int, seed: int) -> EvaluationPrompt:
    drawn = random.Random(f"prompt:{seed}:{index}").sample(items, shots + queries)
    context, documents = "", []
    for item in drawn[:shots]:
        context += "\n\n\n" if context else ""
        span = len(context), len(context) + len(item.text)
        documents.append(Document(*span, span))
        context += item.text
    asked = tuple(Query(item.asked, item.answer, None, item.row) for item in drawn[shots:])
    return EvaluationPrompt(index, context, (), tuple(i.row for i in drawn[:shots]), asked, documents=tuple(documents))
