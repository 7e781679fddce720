"""The teacher: from a demonstration prompt to masks that hold the task score, at several retentions.

Three stages (SYSTEM: the teacher). Shots first: every shot is scored on its own, the most useful make nested sets.
Then tokens: inside a set, an order says which go first. Then the exact check: every candidate mask is really
deleted and scored again, the best wins, and threshold accepting tries to better it.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..data.fewshot import Dataset, Example, FewShot, balanced
from ..errors import InputError
from ..llm.causal import Target
from .gates import gate_gradient, gate_search
from .proposals import candidates, head_first, roles
from .score import Case, Goals, full_prompt_goals, gold_goals, score

EXPLORED = ((0.12, 0.3), (0.3, 0.6))  # of which a retention each is drawn

# case, retention -> (how it was made, mask) of that length, without end
Propose = Callable[[Case, float, random.Random], Iterator[tuple[str, list[bool]]]]


@dataclass(frozen=True)
class TeacherConfig:
    """How a prompt is labelled.

    Attributes:
        retentions: shares of prompt tokens to label.
        queries: held-out queries that candidates are scored on; fewer overfit.
        gate_steps: optimiser steps on the gates, with `gate_queries` fresh queries each; 1 = one gradient, 0 = none.
        span: also try what `left_to_right_pruning` finds with so many tokens at once; 0 = not. It takes about as long
            as all the rest, and finds masks that no order of whole shots would.
        swaps: threshold-accepting proposals on the winner of each retention.
        threshold: nats that an accepted swap may lose against the mask that it changes.
        samples: masks of each length that `explore` scores.
        label_free: score against the full prompt's answers instead of the gold ones.
    """

    retentions: tuple[float, ...] = (0.2, 0.35, 0.5)
    queries: int = 16
    gate_steps: int = 4
    gate_queries: int = 8
    span: int = 0
    swaps: int = 0
    threshold: float = 0.02
    samples: int = 8
    label_free: bool = False

    def __post_init__(self) -> None:
        if not self.retentions or not all(0 < r <= 1 for r in self.retentions):
            raise InputError(f"retentions {self.retentions} must be above 0 and at most 1, and at least one")
        if min(self.queries, self.gate_queries) < 2:
            raise InputError("at least 2 queries are needed: labels are calibrated over them")
        if min(self.span, self.swaps) < 0:
            raise InputError("span and swaps must be at least 0")
        if self.samples < 1:
            raise InputError(f"samples {self.samples} must be at least 1")


@dataclass(frozen=True)
class ScoredMask:
    """A mask that was tried.

    Attributes:
        keep: [n].
        score: s(z) in nats, on the queries that all masks of the prompt were scored on.
        source: how it was made, e.g. "2 shots, gates".
    """

    keep: list[bool]
    score: float
    source: str


@dataclass(frozen=True)
class Labelled:
    """What the teacher found for one prompt.

    Attributes:
        tried: retention -> masks of that length, best first.
        full, zero: s of the full prompt and of no demonstrations, on the same queries.
    """

    tried: dict[float, list[ScoredMask]]
    full: float
    zero: float

    @property
    def masks(self) -> dict[float, list[bool]]:
        """The best of each length."""
        return {retention: tried[0].keep for retention, tried in self.tried.items()}


class Scorer:
    """s(z) of one prompt under some targets; counts how many masks it has scored."""

    def __init__(self, targets: Sequence[Target], case: Case, pool: Sequence[Example], config: TeacherConfig,
                 rng: random.Random):  # fmt: skip
        self.targets, self.case, self.pool, self.config, self.rng = targets, case, pool, config, rng
        self.calls = 0
        # Each subword of a free answer is scored, so a few of them say as much as many labels.
        self.few = 1 if case.labels else 2
        self.goals = self._draw(config.queries // self.few)

    def __call__(self, keep: Sequence[bool]) -> float:
        """Exact: the dropped tokens are really deleted."""
        self.calls += 1
        with torch.inference_mode():
            return float(score(self.targets, self.goals, self.case.prompt, keep))

    def fresh_goals(self) -> list[Goals]:
        """A few other queries, for one gate step."""
        return self._draw(self.config.gate_queries // self.few)

    def _draw(self, count: int) -> list[Goals]:
        queries = balanced(self.pool, count, self.rng)
        make = full_prompt_goals if self.config.label_free else gold_goals
        with torch.no_grad():
            return [make(target, self.case, queries) for target in self.targets]


def label(scorer: Scorer, config: TeacherConfig, rng: random.Random) -> Labelled:
    """Hierarchical pruning of one prompt: shots, then tokens, then the exact check."""
    case, n = scorer.case, len(scorer.case.prompt)
    full, zero = scorer([True] * n), scorer([False] * n)
    ranking = rank_shots(scorer)
    orders = token_orders(scorer)
    pruned = left_to_right_pruning(scorer, config.retentions, span=config.span) if config.span else {}
    tried = {}
    for retention in sorted(config.retentions):
        proposed = list(candidates(case, ranking, orders, max(1, round(retention * n))))
        proposed += [("spans", pruned[retention])] if pruned else []
        found = best_first(ScoredMask(keep, scorer(keep), source) for source, keep in proposed)
        keep, value = threshold_accept(scorer, found[0].keep, found[0].score, config, rng)
        if value > found[0].score:
            found.insert(0, ScoredMask(keep, value, f"{found[0].source}, swaps"))
        tried[retention] = found
    return Labelled(tried, full, zero)


def explore(scorer: Scorer, propose: Propose, config: TeacherConfig, rng: random.Random) -> Labelled:
    """Score up to `config.samples` masks of many kinds at each of two random lengths, and search no further.

    One prompt's scores say little of what is wanted of another, for they are noisy; those of a thousand prompts, at a
    fraction of what `label` takes for each, say what masks have in common that are worth more than their neighbours.
    """
    n = len(scorer.case.prompt)
    full, zero = scorer([True] * n), scorer([False] * n)
    tried = {}
    for low, high in EXPLORED:
        retention = round(rng.uniform(low, high), 3)
        different: dict[tuple[bool, ...], str] = {}
        for source, keep in itertools.islice(propose(scorer.case, retention, rng), 3 * config.samples):
            different.setdefault(tuple(keep), source)
            if len(different) == config.samples:
                break
        tried[retention] = best_first(
            ScoredMask(list(keep), scorer(keep), source) for keep, source in different.items()
        )
    return Labelled(tried, full, zero)


def best_first(masks: Iterable[ScoredMask]) -> list[ScoredMask]:
    return sorted(masks, key=lambda mask: -mask.score)


def held_out(shot: FewShot, data: Dataset) -> list[Example]:
    """The rows that may be queries: of the task's classes, and not shown in the prompt."""
    shown = set(shot.rows)
    return [e for e in data.examples if e.row not in shown and (not shot.classes or e.label in shot.classes)]


# ---- 1. shots


def rank_shots(scorer: Scorer) -> list[int]:
    """Shots, most useful first: keep-one score where each stands alone, plus what leaving it out costs.

    Leave-one-out is skipped over 4 shots: with that many, one hardly matters. Of 2 it would say the same again.
    """
    prompt = scorer.case.prompt
    shots = range(len(prompt.parts))
    of = prompt.part_of
    value = {s: scorer([o == s for o in of]) for s in shots}
    if 2 < len(shots) <= 4:
        value = {s: v - scorer([o != s for o in of]) for s, v in value.items()}
    return sorted(shots, key=lambda s: -value[s])


# ---- 2. tokens


def token_orders(scorer: Scorer) -> dict[str, Tensor]:
    """Ways to rank the tokens inside the chosen shots, each [n], higher = kept longer."""
    case, config = scorer.case, scorer.config
    orders = {"head": head_first(case)}
    if not config.gate_steps:
        return orders
    if config.gate_steps == 1:
        wanted = gate_gradient(scorer.targets, scorer.fresh_goals(), case.prompt)
    else:
        wanted = gate_search(scorer.targets, scorer.fresh_goals, case.prompt, 0.3, config.gate_steps)
    wanted = (wanted - wanted.min()) / (wanted.max() - wanted.min() + 1e-9)
    frame, _, answer_place = roles(case)
    orders["framed gates"] = wanted + frame
    if case.labels:
        orders["gates"] = wanted
        orders["framed gates"] += (answer_place >= 0).float()
    return orders


# ---- 3. masks


def threshold_accept(
    scorer: Scorer, keep: list[bool], value: float, config: TeacherConfig, rng: random.Random
) -> tuple[list[bool], float]:
    """Threshold accepting on exact scores: swap a run of kept tokens for as many dropped ones; small losses are taken,
    the best mask ever seen is returned (Dueck and Scheuer 1990; TA-Pruning, arXiv 2506.17930)."""
    best, best_value = keep, value
    current, current_value = keep, value
    for _ in range(config.swaps):
        proposal = swap(current, rng)
        new = scorer(proposal)
        if new > current_value - config.threshold:
            current, current_value = proposal, new
        if new > best_value:
            best, best_value = proposal, new
    return best, best_value


def swap(keep: Sequence[bool], rng: random.Random, longest: int = 4) -> list[bool]:
    """Drop a run of kept tokens and keep a run of dropped ones, as many; the number kept stays the same."""
    kept = [i for i, k in enumerate(keep) if k]
    dropped = [i for i, k in enumerate(keep) if not k]
    size = min(rng.randint(1, longest), len(kept), len(dropped))
    if not size:
        return list(keep)
    out = list(keep)
    for pool, state in ((kept, False), (dropped, True)):
        first = rng.randrange(len(pool) - size + 1)
        for i in pool[first : first + size]:
            out[i] = state
    return out


def left_to_right_pruning(
    scorer: Scorer, retentions: Sequence[float], threshold: float = 0.0, span: int = 1
) -> dict[float, list[bool]]:
    """TA-Pruning left to right (arXiv 2506.17930). Try each token once; delete it if s(z) stays within `threshold` nats
    of the best so far. Sweeps go on, with twice the threshold each, until the smallest budget is met; the masks of the
    larger ones are taken on the way. With a span of more than 1 (not in the paper), so many kept tokens of a shot are
    tried at once, in about as many times fewer scores."""
    n, shot_of = len(scorer.case.prompt), scorer.case.prompt.part_of
    keep, found = [True] * n, {}
    wanted = sorted(retentions, reverse=True)
    best = scorer(keep)
    while True:
        first = 0
        while first < n:
            while wanted and sum(keep) <= max(1, round(wanted[0] * n)):
                found[wanted.pop(0)] = list(keep)
            if not wanted:
                return found
            over = sum(keep) - max(1, round(wanted[0] * n))
            tried = [i for i in range(first, n) if keep[i] and shot_of[i] == shot_of[first]][: min(span, over)]
            if keep[first]:
                trial = [kept and i not in tried for i, kept in enumerate(keep)]
                value = scorer(trial)
                if value >= best - threshold:
                    keep = trial
                best = max(best, value)
                first = tried[-1]
            first += 1
        threshold = max(2 * threshold, 0.01)


def random_pruning(n: int, retentions: Sequence[float], rng: random.Random) -> dict[float, list[bool]]:
    """The other reference: tokens go in random order."""
    order = rng.sample(range(n), n)
    kept = {r: set(order[: max(1, round(r * n))]) for r in retentions}
    return {r: [i in kept[r] for i in range(n)] for r in retentions}
