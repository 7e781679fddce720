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
from model.evaluation.report.curves import METHOD_NAMES, measures_of, method_name, value_of

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


# --- the sentence on top -----------------------------------------------------------------------------------


def headline(run: Mapping[str, Any]) -> str:
    """What a run says, for somebody who knows none of its measures: what is left, how many answers are right, and
    whether that is better or worse than the alternatives; "" where DiffuMask was not measured."""
    rows = {row["method"]: row for row in run["rows"] if row["retention"] is None}
    own = [row for row in run["rows"] if row["method"] == "diffumask"]
    if not own:
        return ""
    row = min(own, key=lambda each: abs(each["tokens_kept"] - 0.5))
    config, right = run["config"], _right(row)
    task, target = (METHOD_NAMES.get(name, name) for name in (config["task"], config["target"]))
    where = f"{task}, answered by {target}"
    said = f"{where}: DiffuMask leaves {row['tokens_kept']:.0%} of the prompt"
    if right:
        rest = {name: value for name in ("full", "zero") if name in rows and (value := _right(rows[name]))}
        others = [f"{_share(value)} {_INSTEAD[name]}" for name, value in rest.items()]
        said += f", and {_share(right)} of the answers are right" + (f", against {' and '.join(others)}" * bool(others))
    judged = [_against(name, row, run["differences_in"]) for name in _OTHERS if name in row["differences"]]
    about = f" Measured by how sure the model is of the right answer, that is {_listed(judged)}." if judged else ""
    return f"{said}.{about}"


_INSTEAD = {"full": "with the full prompt", "zero": "with the question alone"}
_OTHERS = {"full": "the full prompt", "zero": "the question alone", "llmlingua2": "LLMLingua-2"}


def _right(row: Mapping[str, Any]) -> Sequence[float] | None:
    """[mean, low, high] of the share of right answers, if that was measured."""
    named = [name for name, value in row["measures"].items() if name.startswith("acc") and value]
    return row["measures"][max(named, key=lambda name: name.endswith("cal."))] if named else None


def _share(value: Sequence[float]) -> str:
    mean, low, high = value
    return f"{mean:.0%} ({low:.0%} to {high:.0%})" if low is not None else f"{mean:.0%}"


def _against(name: str, row: Mapping[str, Any], measure: str) -> str:
    """The paired difference to another method in words; where its interval holds 0 nothing is told."""
    _, low, high = row["differences"][name]
    if low is None or low <= 0 <= high:
        return f"not to be told apart from {_OTHERS[name]}"
    return f"{'better' if (high < 0) == measure.startswith('NLL') else 'worse'} than {_OTHERS[name]}"


def _listed(parts: Sequence[str]) -> str:
    return ", ".join(parts[:-1]) + " and " * (len(parts) > 1) + parts[-1]


def results_table(run: Mapping[str, Any], measure: str) -> str:
    """All rows of a run, with a measure and the paired differences in the main one."""
    against = [name for name in ("zero", "llmlingua2") if any(name in row["differences"] for row in run["rows"])]
    main = run["differences_in"]
    paired = [f"{main} less that of {method_name(name)}#" for name in against]
    columns = ["Method*", "Asked#", "Left#", f"{measure}#", *paired]
    rows = []
    for row in run["rows"]:
        asked = "" if row["retention"] is None else f"{row['retention']:.0%}"
        cells = [method_name(row["method"]), asked, f"{row['tokens_kept']:.0%}", _interval(value_of(row, measure))]
        rows.append(("", [*cells, *(_interval(row["differences"].get(name), "+") for name in against)]))
    return table.content(table.rows("Results", columns, rows), table.paragraph(_explained(run), "quiet"))


def _explained(run: Mapping[str, Any]) -> str:
    config = run["config"]
    return (
        f"Means with 95 % bootstrap intervals over {config['prompts']} prompts and {config['queries']} queries; "
        "differences are paired. NLL: of the right answer, in nats; cal.: after batch calibration. Hover over a point "
        "to read a prompt that the method compressed."
    )


def _interval(value: Sequence[Any] | None, sign: str = "") -> str:
    return show(Interval(*value), sign=sign) if value and value[0] is not None else ""
