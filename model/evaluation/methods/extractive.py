"""Baselines that keep whole sentences, or whole parts: those with the highest scores, as long as there is room."""

from __future__ import annotations

import random
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from ...prompt import Prompt
from ..bm25 import BM25
from ..metrics.words import WORD
from ..tasks.task import Document, EvaluationPrompt
from .budget import Counter
from .method import Compression, Compressions, MethodRun, of_prompts

NEIGHBOURS = 9  # parts, such as turns, over which scores are smoothed
Span = tuple[int, int]
UnitScores = NDArray[np.float64]


@dataclass(frozen=True)
class Candidate:
    """What is kept or dropped whole: characters [start, end) of the context, in which of its parts."""

    start: int
    end: int
    part: int

    @property
    def span(self) -> Span:
        return self.start, self.end


Score = Callable[[EvaluationPrompt, Sequence[Candidate]], UnitScores]  # the higher, the sooner kept: [units]


def all_sentences(prompt: EvaluationPrompt) -> list[Candidate]:
    """All sentences, lines, items of a prompt's parts, as `parse` finds them, without headings."""
    parsed, found = prompt.parsed, []
    sentence_of, starts = _sentence_of(parsed), [token.start for token in parsed.tokens]
    for i, part in enumerate(prompt.parts):
        first, last = (bisect_left(starts, edge) for edge in part.body)
        for _, run in groupby(range(first, last), key=lambda at: sentence_of[at]):
            inside = list(run)
            span = parsed.tokens[inside[0]].start, min(parsed.tokens[inside[-1]].end, part.body[1])
            if WORD.search(prompt.context, *span):
                found.append(Candidate(*span, i))
    return found


def _sentence_of(prompt: Prompt) -> list[int]:
    """The unit that each token stands or falls with: a sentence with all its clauses, or else the innermost one."""
    outer: list[int] = []
    for i, unit in enumerate(prompt.units):
        around = outer[unit.parent] if unit.parent >= 0 else i
        outer.append(around if prompt.units[around].kind == "sentence" else i)
    return [outer[i] if i >= 0 else i for i in prompt.unit_of]


def whole_parts(prompt: EvaluationPrompt) -> list[Candidate]:
    return [Candidate(*part.body, i) for i, part in enumerate(prompt.parts)]


def keep_best(
    score: Score, counter: Counter, units: Callable[[EvaluationPrompt], list[Candidate]] = all_sentences
) -> MethodRun:
    """A method that keeps the units that score highest, within the counter's budget."""

    def run(prompt: EvaluationPrompt, retentions: Sequence[float]) -> Compressions:
        start = time.perf_counter()
        found = units(prompt)
        scores = score(prompt, found)
        scored = time.perf_counter() - start
        choose = of_prompts(lambda case, share: within(case, found, scores, counter, share))
        return {r: replace(each, seconds=scored + each.seconds) for r, each in choose(prompt, retentions).items()}

    return run


def within(
    prompt: EvaluationPrompt, units: Sequence[Candidate], scores: UnitScores, counter: Counter, share: float
) -> Compression:
    """Greedily the best units for which there is room; a heading comes, and is paid for, with the first of its part."""
    most = counter.most(prompt.context, share)
    framing = [span for part in prompt.parts for span in _frame(part)]
    costs = counter.costs(prompt.context, [*(unit.span for unit in units), *framing])
    ends = costs[len(units) :]
    frames = [sum(ends[2 * i : 2 * i + 2]) for i in range(len(prompt.parts))]
    room, chosen, opened = most, [], set[int]()
    for i in np.argsort(-scores, kind="stable").tolist():
        cost = costs[i] + (0 if units[i].part in opened else frames[units[i].part])
        if cost <= room:
            room -= cost
            chosen.append(units[i])
            opened.add(units[i].part)
    made = extract(prompt, chosen)
    while chosen and counter.count(made.text) > most:  # where pieces meet, a tokenizer may need one more
        chosen.pop()
        made = extract(prompt, chosen)
    return made


def extract(prompt: EvaluationPrompt, units: Sequence[Candidate]) -> Compression:
    """The text of some units, in their order, with the frames of their parts."""
    spans = {unit.span for unit in units}
    for part in {unit.part for unit in units}:
        spans.update(_frame(prompt.parts[part]))
    ordered = sorted(span for span in spans if span[0] < span[1])
    text, last = "", 0
    kept: list[Span] = []
    for start, end in ordered:
        gap = prompt.context[last:start]
        whole = not gap.strip()
        if text and (whole or not text[-1].isspace()):
            text += gap if whole else _joint(gap)
        text += prompt.context[start:end]
        kept.append((last if whole and kept else start, end))
        last = end
    return Compression(text.strip(), tuple(_inside(prompt, kept)))


def _frame(part: Document) -> list[Span]:
    """Heading and closing tag of a part, where it has them."""
    return [(part.start, part.body[0]), (part.body[1], part.end)]


def _joint(gap: str) -> str:
    """What stands between two kept pieces for what is dropped: the widest break in it."""
    return next((joint for joint in ("\n\n", "\n") if joint in gap), " ")


def _inside(prompt: EvaluationPrompt, spans: Sequence[Span]) -> Iterator[bool]:
    at = 0
    for token in prompt.parsed.tokens:
        while at < len(spans) and spans[at][1] <= token.start:
            at += 1
        yield at < len(spans) and spans[at][0] <= token.start


# --- scores ------------------------------------------------------------------------------------------------


def by_chance(seed: int) -> Score:
    def score(prompt: EvaluationPrompt, units: Sequence[Candidate]) -> UnitScores:
        rng = random.Random(f"{seed}:{prompt.context}")
        return np.array([rng.random() for _ in units])

    return score


def by_bm25(question: Callable[[EvaluationPrompt], str]) -> Score:
    """BM25 of the question among the prompt's sentences, plus that of the part among its parts."""

    def score(prompt: EvaluationPrompt, units: Sequence[Candidate]) -> UnitScores:
        of_units, of_parts = (
            BM25(texts).scores(question(prompt)) for texts in (_texts(prompt, units), _part_texts(prompt))
        )
        return np.asarray(of_units + of_parts[[unit.part for unit in units]])

    return score


class Embeds(Protocol):
    """What is needed of a `model.relevance.encoder.SentenceEncoder`."""

    def embed(self, texts: Sequence[str], kind: Literal["query", "passage"] = ...) -> torch.Tensor: ...


def by_likeness(question: Callable[[EvaluationPrompt], str], encoder: Embeds) -> Score:
    """Cosine of a sentence's and the question's embeddings, plus that of the part that it stands in."""

    def score(prompt: EvaluationPrompt, units: Sequence[Candidate]) -> UnitScores:
        asked = encoder.embed([question(prompt)], kind="query")[0]
        of_units, of_parts = (
            (encoder.embed(texts, kind="passage") @ asked).double().numpy()
            for texts in (_texts(prompt, units), _part_texts(prompt))
        )
        return np.asarray(of_units + of_parts[[unit.part for unit in units]])

    return score


def over_neighbours(score: Score, width: int = NEIGHBOURS) -> Score:
    """Each sentence gets the mean score of all in the `width` parts around its own: what is said about one thing
    stands together."""

    def mean(prompt: EvaluationPrompt, units: Sequence[Candidate]) -> UnitScores:
        raw = score(prompt, units)
        of = np.array([unit.part for unit in units])
        sums = np.concatenate([[0.0], raw.cumsum()])
        first = np.searchsorted(of, of - width // 2, "left")
        last = np.searchsorted(of, of + width // 2, "right")
        return np.asarray((sums[last] - sums[first]) / (last - first))

    return mean


def _texts(prompt: EvaluationPrompt, units: Sequence[Candidate]) -> list[str]:
    return [prompt.context[unit.start : unit.end] for unit in units]


def _part_texts(prompt: EvaluationPrompt) -> list[str]:
    return [prompt.context[part.start : part.end] for part in prompt.parts]
