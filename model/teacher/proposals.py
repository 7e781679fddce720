"""Masks that are worth trying: whole shots first, pruned inside by an order of tokens, exactly as long as asked.

The teacher scores them; unscored and drawn at random, they are what a denoiser warms up on: it learns what a
coherent mask looks like before it learns which one the targets want.
"""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from ..compress import PAPER, Compressor
from ..data.fewshot import Dataset, draw
from ..prompt import Prompt, parse
from .score import Case

FILL = (0.7, 2.6)  # tokens in a set of shots / tokens to keep: less needs filling up, more breaks the shots
BEST_FILL = 1.7  # template, answers and half of the texts: what small targets made most of on the training tasks

# Instructions before the demonstrations.
CLASSIFY = (
    "Classify each text as one of: {labels}.",
    "Which of these classes does the text belong to? {labels}",
    "You are given examples of texts and their labels. Label the last one.",
    "Decide between {labels}. Answer with one word.",
    "Read the text, then give its category. The categories are {labels}. Do not explain your answer.",
    "Assign the correct label to the input.",
)
SOLVE = (
    "Solve the problem step by step.",
    "Answer the following questions. Show your work and give the final number on a line of its own.",
    "You are a careful maths tutor. Reason before you answer.",
    "Here are some word problems with worked solutions. Solve the last one in the same way.",
)


def propose(data: Dataset, rng: random.Random) -> tuple[Case, list[bool]]:
    """A random prompt of the data set and a random coherent mask for it, at a random retention from 10 to 80 %.

    Which shots stay is left to chance: a denoiser that learns from it must wait and see which of them are kept.
    """
    case = Case.of(draw(data, rng), data)
    shots = case.prompt.parts
    budget = max(1, round(rng.uniform(0.1, 0.8) * len(case.prompt)))
    ranking = rng.sample(range(len(shots)), len(shots))
    return case, choose(case, ranking, shots_for(case, ranking, budget, BEST_FILL), head_first(case), budget)


def coherent(
    case: Case, retention: float, information: Mapping[str, float], rng: random.Random
) -> tuple[str, list[bool]]:
    """How it was made, and a mask of the length: random shots, more or less thinned out, by a random order.

    information: see `self_information`.
    """
    shots = range(len(case.prompt.parts))
    budget = max(1, round(retention * len(case.prompt)))
    ranking = rng.sample(shots, len(shots))
    order = rng.choice(("head", "head", "words", "cut"))
    if order == "cut":
        reading = -torch.arange(len(case.prompt)) / len(case.prompt)
        return "whole shots, the last one cut", choose(case, ranking, 1, reading, budget)
    count = shots_for(case, ranking, budget, math.exp(rng.uniform(0.0, math.log(FILL[1]))))
    ranks = head_first(case) if order == "head" else words_first(case, information)
    return f"{count} shots, {order}", choose(case, ranking, count, ranks, budget)


def shots_for(case: Case, ranking: Sequence[int], budget: int, fill: float) -> int:
    """How many shots of the ranking together have about `fill` times the budget's tokens; at least 1."""
    shots = case.prompt.parts
    sizes = list(itertools.accumulate(shots[s].last - shots[s].first for s in ranking))
    return 1 + min(range(len(sizes)), key=lambda m: abs(math.log(sizes[m] / budget / fill)))


def denoised(case: Case, retention: float, compressor: Compressor, rng: random.Random | None) -> tuple[str, list[bool]]:
    """How it was made, and the denoiser's mask; rng: leaves some shots out, so that it must do with others."""
    prompt = case.prompt
    pins: dict[int, bool] = {}
    if rng is not None:
        left = len(prompt)
        for s in rng.sample(range(len(prompt.parts)), rng.randint(1, len(prompt.parts))):
            first, last = prompt.parts[s].first, prompt.parts[s].last
            if left - (last - first) >= retention * len(prompt):
                left -= last - first
                pins |= dict.fromkeys(range(first, last), False)
    trace = compressor.compress(prompt, retention, keep_task=False, pins=pins, **PAPER).trace
    return "denoiser" if not pins else "denoiser, some shots", list(trace.keep)


def with_task(case: Case, keep: list[bool], data: Dataset, rng: random.Random) -> tuple[Prompt, list[bool]]:
    """The demonstrations behind an instruction, before an open question, or both; they are kept whole, as
    `model.prompt.pins.pins_for_task` keeps them."""
    before = rng.choice(CLASSIFY if case.labels else SOLVE).format(labels=", ".join(case.labels)) + "\n\n"
    after = case.shot.query(rng.choice(data.examples))
    before, after = rng.choice(((before, ""), ("", after), (before, after)))
    text = before + case.prompt.text + after
    starts = [len(before) + shot.start for shot in case.prompt.parts]
    prompt = parse(text, [0, *starts, *([len(text) - len(after)] if after else [])])
    first = sum(token.end <= len(before) for token in prompt.tokens)
    last = len(prompt) - first - len(keep)
    return prompt, [True] * first + keep + [True] * last


def propose_text(data: Dataset, information: Mapping[str, float], rng: random.Random) -> tuple[Prompt, list[bool]]:
    """Texts of the data set without answers, as a plain document, and the mask that keeps its most informative words.

    information: see `self_information`.
    """
    examples = rng.sample(data.examples, min(rng.randint(1, 6), len(data.examples)))
    prompt = parse("\n\n".join(example.text for example in examples))
    budget = max(1, round(rng.uniform(0.1, 0.8) * len(prompt)))
    order = torch.tensor([information.get(token.text.lower(), math.inf) for token in prompt.tokens])
    chosen = torch.zeros(len(prompt), dtype=torch.bool)
    chosen[order.sort(descending=True, stable=True).indices[:budget]] = True
    return prompt, chosen.tolist()


def self_information(sets: Iterable[Dataset]) -> dict[str, float]:
    """Word -> bits, -log2 of its share of all tokens; a number has the most, for nothing else can stand for it.

    What Selective-Context (Li et al. 2023, arXiv 2310.06201) asks a language model, asked of plain counts.
    """
    counts: Counter[str] = Counter()
    for data in sets:
        for example in data.examples[:2000]:
            counts.update(token.text.lower() for token in parse(example.text, [0]).tokens)
    total = counts.total()
    bits = {word: -math.log2(count / total) for word, count in counts.items()}
    return {word: math.inf if word[-1].isdigit() else value for word, value in bits.items()}


def head_first(case: Case) -> Tensor:
    """An order that needs no target, [n], higher = kept longer: template, then answers, then beginnings of texts.

    A label goes before the template, for "Answer:" without it would teach a target to say nothing. Of a free answer
    the last line, where the result stands, goes before the rest.
    """
    frame, text_place, answer_place = roles(case)
    answer = (answer_place >= 0).float()
    order = 3 * frame + (4.0 if case.labels else 2.0) * answer - _within(text_place) - _within(answer_place)
    return order + 2 * _last_lines(case, answer_place)


def words_first(case: Case, information: Mapping[str, float]) -> Tensor:
    """As `head_first`, but of a text its most informative words are kept longest."""
    frame, _, answer_place = roles(case)
    bits = [min(information.get(token.text.lower(), math.inf), 20.0) / 21 for token in case.prompt.tokens]
    return 3 * frame + 4.0 * (answer_place >= 0) + torch.tensor(bits)


def roles(case: Case) -> tuple[Tensor, Tensor, Tensor]:
    """Per token: 1 if it is the template's; its place in the demonstration's text; in its answer (-1 = not in it)."""
    frame: list[float] = []
    text: list[int] = []
    answer: list[int] = []
    counts: dict[tuple[int, str], int] = {}
    for token in case.prompt.tokens:
        field = case.fields[token.part]
        for places, (start, end), kind in ((text, field.text, "t"), (answer, field.answer, "a")):
            inside = start <= token.start < end
            places.append(counts.get((token.part, kind), 0) if inside else -1)
            counts[token.part, kind] = counts.get((token.part, kind), 0) + inside
        frame.append(float(text[-1] < 0 and answer[-1] < 0))
    return torch.tensor(frame), torch.tensor(text), torch.tensor(answer)


def _last_lines(case: Case, answer_place: Tensor) -> Tensor:
    """1 on the last line of every answer that has more than one, and on the break before it: [n]."""
    tokens, last = case.prompt.tokens, torch.zeros(len(answer_place))
    for field in case.fields:
        inside = [i for i, token in enumerate(tokens) if field.answer[0] <= token.start < field.answer[1]]
        breaks = [i for i in inside if tokens[i].text.isspace()]
        last[breaks[-1] if breaks else inside[-1] + 1 : inside[-1] + 1] = 1
    return last


def _within(place: Tensor) -> Tensor:
    """Places 0, 1, 2, ... scaled into [0, 1); 0 outside."""
    place = place.clamp_min(0)
    return place / (place.max() + 1)


def candidates(
    case: Case, ranking: Sequence[int], orders: Mapping[str, Tensor], budget: int
) -> list[tuple[str, list[bool]]]:
    """Masks of exactly `budget` tokens: the first m shots of the ranking, pruned inside by each order.

    Sets that are smaller than the budget are filled up from the next shot of the ranking.
    """
    sizes = {s: shot.last - shot.first for s, shot in enumerate(case.prompt.parts)}
    found: dict[tuple[bool, ...], str] = {}
    most = len(ranking)
    fill = {m: sum(sizes[s] for s in ranking[:m]) / budget for m in range(1, most + 1)}
    sensible = [m for m in fill if FILL[0] <= fill[m] <= FILL[1]] or [min(fill, key=lambda m: abs(fill[m] - 1.5))]
    for m in sensible[:2] + sensible[2:][-1:]:
        for name, order in orders.items():
            found.setdefault(tuple(choose(case, ranking, m, order, budget)), f"{m} shots, {name}")
    return [(name, list(mask)) for mask, name in found.items()]


def choose(case: Case, ranking: Sequence[int], count: int, order: Tensor, budget: int) -> list[bool]:
    """The `budget` tokens that the order ranks highest in the first `count` shots of the ranking; if those are too
    short, the rest comes from the next shot."""
    of = torch.tensor(case.prompt.part_of)
    rank = torch.zeros(len(of))
    for place, s in enumerate(ranking[count:], start=1):
        rank[of == s] = -100.0 * place
    chosen = torch.zeros(len(of), dtype=torch.bool)
    chosen[(order + rank).topk(budget).indices] = True
    return chosen.tolist()
