"""Whether a new checkpoint is better: said only when enough was measured, and with its interval. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

import numpy as np

from app.background.finetuning import HELD_OUT
from app.components.words import plural
from model.training.finetune import HeldOut

LEAST = 10  # held-out prompts before anything is said
_RESAMPLES = 4000
_TEXTS = 2  # prompts that are shown
_LENGTH = 1500  # characters of each


@dataclass(frozen=True)
class Judgement:
    """What may be said.

    Attributes:
        level: "better", "worse", "same" (no difference that can be told) or "few" (too few were measured).
    """

    level: str
    text: str


def judge(held: Sequence[HeldOut]) -> Judgement:
    """The paired difference of the edit rates over held-out prompts, with a 95 % bootstrap interval.

    Corrections of one prompt by several people count as one, by their mean.

    >>> judge([HeldOut(0.2, 0.1, "", "", "", "a")]).level
    'few'
    """
    by_prompt: dict[str, list[float]] = defaultdict(list)
    for each in held:
        by_prompt[each.sha256].append(each.before - each.after)
    if len(by_prompt) < LEAST:
        more = round((LEAST - len(by_prompt)) / HELD_OUT)
        return Judgement(
            "few",
            f"Too few to tell: measured on {plural(len(by_prompt), 'held-out prompt')}, and {LEAST} are the least. "
            f"One corrected prompt in {round(1 / HELD_OUT)} is held out, so correct about {more} more.",
        )
    gains = np.array([fmean(each) for each in by_prompt.values()])
    picks = np.random.default_rng(0).integers(0, len(gains), (_RESAMPLES, len(gains)))
    low, high = np.percentile(gains[picks].mean(1), (2.5, 97.5))
    said = (
        f"people change {_more_or_less(gains.mean())} of the words (95 % interval over {len(gains)} held-out prompts: "
        f"{_more_or_less(low)} to {_more_or_less(high)})."
    )
    if low > 0:
        return Judgement("better", f"Better: {said}")
    if high < 0:
        return Judgement("worse", f"Worse: {said} Keep the old one.")
    return Judgement("same", f"No difference that can be told: {said} Keep the old one, or correct more prompts.")


def _more_or_less(gain: float) -> str:
    return f"{abs(gain):.1%} {'fewer' if gain > 0 else 'more'}"


def judgement_of(held: Sequence[HeldOut]) -> dict[str, Any]:
    """The same for the page, with the prompts that have changed most, as both models and the person leave them."""
    most = sorted(held, key=lambda each: abs(each.before - each.after), reverse=True)
    rows = [
        {
            "wrong": [each.before, each.after],
            "before": each.text_before[:_LENGTH],
            "after": each.text_after[:_LENGTH],
            "person": each.person[:_LENGTH],
        }
        for each in most
        if each.text_before != each.text_after
    ]
    return {**asdict(judge(held)), "texts": rows[:_TEXTS]}
