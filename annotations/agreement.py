"""Agreement between people who corrected the same prompt.

Krippendorff's alpha (Krippendorff 2019, Content Analysis, ch. 12) is one measure for any number of people, who need
not all have seen every prompt. Cohen's kappa takes exactly two people, and Fleiss' the same number for every prompt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from krippendorff import alpha
from numpy.typing import NDArray

from annotations.results import Agreement, PromptAgreement

_Counts = NDArray[np.int64]  # [tokens, 2]: how many people dropped it, how many kept it


def krippendorff_agreement(prompts: Sequence[tuple[str, str, Mapping[str, str]]]) -> Agreement:
    """Agreement per prompt and overall.

    Args:
        prompts: (sha256, start of the text, annotator -> mask as '0' and '1' per token); those with a single
            annotator are left out.
    """
    shared = [prompt for prompt in prompts if len(prompt[2]) > 1]
    if not shared:
        return Agreement()
    counts = [_counts(list(masks.values())) for _, _, masks in shared]
    each = tuple(
        PromptAgreement(sha256, start, tuple(sorted(masks)), len(count), _alpha(count), _share_of_equal_pairs(count))
        for (sha256, start, masks), count in zip(shared, counts, strict=True)
    )
    everything = np.concatenate(counts)
    return Agreement(_alpha(everything), _share_of_equal_pairs(everything), each)


def _counts(masks: Sequence[str]) -> _Counts:
    """["110", "100"] -> [[0, 2], [1, 1], [2, 0]]."""
    kept = sum(np.frombuffer(mask.encode("ascii"), dtype=np.uint8).astype(np.int64) - ord("0") for mask in masks)
    return np.stack([len(masks) - kept, kept], axis=1)


def _alpha(counts: _Counts) -> float | None:
    """Alpha; None when everybody gave every token the same mark: then it is 0 / 0."""
    if not counts.sum(axis=0).all():
        return None
    return float(alpha(value_counts=counts, level_of_measurement="nominal"))


def _share_of_equal_pairs(counts: _Counts) -> float:
    """Of all pairs of people who marked the same token, the share that agrees."""
    people = counts.sum(axis=1)
    agreeing = (counts * (counts - 1)).sum()
    return float(agreeing / (people * (people - 1)).sum())
