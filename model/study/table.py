"""What an evaluation found: one row per method and retention, as a table and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.study.metrics import Bootstrap, Interval, Matrix, calibrate, correct, gold_nll, log_softmax
from model.study.tasks import Task

REFERENCES = ("diffumask", "llmlingua2", "full", "zero")  # each method is compared with these, where they ran
FOOTNOTE = (
    "Means with 95 % bootstrap intervals over prompts and queries. NLL in nats. tokens, subwords: share of "
    "the demonstrations kept. A column 'vs X' holds the paired difference in {measure} to X at the same "
    "retention; negative is better than X."
)


@dataclass(frozen=True)
class Outcome:
    """One finished cell: a method's compressed prompt, measured on all queries.

    Attributes:
        method, retention: retention is None for a method without a budget.
        prompt: its index; None for "zero", which has no demonstrations.
        tokens, subwords: share of the demonstrations' prompt tokens / target subwords that is left.
        log_probs: [queries, labels], or [queries, 1] for free answers (`tasks.Scores`).
        exact: per query, right or not; empty when nothing was generated.
    """

    method: str
    retention: float | None
    prompt: int | None
    tokens: float
    subwords: float
    log_probs: list[list[float]]
    exact: list[bool]


Cell = tuple[str, float | None]  # method, retention


@dataclass(frozen=True)
class Row:
    """One method at one retention.

    Attributes:
        tokens, subwords: mean share kept.
        measures: by name; None where a measure does not exist ("benefit kept" of a prompt without benefit).
        differences: by reference method: mean of (this method - reference) in the main measure.
    """

    method: str
    retention: float | None
    prompts: int
    tokens: float
    subwords: float
    measures: Mapping[str, Interval | None]
    differences: Mapping[str, Interval]

    def to_json(self) -> dict[str, Any]:
        return {
            "method": self.method,
            "retention": self.retention,
            "prompts": self.prompts,
            "tokens_kept": round(self.tokens, 6),
            "subwords_kept": round(self.subwords, 6),
            "measures": {name: m.to_json() if m else None for name, m in self.measures.items()},
            "differences": {name: d.to_json() for name, d in self.differences.items()},
        }


@dataclass(frozen=True)
class Report:
    """The rows of an evaluation; `config` says what was run, `main` which measure the differences are in."""

    config: Mapping[str, Any]
    main: str
    rows: tuple[Row, ...]

    def table(self) -> str:
        """A Markdown table, columns aligned for reading as plain text, with a line that explains it."""
        names = list(self.rows[0].measures)
        references = [r for r in REFERENCES if any(r in row.differences for row in self.rows)]
        head = ["method", "asked", "tokens", "subwords", *names, *(f"vs {r}" for r in references)]
        lines = [head]
        for row in self.rows:
            cells = [row.method, "" if row.retention is None else f"{row.retention:.0%}"]
            cells += [f"{row.tokens:.1%}", f"{row.subwords:.1%}"]
            cells += [_show(row.measures[name]) for name in names]
            lines.append(cells + [_show(row.differences.get(r), sign="+") for r in references])
        widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
        lines.insert(1, ["-" * width for width in widths])
        padded = ["| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines]
        return "\n".join([*padded, "", FOOTNOTE.format(measure=self.main)])

    def to_json(self) -> dict[str, Any]:
        """Plain values; every measure is [mean, low, high]."""
        rows = [row.to_json() for row in self.rows]
        return {"config": dict(self.config), "differences_in": self.main, "rows": rows}


def _show(value: Interval | None, sign: str = "") -> str:
    if value is None:
        return ""
    if value.low is None or value.high is None:
        return f"{value.mean:{sign}.3f}"
    return f"{value.mean:{sign}.3f} [{value.low:{sign}.3f}, {value.high:{sign}.3f}]"


def build_report(config: Mapping[str, Any], task: Task, outcomes: Sequence[Outcome], seed: int) -> Report:
    """Rows in the order in which their first outcome came."""
    groups: dict[Cell, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault((outcome.method, outcome.retention), []).append(outcome)
    bootstrap = Bootstrap(len(task.prompts), len(task.queries), seed)
    gold = np.array([query.label or 0 for query in task.queries])
    values = {cell: _values(group, gold, bool(task.labels)) for cell, group in groups.items()}
    main = "NLL cal." if task.labels else "NLL"
    rows = []
    for (method, retention), group in groups.items():
        mine = values[method, retention]
        measures: dict[str, Interval | None] = {name: bootstrap.interval(m) for name, m in mine.items()}
        if not task.labels:
            measures |= _benefit(bootstrap, values, mine[main], main)
        differences = {
            name: bootstrap.difference(mine[main], values[cell][main])
            for name in REFERENCES
            if name != method and (cell := _reference(name, retention, values)) in values
        }
        tokens = float(np.mean([outcome.tokens for outcome in group]))
        subwords = float(np.mean([outcome.subwords for outcome in group]))
        rows.append(Row(method, retention, len(group), tokens, subwords, measures, differences))
    return Report(config, main, tuple(rows))


def _reference(name: str, retention: float | None, values: Mapping[Cell, Any]) -> Cell:
    """The cell of a reference method: without a budget if it has none, else at the same retention."""
    return (name, None) if (name, None) in values else (name, retention)


def _values(group: Sequence[Outcome], gold: NDArray[np.int64], labelled: bool) -> dict[str, Matrix]:
    """Measures of one row by name, each [prompts (1 for zero), queries]."""
    ordered = sorted(group, key=lambda outcome: outcome.prompt or 0)
    scores = np.array([outcome.log_probs for outcome in ordered], dtype=np.float64)
    if not labelled:
        values = {"NLL": -scores[..., 0]}
        if all(outcome.exact for outcome in ordered):
            values["exact match"] = np.array([outcome.exact for outcome in ordered], dtype=np.float64)
        return values
    raw, calibrated = log_softmax(scores), calibrate(scores)
    return {
        "acc. raw": correct(raw, gold),
        "NLL raw": gold_nll(raw, gold),
        "acc. cal.": correct(calibrated, gold),
        "NLL cal.": gold_nll(calibrated, gold),
    }


def _benefit(
    bootstrap: Bootstrap, values: Mapping[Cell, Mapping[str, Matrix]], mine: Matrix, main: str
) -> dict[str, Interval | None]:
    """The measure "benefit kept", where both "full" and "zero" ran."""
    if ("full", None) not in values or ("zero", None) not in values:
        return {}
    return {"benefit kept": bootstrap.benefit(values["zero", None][main], mine, values["full", None][main])}
