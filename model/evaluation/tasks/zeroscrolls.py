"""ZeroSCROLLS (Shaham et al. 2023, arXiv 2305.14196) from the hub or a folder: its published fields and metrics.

Scored are the data sets whose metric is ROUGE, F1 or accuracy; the answers of the test split are not public, so it is
the validation split that can be scored.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ...errors import InputError
from . import grading
from .reading import chosen
from .request import TaskRequest
from .sources import HUB, SourceRow, read_rows, text_of
from .task import EvaluationPrompt, Grade, Query, Task

METRICS: Mapping[str, tuple[Grade, int]] = {  # and subwords of an answer, at most
    **dict.fromkeys(("gov_report", "summ_screen_fd", "qmsum", "squality"), (grading.rouges, 512)),
    **dict.fromkeys(("qasper", "narrative_qa", "musique"), (grading.f1, 128)),
    "quality": (grading.choice, 16),
}


def load(request: TaskRequest) -> Task:
    """A file validation.jsonl in the folder of a data set (qasper/validation.jsonl), or
    "hub:tau/zero_scrolls/qasper:validation": input, output, and where in the input the document and the query begin and
    end (document_start_index and so on). Rows that share an id are one question with several answers.

    Raises InputError when a row is not one, the data set is unknown, or there are too few rows.
    """
    name = _name(request)
    grade, new_tokens = METRICS[name]
    groups: dict[str, list[SourceRow]] = {}
    for i, row in enumerate(read_rows(request.place)):
        groups.setdefault(str(row[1].get("id", i)), []).append(row)
    drawn = chosen(request, list(groups.values()), f"the questions of {name}")
    prompts = tuple(_prompt(i, rows) for i, rows in enumerate(drawn))
    return Task(request.name, prompts, (), (), grade=grade, new_tokens=new_tokens)


def _name(request: TaskRequest) -> str:
    place = request.place
    if isinstance(place, Path):
        parts = [place.stem, place.parent.name]
    else:
        parts = place.removeprefix(HUB).split(":")[0].split("/")
    name = next((part for part in parts if part in METRICS), None)
    if name is None:
        raise InputError(f"{place}: none of ZeroSCROLLS' data sets that are scored is named: {', '.join(METRICS)}")
    return name


def _prompt(index: int, rows: list[SourceRow]) -> EvaluationPrompt:
    row = rows[0]
    whole = row[1].get("input")
    if not isinstance(whole, str):
        raise InputError(f"{row[0]}: the field 'input' is not a text")
    start, end = _span(row, "document", len(whole))
    asked = whole[slice(*_span(row, "query", len(whole)))].strip()
    before, after = whole[:start].strip(), whole[end:].strip()
    answers = tuple(text_of(each, "output") for each in rows)
    return EvaluationPrompt(
        index,
        text_of((row[0], {"input": whole[start:end]}), "input"),
        rows=(row[0].rpartition("/")[2],),
        queries=(Query(after or "Answer:", answers[0], None, answers=answers),),
        instruction=before,
        question=asked or before,
    )


def _span(row: SourceRow, name: str, length: int) -> tuple[int, int]:
    span = tuple(row[1].get(f"{name}_{side}_index") for side in ("start", "end"))
    start, end = span
    if type(start) is not int or type(end) is not int or not 0 <= start <= end <= length:
        raise InputError(f"{row[0]}: {name}_start_index and {name}_end_index do not lie in the input")
    return start, end
