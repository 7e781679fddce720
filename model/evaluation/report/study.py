"""The whole study from one file: all the runs that it names, and a folder with what came out.

    report.json   all numbers; `model.evaluation.report.curves` draws from it
    report.md     the tables
    curves.html   curves and matrix, for any browser, offline
    cells.jsonl   finished work: the same command again goes on where the last one ended

A study is a TOML file (see `presets/`): `title`, `data` (folder of the tasks' folders; --data goes before it),
`example` (a prompt that every method compresses, shown at the points of the curves), a [[run]] for each task and target
with the fields of `EvaluateConfig`, a [matrix] with `task` and `retention`, an [overview] with a list of `retention` at
which all runs stand side by side, and [lost] with the fields of a run and `questions` (see
`model.evaluation.omissions.examine`).
"""

from __future__ import annotations

import html
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ...errors import InputError
from ...llm.causal import Target
from ..config import EvaluateConfig
from ..evaluate import evaluate
from ..methods.registry import METHODS, split_name
from ..methods.texts import Methods
from ..omissions.examine import QUESTIONS, examine
from ..progress import Progress
from ..readers import load_reading_model
from ..tasks.load import WITHOUT_DATA
from ..tasks.sources import HUB
from . import curves
from .overview import overview, overview_table

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PRESETS = Path(__file__).parent / "presets"
_RUN_FIELDS = {f.name for f in fields(EvaluateConfig)} - {"json", "cells", "resume", "device"}
_PATHS = ("checkpoint", "human", "llmlingua_model", "llmlingua2_model")  # from the study file's folder


@dataclass(frozen=True)
class MatrixConfig:
    """Which task's runs are set side by side, at which retention: methods down, targets across."""

    task: str
    retention: float


@dataclass(frozen=True)
class StudyConfig:
    """What to run and where to put it.

    Attributes:
        runs: their finished cells stand together in out/cells.jsonl.
        example: the prompt that every method compresses for the curves; "" = none.
        overview: at which retentions all runs stand side by side.
    """

    title: str
    out: Path
    runs: tuple[EvaluateConfig, ...]
    example: str = ""
    matrix: MatrixConfig | None = None
    lost: EvaluateConfig | None = None
    questions: tuple[str, ...] = QUESTIONS
    overview: tuple[float, ...] = ()


def read_study(source: str, out: Path, data: Path | None = None, device: str | None = None) -> StudyConfig:
    """A study file, or a preset by name ("small"). InputError names what is wrong in it."""
    path = PRESETS / f"{source}.toml" if not source.endswith(".toml") else Path(source)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = ", ".join(sorted(p.stem for p in PRESETS.glob("*.toml")))
        raise InputError(f"there is no study {source!r}; give a .toml file or one of {known}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"cannot read the study {path}: {error}") from None
    _check_fields(table, {"title", "data", "example", "run", "matrix", "overview", "lost"}, str(path))
    folder = data or (path.parent / str(table["data"]) if "data" in table else None)
    runs = table.get("run")
    if not isinstance(runs, list) or not runs or not all(isinstance(run, dict) for run in runs):
        raise InputError(f"{path} names no run: add a [[run]] with task, target and methods")
    made = tuple(_run(run, f"run {i}", folder, out, device, path) for i, run in enumerate(runs, start=1))
    examined = dict(table.get("lost", {}))
    questions = tuple(examined.pop("questions", QUESTIONS))
    if unknown := set(questions) - set(QUESTIONS):
        raise InputError(f"{path}, lost: unknown question {sorted(unknown)[0]!r}; known: {', '.join(QUESTIONS)}")
    lost = _run(examined, "lost", folder, out, device, path) if examined else None
    example = path.parent / str(table["example"]) if "example" in table else None
    try:
        text = example.read_text(encoding="utf-8") if example else ""
        matrix = MatrixConfig(**table["matrix"]) if "matrix" in table else None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot read the example {example}: {error}") from None
    except TypeError:
        raise InputError(f"{path}: [matrix] takes task and retention") from None
    title, across = str(table.get("title", path.stem)), _overview(table.get("overview", {}), path)
    return StudyConfig(title, out, made, text, matrix, lost, questions, across)


def _overview(given: Any, path: Path) -> tuple[float, ...]:
    retentions = given.get("retention", []) if isinstance(given, dict) else None
    if not isinstance(retentions, list) or not all(isinstance(each, float) for each in retentions):
        raise InputError(f"{path}: [overview] takes retention, a list of shares")
    return tuple(retentions)


def _run(
    given: Mapping[str, Any], section: str, folder: Path | None, out: Path, device: str | None, path: Path
) -> EvaluateConfig:
    """One section; its data is what it names, or the folder of its task, in `folder` unless it is on the hub."""
    where = f"{path}, {section}"
    _check_fields(given, _RUN_FIELDS, where)
    if missing := [name for name in ("task", "target", "methods") if name not in given]:
        raise InputError(f"{where}: {missing[0]} is missing")
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in given.items()}
    values |= {name: path.parent / str(values[name]) for name in _PATHS if name in values}
    data = str(values.get("data", values["task"]))
    if values["task"] in WITHOUT_DATA:
        values["data"] = None
    elif not data.startswith(HUB):
        if folder is None and not Path(data).is_absolute():
            raise InputError(f"{where}: no folder with the data; give --data DIR, or `data` in the file")
        values["data"] = Path(folder or ".", data)
    try:
        return EvaluateConfig(**values, cells=out / "cells.jsonl", resume=True, device=device)
    except (InputError, TypeError) as error:
        raise InputError(f"{where}: {error}") from None


def _check_fields(given: Mapping[str, Any], known: set[str], where: str) -> None:
    if unknown := sorted(set(given) - known):
        raise InputError(f"{where}: unknown field {unknown[0]!r}; known: {', '.join(sorted(known))}")


def study(config: StudyConfig, progress: Progress) -> dict[str, Any]:
    """Run everything that is not done yet and write the folder, anew after each run; returns what report.json holds."""
    try:
        config.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write to {config.out}: {error.strerror}") from None
    report: dict[str, Any] = {"title": config.title, "runs": []}
    tables: list[str] = []
    for run in config.runs:
        target = load_reading_model(run.target, run.device, fast=not run.fp32, chat=run.chat).target
        made = evaluate(run, progress, target=target)
        report["runs"].append(made.to_json() | {"samples": samples(run, target, config.example)})
        tables.append(made.table())
        if config.matrix:
            report["matrix"] = pivot(report["runs"], config.matrix)
        if config.overview:
            report["overview"] = [overview(report["runs"], retention) for retention in config.overview]
        write_report(config.out, report, tables)
    if config.lost:
        lost = examine(config.lost, progress, config.questions)
        report["lost"] = {"config": config.lost.to_json(), "methods": lost.found}
        write_report(config.out, report, tables, lost.tables)
    return report


def samples(run: EvaluateConfig, target: Target | None, text: str) -> dict[str, dict[str, str]]:
    """method -> asked retention -> what it makes of a text; of methods that can do so for any text, and quickly."""
    methods, found = Methods(run, target=target), {}
    quick = [name for name in run.methods if (entry := METHODS[split_name(name)[0]]).budget and not entry.slow]
    for name in quick if text.strip() else ():
        try:
            found[name] = {str(r): methods.compress_with(name, text, r) for r in run.retention}
        except InputError:
            continue  # recorded outputs of the task's own prompts
    return found


def pivot(runs: Sequence[Mapping[str, Any]], matrix: MatrixConfig) -> dict[str, Any] | None:
    """The runs of one task as a table [methods, targets] of differences to the question alone, in the main measure; a
    method without a budget stands at its own length. None where there is nothing to compare."""
    chosen = [run for run in runs if run["config"]["task"] == matrix.task]
    cells: dict[str, dict[str, Any]] = {}
    for run in chosen:
        for row in run["rows"]:
            if row["retention"] in (None, matrix.retention) and "zero" in row["differences"]:
                cells.setdefault(row["method"], {})[run["config"]["target"]] = row["differences"]["zero"]
    if not cells:
        return None
    targets = list(dict.fromkeys(run["config"]["target"] for run in chosen))
    return {
        "task": matrix.task,
        "retention": matrix.retention,
        "measure": chosen[0]["differences_in"],
        "methods": list(cells),
        "targets": targets,
        "differences": [[of_target.get(target) for target in targets] for of_target in cells.values()],
    }


def write_report(folder: Path, report: Mapping[str, Any], tables: Sequence[str], lost: Sequence[str] = ()) -> None:
    """report.json, report.md and curves.html, each whole or not at all."""
    sections = [f"# {report['title']}", *map(overview_table, report.get("overview", ()))]
    for run, table in zip(report["runs"], tables, strict=True):
        sections.append(f"## {curves.run_name(run)}\n\n{table}")
    if lost:
        config = report["lost"]["config"]
        named = {"config": config}
        sections += [f"## What was lost: {curves.run_name(named)}, {config['retention'][0]:.0%} left", *lost]
    for name, text in (
        ("report.json", json.dumps(report, indent=1)),
        ("report.md", "\n\n".join(sections)),
        ("curves.html", page(report)),
    ):
        temporary = folder / f".{name}"
        temporary.write_text(text + "\n", encoding="utf-8")
        temporary.replace(folder / name)


def page(report: Mapping[str, Any]) -> str:
    """All figures on one page that needs nothing from the network."""
    figures = [curves.curve(run, measure) for run in report["runs"] for measure in curves.measures_of(run)[:2]]
    figures += [figure for figure in [curves.matrix(report)] if figure]
    parts = [figure.to_html(full_html=False, include_plotlyjs=i == 0) for i, figure in enumerate(figures)]
    title = html.escape(str(report["title"]))
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
    body = f'<body style="font-family:system-ui;max-width:1100px;margin:2rem auto"><h1>{title}</h1>'
    return "\n".join([head, body, *parts])
