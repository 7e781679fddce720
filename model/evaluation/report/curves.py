"""Plotly figures of a study: quality against length, and masks made for one target LLM read by others.

Drawn from a report's JSON (`model.evaluation.report.study`), so that the page, the files and the README show the same
numbers.
"""

from __future__ import annotations

import html
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

GREY = "#8895a7"
GRID = "rgba(136,149,167,.2)"
# Okabe and Ito's colours, which the colour-blind can tell apart; olive instead of black, which the dark theme hides.
# Shapes tell the rest.
STYLES = {
    "diffumask": ("DiffuMask", "#0072B2", "circle", "solid"),
    "exact": ("DiffuMask, exact", "#0072B2", "circle-open", "dash"),
    "one-pass": ("DiffuMask, one pass", "#56B4E9", "circle-open", "dot"),
    "diffumask-parts": ("DiffuMask, whole parts", "#0072B2", "square-open", "dot"),
    "diffumask-tokens": ("DiffuMask, thinned", "#0072B2", "circle-open", "dot"),
    "paper": ("DiffuMask as published", "#56B4E9", "diamond-open", "dash"),
    "teacher": ("teacher (sees the answers)", "#009E73", "diamond", "dash"),
    "ta-pruning": ("TA-Pruning (sees the answers)", "#009E73", "diamond-open", "dot"),
    "human": ("people's masks", "#E69F00", "star", "solid"),
    "uncorrected": ("the masks they corrected", "#E69F00", "star-open", "dot"),
    "llmlingua2": ("LLMLingua-2", "#D55E00", "square", "solid"),
    "llmlingua": ("LLMLingua", "#D55E00", "square-open", "dot"),
    "longllmlingua": ("LongLLMLingua", "#D55E00", "square-open", "dash"),
    "selective-context": ("Selective-Context", "#CC79A7", "triangle-up", "dot"),
    "dense": ("dense sentences", "#F0E442", "hexagon", "solid"),
    "dense-smoothed": ("dense, smoothed", "#F0E442", "hexagon-open", "dot"),
    "bm25": ("BM25 sentences", "#8C8C2E", "triangle-down", "solid"),
    "bm25-smoothed": ("BM25, smoothed", "#8C8C2E", "triangle-down-open", "dot"),
    "first": ("cutting off", "#8895a7", "x", "dash"),
    "random": ("random tokens", "#8895a7", "cross", "dot"),
    "random-sentences": ("random sentences", "#8895a7", "cross-open", "dot"),
    "random-parts": ("random whole parts", "#8895a7", "star-square-open", "dot"),
    "full": ("full prompt", "#8895a7", "line-ew", "solid"),
    "zero": ("the question alone", "#8895a7", "line-ew", "dash"),
}
LINES = ("full", "zero")  # they have no length to choose: drawn across
METHOD_NAMES = {
    **{"agnews": "AG News", "gsm8k": "GSM8K", "yelp": "Yelp", "yahoo": "Yahoo Answers", "nq": "NaturalQuestions"},
    **{"xquad": "XQuAD", "qmsum": "QMSum", "qmsum-general": "QMSum, whole meetings", "pubmedqa": "PubMedQA"},
    **{"bbh": "BIG-Bench Hard", "hotpotqa": "multi-hop chains of thought", "needle": "needle in a long text"},
    **{"longbench": "LongBench", "zeroscrolls": "ZeroSCROLLS", "meetingbank": "MeetingBank"},
    **{"smollm2": "SmolLM2 135M", "gemma3": "Gemma 3 270M"},
}
LESS_ZERO = "less that of the question alone"
SHARES = {"words": "words_kept", "reader": "subwords_kept"}  # what rows say of it, by the unit of the budget

HOVER_WIDTH, HOVER_LINES = 80, 8


def method_name(method: str) -> str:
    """How a method is called in figures and tables.

    >>> method_name("teacher@gemma3")
    'teacher (sees the answers) of gemma3'
    """
    base, _, maker = method.partition("@")
    name = STYLES[base][0] if base in STYLES else base
    return f"{name} of {maker}" if maker else name


def measures_of(run: Mapping[str, Any]) -> list[str]:
    """The measures that a run has: the main one, what it gains on the question alone (paired), then the others."""
    main = run["differences_in"]
    names = list(dict.fromkeys(name for row in run["rows"] for name, value in row["measures"].items() if value))
    paired = [f"{main} {LESS_ZERO}"] if any("zero" in row["differences"] for row in run["rows"]) else []
    others = sorted((name for name in names if name != main), key=lambda name: name.endswith("raw"))
    return [main, *paired, *others]


def value_of(row: Mapping[str, Any], measure: str) -> Sequence[float | None] | None:
    """[mean, low, high] of a measure of `measures_of` in one row; None where it has none."""
    paired = measure.endswith(LESS_ZERO)
    value: Sequence[float | None] | None = row["differences"].get("zero") if paired else row["measures"].get(measure)
    return value


def curve(run: Mapping[str, Any], measure: str) -> go.Figure:
    """Lines: a measure against the share of the prompt that is left, a line a method, with 95 % intervals.

    run: a report of `model.evaluation.evaluate` as JSON; what its "samples" hold is shown at a point: method -> asked
        retention (as text) -> a compressed prompt.
    """
    figure = go.Figure()
    share = SHARES.get(str(run["config"].get("budget")), "tokens_kept")
    by_method: dict[str, list[Mapping[str, Any]]] = {}
    for row in run["rows"]:
        if value_of(row, measure):
            by_method.setdefault(row["method"], []).append(row)
    for method, rows in by_method.items():
        if method in LINES:
            _across(figure, method, value_of(rows[0], measure) or ())
        else:
            rows.sort(key=lambda row: row[share])
            _line(figure, method, rows, measure, share, run.get("samples", {}))
    counted = {"words_kept": "words", "subwords_kept": "reader's tokens"}.get(share, "tokens")
    figure.update_xaxes(
        title_text=f"share of the prompt's {counted} that is left", tickformat=".0%", rangemode="tozero"
    )
    figure.update_yaxes(title_text=_axis(measure))
    return styled(figure, f"{html.escape(measure)}<br><sup>{html.escape(run_name(run))}</sup>", 520)


def run_name(run: Mapping[str, Any]) -> str:
    """Task, target and size of a run, and how its prompts were built where that is not as usual."""
    config = run["config"]
    task, target = (METHOD_NAMES.get(config[part], str(config[part])) for part in ("task", "target"))
    reader = "" if config["target"] == "none" else f" read by {target}"
    size = f"{config['prompts']} prompts" + (f" × {config['queries']} queries" if config["queries"] > 1 else "")
    return f"{task}{_built(config)}{reader}, {size}"


def _built(config: Mapping[str, Any]) -> str:
    """
    >>> _built({"task": "nq", "documents": 20, "layout": "xml", "place": 3, "language": "en"})
    ' (20 documents, xml, answer in 3)'
    """
    parts = [f"{config['documents']} documents"] if config["task"] in ("nq", "needle") else []
    parts += [config["language"]] if config["task"] == "xquad" else []
    parts += [config["layout"]] if config.get("layout") else []
    parts += [f"answer in {config['place']}"] if config.get("place") else []
    parts += ["question first"] if config.get("question_first") else []
    return f" ({', '.join(parts)})" if parts else ""


def _axis(measure: str) -> str:
    return f"{measure} (nats, lower is better)" if measure.startswith("NLL") else f"{measure} (higher is better)"


def _across(figure: go.Figure, method: str, interval: Sequence[float | None]) -> None:
    name, colour, _, dash = STYLES[method]
    line = {"color": colour, "dash": dash, "width": 1.5}
    figure.add_hline(y=interval[0], line=line, annotation_text=name, annotation_position="top right")


def _line(
    figure: go.Figure,
    method: str,
    rows: Sequence[Mapping[str, Any]],
    measure: str,
    share: str,
    samples: Mapping[str, Any],
) -> None:
    base, _, maker = method.partition("@")
    name, colour, symbol, dash = STYLES.get(base, (method, GREY, "circle", "dot"))
    means, lows, highs = zip(*(_whole(value_of(row, measure) or ()) for row in rows), strict=True)
    texts = [_shown(samples.get(method, {}).get(str(row["retention"]), "")) for row in rows]
    figure.add_scatter(
        x=[row[share] for row in rows],
        y=means,
        error_y={
            "array": [high - mean for mean, high in zip(means, highs, strict=True)],
            "arrayminus": [mean - low for mean, low in zip(means, lows, strict=True)],
            "color": _faint(colour),
            "thickness": 1.5,
            "width": 4,
        },
        customdata=list(zip((row["prompts"] for row in rows), texts, lows, highs, strict=True)),
        name=name + (f" of {maker}" if maker else ""),
        mode="lines+markers",
        line={"color": colour, "dash": dash, "width": 3 if base == "diffumask" else 1.5},
        marker={"symbol": symbol, "size": 9},
        hovertemplate="%{y:.3f} [%{customdata[2]:.3f}, %{customdata[3]:.3f}], %{x:.0%} left, "
        "n = %{customdata[0]} prompts%{customdata[1]}",
    )  # fmt: skip


def _faint(colour: str) -> str:
    """#rrggbb -> the same, two thirds transparent: intervals overlap.

    >>> _faint("#0072B2")
    'rgba(0,114,178,0.35)'
    """
    return f"rgba({','.join(str(int(colour[i : i + 2], 16)) for i in (1, 3, 5))},0.35)"


def _whole(interval: Sequence[float | None]) -> tuple[float, float, float]:
    """Mean and bounds; the mean stands for bounds that could not be had."""
    mean, low, high = interval
    assert mean is not None
    return mean, mean if low is None else low, mean if high is None else high


def _shown(text: str) -> str:
    """A compressed prompt as Plotly's hover takes it: escaped (it reads markup), wrapped and cut."""
    lines = [part for line in text.splitlines() for part in textwrap.wrap(line, HOVER_WIDTH)]
    cut = [*lines[:HOVER_LINES], "…"] if len(lines) > HOVER_LINES else lines
    return "".join("<br>" + html.escape(line) for line in cut)


def matrix(report: Mapping[str, Any]) -> go.Figure | None:
    """Heat map [methods, targets]: the main measure less that of the question alone, at one retention; None without
    two targets. Negative (blue) helps the target that reads, whoever the mask was made for."""
    table = report.get("matrix")
    if not table:
        return None
    words = [[_cell(cell) for cell in line] for line in table["differences"]]
    short = [[f"{cell[0]:+.2f}" if cell else "" for cell in line] for line in table["differences"]]
    means = [[cell and cell[0] for cell in line] for line in table["differences"]]
    most = max(abs(mean) for line in means for mean in line if mean is not None)
    figure = go.Figure(
        go.Heatmap(
            z=means,
            x=[f"read by {METHOD_NAMES.get(target, target)}" for target in table["targets"]],
            y=[method_name(method) for method in table["methods"]],
            text=short,
            customdata=words,
            texttemplate="%{text}",
            colorscale="RdBu_r",
            zmid=0,
            zmin=-most,
            zmax=most,
            colorbar={"title": {"text": "nats"}, "thickness": 12},
            hovertemplate="%{y}, %{x}: %{customdata}<extra></extra>",
        )
    )
    figure.update_yaxes(autorange="reversed")
    task = f"{METHOD_NAMES.get(table['task'], table['task'])} at {table['retention']:.0%}, negative is better"
    title = f"{table['measure']} {LESS_ZERO}<br><sup>{html.escape(task)}</sup>"
    return styled(figure, title, 140 + 32 * len(table["methods"]))


def _cell(cell: Sequence[float] | None) -> str:
    return f"{cell[0]:+.2f} [{cell[1]:+.2f}, {cell[2]:+.2f}]" if cell else ""


def styled(figure: go.Figure, title: str, height: int) -> go.Figure:
    """Transparent, in greys that can be read on light and dark pages."""
    figure.update_layout(
        title={"text": title, "font": {"size": 15}},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": GREY, "size": 12},
        hoverlabel={"align": "left"},
        margin={"l": 60, "r": 20, "t": 60, "b": 50},
        legend={"orientation": "h", "y": -0.2, "yanchor": "top"},
        height=height,
    )
    figure.update_xaxes(gridcolor=GRID, zeroline=False)
    figure.update_yaxes(gridcolor=GRID, zeroline=False, automargin=True)
    return figure
