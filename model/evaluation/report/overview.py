"""The runs of a study side by side: methods down, kinds of prompt across, at one retention."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..metrics.bootstrap import Interval
from ..metrics.figures import markdown, show
from ..table import KEPT
from . import curves


def overview(runs: Sequence[Mapping[str, Any]], retention: float) -> dict[str, Any]:
    """The main measure of each run, and what is kept of the answers; a method without a budget at its own length.

    Returns {retention, methods, columns: [{run, measure}], cells: [methods][columns] of [mean, low, high] or None}.
    """
    columns = [(run, measure) for run in runs for measure in _measures(run)]
    found = [{row["method"]: row["measures"].get(measure) for row in _rows(run, retention)} for run, measure in columns]
    methods = list(dict.fromkeys(row["method"] for run in runs for row in _rows(run, retention)))
    return {
        "retention": retention,
        "methods": methods,
        "columns": [{"run": curves.run_name(run), "measure": measure} for run, measure in columns],
        "cells": [[of_run.get(method) for of_run in found] for method in methods],
    }


def overview_table(table: Mapping[str, Any]) -> str:
    """The same in Markdown."""
    head = ["method", *(f"{column['run']}: {column['measure']}" for column in table["columns"])]
    lines = [
        [curves.method_name(method), *(show(Interval(*cell)) if cell else "" for cell in cells)]
        for method, cells in zip(table["methods"], table["cells"], strict=True)
    ]
    return f"## Methods by kinds of prompt, {table['retention']:.0%} left\n\n{markdown(head, lines)}"


def _rows(run: Mapping[str, Any], retention: float) -> Iterator[Mapping[str, Any]]:
    return (row for row in run["rows"] if row["retention"] in (None, retention))


def _measures(run: Mapping[str, Any]) -> list[str]:
    """What is kept of the answers, then the main measure."""
    there = {name for row in run["rows"] for name in row["measures"]}
    return list(dict.fromkeys([*(name for name in KEPT if name in there), run["differences_in"]]))
