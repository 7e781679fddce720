"""s(z): how well target LLMs answer held-out queries after a (pruned) prompt.

Classification is calibrated over the queries (batch calibration, Zhou et al. 2023, arXiv 2309.17249): each label's mean
log-probability is subtracted, then the labels are renormalised. Without it a small target's label bias decides, and
an empty prompt can look better than the full one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..data.fewshot import TEMPLATES, Dataset, Example, FewShot, Field
from ..errors import InputError
from ..llm.answers import greedy_answers
from ..llm.causal import Prefix, Target
from ..prompt import Prompt, parse

QUERY_JOIN = "\n\n"  # between the (pruned) demonstrations and the query


@dataclass(frozen=True)
class Case:
    """A demonstration prompt and the task that it should help with.

    Attributes:
        shot: by which queries are written.
        prompt: the demonstrations, one shot each.
        fields: where each demonstration's text and answer lie.
        labels: the task's label words; () = free answers.
    """

    shot: FewShot
    prompt: Prompt
    fields: tuple[Field, ...]
    labels: tuple[str, ...]

    @classmethod
    def of(cls, shot: FewShot, data: Dataset) -> Case:
        fields = shot.fields(data)
        return cls(shot, parse(shot.render(data), [f.start for f in fields]), tuple(fields), tuple(shot.labels(data)))

    @classmethod
    def of_text(cls, text: str, dataset: str, template: int, labels: Sequence[str]) -> Case:
        """A prompt that comes as text, written by a known template. InputError if it is not in the text."""
        before, between, _ = TEMPLATES[template]
        prompt = parse(text)
        fields = []
        for shot in prompt.parts:
            head, answer = text.find(before, shot.start), text.find(between, shot.start)
            if not shot.start <= head <= answer < shot.end:
                raise InputError(f"the demonstration at character {shot.start} has no {between.strip()!r}")
            end = shot.start + len(text[shot.start : shot.end].rstrip())
            fields.append(Field(shot.start, (head + len(before), answer), (answer + len(between) + 1, end), shot.end))
        few = FewShot(dataset, (), template, tuple(range(len(labels))), max_words=10_000)
        return cls(few, prompt, tuple(fields), tuple(labels))


def calibrated(log_probs: Tensor) -> Tensor:
    """[queries, labels] raw label log-probabilities -> calibrated ones."""
    return torch.log_softmax(log_probs - log_probs.mean(0), dim=-1)


def read(target: Target, prompt: Prompt, keep: Sequence[bool], gates: Tensor | None = None) -> Prefix:
    """Let the target read the kept tokens, each with its soft-deletion gate ([n] in (0, 1]; None = 1)."""
    text, places = prompt.layout(keep)
    body = text.strip()
    if not body:
        return target.read([])
    ids, offsets = target.encode_with_offsets(body + QUERY_JOIN)
    if gates is None:
        return target.read(ids)
    owner = torch.tensor(owners(offsets, places, len(text) - len(text.lstrip())), device=gates.device)
    return target.read(ids, torch.log(gates)[owner])


def owners(offsets: Sequence[tuple[int, int]], places: Sequence[tuple[int, int, int]], shift: int = 0) -> list[int]:
    """The prompt token that each subword belongs to: the one that its last character lies in or comes before.

    >>> owners([(0, 3), (3, 5), (5, 7)], [(4, 0, 3), (9, 4, 7)])
    [4, 9, 9]
    """
    found, k = [], 0
    for _, end in offsets:
        while k < len(places) - 1 and places[k][2] < end + shift:
            k += 1
        found.append(places[k][0])
    return found


@dataclass(frozen=True)
class Goals:
    """What a target should answer to some queries.

    Attributes:
        queries: [queries] their subword ids.
        answers: [queries] the wanted answers' subword ids, for free answers; else None.
        weights: [queries, labels] the wanted label distribution, one-hot where it is the gold label; else None.
        labels: first subword of each label.
    """

    queries: list[list[int]]
    answers: list[list[int]] | None
    weights: Tensor | None
    labels: list[int]


ANSWER_SUBWORDS = 256  # of a free answer that are scored while teaching: nearly all of them whole


def gold_goals(target: Target, case: Case, queries: Sequence[Example]) -> Goals:
    """The data set's own answers."""
    asked = [target.encode(case.shot.query(q)) for q in queries]
    if not case.labels:
        return Goals(asked, [target.encode(" " + q.answer)[:ANSWER_SUBWORDS] for q in queries], None, [])
    labels = first_subwords(target, case.labels)
    gold = torch.tensor([case.labels.index(q.answer) for q in queries], device=target.device)
    return Goals(asked, None, torch.nn.functional.one_hot(gold, len(labels)).float(), labels)


def full_prompt_goals(target: Target, case: Case, queries: Sequence[Example]) -> Goals:
    """Label-free: what the target itself answers after the full prompt. With these goals s(z) is, up to a constant,
    -KL(full prompt || pruned prompt); over the labels, or for free answers on the full prompt's greedy answer."""
    gold = gold_goals(target, case, queries)
    full = read(target, case.prompt, [True] * len(case.prompt))
    if gold.weights is None:
        own = greedy_answers(target, full, gold.queries, ANSWER_SUBWORDS)
        return Goals(gold.queries, [target.encode(f" {answer or '?'}") for answer in own], None, [])
    table = calibrated(target.label_log_probs(full, gold.queries, gold.labels).float())
    return Goals(gold.queries, None, table.exp(), gold.labels)


def first_subwords(target: Target, labels: Sequence[str]) -> list[int]:
    """The first subword of " label" for each label. InputError when two labels share it."""
    first = [target.encode(" " + label)[0] for label in labels]
    if len(set(first)) < len(first):
        raise InputError(f"{target.name} begins two of the labels {', '.join(labels)} with one subword; rename one")
    return first


def log_likelihood(target: Target, prefix: Prefix, goals: Goals) -> Tensor:
    """Log-likelihood in nats of the wanted answers after the prefix: [queries]; classification is calibrated."""
    if goals.weights is None:
        return target.answer_log_probs(prefix, goals.queries, goals.answers or [])
    table = calibrated(target.label_log_probs(prefix, goals.queries, goals.labels).float())
    return (table * goals.weights).sum(1)


def score(
    targets: Sequence[Target],
    goals: Sequence[Goals],
    prompt: Prompt,
    keep: Sequence[bool],
    gates: Tensor | None = None,
) -> Tensor:
    """s(z), mean over queries and targets, in nats (higher is better); differentiable in the gates."""
    means = [
        log_likelihood(target, read(target, prompt, keep, gates), goal).mean().cpu()
        for target, goal in zip(targets, goals, strict=True)
    ]
    return torch.stack(means).mean()
