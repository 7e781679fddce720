"""Masks that are worth trying: whole shots first, pruned inside by an order of tokens, exactly as long as asked.

The teacher scores them; unscored and drawn at random, they are what a denoiser warms up on: it learns what a
coherent mask looks like before it learns which one the targets want.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from model.data import Dataset, draw
from model.score import Case

SCATTERED = 0.3  # share of random masks that keep words here and there instead of a text's beginning
FILL = (0.7, 2.6)  # tokens in a set of shots / tokens to keep: less needs filling up, more breaks the shots


def propose(data: Dataset, rng: random.Random) -> tuple[Case, list[bool]]:
    """A random prompt of the data set and a random coherent mask for it, at a random retention from 10 to 80 %."""
    case = Case.of(draw(data, rng), data)
    budget = max(1, round(rng.uniform(0.1, 0.8) * len(case.prompt)))
    ranking = rng.sample(range(len(case.prompt.shots)), len(case.prompt.shots))
    orders = structural_orders(case)
    name = rng.choice(sorted(orders))
    order = orders[name]
    if rng.random() < SCATTERED:
        frame, _, answer_place = roles(case)
        noise = torch.rand(len(order), generator=torch.Generator().manual_seed(rng.randrange(2**31)))
        order = frame + (answer_place >= 0).float() * bool(case.labels) + noise
    return case, rng.choice(candidates(case, ranking, {name: order}, budget))[1]


def structural_orders(case: Case) -> dict[str, Tensor]:
    """Orders that need no target, each [n], higher = kept longer: template, answers, beginnings of texts."""
    frame, text_place, answer_place = roles(case)
    answer = (answer_place >= 0).float()
    place = _within(text_place) + _within(answer_place)
    if case.labels:
        return {"head": 3 * frame + 2 * answer - place}
    # Long answers: the format and the reasoning live there, so the question may go first.
    return {"head": 3 * frame - place, "answer": 3 * frame + 2 * answer - place}


def roles(case: Case) -> tuple[Tensor, Tensor, Tensor]:
    """Per token: 1 if it is the template's; its place in the demonstration's text; in its answer (-1 = not in it)."""
    frame: list[float] = []
    text: list[int] = []
    answer: list[int] = []
    counts: dict[tuple[int, str], int] = {}
    for token in case.prompt.tokens:
        field = case.fields[token.shot]
        for places, (start, end), kind in ((text, field.text, "t"), (answer, field.answer, "a")):
            inside = start <= token.start < end
            places.append(counts.get((token.shot, kind), 0) if inside else -1)
            counts[token.shot, kind] = counts.get((token.shot, kind), 0) + inside
        frame.append(float(text[-1] < 0 and answer[-1] < 0))
    return torch.tensor(frame), torch.tensor(text), torch.tensor(answer)


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
    of = torch.tensor([t.shot for t in case.prompt.tokens])
    sizes = {s: shot.last - shot.first for s, shot in enumerate(case.prompt.shots)}
    found: dict[tuple[bool, ...], str] = {}
    most = len(ranking)
    fill = {m: sum(sizes[s] for s in ranking[:m]) / budget for m in range(1, most + 1)}
    sensible = [m for m in fill if FILL[0] <= fill[m] <= FILL[1]] or [min(fill, key=lambda m: abs(fill[m] - 1.5))]
    for m in sensible[:2] + sensible[2:][-1:]:
        for name, order in orders.items():
            rank = torch.full((len(of),), 0.0)
            for place, s in enumerate(ranking):
                rank[of == s] = 0.0 if place < m else -100.0 * (place - m + 1)
            chosen = torch.zeros(len(of), dtype=torch.bool)
            chosen[(order + rank).topk(budget).indices] = True
            found.setdefault(tuple(chosen.tolist()), f"{m} shots, {name}")
    return [(name, list(mask)) for mask, name in found.items()]
