"""What a hosted studio asks of learning: many teachers, no more than a share from each, and a verdict by a hold-out
that only admins write."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from annotations.store import RevisionKey
from model.compress import Compressor
from model.errors import InputError
from model.record import CorrectionRecord

SHARE = 0.25  # of the corrections of a fine-tuning, that one person may give at most
LEAST = 8  # prompts of the hold-out, or it tells too little


def capped(corrections: Sequence[tuple[RevisionKey, str]]) -> list[RevisionKey]:
    """The newest corrections of each annotator, so that nobody gives more than `SHARE` of what is left.

    With fewer than four people that is nothing at all.

    >>> capped([((str(i), 1), "ann") for i in range(24)])
    []
    >>> len(capped([((str(i), 1), name) for i, name in enumerate(["ann"] * 9 + ["bob", "cy", "di", "ed"])]))
    5
    """
    by_person: dict[str, list[RevisionKey]] = defaultdict(list)
    for key, annotator in corrections:
        by_person[annotator].append(key)
    most = next((most for most in range(len(corrections), 0, -1) if _fair(by_person, most)), 0)
    kept = {key for keys in by_person.values() for key in keys[-most:]} if most else set()
    return [key for key, _ in corrections if key in kept]


def _fair(by_person: Mapping[str, Sequence[RevisionKey]], most: int) -> bool:
    counts = [min(len(keys), most) for keys in by_person.values()]
    return max(counts) <= SHARE * sum(counts)


def verdict(parent: Compressor, child: Compressor, holdout: Iterable[CorrectionRecord]) -> dict[str, Any]:
    """How both agree with the admins' hold-out, as metrics of the new checkpoint."""
    from model.training.corrections import corrected_prompt  # here, so that the studio opens without training
    from model.training.finetune import agreement_with_people

    prompts = [corrected_prompt(record) for record in holdout]
    if not prompts:
        return {"holdout": 0}
    before, after = (agreement_with_people(one, prompts) for one in (parent, child))
    return {"holdout": len(prompts), "holdout_before": round(before, 4), "holdout_after": round(after, 4)}


def check_promotion(metrics: Mapping[str, Any]) -> None:
    """Raise InputError unless a hold-out that is large enough says that the model got no worse."""
    size = metrics.get("holdout", 0)
    if size < LEAST:
        raise InputError(
            f"Not promoted: it was measured on {size} prompts of the admins' hold-out, at least {LEAST} are needed to "
            "tell anything: let admins correct more prompts, and fine-tune again."
        )
    before, after = (float(metrics.get(name, math.nan)) for name in ("holdout_before", "holdout_after"))
    if not (math.isfinite(before) and math.isfinite(after)):
        raise InputError("Not promoted: how it does on the hold-out is not a number.")
    if after < before:
        raise InputError(
            f"Not promoted: on the admins' hold-out it is worse than its parent ({before:.1%} -> {after:.1%})."
        )
