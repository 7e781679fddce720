"""What the Results tab shows of a study's report.json. Pure: no Gradio."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from app.components import table
from model.errors import InputError
from model.evaluation.metrics.bootstrap import Interval
from model.evaluation.metrics.figures import show
from model.evaluation.report.curves import SHARES, measures_of, method_name, value_of

_MAX_BYTES = 20 * 2**20  # of a report
COMMAND = "python -m model report --config small --data DATA --out report"


def read_report(path: Path) -> dict[str, Any]:
    """A report that `python -m model report` wrote. InputError when it is missing or is something else."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(f"{path.name} is larger than {_MAX_BYTES // 2**20} MB, so it is no report of a study.")
        report = json.loads(path.read_text(encoding="utf-8"))
        for run in report["runs"]:
            measures_of(run)
            for part in ("task", "target", "prompts", "queries"):
                run["config"][part]
        return dict(report)
    except FileNotFoundError:
        raise InputError(f"There is no report at {path.name}. Make one: {COMMAND}") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        kind = type(error).__name__
        raise InputError(f"{path.name} is not a report of a study ({kind}). Make one: {COMMAND}") from None


def results_table(run: Mapping[str, Any], measure: str) -> str:
    """All rows of a run, with a measure and the paired differences in the main one."""
    against = [name for name in ("zero", "llmlingua2") if any(name in row["differences"] for row in run["rows"])]
    main = run["differences_in"]
    paired = [f"{main} less that of {method_name(name)}#" for name in against]
    columns = ["Method*", "Asked#", "Left#", f"{measure}#", *paired]
    share, rows = SHARES.get(str(run["config"].get("budget")), "tokens_kept"), []
    for row in run["rows"]:
        asked = "" if row["retention"] is None else f"{row['retention']:.0%}"
        cells = [method_name(row["method"]), asked, f"{row[share]:.0%}", _interval(value_of(row, measure))]
        rows.append(("", [*cells, *(_interval(row["differences"].get(name), "+") for name in against)]))
    return table.content(table.rows("Results", columns, rows), table.paragraph(_explained(run), "quiet"))


def _explained(run: Mapping[str, Any]) -> str:
    config = run["config"]
    return (
        f"Means with 95 % bootstrap intervals over {config['prompts']} prompts and {config['queries']} queries; "
        "differences are paired. NLL: of the right answer, in nats; cal.: after batch calibration. Hover over a point "
        "of the curve to read a prompt that the method compressed."
    )


def _interval(value: Sequence[Any] | None, sign: str = "") -> str:
    return show(Interval(*value), sign=sign) if value and value[0] is not None else ""
