"""What the Learn tab shows, as JSON for the browser. Pure: no Gradio, no model."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Sequence
from typing import Any

from annotations.results import CheckpointEntry
from app.learn.jobs import Job
from app.served import SHIPPED


def job_text(job: Job | None, served: str, note: str) -> str:
    """The job, with `note`: what people should know about the served model. served: its id."""
    return _text({"job": job and _job(job, served), "note": note})


def _job(job: Job, served: str) -> dict[str, Any]:
    seconds = time.monotonic() - job.started if job.alive else job.seconds
    record = {"state": job.state, "corrections": job.corrections, "message": job.message, "seconds": round(seconds, 1)}
    record |= {"step": job.step, "total": job.total, "loss": job.loss}
    if job.result is None:
        return record
    rates = ("agreement_before", "agreement_after", "edit_rate_before", "edit_rate_after")
    result = {name: getattr(job.result, name) for name in ("checkpoint", "train", "held_out", "seconds", *rates)}
    return record | {"result": result | {"served": job.result.checkpoint == served}}


def checkpoints_text(checkpoints: Sequence[CheckpointEntry], served: str, free: bool, back: bool) -> str:
    """All checkpoints. free: whether one can be chosen; back: whether there is one to go back to."""
    parents = {one.id: one.parent for one in checkpoints}
    rows = [
        {
            "id": one.id,
            "lineage": _lineage(one.id, parents),
            "served": one.id == served,
            "shipped": one.path == SHIPPED,
            "rolled_back": one.status == "rolled back",
            "corrections": one.corrections,
            "metrics": dict(one.metrics),
            "created_at": one.created_at,
        }
        for one in checkpoints
    ]
    return _text({"checkpoints": rows, "free": free, "back": back})


def _lineage(id: str, parents: dict[str, str | None]) -> list[str]:
    """The checkpoint, its parent, and so on."""
    line, at = [id], parents.get(id)
    while at is not None and at not in line:
        line.append(at)
        at = parents.get(at)
    return line


def counts_text(chosen: int, left_out: Collection[tuple[str, int]]) -> str:
    """How much there is to learn from, in words.

    >>> counts_text(1, [("draft", 2), ("rejected", 0)])
    '**1 correction** to learn from. Left out: 2 draft.'
    """
    much = "1 correction" if chosen == 1 else f"{chosen:,} corrections"
    rest = ", ".join(f"{count:,} {name}" for name, count in left_out if count)
    return f"**{much}** to learn from." + (f" Left out: {rest}." if rest else "")


def _text(record: dict[str, Any]) -> str:
    return json.dumps(record, separators=(",", ":")).replace("<", "\\u003c")
