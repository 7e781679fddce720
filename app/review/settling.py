"""Several people's masks of one prompt: what they agree on, where they do not, and what the majority says. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from annotations.agreement import krippendorff_agreement
from app.components import table
from app.components.words import shorten
from app.opened import stored_prompt
from model.prompt import Prompt
from model.record import CorrectionRecord

_RESAMPLES = 1000
_MOST_ROWS = 60  # units in dispute that are listed
_MOST_PEOPLE = 8  # with a column of their own


@dataclass(frozen=True)
class SharedPrompt:
    """A prompt, and what each person made of it: the same tokens, a mask each.

    Attributes:
        spans: its sentences, items and lines, as tokens [first, last).
    """

    prompt: Prompt
    people: tuple[str, ...]
    masks: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, corrections: Sequence[CorrectionRecord]) -> SharedPrompt:
        """Of each person the first correction of the prompt; those that cut it into other tokens are left out."""
        first = corrections[0]
        same = [each for each in corrections if each.offsets == first.offsets]
        of = {each.annotator: each.human_mask for each in reversed(same)}
        prompt = stored_prompt(first)
        leaves = [(u.first, u.last) for u in prompt.units if u.leaf and u.first < u.last]
        return cls(prompt, tuple(of), tuple(of.values()), tuple(leaves or [(0, len(prompt))]))

    @property
    def majority(self) -> str:
        """What most people say of each token; where they are even, it is kept."""
        people = len(self.masks)
        return "".join("1" if 2 * marks.count("1") >= people else "0" for marks in zip(*self.masks, strict=True))

    def units(self) -> tuple[str, ...]:
        """Of each person, whether at least half of each unit is kept."""
        return tuple(
            "".join("1" if 2 * mask.count("1", a, b) >= b - a else "0" for a, b in self.spans) for mask in self.masks
        )

    @property
    def disputed(self) -> list[int]:
        """The units that some keep and some do not, those that are most divided first."""
        votes = [marks.count("1") for marks in zip(*self.units(), strict=True)]
        people = len(self.masks)
        return sorted((u for u, n in enumerate(votes) if 0 < n < people), key=lambda u: abs(votes[u] - people / 2))


@dataclass(frozen=True)
class AgreementInterval:
    """Krippendorff's alpha with its 95 % interval, resampled over the prompt's units; None where it is not defined."""

    alpha: float | None
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        if self.alpha is None:
            return "not defined (everything has the same mark)"
        ends = f" (95 % interval {self.low:.2f} to {self.high:.2f})" if self.low is not None else ""
        return f"{self.alpha:.2f}{ends}"


def agreement_on_units(shared: SharedPrompt) -> AgreementInterval:
    """How far people agree on which units stay."""
    return _interval(shared.units(), [(u, u + 1) for u in range(len(shared.spans))])


def agreement_on_tokens(shared: SharedPrompt) -> AgreementInterval:
    """How far people agree on which tokens stay; tokens of a unit are resampled together."""
    return _interval(shared.masks, shared.spans)


def _interval(masks: Sequence[str], groups: Sequence[tuple[int, int]]) -> AgreementInterval:
    alpha = _alpha(masks)
    if alpha is None or len(groups) < 2:
        return AgreementInterval(alpha)
    rows = np.array([[int(bit) for bit in mask] for mask in masks], dtype=np.float64)
    totals = np.array([_moments(rows[:, a:b]) for a, b in groups])  # [groups, 3]: pairs that differ, keeps, marks
    picks = np.random.default_rng(0).integers(0, len(groups), (_RESAMPLES, len(groups)))
    differ, keeps, marks = totals[picks].sum(1).T
    people = len(masks)
    expected = 2 * keeps * (marks - keeps) / np.maximum(marks * (marks - 1), 1)
    observed = differ / np.maximum(marks * (people - 1), 1)
    alphas = np.where(expected > 0, 1 - observed / np.where(expected > 0, expected, 1), np.nan)
    alphas = alphas[~np.isnan(alphas)]
    if len(alphas) < _RESAMPLES / 2:
        return AgreementInterval(alpha)
    low, high = np.percentile(alphas, (2.5, 97.5))
    return AgreementInterval(alpha, float(low), float(high))


def _moments(rows: np.ndarray) -> tuple[float, float, float]:
    """Of some tokens [people, tokens]: ordered pairs of people that differ, keep marks, marks."""
    people, keeps = len(rows), rows.sum(0)
    return float((2 * keeps * (people - keeps)).sum()), float(keeps.sum()), float(rows.size)


def _alpha(masks: Sequence[str]) -> float | None:
    return krippendorff_agreement([("", "", dict(zip(map(str, range(len(masks))), masks, strict=True)))]).alpha


# --- what is shown -----------------------------------------------------------------------------------------


def settling_table(shared: SharedPrompt) -> str:
    """How far people agree, and where they do not; "" where there is only one of them."""
    if len(shared.people) < 2:
        return table.content()
    disputed, people = shared.disputed, shared.people[:_MOST_PEOPLE]
    names = [shorten(name, 24) for name in people]
    agreement = f"sentences {agreement_on_units(shared)}; words {agreement_on_tokens(shared)}"
    blocks = [
        table.paragraph(f"{len(shared.people)} people corrected this prompt", "heading"),
        table.paragraph(f"Krippendorff's alpha: {agreement}."),
    ]
    if disputed:
        rows = [("", _row(shared, u, len(people))) for u in disputed[:_MOST_ROWS]]
        title = f"{len(disputed):,} of {len(shared.spans):,} sentences, items and lines are in dispute"
        blocks.append(table.rows(title, ["In dispute*", *names, "Majority"], rows))
    else:
        blocks.append(table.paragraph("They keep the same sentences, items and lines.", "ok"))
    return table.content(*blocks)


def _row(shared: SharedPrompt, unit: int, people: int) -> list[str]:
    first, last = shared.spans[unit]
    tokens, size = shared.prompt.tokens, last - first
    text = shared.prompt.text[tokens[first].start : tokens[last - 1].end]
    kept = [_said(mask.count("1", first, last), size) for mask in shared.masks[:people]]
    votes = sum(units[unit] == "1" for units in shared.units())
    majority = "keep" if 2 * votes >= len(shared.masks) else "drop"
    return [shorten(text, 120), *kept, f"{majority} ({votes} of {len(shared.masks)} keep it)"]


def _said(kept: int, size: int) -> str:
    return "keep" if kept == size else "drop" if not kept else f"{kept} of {size} kept"
