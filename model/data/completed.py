"""Prompts with a completion, in the templates of T0 (Sanh et al. 2021): what answers is where the completion stands.

Of questions over a text that is every place where the answer is written; of summaries the sentences that together say
most of the reference (greedy ROUGE-1 recall, as Nallapati et al. 2017, section 3.1, choose theirs). The same text comes
in many templates: it is in one split in all of them.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ..prompt import Prompt, parse
from ..relevance.lexical import terms
from .asked_prompt import AskedPrompt, compressed_rows, places

READING = ("adversarial_qa", "duorc", "quoref", "dream", "sciq")  # data sets whose answers stand in the text
NO_QUESTION = ("generate", "title", "Title", "Closed_Book")  # in the names of templates that ask something else
SUMMARIES = ("cnn_dailymail", "xsum")
SENTENCES = 3  # of a summary's text, at most, that are wanted
LONGEST = 20  # words of an answer


@dataclass(frozen=True)
class Completed:
    """A row of the file: the template's name, the prompt and what completes it."""

    template: str
    prompt: str
    completion: str


def reading(folder: Path, split: str) -> Iterator[AskedPrompt]:
    """Questions over one text, whose answer is written in it, outside of what asks."""
    for index, row in _rows(folder, READING, split):
        answer = row.completion.strip()
        if any(word in row.template for word in NO_QUESTION) or not 0 < len(answer.split()) <= LONGEST:
            continue
        spans = tuple(places(row.prompt, [answer]))
        if spans:
            yield AskedPrompt("reading", index, row.prompt, (spans,))


def summaries(folder: Path, split: str) -> Iterator[AskedPrompt]:
    """A text to be summed up."""
    for index, row in _rows(folder, SUMMARIES, split):
        if "story" in row.template:
            continue
        prompt = parse(row.prompt)
        spans = tuple(_most_said(prompt, Counter(terms(row.completion))))
        if spans:
            yield AskedPrompt("summary", index, row.prompt, (spans,), every=True)


def _most_said(prompt: Prompt, left: Counter[str]) -> list[tuple[int, int]]:
    """Spans of the units that, one after another, add most of the reference's words."""
    told = {"instruction", "question"}
    units = [unit for unit in prompt.units if unit.leaf and unit.part >= 0 and prompt.parts[unit.part].role not in told]
    words = [Counter(terms(prompt.text[unit.start : unit.end])) for unit in units]
    chosen: list[int] = []
    for _ in range(SENTENCES):
        gains = [(sum((each & left).values()), -i) for i, each in enumerate(words) if i not in chosen]
        gain, place = max(gains, default=(0, 0))
        if gain < 2:
            break
        chosen.append(-place)
        left = left - words[-place]
    return [(units[i].start, units[i].end) for i in sorted(chosen)]


def _rows(folder: Path, data_sets: tuple[str, ...], split: str) -> Iterator[tuple[int, Completed]]:
    for index, row in enumerate(_read(folder)):
        if row.template.startswith(data_sets) and _split_of(row, folder) == split:
            yield index, row


@lru_cache(2)
def _read(folder: Path) -> list[Completed]:
    return [Completed(**row) for row in compressed_rows(folder / "prompts" / "t0.jsonl.gz")]


def _split_of(row: Completed, folder: Path) -> str:
    """By the completion and data set, which are the same in every template of one question or article."""
    key = f"{row.template.split('_')[0]}:{row.completion.strip().lower()}"
    digit = hashlib.sha256(key.encode()).digest()[0]
    return "test" if digit < 26 else "valid" if digit < 52 else "train"
