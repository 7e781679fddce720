"""The sampler: from all-MASK to a finished mask in a few denoising steps, exactly as long as asked.

Its only output is the trace. Everything shown to a person or handed to a program is read from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import InputError
from .schedule import DROP, KEEP, MASK, commits
from .trace import SamplerConfig, Step

CERTAIN = 8.0  # margin, in logits, of a decision that the budget leaves no choice in

# states [n] -> (logits to keep [n], shot logits [shots]), on the CPU: all that the sampler knows of a model
Predict = Callable[[Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class RefreshPolicy:
    """How long a prediction serves. By default no longer than until something is decided.

    The model is asked again when a step would decide something, and has a choice, and either
    - of the decisions since the last prediction, that one would have expected so many to be otherwise that, weighted by
      the share of tokens that they can still steer, they are more than `tolerance` * n; or
    - the step would decide a token, say the first of another shot, that the last prediction was unsure of.
    So many tokens are decided at once where the model is sure, few where it is not, and an unsure decision always rests
    on all that was decided before.

    Attributes:
        tolerance: share of the tokens.
        unsure: decisions that the prediction gives more than this chance to be otherwise are unsure.
    """

    tolerance: float = 0.0
    unsure: float = 0.0


EVERY_STEP = RefreshPolicy()


def budget(n: int, retention: float, pins: Mapping[int, bool]) -> int:
    """How many of n tokens to keep: round(retention * n), at least 1, as far as the pins allow."""
    pinned_keep = sum(pins.values())
    return min(max(round(retention * n), 1, pinned_keep), n - len(pins) + pinned_keep)


@torch.inference_mode()
def denoise(
    predict: Predict,
    shots: Sequence[int],
    config: SamplerConfig,
    pins: Mapping[int, bool] | None = None,
    patience: RefreshPolicy = EVERY_STEP,
    total: int | None = None,
) -> Iterator[Step]:
    """Yield the steps of one run, each as soon as it is decided.

    Every step: predict; put the cut-off where the budget that is left would be used up; commit the most confident
    undecided tokens, as many as the schedule allows and only those above the threshold. The last step commits the
    rest. Keeps lie above the cut-off and drops below it, so the budget is met exactly at the end.

    Shots compete for the budget, so what is likely in each of them is not likely in all of them together. Who is not
    sure therefore waits, but for the tokens to keep in the leading shot; once they are kept, the next prediction is
    surer of the others. The first prediction ranks the shots, and the next one leads when nothing of the one before
    waits to be kept. Keeps are decided before drops, for many drops and few keeps would tell the model that more is to
    come. So the mask hardly hangs on the number of steps. How sure one must be falls from step to step, and a step may
    decide less than the schedule allows; what it leaves is made up for later.

    Not every step asks the model (see `RefreshPolicy`), and none does once all that may be kept is kept.

    Args:
        shots: [n] the shot of each token.
        patience: how long a prediction serves; by default every step that has a choice asks the model.
        total: how many tokens to keep; None = as `budget` says.
    """
    n, shot_of = len(shots), torch.tensor(shots)
    pins = check_pins(pins or {}, n)
    noise = config.temperature * _gumbel(n, config.seed)
    states = torch.full((n,), MASK)
    for i, keep in pins.items():
        states[i] = KEEP if keep else DROP
    left = (budget(n, config.retention, pins) if total is None else total) - sum(pins.values())
    quota, risk = 0, 0.0  # risk: of the decisions since the last prediction, how many it expects to be otherwise
    token, likely, rank = torch.empty(0), torch.empty(0), torch.empty(0)
    probability: tuple[float, ...] = ()
    of_shots: tuple[float, ...] = ()
    for index, count in enumerate(commits(n - len(pins), config.steps), start=1):
        quota += count  # what earlier steps were too unsure to decide is made up for
        undecided = int((states == MASK).sum())
        choice = 0 < left < undecided  # or else the budget decides the rest
        harm = risk * undecided / n  # a mistake steers what is still open
        asked = not len(token) or (choice and harm > patience.tolerance * n)
        while True:
            if asked:
                token, shot = predict(states)
                likely = torch.sigmoid(token)
                probability, of_shots = tuple(likely.tolist()), tuple(torch.sigmoid(shot).tolist())
                risk = 0.0
            if index == 1:
                rank = _shot_means(likely, states == MASK, shot_of)
            decided, margin = _rank(token + noise, states, left)
            confidence = torch.sigmoid(margin.abs()).clamp_max(1 - 1e-6)  # 1 is for pins alone
            if index < config.steps:
                sure = 1 - 0.5 * index / config.steps
                ready = (confidence >= config.threshold) & _in_turn(decided, margin > 0, likely, shot_of, rank, sure)
                keeps_first = [(ready & (margin > 0)).nonzero(), (ready & (margin < 0)).nonzero()]
                first = torch.cat(keeps_first)[:quota, 0].sort().values
                decided, margin, confidence = decided[first], margin[first], confidence[first]
            keeps = margin > 0
            otherwise = torch.where(keeps, 1 - likely[decided], likely[decided]).clamp_min(1e-9)  # nothing is certain
            if not (choice and risk and bool((otherwise > patience.unsure).any())):
                break
            asked = True
        states[decided] = torch.where(keeps, KEEP, DROP)
        left -= int(keeps.sum())
        quota -= len(decided)
        risk += float(otherwise.sum())
        yield Step(
            index,
            tuple(decided.tolist()),
            tuple(confidence.tolist()),
            probability,
            of_shots,
            tuple(states.tolist()),
            asked,
        )


def _rank(logits: Tensor, states: Tensor, left: int) -> tuple[Tensor, Tensor]:
    """Undecided tokens and their margins to the cut-off, largest absolute margin first.

    The cut-off lies between the `left`-th and the next highest undecided logit; exactly `left` margins are > 0.
    """
    undecided = (states == MASK).nonzero()[:, 0]
    values, order = logits[undecided].sort(descending=True, stable=True)
    if not len(values):
        return undecided, values
    if 0 < left < len(values):
        cut = (values[left - 1] + values[left]) / 2
    else:  # all of them are kept, or none: nothing to weigh
        cut = values[-1] - CERTAIN if left else values[0] + CERTAIN
    margin = (values - cut).abs().clamp_min(1e-6)  # ties with the cut-off must fall on their side, too
    margin[left:] *= -1
    by_confidence = margin.abs().sort(descending=True, stable=True).indices
    return undecided[order[by_confidence]], margin[by_confidence]


def _in_turn(ranked: Tensor, keeps: Tensor, likely: Tensor, shot_of: Tensor, rank: Tensor, sure: float) -> Tensor:
    """Which of the ranked tokens may be decided now: those that are sure, and those to keep in the leading shot."""
    shot = shot_of[ranked]
    waits = torch.where(keeps, likely[ranked], 1 - likely[ranked]) < sure
    waiting = torch.zeros_like(rank).index_add(0, shot, (waits & keeps).float())
    return ~waits | (keeps & (shot == torch.where(waiting > 0, rank, -1.0).argmax()))


def _shot_means(values: Tensor, which: Tensor, shot_of: Tensor) -> Tensor:
    """Mean over those tokens of each shot that `which` picks, 0 where it picks none: [shots]."""
    zeros = values.new_zeros(int(shot_of.max()) + 1)
    total = zeros.index_add(0, shot_of, values * which)
    return total / zeros.index_add(0, shot_of, which.to(values.dtype)).clamp_min(1)


def check_pins(pins: Mapping[int, bool], n: int) -> dict[int, bool]:
    """A copy of the pins. InputError when one is not a token of a prompt of n tokens."""
    for i in pins:
        if not 0 <= i < n:
            raise InputError(f"pin {i} is not a token of this prompt; it has tokens 0 to {n - 1}")
    return {int(i): bool(keep) for i, keep in pins.items()}


def _gumbel(n: int, seed: int) -> Tensor:
    uniform = torch.rand(n, generator=torch.Generator().manual_seed(seed)).clamp(1e-9, 1 - 1e-7)
    return -torch.log(-torch.log(uniform))
