"""Agreement between people who corrected the same prompt.

Krippendorff's alpha (library `krippendorff`, by its authors' reference implementation): one measure for any number of
people, who need not all have seen every prompt; Cohen's kappa takes two people only and Fleiss' the same number each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from krippendorff import alpha
from numpy.typing import NDArray

from annotations.results import Agreement, PromptAgreement

Counts = NDArray[np.int64]  # [tokens, 2]: how many people dropped it, how many kept it


def agreement(prompts: Sequence[tuple[str, str, Mapping[str, str]]]) -> Agreement:
    """Agreement per prompt and overall.

    Args:
        prompts: (sha256, start of the text, annotator -> mask as '0' and '1' per token); those with a single
            annotator are passed over.
    """
    shared = [prompt for prompt in prompts if len(prompt[2]) > 1]
    if not shared:
        return Agreement()
    counts = [_counts(list(masks.values())) for _, _, masks in shared]
    each = tuple(
        PromptAgreement(sha256, start, tuple(sorted(masks)), len(count), _alpha(count), _same(count))
        for (sha256, start, masks), count in zip(shared, counts, strict=True)
    )
    everything = np.concatenate(counts)
    return Agreement(_alpha(everything), _same(everything), each)


def _counts(masks: Sequence[str]) -> Counts:
    """["110", "100"] -> [[0, 2], [1, 1], [2, 0]]."""
    kept = sum(np.frombuffer(mask.encode("ascii"), dtype=np.uint8).astype(np.int64) - ord("0") for mask in masks)
    return np.stack([len(masks) - kept, kept], axis=1)


def _alpha(counts: Counts) -> float | None:
    """Alpha; None when only one kind of mark occurs, where it is 0 / 0."""
    if not counts.sum(axis=0).all():
        return None
    return float(alpha(value_counts=counts, level_of_measurement="nominal"))


def _same(counts: Counts) -> float:
    """Share of pairs of people that agree, over all tokens."""
    people = counts.sum(axis=1)
    agreeing = (counts * (counts - 1)).sum()
    return float(agreeing / (people * (people - 1)).sum())
