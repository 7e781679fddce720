"""Prompts that ask about documents or a meeting, with the stretches that answer: from question-answering data sets.

Every prompt is known by its kind and number and is written again from the rows of the data sets, so that training
pairs need no text of them. Rows are split once: "train", "valid" (to watch a training run) and "test" (never learnt).
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import regex

from ..errors import InputError
from ..prompt.cues import QUESTION_MARKS
from ..relevance.encoder import Span
from ..relevance.lexical import terms
from . import completed
from .asked_prompt import AskedPrompt, answered_in, compressed_rows, holds, places, plain
from .kinds import LANGUAGES

ALL_LANGUAGES = (*LANGUAGES, "de", "es", "ru")
TRAIN_ROWS, VALID_ROWS = 1100, 1200  # NaturalQuestions: rows before the first are learnt, those between are to watch
MEETINGS = 10  # of QMSum's training meetings that are learnt; every fifth of them is to watch
NEAREST = 200  # passages to draw the other documents from
PARAGRAPHS = 8  # of an article, around the one that answers

# Before a document with its number and title, and behind it.
LAYOUTS = (
    ("{title}\n", "\n\n"),
    ("## {title}\n\n", "\n\n"),
    ('<document title="{title}">\n', "\n</document>\n"),
    ("Document [{n}](Title: {title}) ", "\n"),
    ("Document {n}: {title}\n", "\n\n"),
    ("", "\n\n"),
)
QUESTIONS = ("Question: {}\nAnswer:", "{}", "Question: {}")


@dataclass(frozen=True)
class Passage:
    """A question and the text that answers it; `group`: article or meeting, which is wholly in one split."""

    question: str
    answers: tuple[str, ...]
    title: str
    text: str
    group: int
    paragraph: int = 0


class AskedData:
    """The data sets in a folder, read when they are first asked for."""

    def __init__(self, folder: Path, meetings: int = MEETINGS):
        """folder: holds qa/nq.jsonl.gz, qa/xquad.LANGUAGE.jsonl.gz, qmsum/{train,val}.jsonl.gz and prompts/t0.jsonl.gz.

        meetings: of QMSum's training meetings that are learnt.
        """
        self.folder, self.most_meetings = folder, meetings
        self._articles: dict[str, list[Passage]] = {}
        self._meetings: dict[str, list[dict[str, Any]]] = {}

    def prompts(self, kind: str, split: str) -> Iterator[AskedPrompt]:
        """All prompts of a kind and split, in order. Raises InputError for an unknown kind or a missing file."""
        if kind not in KINDS:
            raise InputError(f"unknown kind {kind!r}; known: {', '.join(KINDS)}")
        return KINDS[kind](self, split)

    @cached_property
    def questions(self) -> list[Passage]:
        """NaturalQuestions with the passage that answers."""
        rows = compressed_rows(self.folder / "qa" / "nq.jsonl.gz")
        return [Passage(r["question"] + "?", tuple(r["answers"]), r["title"], r["text"], i) for i, r in enumerate(rows)]

    def articles(self, language: str) -> list[Passage]:
        """XQuAD; the same questions in the same order in every language."""
        if language not in self._articles:
            rows = compressed_rows(self.folder / "qa" / f"xquad.{language}.jsonl.gz")
            self._articles[language] = [
                Passage(r["question"], tuple(r["answers"]), "", r["text"], int(r["article"]), int(r["paragraph"]))
                for r in rows
            ]
        return self._articles[language]

    def meetings(self, split: str) -> list[dict[str, Any]]:
        """QMSum's meetings; of those to learn, the ones that are cheapest to read for each of their questions."""
        if split not in self._meetings:
            rows = compressed_rows(
                self.folder / "qmsum" / ("val" if split == "test" else "train").join(("", ".jsonl.gz"))
            )
            if split != "test":
                rows.sort(key=lambda row: sum(len(said) for _, said in row["turns"]) / max(len(row["specific"]), 1))
                rows = [row for i, row in enumerate(rows[: self.most_meetings]) if (i % 5 == 4) is (split == "valid")]
            self._meetings[split] = rows
        return self._meetings[split]

    @cached_property
    def nearest(self) -> Callable[[int, range], list[int]]:
        """(row, allowed rows) -> the NEAREST whose passages share most with its question and do not answer it."""
        texts = [plain(p.text) for p in self.questions]
        bags = [set(terms(f"{p.title} {p.text}")) for p in self.questions]
        where: dict[str, list[int]] = defaultdict(list)
        for i, bag in enumerate(bags):
            for term in bag:
                where[term].append(i)

        def nearest(row: int, allowed: range) -> list[int]:
            score = np.zeros(len(bags))
            for term in dict.fromkeys(terms(self.questions[row].question)):
                found = where.get(term, [])
                score[found] += np.log1p((len(bags) - len(found) + 0.5) / (len(found) + 0.5))
            order = (i for i in np.argsort(-score, kind="stable").tolist() if i in allowed and i != row)
            wanted = [plain(answer) for answer in self.questions[row].answers]
            return list(islice((i for i in order if not answered_in(texts[i], wanted)), NEAREST))

        return nearest


Draw = Callable[[AskedData, str], Iterator[AskedPrompt]]  # data, split -> prompts


# --- kinds -------------------------------------------------------------------------------------------------


def _natural_questions(documents: int, every: int, hard: bool = True) -> Draw:
    """One passage answers; the others are the nearest of other questions, or half of them lie further off."""
    kind = f"nq{documents}" if hard else f"nq{documents}-mixed"

    def prompts(data: AskedData, split: str) -> Iterator[AskedPrompt]:
        rows = _nq_rows(split, len(data.questions))
        pool = range(len(data.questions)) if split == "test" else range(VALID_ROWS)
        for row in rows[:: every if split == "train" else 1]:
            rng = random.Random(f"{kind}:{row}")
            near = data.nearest(row, pool)
            half = documents // 2
            others = near[: documents - 1] if hard else near[:half] + rng.sample(near[half:], documents - 1 - half)
            order = rng.sample([row, *others], documents)
            answer = data.questions[row]
            if holds(answer.text, answer.answers):
                yield _written(kind, row, [data.questions[i] for i in order], [answer], rng)

    return prompts


def _nq_rows(split: str, count: int) -> range:
    bounds = {"train": (0, TRAIN_ROWS), "valid": (TRAIN_ROWS, VALID_ROWS), "test": (VALID_ROWS, count)}
    return range(*bounds[split])


def split_of_article(article: int) -> str:
    """Articles whose number is a multiple of three are never learnt, in no language."""
    return "test" if article % 3 == 0 else "valid" if article % 9 == 1 else "train"


def _xquad(language: str) -> Draw:
    def prompts(data: AskedData, split: str) -> Iterator[AskedPrompt]:
        rows = data.articles(language)
        for index, row in enumerate(rows):
            if split_of_article(row.group) != split or not holds(row.text, row.answers):
                continue
            rng = random.Random(f"xquad-{language}:{index}")
            same = {p.paragraph: p for p in rows if p.group == row.group} | {row.paragraph: row}
            rest = sorted(set(same) - {row.paragraph})
            chosen = sorted([row.paragraph, *random.Random(row.group).sample(rest, min(len(rest), PARAGRAPHS - 1))])
            yield _written(f"xquad-{language}", index, [same[i] for i in chosen], [row], rng)

    return prompts


def _redundant(kind: str, languages: Sequence[str]) -> Draw:
    """An article in several languages and three questions in any of them: the same facts many times over."""

    def prompts(data: AskedData, split: str) -> Iterator[AskedPrompt]:
        sets = {language: data.articles(language) for language in languages}
        rows = sets[languages[0]]
        for article in sorted({row.group for row in rows if split_of_article(row.group) == split}):
            inside = [i for i, row in enumerate(rows) if row.group == article]
            for draw in range(max(len(inside) // 3, 1)):
                rng = random.Random(f"{kind}:{article}:{draw}")
                asked = list({rows[i].paragraph: i for i in rng.sample(inside, len(inside))}.values())[:3]
                paragraphs = {rows[i].paragraph: i for i in inside}
                documents = [
                    sets[language][paragraphs[paragraph]]
                    for paragraph in sorted(paragraphs)
                    for language in rng.sample(list(languages), len(languages))
                ]
                chosen = [sets[rng.choice(list(languages))][i] for i in asked]
                twins = [[data.articles(language)[i] for language in languages] for i in asked]
                if all(holds(p.text, p.answers) for p in chosen):
                    yield _written(kind, 1000 * article + draw, documents, chosen, rng, twins)

    return prompts


def _qmsum(data: AskedData, split: str) -> Iterator[AskedPrompt]:
    """Turns of a meeting, and a question about it; all turns that answer it are wanted."""
    index = 0
    for meeting in data.meetings(split):
        text, turns = "", []
        for speaker, said in meeting["turns"]:
            start = len(text)
            text += f"{speaker}: {' '.join(regex.sub(r'{[a-z]+}', '', said).split())}\n"
            turns.append((start, len(text) - 1))
        for asked in meeting["specific"]:
            wanted = [(int(a), int(b)) for a, b in asked["relevant_text_span"]]
            spans = tuple(turns[t] for t in range(len(turns)) if any(a <= t <= b for a, b in wanted))
            if spans:
                yield AskedPrompt("qmsum", index, f"{text}\nQuestion: {asked['query']}\nAnswer:", (spans,), every=True)
            index += 1


KINDS: Mapping[str, Draw] = {
    "nq8": _natural_questions(8, every=1),
    "nq8-mixed": _natural_questions(8, every=2, hard=False),
    "nq20": _natural_questions(20, every=3),
    **{f"xquad-{language}": _xquad(language) for language in ALL_LANGUAGES},
    "redundant": _redundant("redundant", LANGUAGES),
    "redundant-unseen": _redundant("redundant-unseen", ("en", "de", "es", "ru")),
    "qmsum": _qmsum,
    "reading": lambda data, split: completed.reading(data.folder, split),
    "summary": lambda data, split: completed.summaries(data.folder, split),
}


# --- writing -----------------------------------------------------------------------------------------------


def _written(
    kind: str,
    index: int,
    documents: Sequence[Passage],
    asked: Sequence[Passage],
    rng: random.Random,
    twins: Sequence[Sequence[Passage]] = (),
) -> AskedPrompt:
    """Documents in one of the layouts and the questions below them.

    twins: for each question, the passages that answer it too, with their own wordings of the answer.
    """
    before, after = rng.choice(LAYOUTS) if documents[0].title else LAYOUTS[-1]
    text = ""
    found: list[list[Span]] = [[] for _ in asked]
    for n, document in enumerate(documents, start=1):
        text += before.format(n=n, title=document.title)
        for spans, question, more in zip(found, asked, twins or [()] * len(asked), strict=True):
            for passage in (question, *more):
                if passage.text == document.text:
                    spans += [(len(text) + a, len(text) + b) for a, b in places(document.text, passage.answers)]
        text += document.text + after
    lines = [each.question if each.question[-1] in QUESTION_MARKS else f"{each.question}?" for each in asked]
    form = rng.choice(QUESTIONS) if len(asked) == 1 else "{}"
    text = text.rstrip() + "\n\n" + form.format("\n".join(lines))
    strings = asked[0].answers if len(asked) == 1 else ()
    answers = tuple(tuple(sorted(set(spans))) for spans in found)
    return AskedPrompt(kind, index, text, answers, strings=strings)
