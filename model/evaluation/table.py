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
REFERENCES = ("diffumask", "uncorrected", "dense", "bm25", "llmlingua2", "full", "zero")
FOOTNOTE = (
    "Means with 95 % bootstrap intervals over prompts and queries. n: prompts measured (of zero, which has none, one "
    "for all). NLL in nats, of the first gold answer: per subword, or the sum of them. words, tokens, subwords: share "
    "of the context kept; asked: of its {unit}. seconds: of compressing a prompt once; what a method remembers of a "
    "prompt from one retention to the next is not counted again. A column 'vs X' holds the paired difference in "
    "{measure} to X at the same retention; {better} is better than X."
)
KEPT = ("answer kept", "gold words kept")  # measures of the compressed context itself, without a reader


@dataclass(frozen=True)
class CellOutcome:
    """One finished cell: a method's compressed prompt, measured on all queries.

    Attributes:
        method, retention: retention is None for a method without a budget.
        prompt: its index; None for the "zero" that stands for all prompts.
        words, tokens, subwords: share of the context's words / prompt tokens / target subwords that is left; subwords
            is None without a target.
        seconds: of compressing it.
        kept: by measure, what of the context's answer is left, 0-1.
        log_probs: [queries, labels], or [queries, 1] for free answers; empty without a reader that tells them.
        scored, graded, answers: as `subwords`, `graded`, `answers` of `tasks.task.Scores`.
    """

    method: str
    retention: float | None
    prompt: int | None
    words: float
    tokens: float
    subwords: float | None
    seconds: float
    kept: dict[str, float]
    log_probs: list[list[float]]
    scored: list[int] = field(default_factory=list)
    graded: dict[str, list[float]] = field(default_factory=dict)
    answers: list[str] = field(default_factory=list)


Cell = tuple[str, float | None]  # method, retention
Values = Mapping[str, Matrix]  # by measure: [prompts (1 for a zero that stands for all), queries]


@dataclass(frozen=True)
class TableRow:
    """One method at one retention.

    Attributes:
        words, tokens, subwords: mean share kept; subwords is None without a target.
        seconds: mean time of compressing a prompt.
        measures: by name; None where a measure does not exist ("benefit kept" of a prompt without benefit).
        differences: by reference method: mean of (this method - reference) in the main measure.
        paired: the same for every measure.
    """

    method: str
    retention: float | None
    prompts: int
    words: float
    tokens: float
    subwords: float | None
    seconds: float = field(compare=False)
    measures: Mapping[str, Interval | None]
    differences: Mapping[str, Interval]
    paired: Mapping[str, Mapping[str, Interval]]

    def to_json(self) -> dict[str, Any]:
        return {
            "method": self.method,
            "retention": self.retention,
            "prompts": self.prompts,
            "words_kept": round(self.words, 6),
            "tokens_kept": round(self.tokens, 6),
            "subwords_kept": None if self.subwords is None else round(self.subwords, 6),
            "seconds": round(self.seconds, 4),
            "measures": {name: m.to_json() if m else None for name, m in self.measures.items()},
            "differences": _to_json(self.differences),
            "paired": {name: _to_json(differences) for name, differences in self.paired.items()},
        }


def _to_json(differences: Mapping[str, Interval]) -> dict[str, Any]:
    return {name: difference.to_json() for name, difference in differences.items()}


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
        shares = ["words", "tokens", "subwords"]
        head = ["method", "n", "asked", *shares, "seconds", *names, *(f"vs {r}" for r in references)]
        lines = []
        for row in self.rows:
            cells = [row.method, str(row.prompts), "" if row.retention is None else f"{row.retention:.0%}"]
            cells += ["" if share is None else f"{share:.1%}" for share in (row.words, row.tokens, row.subwords)]
            cells.append(f"{row.seconds:.2f}")
            cells += [show(row.measures[name]) for name in names]
            lines.append(cells + [show(row.differences.get(r), sign="+") for r in references])
        better = "negative" if self.main.startswith("NLL") else "positive"
        note = FOOTNOTE.format(measure=self.main, better=better, unit=self.config.get("budget") or "tokens")
        return "\n".join([markdown(head, lines), "", note])

    def to_json(self) -> dict[str, Any]:
        """Plain values; every measure is [mean, low, high]."""
        rows = [row.to_json() for row in self.rows]
        return {"config": dict(self.config), "differences_in": self.main, "rows": rows}


def build_report(config: Mapping[str, Any], task: Task, outcomes: Sequence[CellOutcome], seed: int) -> EvaluationTable:
    """Rows in the order in which their first outcome came; one without all prompts is compared on those it has."""
    return _Builder(task, outcomes, seed).table(config)


class _Builder:
    """Rows from outcomes; all of them share the bootstrap's resamples."""

    def __init__(self, task: Task, outcomes: Sequence[CellOutcome], seed: int):
        self.task = task
        self.groups: dict[Cell, list[CellOutcome]] = {}
        for outcome in sorted(outcomes, key=lambda outcome: outcome.prompt or 0):
            self.groups.setdefault((outcome.method, outcome.retention), []).append(outcome)
        self.cells = list(dict.fromkeys((outcome.method, outcome.retention) for outcome in outcomes))
        self.values = {cell: _values(self.groups[cell], task) for cell in self.cells}
        self.prompts = {cell: [outcome.prompt for outcome in self.groups[cell]] for cell in self.cells}
        self.main = _main_measure(next(iter(self.values.values()), {}))
        self.draws = cache(partial(Bootstrap, queries=task.asked, seed=seed))

    def table(self, config: Mapping[str, Any]) -> EvaluationTable:
        return EvaluationTable(config, self.main, tuple(map(self._row, self.cells)))

    def _row(self, cell: Cell) -> TableRow:
        group, mine = self.groups[cell], self.values[cell]
        bootstrap = self.draws(len(self._covered(cell)))
        measures: dict[str, Interval | None] = {name: bootstrap.interval(m) for name, m in mine.items()}
        zero, full = ("zero", None), ("full", None)
        if "NLL" in mine and zero in self.values and full in self.values:
            ends = (self._same(zero, cell, "NLL"), mine["NLL"], self._same(full, cell, "NLL"))
            measures["benefit kept"] = bootstrap.benefit(*ends)
        paired = {name: self._differences(cell, name) for name in mine}
        subwords = [outcome.subwords for outcome in group if outcome.subwords is not None]
        return TableRow(
            *cell,
            prompts=len(group),
            words=_mean([outcome.words for outcome in group]),
            tokens=_mean([outcome.tokens for outcome in group]),
            subwords=_mean(subwords) if subwords else None,
            seconds=_mean([outcome.seconds for outcome in group]),
            measures=measures,
            differences=paired.get(self.main, {}),
            paired=paired,
        )

    def _covered(self, cell: Cell) -> Sequence[int | None]:
        """The prompts that a row stands for."""
        own = self.prompts[cell]
        return [prompt.index for prompt in self.task.prompts] if own == [None] else own

    def _same(self, other: Cell, cell: Cell, measure: str) -> Matrix:
        """A measure of another row on this row's prompts."""
        there, values = self.prompts[other], self.values[other][measure]
        return values if there == [None] else values[[there.index(p) for p in self._covered(cell)]]

    def _differences(self, cell: Cell, measure: str) -> dict[str, Interval]:
        bootstrap, covered = self.draws(len(self._covered(cell))), set(self._covered(cell))
        return {
            name: bootstrap.difference(self.values[cell][measure], self._same(other, cell, measure))
            for name in REFERENCES
            if name != cell[0]
            and (other := _reference(name, cell[1], self.values)) in self.values
            and measure in self.values[other]
            and (self.prompts[other] == [None] or covered <= set(self.prompts[other]))
        }


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def _main_measure(values: Values) -> str:
    """What rows are compared in: what the reader makes of the answer, or else what it writes, or else what is left."""
    for name in ("NLL cal.", "NLL", *(name for name in values if name not in KEPT), *values):
        if name in values:
            return name
    return ""


def _reference(name: str, retention: float | None, values: Mapping[Cell, Any]) -> Cell:
    """The cell of a reference method: without a budget if it has none, else at the same retention."""
    return (name, None) if (name, None) in values else (name, retention)


def _values(group: Sequence[CellOutcome], task: Task) -> dict[str, Matrix]:
    """Measures of one row by name."""
    values = {name: np.array([[o.kept[name]] for o in group], dtype=np.float64) for name in group[0].kept}
    if task.labels and group[0].log_probs:
        values |= _label_values(group, task)
    elif group[0].log_probs:
        nll = -np.array([outcome.log_probs for outcome in group], dtype=np.float64)[..., 0]
        values["NLL"] = nll
        if task.reads:
            values["NLL sum"] = nll * np.array([outcome.scored for outcome in group])
    for name in group[0].graded:
        values[name] = np.array([outcome.graded[name] for outcome in group], dtype=np.float64)
    return values


def _label_values(group: Sequence[CellOutcome], task: Task) -> dict[str, Matrix]:
    scores = np.array([outcome.log_probs for outcome in group], dtype=np.float64)
    raw = log_softmax(scores)
    # One query a prompt: the bias of a label is its mean over the prompts.
    calibrated = calibrate(scores) if task.asked > 1 else calibrate(scores.swapaxes(0, 1)).swapaxes(0, 1)
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
