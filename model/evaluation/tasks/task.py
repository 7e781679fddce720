"""Evaluation tasks: the contexts to compress, the questions asked about them, and how a target LLM is scored.

Whatever is compressed, the target reads instruction, context and query, with a blank line between them; what is empty
is left out. `model.evaluation.tasks.load` says which tasks there are and which files they need.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch

from ...errors import InputError
from ...llm.answers import NEW_TOKENS, greedy_answers
from ...llm.causal import Target
from ...prompt import Prompt, parse
from ...teacher.score import QUERY_JOIN, first_subwords
from ..metrics.answers import contains, right_or_wrong
from .kinds import FEW_SHOT

DECIMALS = 4  # of the log-probabilities that are written down and computed with


@dataclass(frozen=True)
class Query:
    """What follows the context, up to where the answer begins, and its gold answer (a label word or a free text).

    Attributes:
        answers: all that count as right; () = `answer` alone.
        cue: what stands between the query and the gold answer when that is scored; never when answers are generated.
        classes: the names of the classes, where a generated answer has to name one.
    """

    text: str
    answer: str
    label: int | None
    row: str = ""
    answers: tuple[str, ...] = ()
    cue: str = ""
    classes: tuple[str, ...] = ()

    @property
    def accepted(self) -> tuple[str, ...]:
        return self.answers or (self.answer,)


@dataclass(frozen=True)
class Document:
    """A part of a context: a document, a turn, a section, a demonstration. All numbers are character offsets.

    Attributes:
        start, end: with what frames it.
        body: (start, end) without heading and closing tag.
    """

    start: int
    end: int
    body: tuple[int, int]


@dataclass(frozen=True)
class EvaluationPrompt:
    """One prompt to compress.

    Attributes:
        index: number of the prompt in its task, from 0.
        context: what is compressed, demonstrations or documents, without white space at either end.
        labels: the label words (empty for free answers); a query is answered with " " + label.
        rows: the rows that it was written from, where it was.
        queries: its own ones; () = those of the task.
        instruction: what stands in front of the context and stays, with the question where that comes first.
        question: what is asked about the context, for compressors that read it; "" where several queries share it.
        documents: the parts of the context; () where nobody knows them better than `parse`.
        gold: (start, end) of the stretches of the context that hold what is asked for, where they are known.
    """

    index: int
    context: str
    labels: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    queries: tuple[Query, ...] = ()
    instruction: str = ""
    question: str = ""
    documents: tuple[Document, ...] = ()
    gold: tuple[tuple[int, int], ...] = ()

    @cached_property
    def parsed(self) -> Prompt:
        """The context with its prompt tokens."""
        return parse(self.context)

    @cached_property
    def parts(self) -> tuple[Document, ...]:
        """The documents, or else the shots that `parse` finds."""
        shots = ((shot.start, _end(self.context, shot.start, shot.end)) for shot in self.parsed.parts)
        return self.documents or tuple(Document(start, end, (start, end)) for start, end in shots)

    @property
    def whole(self) -> tuple[str, int]:
        """What a target would read of the uncompressed prompt, and where in it the context begins.

        A query that is one of several is no part of it: they share what is compressed.
        """
        before = self.instruction + QUERY_JOIN if self.instruction else ""
        after = QUERY_JOIN + self.queries[0].text if self.question and len(self.queries) == 1 else ""
        return f"{before}{self.context}{after}", len(before)


def _end(text: str, start: int, end: int) -> int:
    return start + len(text[start:end].rstrip())


@dataclass(frozen=True)
class Scores:
    """What a target made of all queries after one prompt.

    Attributes:
        log_probs: per query, rounded to 4 decimals: with labels the log-probability of each label's first
            subword, else one value, the mean log-probability per subword of the gold answer. Empty for a reader that
            only writes.
        subwords: per query, how many subwords the gold answer has; empty with labels.
        graded: by measure, what each generated answer is worth, 0-1.
        answers: the generated answers. Both are empty when nothing was generated.
    """

    log_probs: list[list[float]]
    subwords: list[int] = field(default_factory=list)
    graded: dict[str, list[float]] = field(default_factory=dict)
    answers: list[str] = field(default_factory=list)


Grade = Callable[[str, Query], Mapping[str, float]]  # a generated answer, its query -> measure -> 0-1


def right(answer: str, query: Query) -> Mapping[str, float]:
    """Whether a generated answer is the gold one; see `right_or_wrong`."""
    return {"exact match": float(right_or_wrong(answer, query.answer))}


@dataclass(frozen=True)
class Task:
    """Prompts and queries, the same for every method.

    Attributes:
        queries: asked after every prompt; () where every prompt has its own, as many each.
        held_out: the queries that may be asked to find a mask for a prompt: never those of the test, nor any that
            the prompt shows the answer of.
        grade: what generated answers are worth.
        new_tokens: subwords of a generated answer, at most.
    """

    name: str
    prompts: tuple[EvaluationPrompt, ...]
    queries: tuple[Query, ...]
    labels: tuple[str, ...]
    held_out: Callable[[EvaluationPrompt], Sequence[Query]] = field(default=lambda _: (), compare=False, repr=False)
    grade: Grade = field(default=right, compare=False, repr=False)
    new_tokens: int = NEW_TOKENS

    @property
    def asked(self) -> int:
        """How many queries follow each prompt."""
        return len(self.queries_of(self.prompts[0]))

    @property
    def reads(self) -> bool:
        """Whether each prompt has a question of its own, which compressors may read."""
        return all(prompt.question for prompt in self.prompts)

    @cached_property
    def extractive(self) -> bool:
        """Whether every context holds an answer to its question in so many words."""
        return self.reads and all(contains(p.context, p.queries[0].accepted) for p in self.prompts)

    def queries_of(self, prompt: EvaluationPrompt | None) -> tuple[Query, ...]:
        return (prompt and prompt.queries) or self.queries

    def question(self, prompt: EvaluationPrompt) -> str:
        """What is asked about the context, in words: its question, the task's, or else the first query."""
        asked = FEW_SHOT[self.name].question if self.name in FEW_SHOT else ""
        return prompt.question or asked or self.queries_of(prompt)[0].text

    @torch.inference_mode()
    def score(
        self,
        target: Target,
        text: str,
        generate: bool = False,
        prompt: EvaluationPrompt | None = None,
        chat: bool = False,
    ) -> Scores:
        """Score all queries (of the given prompt) after the compressed context `text` (may be empty).

        chat: the target reads everything as a user's message in its chat template. InputError where it has none, or
        reads less than the prompt is long.
        """
        asked = self.queries_of(prompt)
        before = before_queries(text, prompt)
        if chat:
            prefix = target.read([])
            queries = [_in_template(target, before + query.text) for query in asked]
        else:
            prefix = target.read(_checked(target, target.encode(before)))
            queries = [target.encode(query.text) for query in asked]
        cued = [ids + target.encode(query.cue) for ids, query in zip(queries, asked, strict=True)]
        lengths: list[int] = []
        if self.labels:
            labels = first_subwords(target, self.labels)
            rows = target.label_log_probs(prefix, cued, labels).tolist()
        else:
            answers = [target.encode(query.answer if chat and not query.cue else f" {query.answer}") for query in asked]
            lengths = list(map(len, answers))
            rows = target.answer_log_probs(prefix, cued, answers)[:, None].tolist()
        log_probs = [[round(value, DECIMALS) for value in row] for row in rows]
        written = greedy_answers(target, prefix, queries, self.new_tokens) if generate else []
        return Scores(log_probs, lengths, self.graded(written, asked), written)

    def graded(self, answers: Sequence[str], asked: Sequence[Query]) -> dict[str, list[float]]:
        """What generated answers are worth, by measure; nothing for no answers."""
        worth = [self.grade(answer, query) for answer, query in zip(answers, asked, strict=False)]
        return {name: [round(each[name], DECIMALS) for each in worth] for name in (worth[0] if worth else ())}


def before_queries(text: str, prompt: EvaluationPrompt | None) -> str:
    """What the target reads before a query: the prompt's instruction and the compressed context."""
    parts = (prompt.instruction if prompt else "", text.strip())
    return "".join(part + QUERY_JOIN for part in parts if part)


def _in_template(target: Target, text: str) -> list[int]:
    """The subwords of a user's message, up to where the answer begins; the BOS is put in front by `Target.read`."""
    if not getattr(target.tokenizer, "chat_template", None):
        raise InputError(f"{target.name} has no chat template; leave --chat out")
    message = [{"role": "user", "content": text}]
    ids = target.encode(target.tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=True))
    return _checked(target, ids[len(target.bos) :] if ids[: len(target.bos)] == target.bos else ids)


def _checked(target: Target, ids: list[int]) -> list[int]:
    most = getattr(target.model.config, "max_position_embeddings", None)
    if most and len(ids) > most:
        raise InputError(
            f"a prompt has {len(ids):,} tokens, and {target.name} reads {most:,} at the most: leave out 'full' and the "
            "higher retentions, or choose another target"
        )
    return ids
