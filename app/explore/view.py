"""The charts of one run: certainty of each token, tokens decided in each step, what each part keeps. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import plotly.graph_objects as go

from app.components.canvas_lines import part_names
from app.components.charts import DROPPED_COLOUR, KEPT_COLOUR, low_chart
from model.diffusion.trace import Trace
from model.prompt import Prompt

_MOST_COLUMNS = 400  # of the heat map; longer prompts are averaged


def confidence_map(prompt: Prompt, trace: Trace) -> go.Figure:
    """Heat map [steps, tokens] of the keep probability, each token blank from the step after its decision on."""
    n, size = len(prompt), -(-len(prompt) // _MOST_COLUMNS)
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
    return low_chart(figure, "Keep probability while a token is undecided")


def decided_per_step(trace: Trace) -> go.Figure:
    """Stacked bars: tokens kept and dropped in each step."""
    steps = [step.index for step in trace.steps]
    kept = [sum(trace.keep[i] for i in step.decided) for step in trace.steps]
    dropped = [len(step.decided) - k for step, k in zip(trace.steps, kept, strict=True)]
    sums = list(accumulate(k + d for k, d in zip(kept, dropped, strict=True)))
    figure = go.Figure()
    figure.add_bar(x=steps, y=kept, name="kept", marker_color=KEPT_COLOUR, customdata=sums, hovertemplate="%{y} kept")
    drop_marker = {"color": DROPPED_COLOUR, "pattern": {"shape": "/"}}
    figure.add_bar(x=steps, y=dropped, name="dropped", marker=drop_marker, hovertemplate="%{y} dropped")
    figure.update_layout(barmode="stack", hovermode="x unified")
    figure.update_xaxes(title_text="step", dtick=max(1, len(steps) // 8))
    figure.update_yaxes(title_text="tokens")
    return low_chart(figure, "Tokens decided per step")


def retention_per_shot(prompt: Prompt, trace: Trace) -> go.Figure:
    """Bars: share of each part that was kept, with the model's own score of the part as a mark."""
    names = part_names(prompt)
    shares = [_mean([float(keep) for keep in trace.keep[shot.first : shot.last]]) for shot in prompt.parts]
    scores = [round(p, 4) for p in trace.steps[-1].shots]
    figure = go.Figure()
    hover = "%{x}: %{y:.0%} kept<extra></extra>"
    figure.add_bar(x=names, y=shares, name="kept", marker_color=KEPT_COLOUR, hovertemplate=hover)
    marker = {"symbol": "line-ew", "size": 22, "line": {"width": 3, "color": DROPPED_COLOUR}}
    hover = "own score %{y:.0%}<extra></extra>"
    figure.add_scatter(x=names, y=scores, name="own score", mode="markers", marker=marker, hovertemplate=hover)
    figure.update_yaxes(tickformat=".0%", range=[0, 1.02])
    return low_chart(figure, "What each part keeps")


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _label(prompt: Prompt, column: range) -> str:
    """Words of a column for its tooltip; Plotly reads markup there, so signs that begin any are replaced."""
    words = " ".join(prompt.tokens[i].text for i in column)[:40]
    return "".join("‹" if c == "<" else "＆" if c == "&" else "↵" if c in "\r\n" else c for c in words)
