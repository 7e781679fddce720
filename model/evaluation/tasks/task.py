"""Evaluation tasks: the demonstrations to compress, the queries that follow them, and how a target is scored.

Whatever is compressed, the target reads `demonstrations.strip() + "\\n\\n" + query`, or the query alone where nothing
is left. `load_task` says which tasks there are and which files they need; none of their rows is ever trained on,
except gsm8k's train.jsonl.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from ...data.fewshot import LABELS, Dataset, Example, balanced, load_test, load_tsv
from ...errors import InputError
from ...llm.answers import greedy_answers, same_final_number
from ...llm.causal import Prefix, Target
from ...prompt import parse
from ...teacher.score import QUERY_JOIN, first_subwords
from .kinds import TASKS
from .sources import Data, SourceRow, read_rows, text_of, train_and_test, written_prompts

DECIMALS = 4  # of the log-probabilities that are written down and computed with
WORDS = 80  # a demonstration's text is cut to so many, where a label is asked for
SHOTS = 4  # demonstrations in a prompt of free answers


@dataclass(frozen=True)
class Query:
    """What follows the demonstrations, up to "Answer:", and its gold answer (a label word or a free text)."""

    text: str
    answer: str
    label: int | None
    row: str = ""


@dataclass(frozen=True)
class Demonstrations:
    """One prompt to compress.

    Attributes:
        index: number of the prompt in its task, from 0.
        text: the demonstrations, without white space at either end.
        labels: the label words (empty for free answers); a query is answered with " " + label.
        rows: the rows that it was written from, where it was.
        queries: its own ones (task jsonl); () = those of the task.
    """

    index: int
    text: str
    labels: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    queries: tuple[Query, ...] = ()


@dataclass(frozen=True)
class Scores:
    """What a target made of all queries after one prompt.

    Attributes:
        log_probs: per query, rounded to 4 decimals: with labels the log-probability of each label's first
            subword, else one value, the mean log-probability per subword of the gold answer.
        exact, rouge: per query whether the generated answer is right (gsm8k, jsonl), or its ROUGE-L F1 (summary).
        answers: the generated answers. All three are empty when nothing was generated.
    """

    log_probs: list[list[float]]
    exact: list[bool] = field(default_factory=list)
    rouge: list[float] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Task:
    """Prompts and queries, the same queries for every prompt (but in jsonl) and for every method.

    Attributes:
        queries: () where every prompt has its own, as many each.
        held_out: the queries that may be asked to find a mask for a prompt: never those of the test, nor any that
            the prompt shows the answer of.
    """

    name: str
    prompts: tuple[Demonstrations, ...]
    queries: tuple[Query, ...]
    labels: tuple[str, ...]
    held_out: Callable[[Demonstrations], Sequence[Query]] = field(default=lambda _: (), compare=False, repr=False)

    @property
    def asked(self) -> int:
        """How many queries follow each prompt."""
        return len(self.queries_of(self.prompts[0]))

    def queries_of(self, prompt: Demonstrations | None) -> tuple[Query, ...]:
        return (prompt and prompt.queries) or self.queries

    def question(self, prompt: Demonstrations) -> str:
        """What its queries ask, in words: the task's instruction, or, of a jsonl prompt, its first query."""
        return TASKS[self.name].question or self.queries_of(prompt)[0].text

    @torch.inference_mode()
    def score(self, target: Target, text: str, generate: bool = False, prompt: Demonstrations | None = None) -> Scores:
        """Score all queries (of the given prompt) after the demonstrations `text` (may be empty)."""
        text = text.strip()
        asked = self.queries_of(prompt)
        prefix = target.read(target.encode(text + QUERY_JOIN if text else ""))
        queries = [target.encode(query.text) for query in asked]
        if self.labels:
            labels = first_subwords(target, self.labels)
            rows = target.label_log_probs(prefix, queries, labels).tolist()
        else:
            answers = [target.encode(f" {query.answer}") for query in asked]
            rows = target.answer_log_probs(prefix, queries, answers)[:, None].tolist()
        log_probs = [[round(value, DECIMALS) for value in row] for row in rows]
        return self._generated(log_probs, target, prefix, queries, asked) if generate else Scores(log_probs)

    def _generated(
        self,
        log_probs: list[list[float]],
        target: Target,
        prefix: Prefix,
        queries: Sequence[Sequence[int]],
        asked: Sequence[Query],
    ) -> Scores:
        answers = greedy_answers(target, prefix, queries)
        pairs = list(zip(answers, (query.answer for query in asked), strict=True))
        if self.name == "summary":
            from ..metrics.text_metrics import rouge_l  # here, since its package is optional

            return Scores(log_probs, rouge=[round(rouge_l(*pair), DECIMALS) for pair in pairs], answers=answers)
        return Scores(log_probs, exact=[_right(*pair) for pair in pairs], answers=answers)


def _right(answer: str, gold: str) -> bool:
    """The same final number where the gold answer marks one with ####, else the same text but for case and spaces; what
    a target goes on with after as many lines does not count.

    >>> _right("it is 7", "3 + 4 = 7\\n#### 7"), _right("paris.\\nMore:", "Paris"), _right("Paris, France", "Paris")
    (True, True, False)
    """
    if "####" in gold:
        return same_final_number(answer, gold)
    answer = "\n".join(answer.split("\n")[: gold.count("\n") + 1])
    said, wanted = (" ".join(text.casefold().split()).rstrip(".") for text in (answer, gold))
    return said == wanted


# --- loading -----------------------------------------------------------------------------------------------


def load_task(name: str, data: Data, prompts: int, queries: int, shots: int | None, seed: int) -> Task:
    """Read a task. The same arguments give the same prompts and queries.

    Args:
        name: agnews: a folder with test.tsv, prompts_1shot.jsonl (its first rows are the prompts) and, for the
            teacher, train.tsv and dev.tsv. gsm8k: train.jsonl (question, answer; demonstrations are drawn from it) and
            test.jsonl. yelp, yahoo: train.tsv, and test.tsv or dev.tsv. summary: a JSONL file of document, summary.
            jsonl: a file of prompt, query, answer and, for a classification, labels, the same in each row; rows that
            share a prompt are its queries. Instead of a folder or file, all of them: `hub:OWNER/NAME[/CONFIG][:SPLIT]`.
        prompts, queries: how many; jsonl: at most, since the file says how many there are.
        shots: demonstrations in a prompt that is drawn; None: one of each class, or 4 where answers are free.

    Raises InputError when a file is missing, holds too little, or a row is not one.
    """
    if name not in TASKS:
        raise InputError(f"unknown task {name!r}; known: {', '.join(TASKS)}")
    if name == "jsonl":
        return _own(read_rows(data), prompts, queries, seed)
    labels = TASKS[name].labels
    if name == "agnews" and isinstance(data, Path):
        test = load_test(data, name)
        texts = written_prompts(data)
        _enough(prompts, "prompts", len(texts), f"{data / 'prompts_1shot.jsonl'}")
        written = [Demonstrations(i, text, labels) for i, text in enumerate(texts[:prompts])]
    else:
        train, test = train_and_test(name, data, labels)
        _enough(queries, "queries", len(test.examples), f"the test rows of {name}")
        if train == test:  # one file: the queries are drawn first
            asked = {e.row for e in balanced(test.examples, queries, random.Random(f"queries:{seed}"))}
            train = Dataset(name, tuple(e for e in train.examples if e.row not in asked), train.labels)
        written = _drawn(train, prompts, shots or len(labels) or SHOTS, seed)
    _enough(queries, "queries", len(test.examples), f"the test rows of {name}")
    chosen = balanced(test.examples, queries, random.Random(f"queries:{seed}"))

    def held_out(prompt: Demonstrations) -> list[Query]:
        rows = _agnews_rows(data) if name == "agnews" and isinstance(data, Path) else train.examples
        every = (_query(example, name) for example in rows)
        return [query for query in every if query.row not in prompt.rows and query.text not in prompt.text]

    return Task(name, tuple(written), tuple(_query(example, name) for example in chosen), labels, held_out)


def _agnews_rows(folder: Path) -> list[Example]:
    """Those that the test does not use, each text once."""
    seen: dict[str, Example] = {}
    for split in ("train", "dev"):
        for example in load_tsv(folder / f"{split}.tsv", split, LABELS["agnews"]):
            seen.setdefault(example.text, example)
    return list(seen.values())


def _enough(asked: int, what: str, there: int, where: str) -> None:
    if asked > there:
        raise InputError(f"{asked} {what} asked for, but {where} are {there}: ask for fewer with --{what}")


def _query(example: Example, task: str) -> Query:
    return Query(_framed(example.text, task), example.answer, example.label, example.row)  # a query is not cut


def _framed(text: str, task: str) -> str:
    frame = TASKS[task].frame
    assert frame is not None
    return f"{frame[0]}{text}{frame[1]}"


def _drawn(train: Dataset, count: int, shots: int, seed: int) -> list[Demonstrations]:
    """Prompts of demonstrations, as many of each class as can be."""
    frame = TASKS[train.name].frame
    assert frame is not None
    if shots > len(train.examples):
        raise InputError(f"{shots} shots asked for, but {train.name} has {len(train.examples)} rows to draw them from")
    prompts = []
    for i in range(count):
        rng = random.Random(f"prompt:{seed}:{i}")
        if train.labels:
            rows = balanced(train.examples, shots, rng)
            rng.shuffle(rows)
        else:
            rows = rng.sample(train.examples, shots)
        texts = [" ".join(row.text.split(" ")[:WORDS]) if train.labels else row.text for row in rows]
        shown = [f"{_framed(text, train.name)} {row.answer}" for text, row in zip(texts, rows, strict=True)]
        prompts.append(Demonstrations(i, frame[2].join(shown), train.labels or (), tuple(row.row for row in rows)))
    return prompts


def _own(rows: Sequence[SourceRow], prompts: int, queries: int, seed: int) -> Task:
    """A user's task: the first prompts of the file, of each as many of its rows, drawn; the others are held out."""
    labels = _labels(rows[0])
    groups: dict[str, list[Query]] = {}
    for i, row in enumerate(rows):
        if _labels(row) != labels:
            raise InputError(f"{row[0]}: the field 'labels' is not that of {rows[0][0]}; all rows must share it")
        prompt, query, answer = (text_of(row, name) for name in ("prompt", "query", "answer"))
        if labels and answer not in labels:
            raise InputError(f"{row[0]}: the field 'answer' is none of the labels")
        label = labels.index(answer) if labels else None
        groups.setdefault(prompt, []).append(Query(query, answer, label, f"row:{i}"))
    groups = dict(list(groups.items())[:prompts])
    most = min(queries, *map(len, groups.values()))
    written: list[Demonstrations] = []
    others: list[list[Query]] = []
    for i, (text, group) in enumerate(groups.items()):
        parse(text)
        examples = [Example(query.row, query.text, query.answer, query.label) for query in group]
        chosen = {e.row for e in balanced(examples, most, random.Random(f"queries:{seed}"))}
        asked = tuple(query for query in group if query.row in chosen)
        written.append(Demonstrations(i, text, labels, queries=asked))
        others.append([query for query in group if query.row not in chosen])
    answers = [[(query.text, query.answer) for query in prompt.queries] for prompt in written]
    if all(same == answers[0] for same in answers):
        shared = written[0].queries
        written = [replace(prompt, queries=()) for prompt in written]
    else:
        shared = ()
    return Task("jsonl", tuple(written), shared, labels, lambda prompt: others[prompt.index])


def _labels(row: SourceRow) -> tuple[str, ...]:
    labels = row[1].get("labels") or []
    if not isinstance(labels, list) or not all(isinstance(label, str) and label.strip() for label in labels):
        raise InputError(f"{row[0]}: the field 'labels' is not a list of words")
    if len(labels) == 1 or len(set(labels)) < len(labels):
        raise InputError(f"{row[0]}: the field 'labels' needs at least two, each once")
    return tuple(label.strip() for label in labels)
