"""What an evaluation found: one row per method and retention, as a table and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .metrics.bootstrap import Bootstrap, Interval, Matrix, calibrate, correct, gold_nll, log_softmax
from .metrics.figures import markdown, show
from .tasks.task import Task

# Each method is compared with these, where they ran on the same prompts.
REFERENCES = ("diffumask", "uncorrected", "llmlingua2", "full", "zero")
FOOTNOTE = (
    "Means with 95 % bootstrap intervals over prompts and queries. n: prompts measured (of zero, which has none, one "
    "for all). NLL in nats. tokens, subwords: share of the demonstrations kept. A column 'vs X' holds the paired "
    "difference in {measure} to X at the same retention; negative is better than X."
)


@dataclass(frozen=True)
class CellOutcome:
    """One finished cell: a method's compressed prompt, measured on all queries.

    Attributes:
        method, retention: retention is None for a method without a budget.
        prompt: its index; None for "zero", which has no demonstrations.
        tokens, subwords: share of the demonstrations' prompt tokens / target subwords that is left.
        log_probs: [queries, labels], or [queries, 1] for free answers (`tasks.Scores`).
        exact, rouge, answers: per query, as in `tasks.Scores`; empty when nothing was generated.
    """

    method: str
    retention: float | None
    prompt: int | None
    tokens: float
    subwords: float
    log_probs: list[list[float]]
    exact: list[bool]
    rouge: list[float] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)


Cell = tuple[str, float | None]  # method, retention


@dataclass(frozen=True)
class TableRow:
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
class EvaluationTable:
    """The rows of an evaluation; `config` says what was run, `main` which measure the differences are in."""

    config: Mapping[str, Any]
    main: str
    rows: tuple[TableRow, ...]

    def table(self) -> str:
        """A Markdown table, columns aligned for reading as plain text, with a line that explains it."""
        names = list(self.rows[0].measures)
        references = [r for r in REFERENCES if any(r in row.differences for row in self.rows)]
        head = ["method", "n", "asked", "tokens", "subwords", *names, *(f"vs {r}" for r in references)]
        lines = []
        for row in self.rows:
            cells = [row.method, str(row.prompts), "" if row.retention is None else f"{row.retention:.0%}"]
            cells += [f"{row.tokens:.1%}", f"{row.subwords:.1%}"]
            cells += [show(row.measures[name]) for name in names]
            lines.append(cells + [show(row.differences.get(r), sign="+") for r in references])
        return "\n".join([markdown(head, lines), "", FOOTNOTE.format(measure=self.main)])

    def to_json(self) -> dict[str, Any]:
        """Plain values; every measure is [mean, low, high]."""
        rows = [row.to_json() for row in self.rows]
        return {"config": dict(self.config), "differences_in": self.main, "rows": rows}


def build_report(config: Mapping[str, Any], task: Task, outcomes: Sequence[CellOutcome], seed: int) -> EvaluationTable:
    """Rows in the order in which their first outcome came; one without all prompts is compared on those it has."""
    groups: dict[Cell, list[CellOutcome]] = {}
    for outcome in sorted(outcomes, key=lambda outcome: outcome.prompt or 0):
        groups.setdefault((outcome.method, outcome.retention), []).append(outcome)
    cells = dict.fromkeys((outcome.method, outcome.retention) for outcome in outcomes)
    values = {cell: _values(groups[cell], task) for cell in cells}
    prompts = {cell: [outcome.prompt for outcome in groups[cell]] for cell in cells}
    main = "NLL cal." if task.labels else "NLL"
    draws = cache(partial(Bootstrap, queries=task.asked, seed=seed))
    rows = []
    for (method, retention), mine in values.items():
        covered = prompts[method, retention]
        if covered == [None]:
            covered = [prompt.index for prompt in task.prompts]
        bootstrap = draws(len(covered))

        def same(cell: Cell, covered: Sequence[int | None] = covered) -> Matrix:
            """The main measure of another row on this row's prompts."""
            there = prompts[cell]
            return values[cell][main] if there == [None] else values[cell][main][[there.index(p) for p in covered]]

        measures: dict[str, Interval | None] = {name: bootstrap.interval(m) for name, m in mine.items()}
        if not task.labels and ("full", None) in values and ("zero", None) in values:
            measures["benefit kept"] = bootstrap.benefit(same(("zero", None)), mine[main], same(("full", None)))
        differences = {
            name: bootstrap.difference(mine[main], same(cell))
            for name in REFERENCES
            if name != method
            and (cell := _reference(name, retention, values)) in values
            and (prompts[cell] == [None] or set(covered) <= set(prompts[cell]))
        }
        group = groups[method, retention]
        tokens = float(np.mean([outcome.tokens for outcome in group]))
        subwords = float(np.mean([outcome.subwords for outcome in group]))
        rows.append(TableRow(method, retention, len(group), tokens, subwords, measures, differences))
    return EvaluationTable(config, main, tuple(rows))


def _reference(name: str, retention: float | None, values: Mapping[Cell, Any]) -> Cell:
    """The cell of a reference method: without a budget if it has none, else at the same retention."""
    return (name, None) if (name, None) in values else (name, retention)


def _values(group: Sequence[CellOutcome], task: Task) -> dict[str, Matrix]:
    """Measures of one row by name, each [prompts (1 for a zero that stands for all), queries]."""
    scores = np.array([outcome.log_probs for outcome in group], dtype=np.float64)
    if not task.labels:
        values = {"NLL": -scores[..., 0]}
        for name, each in (("exact match", [o.exact for o in group]), ("ROUGE-L", [o.rouge for o in group])):
            if all(each):
                values[name] = np.array(each, dtype=np.float64)
        return values
    raw, calibrated = log_softmax(scores), calibrate(scores)
    gold = [_gold(task, outcome) for outcome in group]
    return {
        "acc. raw": _stacked(correct, raw, gold),
        "NLL raw": _stacked(gold_nll, raw, gold),
        "acc. cal.": _stacked(correct, calibrated, gold),
        "NLL cal.": _stacked(gold_nll, calibrated, gold),
    }


def _gold(task: Task, outcome: CellOutcome) -> NDArray[np.int64]:
    prompt = None if outcome.prompt is None else task.prompts[outcome.prompt]
    return np.array([query.label or 0 for query in task.queries_of(prompt)])


def _stacked(
    measure: Callable[[Matrix, NDArray[np.int64]], Matrix], scores: Matrix, gold: Sequence[NDArray[np.int64]]
) -> Matrix:
    """A measure of each prompt, whose queries may be its own."""
    return np.concatenate([measure(row[None], wanted) for row, wanted in zip(scores, gold, strict=True)])
