"""Masks that LLMs are asked for: the teacher's, and TA-Pruning's with a bound on how many masks it may score."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

from ...data.fewshot import TEMPLATES, Example, FewShot, Field
from ...errors import InputError
from ...llm.causal import Target
from ...prompt import parse
from ...teacher.score import Case
from ...teacher.search import Scorer, TeacherConfig, label, left_to_right_pruning
from ..tasks.kinds import FEW_SHOT
from ..tasks.task import EvaluationPrompt, Task

SWEEPS = 3  # of TA-Pruning that a bound should allow for
LEAST = 4  # queries to ask; labels are calibrated over them


class _Written(FewShot):
    """Queries that are written out already."""

    def query(self, example: Example) -> str:
        return example.text


def held_out_examples(task: Task, prompt: EvaluationPrompt) -> list[Example]:
    """The queries that a mask for the prompt may be chosen by. InputError when there are too few."""
    found = [Example(query.row, query.text, query.answer, query.label) for query in task.held_out(prompt)]
    if len(found) < LEAST:
        raise InputError(
            f"asks queries that the test does not use, at least {LEAST}, and for prompt {prompt.index} of {task.name} "
            f"there are {len(found)}: add rows, or lower --queries"
        )
    return found


def taught(
    task: Task, prompt: EvaluationPrompt, retentions: Sequence[float], targets: Sequence[Target]
) -> dict[float, str]:
    """The teacher's masks (`model.teacher.search`), rendered. The ceiling of an evaluation: it sees the task's
    answers."""
    scorer, rng = _scorer(task, prompt, retentions, targets)
    found = label(scorer, scorer.config, rng)
    return {r: scorer.case.prompt.render(keep) for r, keep in found.masks.items()}


def ta_pruning(
    task: Task, prompt: EvaluationPrompt, retentions: Sequence[float], targets: Sequence[Target], evaluations: int
) -> dict[float, str]:
    """Classic TA-Pruning (arXiv 2506.17930), rendered, with about `evaluations` masks scored.

    It tries each token several times; where that would be too often it tries runs of tokens instead. What is still too
    long when all is used up loses its next runs from the left unasked.
    """
    scorer, _ = _scorer(task, prompt, retentions, targets)
    span = math.ceil(SWEEPS * len(scorer.case.prompt) / evaluations)
    masks = left_to_right_pruning(cast(Any, _Bounded(scorer, evaluations)), retentions, span=span)
    return {r: scorer.case.prompt.render(keep) for r, keep in masks.items()}


class _Bounded:
    """A scorer that scores no more than so many masks."""

    def __init__(self, scorer: Scorer, evaluations: int):
        self._scorer, self._left, self.case = scorer, evaluations, scorer.case

    def __call__(self, keep: Sequence[bool]) -> float:
        self._left -= 1
        return self._scorer(keep) if self._left >= 0 else math.inf


def _scorer(
    task: Task, prompt: EvaluationPrompt, retentions: Sequence[float], targets: Sequence[Target]
) -> tuple[Scorer, random.Random]:
    rng = random.Random(prompt.context)
    config = replace(TeacherConfig(), retentions=tuple(retentions))
    return Scorer(targets, _case(task.name, prompt), held_out_examples(task, prompt), config, rng), rng


def _case(task: str, prompt: EvaluationPrompt) -> Case:
    """The prompt with where each demonstration's text and answer lie; of a text that no known template wrote the last
    line of each shot counts as the answer."""
    labels, text = prompt.labels, prompt.context
    frame = FEW_SHOT[task].frame if task in FEW_SHOT else None
    shot = _Written(task, (), 0, tuple(range(len(labels))))
    if frame in TEMPLATES:
        try:
            return replace(Case.of_text(text, task, TEMPLATES.index(frame), labels), shot=shot)
        except InputError:
            pass
    parsed, fields = parse(text), []
    for part in parsed.parts:
        end = part.start + len(text[part.start : part.end].rstrip())
        line = max(text.rfind("\n", part.start, end) + 1, part.start)
        fields.append(Field(part.start, (part.start, line), (line, end), part.end))
    return Case(shot, parsed, tuple(fields), labels)
