"""What a target makes of a task's queries after some text: nats and right or wrong per query, each text scored once."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..llm.causal import Target
from .metrics.bootstrap import calibrate, correct, gold_nll
from .result_cache import ResultCache
from .tasks.task import EvaluationPrompt, Task


@dataclass(frozen=True)
class TextScore:
    """One text, measured on a task's queries.

    Attributes:
        nll: [queries] of the gold answer in nats: of the label, calibrated over the queries, or per subword of a free
            answer.
        right: [queries] 1 or 0; None for free answers.
    """

    nll: NDArray[np.float64]
    right: NDArray[np.float64] | None


def score_text(task: Task, target: Target, text: str, prompt: EvaluationPrompt | None, cells: ResultCache) -> TextScore:
    """The queries after the demonstrations `text` (may be empty); `prompt`: whose queries, where each has its own."""
    queries = task.queries_of(prompt)
    asked = json.dumps([[asdict(query) for query in queries], task.labels])
    key = {
        "scored": target.name,
        "instruction": prompt.instruction if prompt else "",
        "dtype": str(target.model.dtype),
        "queries_sha256": sha256(asked),
        "text_sha256": sha256(text.strip()),
    }
    record = cells.find(key)
    if record is None:
        record = {"log_probs": task.score(target, text, prompt=prompt).log_probs}
        cells.add(key, record)
    log_probs = np.array(record["log_probs"], dtype=np.float64)
    if not task.labels:
        return TextScore(-log_probs[:, 0], None)
    gold = np.array([query.label or 0 for query in queries])
    calibrated = calibrate(log_probs)[None]
    return TextScore(gold_nll(calibrated, gold)[0], correct(calibrated, gold)[0])


def prompt_of(task: Task, text: str) -> EvaluationPrompt | None:
    """The task's prompt with this text; None where any prompt will do. InputError where each has queries of its own."""
    found = next((prompt for prompt in task.prompts if prompt.context.strip() == text.strip()), None)
    if found is None and not task.queries:
        raise InputError(f"the prompt {text[:40]!r}... is none of the task's and has no queries: give the task's own")
    return found


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
