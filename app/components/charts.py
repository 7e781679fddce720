"""Plotly figures: of one run (certainty of each token, tokens decided, what each shot keeps) and of fine-tuning."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import plotly.graph_objects as go

from app.components.canvas_lines import shot_names
from model.diffusion.trace import Trace
from model.evaluation.report.curves import styled
from model.prompt import Prompt
from model.training.fit import Epoch

KEEP, DROP = "#0072B2", "#D57800"
MOST_COLUMNS = 400  # of the heat map; longer prompts are averaged


def confidence_map(prompt: Prompt, trace: Trace) -> go.Figure:
    """Heat map [steps, tokens] of the keep probability, each token blank from the step after its decision on."""
    n, size = len(prompt), -(-len(prompt) // MOST_COLUMNS)
    columns = [range(at, min(at + size, n)) for at in range(0, n, size)]
    rows = [
        [_mean([step.probability[i] for i in column if trace.step[i] >= step.index]) for column in columns]
        for step in trace.steps
    ]
    words = [_label(prompt, column) for column in columns]
    figure = go.Figure(
        go.Heatmap(
            z=rows,
            x=[column[0] for column in columns],
            y=[step.index for step in trace.steps],
            customdata=[words] * len(rows),
            colorscale="Cividis",  # reads the same to the colour-blind
            colorbar={"title": {"text": "keep"}, "tickformat": ".1%", "thickness": 12},
            hovertemplate="%{customdata}<br>step %{y}: keep %{z:.1%}<extra></extra>",
            hoverongaps=False,
        )
    )
    figure.update_xaxes(title_text="token of the prompt", showgrid=False)
    figure.update_yaxes(title_text="step", showgrid=False, dtick=max(1, len(rows) // 8))
    return _styled(figure, "Keep probability while a token is undecided")


def decided_per_step(trace: Trace) -> go.Figure:
    """Stacked bars: tokens kept and dropped in each step."""
    steps = [step.index for step in trace.steps]
    kept = [sum(trace.keep[i] for i in step.decided) for step in trace.steps]
    dropped = [len(step.decided) - k for step, k in zip(trace.steps, kept, strict=True)]
    sums = list(accumulate(k + d for k, d in zip(kept, dropped, strict=True)))
    figure = go.Figure()
    figure.add_bar(x=steps, y=kept, name="kept", marker_color=KEEP, customdata=sums, hovertemplate="%{y} kept")
    drop_marker = {"color": DROP, "pattern": {"shape": "/"}}
    figure.add_bar(x=steps, y=dropped, name="dropped", marker=drop_marker, hovertemplate="%{y} dropped")
    figure.update_layout(barmode="stack", hovermode="x unified")
    figure.update_xaxes(title_text="step", dtick=max(1, len(steps) // 8))
    figure.update_yaxes(title_text="tokens")
    return _styled(figure, "Tokens decided per step")


def retention_per_shot(prompt: Prompt, trace: Trace) -> go.Figure:
    """Bars: share of each shot that was kept, with the model's own score of the shot as a mark."""
    names = shot_names(prompt.shots)
    shares = [_mean([float(keep) for keep in trace.keep[shot.first : shot.last]]) for shot in prompt.shots]
    own = [round(p, 4) for p in trace.steps[-1].shots]
    figure = go.Figure()
    hover = "%{x}: %{y:.0%} kept<extra></extra>"
    figure.add_bar(x=names, y=shares, name="kept", marker_color=KEEP, hovertemplate=hover)
    marker = {"symbol": "line-ew", "size": 22, "line": {"width": 3, "color": DROP}}
    hover = "own score %{y:.0%}<extra></extra>"
    figure.add_scatter(x=names, y=own, name="shot's own score", mode="markers", marker=marker, hovertemplate=hover)
    figure.update_yaxes(tickformat=".0%", range=[0, 1.02])
    return _styled(figure, "What each part keeps")


def loss_curve(epochs: Sequence[Epoch]) -> go.Figure:
    """Lines: loss on what was learned and on what was held out, epoch by epoch; the best epoch is marked."""
    x = [epoch.index + 1 for epoch in epochs]
    best = min(range(len(epochs)), key=lambda i: epochs[i].valid_loss)
    figure = go.Figure()
    hover = "epoch %{x}: %{y:.3f}<extra></extra>"
    learned = {"color": DROP, "width": 2, "dash": "dot"}
    figure.add_scatter(x=x, y=[e.train_loss for e in epochs], name="learned", line=learned, hovertemplate=hover)
    held = {"color": KEEP, "width": 3}
    figure.add_scatter(x=x, y=[e.valid_loss for e in epochs], name="held out", line=held, hovertemplate=hover)
    mark = {"size": 12, "color": KEEP, "symbol": "diamond"}
    kept = epochs[best].valid_loss
    figure.add_scatter(x=[x[best]], y=[kept], name="kept", mode="markers", marker=mark, hovertemplate=hover)
    figure.update_xaxes(title_text="epoch", dtick=max(1, len(x) // 8))
    figure.update_yaxes(title_text="loss")
    return _styled(figure, "Loss")


def _styled(figure: go.Figure, title: str) -> go.Figure:
    """Low, with the legend beside the title."""
    legend = {"orientation": "h", "y": 1.12, "x": 1, "xanchor": "right", "yanchor": "auto"}
    return styled(figure, title, 300).update_layout(margin={"l": 50, "r": 10, "t": 44, "b": 44}, legend=legend)


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _label(prompt: Prompt, column: range) -> str:
    """Words of a column for its tooltip; Plotly reads markup there, so signs that begin any are replaced."""
    words = " ".join(prompt.tokens[i].text for i in column)[:40]
    return "".join("‹" if c == "<" else "＆" if c == "&" else "↵" if c in "\r\n" else c for c in words)
