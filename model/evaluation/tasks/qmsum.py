"""QMSum (Zhong et al. 2021, arXiv 2104.05938): queries about a meeting, with the turns that answer them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from ...errors import InputError
from . import grading
from .reading import LONG_ANSWER, chosen, question_prompt
from .request import TaskRequest
from .sources import SourceRow, find_file, read_jsonl_rows, text_of
from .task import Document, EvaluationPrompt, Task

INSTRUCTION = "Answer the query from the transcript of the meeting, in one or more sentences."
QUERY = ("Query: ", "Answer:")
SPLITS = ("val", "test", "train")


@dataclass(frozen=True)
class Asked:
    """A query about a meeting. turns: (first, last) of the stretches that answer it; () where nobody marked them."""

    meeting: SourceRow
    query: str
    answer: str
    turns: tuple[tuple[int, int], ...]


def load(request: TaskRequest) -> Task:
    """qmsum: the specific queries, with the words of the turns that answer them as what should be kept. qmsum-general:
    those about the whole meeting, of which only a reader's answer tells.

    Reads a file SPLIT.jsonl (default: val; nothing but train is trained on) of turns, general, specific. Raises
    InputError when a row is not one, or there are too few queries.
    """
    split = request.options.split or SPLITS[0]
    if split not in SPLITS:
        raise InputError(f"{request.name} has no split {split!r}; known: {', '.join(SPLITS)}")
    path = find_file(request.folder(), f"{split}.jsonl")
    kind = "general" if request.name.endswith("general") else "specific"
    every = [asked for row in read_jsonl_rows(path) for asked in _asked(row, kind)]
    contexts: dict[str, tuple[str, tuple[Document, ...]]] = {}
    prompts = []
    for i, asked in enumerate(chosen(request, every, f"the {kind} queries of {path.name}")):
        context = contexts.setdefault(asked.meeting[0], _transcript(asked.meeting))
        prompts.append(_prompt(i, asked, context, request))
    return Task(request.name, tuple(prompts), (), (), grade=grading.rouges, new_tokens=LONG_ANSWER)


def _asked(row: SourceRow, kind: str) -> Iterator[Asked]:
    for query in _list(row, kind):
        inner = (f"{row[0]}, {kind}", query if isinstance(query, dict) else {})
        try:
            spans = tuple((int(first), int(last)) for first, last in inner[1].get("relevant_text_span", ()))
        except (TypeError, ValueError):
            raise InputError(f"{inner[0]}: the field 'relevant_text_span' is not a list of turn numbers") from None
        yield Asked(row, text_of(inner, "query"), text_of(inner, "answer"), spans)


def _transcript(row: SourceRow) -> tuple[str, tuple[Document, ...]]:
    """A line "Speaker: text" for each turn."""
    text, documents = "", []
    for turn in _list(row, "turns"):
        if not isinstance(turn, list) or len(turn) != 2 or not all(isinstance(part, str) for part in turn):
            raise InputError(f"{row[0]}: a turn is not a speaker and a text")
        speaker, said = (" ".join(part.split()) for part in turn)
        text += "\n" if text else ""
        start = len(text)
        text += f"{speaker}: {said}"
        documents.append(Document(start, len(text), (min(start + len(speaker) + 2, len(text)), len(text))))
    return text, tuple(documents)


def _prompt(
    index: int, asked: Asked, context: tuple[str, tuple[Document, ...]], request: TaskRequest
) -> EvaluationPrompt:
    made = question_prompt(
        index,
        context,
        asked.query,
        (asked.answer,),
        instruction=INSTRUCTION,
        words=QUERY,
        first=request.options.question_first,
        row=asked.meeting[0].rpartition("/")[2],
    )
    turns = context[1]
    spans = [(max(first, 0), min(last, len(turns) - 1)) for first, last in asked.turns]
    return replace(made, gold=tuple((turns[a].start, turns[b].end) for a, b in spans if a <= b))


def _list(row: SourceRow, name: str) -> list[Any]:
    value = row[1].get(name)
    if not isinstance(value, list):
        raise InputError(f"{row[0]}: the field {name!r} is not a list")
    return value
