"""What was lost: which kinds of tokens a method drops, what that costs, and whether the target can restore them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...errors import InputError
from ...llm.load import load_target
from ..align import Masked, mask_of
from ..config import EvaluateConfig
from ..methods.texts import Methods
from ..metrics.text_metrics import BertScore
from ..progress import Progress
from ..result_cache import ResultCache
from .dropped import costly_omissions, dropped_more_than_chance
from .restore import fidelity

QUESTIONS = ("dropped", "costs", "restored")


@dataclass(frozen=True)
class Lost:
    """What was found for each method: tables in Markdown, and JSON by method and question."""

    tables: list[str]
    found: dict[str, dict[str, Any]]


def examine(config: EvaluateConfig, progress: Progress, questions: tuple[str, ...] = QUESTIONS) -> Lost:
    """Ask the questions of every method's compressed prompts, at the one retention of the config.

    Args:
        questions: "dropped": kinds dropped more often than by chance; "costs": what the answers gain when a kind is
            put back; "restored": how well the target rewrites the original.
    Finished work stands in the config's cells. Raises InputError.
    """
    if len(config.retention) != 1:
        raise InputError("what was lost is looked at with one retention; give one")
    target = load_target(config.target, config.device, fast=not config.fp32)
    cells = ResultCache(config.cells_file, resume=True)
    methods = Methods(config, target=target, cells=cells)
    methods.prepare()
    bert = BertScore.load(device=config.device) if "restored" in questions else None
    lost = Lost([], {})
    for name in config.methods:
        made = [(case, made.text) for case in methods.task.prompts for _, made in methods.compressions(name, case)]
        masked = [Masked(case.parsed, mask_of(case.parsed, text).keep) for case, text in made]
        answers: dict[str, Any] = {}
        if "dropped" in questions:
            answers["dropped"] = dropped_more_than_chance(masked, methods.task.labels, config.seed)
        if "costs" in questions:
            answers["costs"] = costly_omissions(
                methods.task, target, masked, cells=cells, progress=progress, seed=config.seed
            )
        if "restored" in questions:
            originals, compressed = zip(*((case.context, text) for case, text in made), strict=True)
            answers["restored"] = fidelity(
                target, originals, compressed, bert, methods.task, cells=cells, progress=progress, seed=config.seed
            )
        lost.tables.extend(f"### {name}, {question}\n\n{found.table()}" for question, found in answers.items())
        lost.found[name] = {question: found.to_json() for question, found in answers.items()}
    return lost
