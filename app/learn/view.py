"""What the Learn tab shows: the job and the checkpoints as JSON for the browser, and the loss. Pure."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Sequence
from typing import Any

import plotly.graph_objects as go

from annotations.results import CheckpointEntry
from app.background.finetuning import FineTuningJob
from app.background.served import SHIPPED_PATH
from app.components.charts import DROPPED_COLOUR, KEPT_COLOUR, low_chart
from app.components.words import plural
from app.learn.judgement import judgement_of
from model.training.fit import Epoch


def job_text(job: FineTuningJob | None, served: str, note: str) -> str:
    """The job, with `note`: what people should know about the served model. served: its id."""
    return _text({"job": job and _job(job, served), "note": note})


def _job(job: FineTuningJob, served: str) -> dict[str, Any]:
    seconds = time.monotonic() - job.started if job.alive else job.seconds
    record = {"state": job.state, "corrections": job.corrections, "message": job.message, "seconds": round(seconds, 1)}
    record |= {"step": job.step, "total": job.total, "loss": job.loss}
    if job.result is None:
        return record
    rates = ("agreement_before", "agreement_after", "edit_rate_before", "edit_rate_after")
    result = {name: getattr(job.result, name) for name in ("checkpoint", "train", "held_out", "seconds", *rates)}
    judged = {"judgement": judgement_of(job.result.held), "served": job.result.checkpoint == served}
    return record | {"result": result | judged}


def checkpoints_text(checkpoints: Sequence[CheckpointEntry], served: str, free: bool) -> str:
    """All checkpoints. served: id of the one in use; free: whether one can be chosen."""
    parents = {entry.id: entry.parent for entry in checkpoints}
    rows = [
        {
            "id": entry.id,
            "lineage": _lineage(entry.id, parents),
            "served": entry.id == served,
            "shipped": entry.path == SHIPPED_PATH,
            "rolled_back": entry.status == "rolled back",
            "corrections": entry.corrections,
            "metrics": dict(entry.metrics),
            "created_at": entry.created_at,
        }
        for entry in checkpoints
    ]
    return _text({"checkpoints": rows, "free": free, "back": free and _can_roll_back(checkpoints, served)})


def _can_roll_back(checkpoints: Sequence[CheckpointEntry], served: str) -> bool:
    """Whether another one was served before, or the one in use was made from another one."""
    if any(entry.id == served and entry.parent is not None for entry in checkpoints):
        return True
    return any(entry.served_at and entry.status == "available" and entry.id != served for entry in checkpoints)


def _lineage(id: str, parents: dict[str, str | None]) -> list[str]:
    """The checkpoint, its parent, and so on."""
    line, at = [id], parents.get(id)
    while at is not None and at not in line:
        line.append(at)
        at = parents.get(at)
    return line


def counts_text(learnt: int, held: int, left_out: Collection[tuple[str, int]]) -> str:
    """How much there is to learn from, and to measure on, in words.

    >>> counts_text(1, 2, [("draft", 2), ("rejected", 0)])
    '**1 correction** to learn from, 2 held out to measure on. Left out: 2 draft.'
    """
    rest = ", ".join(f"{count:,} {name}" for name, count in left_out if count)
    measured = f", {held:,} held out to measure on" if held else ""
    return f"**{plural(learnt, 'correction')}** to learn from{measured}." + (f" Left out: {rest}." if rest else "")


def loss_curve(epochs: Sequence[Epoch]) -> go.Figure:
    """Lines: loss on what was learned and on what was held out, epoch by epoch; the best epoch is marked."""
    x = [epoch.index + 1 for epoch in epochs]
    best = min(range(len(epochs)), key=lambda i: epochs[i].valid_loss)
    figure = go.Figure()
    hover = "epoch %{x}: %{y:.3f}<extra></extra>"
    learned = {"color": DROPPED_COLOUR, "width": 2, "dash": "dot"}
    figure.add_scatter(x=x, y=[e.train_loss for e in epochs], name="learned", line=learned, hovertemplate=hover)
    held = {"color": KEPT_COLOUR, "width": 3}
    figure.add_scatter(x=x, y=[e.valid_loss for e in epochs], name="held out", line=held, hovertemplate=hover)
    mark = {"size": 12, "color": KEPT_COLOUR, "symbol": "diamond"}
    kept = epochs[best].valid_loss
    figure.add_scatter(x=[x[best]], y=[kept], name="kept", mode="markers", marker=mark, hovertemplate=hover)
    figure.update_xaxes(title_text="epoch", dtick=max(1, len(x) // 8))
    figure.update_yaxes(title_text="loss")
    return low_chart(figure, "Loss")


def _text(record: dict[str, Any]) -> str:
    return json.dumps(record, separators=(",", ":")).replace("<", "\\u003c")
