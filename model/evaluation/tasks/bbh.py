"""BIG-Bench Hard (Suzgun et al. 2022, arXiv 2210.09261): three demonstrations with their chains of thought."""

from __future__ import annotations

import random
import re
from typing import Any

from ...errors import InputError
from . import grading
from .request import TaskRequest, check_enough
from .sources import SourceRow, find_file, read_jsonl_rows, text_of
from .task import Document, EvaluationPrompt, Query, Task

RULE = "\n-----\n"  # behind the notice that the text is not for training
THOUGHT = "A: Let's think step by step."
CUE = "\nSo the answer is"  # before the gold answer, when it is scored without a chain of thought
_DEMONSTRATION = re.compile(r"(?:^|\n\n)(?=Q: )")


def load(request: TaskRequest) -> Task:
    """A file bbh.jsonl of task, cot_prompt, examples (input, target): a prompt for each task, whose demonstrations are
    the context, and as many of its examples as queries. Scored is the target after "So the answer is".

    Raises InputError when a row is not one, or there are too few.
    """
    rows = read_jsonl_rows(find_file(request.folder(), "bbh.jsonl"))
    check_enough(request.prompts, "prompts", len(rows), "the tasks of bbh")
    drawn = random.Random(f"prompts:{request.seed}").sample(rows, len(rows))[: request.prompts]
    examples = [_examples(row) for row in drawn]
    most = min(request.queries, *map(len, examples))
    written, others = [], []
    for i, (row, every) in enumerate(zip(drawn, examples, strict=True)):
        shuffled = random.Random(f"queries:{request.seed}").sample(every, len(every))
        written.append(_prompt(i, row, tuple(shuffled[:most])))
        others.append(shuffled[most:])
    return Task(request.name, tuple(written), (), (), lambda prompt: others[prompt.index], grade=grading.after_thought)


def _prompt(index: int, row: SourceRow, queries: tuple[Query, ...]) -> EvaluationPrompt:
    text = text_of(row, "cot_prompt").rpartition(RULE)[2].strip()
    starts = [match.end() for match in _DEMONSTRATION.finditer(text)]
    if not starts:
        raise InputError(f"{row[0]}: the field 'cot_prompt' has no demonstration that begins with 'Q: '")
    instruction, context = text[: starts[0]].strip(), text[starts[0] :]
    edges = [*(start - starts[0] for start in starts), len(context)]
    pairs = [(a, a + len(context[a:b].rstrip())) for a, b in zip(edges, edges[1:], strict=False)]
    documents = tuple(Document(a, b, (a, b)) for a, b in pairs)
    rows = (text_of(row, "task"),)
    return EvaluationPrompt(index, context, (), rows, queries, instruction, documents=documents)


def _examples(row: SourceRow) -> list[Query]:
    examples: Any = row[1].get("examples")
    if not isinstance(examples, list) or not all(isinstance(example, dict) for example in examples):
        raise InputError(f"{row[0]}: the field 'examples' is not a list of objects")
    found = []
    for i, example in enumerate(examples):
        where = (f"{row[0]}, example {i + 1}", example)
        text = f"Q: {text_of(where, 'input')}\n{THOUGHT}"
        found.append(Query(text, text_of(where, "target"), None, f"{text_of(row, 'task')}:{i}", cue=CUE))
    if not found:
        raise InputError(f"{row[0]}: the field 'examples' is empty")
    return found
