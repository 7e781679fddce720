"""A study from a file to its folder, and what is drawn from it."""

from __future__ import annotations

import doctest
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

import model.evaluation.report.curves
from model.cli import main
from model.errors import InputError
from model.evaluation.report.curves import curve, matrix, measures_of
from model.evaluation.report.study import PRESETS, MatrixConfig, pivot, read_study, study
from tests.support.tiny_target import make_target
from tests.support.toy_rows import write_data

STUDY = """
title = "Sums & <labels>"
example = "example.txt"

[[run]]
task = "sums.jsonl"
target = "{small}"
methods = ["full", "zero", "random", "first"]
retention = [0.3, 0.6]
prompts = 2

[[run]]
task = "sums.jsonl"
target = "{other}"
methods = ["full", "zero", "random"]
retention = [0.3]

[matrix]
task = "jsonl"
retention = 0.3

[lost]
task = "sums.jsonl"
target = "{small}"
methods = ["first"]
retention = [0.3]
questions = ["dropped", "costs"]

[overview]
retention = [0.3]
"""
HOSTILE = "A: <img src=x onerror=alert(1)> %{y} $\\alpha$ {{value}}\nB: it is 4.\n\n" * 2


def silent(items: Iterable[Any], **_: Any) -> Iterable[Any]:
    return items


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study file, its data and two small targets."""
    here = tmp_path_factory.mktemp("study")
    targets = {}
    for name, kind in (("small", "llama"), ("other", "llama-bos")):
        target = make_target(kind)
        target.model.save_pretrained(here / name)
        target.tokenizer.save_pretrained(here / name)
        targets[name] = str(here / name)
    rows = [
        {"prompt": "Q: 1 + 1?\nA: two\n\nQ: 5 + 1?\nA: six" + more, "query": f"Q: {i} + 2?\nA:", "answer": answer}
        for more in ("", "\n\nQ: 3 + 3?\nA: six")
        for i, answer in enumerate(("two", "six", "two"))
    ]
    labels = ["two", "six"]
    (here / "sums.jsonl").write_text("".join(json.dumps(row | {"labels": labels}) + "\n" for row in rows))
    (here / "example.txt").write_text(HOSTILE)
    text = STUDY.replace('task = "sums.jsonl"', 'task = "jsonl"\ndata = "sums.jsonl"')
    (here / "study.toml").write_text(text.format(**targets))
    return here


@pytest.fixture(scope="module")
def report(folder: Path) -> dict[str, Any]:
    """The study, run by the command line."""
    arguments = ["--config", str(folder / "study.toml"), "--data", str(folder), "--out", str(folder / "out")]
    assert main(["report", *arguments]) == 0
    return dict(json.loads((folder / "out" / "report.json").read_text()))


def test_the_folder_holds_everything(folder: Path, report: dict[str, Any]) -> None:
    out = folder / "out"
    assert [len(run["rows"]) for run in report["runs"]] == [2 + 2 * 2, 2 + 1]
    tables = (out / "report.md").read_text()
    assert tables.startswith("# Sums & <labels>") and tables.count("| random ") == 4 and "first, dropped" in tables
    page = (out / "curves.html").read_text()
    assert "<h1>Sums &amp; &lt;labels&gt;</h1>" in page and "<img src=x" not in page
    assert 'src="http' not in page, "it must open offline"
    assert set(report["lost"]["methods"]["first"]) == {"dropped", "costs"}


def test_the_same_command_again_measures_nothing_anew(folder: Path, report: dict[str, Any]) -> None:
    before = (folder / "out" / "cells.jsonl").read_text()
    config = read_study(str(folder / "study.toml"), folder / "out", folder)
    assert json.loads(json.dumps(study(config, silent))) == report
    assert before and (folder / "out" / "cells.jsonl").read_text() == before


def test_every_point_shows_what_its_method_made_of_the_example(report: dict[str, Any]) -> None:
    samples = report["runs"][0]["samples"]
    assert set(samples) == {"random", "first"} and set(samples["first"]) == {"0.3", "0.6"}
    assert HOSTILE.startswith(samples["first"]["0.6"].strip()[:20])
    figure = curve(report["runs"][0], "NLL cal.")
    first = next(trace for trace in figure.data if trace.name == "cutting off")
    rows = [row for row in report["runs"][0]["rows"] if row["method"] == "first"]
    assert list(first.x) == [row["tokens_kept"] for row in rows]
    assert list(first.y) == [row["measures"]["NLL cal."][0] for row in rows]
    shown = " ".join(text for _, text, *_ in first.customdata)
    assert "&lt;img" in shown and "<img" not in shown
    assert {line.y0 for line in figure.layout.shapes} == {
        row["measures"]["NLL cal."][0] for row in report["runs"][0]["rows"] if row["method"] in ("full", "zero")
    }


def test_the_matrix_holds_the_paired_differences(folder: Path, report: dict[str, Any]) -> None:
    table = report["matrix"]
    assert table["targets"] == [str(folder / "small"), str(folder / "other")]
    assert table["methods"] == ["full", "random", "first"]
    assert table["differences"][2][1] is None, "cutting off was not run for the other target"
    row = next(row for row in report["runs"][1]["rows"] if row["method"] == "random")
    assert table["differences"][1][1] == row["differences"]["zero"]
    figure = matrix(report)
    assert figure is not None and figure.data[0].z[1][1] == row["differences"]["zero"][0]
    assert pivot(report["runs"], MatrixConfig("gsm8k", 0.3)) is None and matrix({"runs": []}) is None


def test_all_runs_stand_side_by_side(folder: Path, report: dict[str, Any]) -> None:
    (table,) = report["overview"]
    assert table["methods"] == ["full", "zero", "random", "first"] and len(table["columns"]) == 2
    row = next(row for row in report["runs"][1]["rows"] if row["method"] == "random")
    assert table["cells"][2][1] == row["measures"]["NLL cal."]
    assert table["cells"][3][1] is None, "cutting off was not run for the other target"
    first = next(row for row in report["runs"][0]["rows"] if (row["method"], row["retention"]) == ("first", 0.3))
    assert table["cells"][3][0] == first["measures"]["NLL cal."]
    assert "## Methods by kinds of prompt, 30% left" in (folder / "out" / "report.md").read_text()


def test_every_measure_can_be_drawn(report: dict[str, Any]) -> None:
    for run in report["runs"]:
        measures = measures_of(run)
        assert measures[0] == "NLL cal." and len(measures) == 5
        for measure in measures:
            assert curve(run, measure).data


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda s: s.replace("prompts = 2", "prompt = 2"), "run 1: unknown field 'prompt'"),
        (lambda s: s.replace("prompts = 2", "prompts = 0"), "run 1: prompts must be at least 1"),
        (lambda s: s.replace('"random", "first"', '"randm"'), "run 1: unknown method 'randm'"),
        (lambda s: s.replace("[matrix]", "[matrices]"), "unknown field 'matrices'"),
        (
            lambda s: s.replace("[overview]\nretention = [0.3]", "[overview]\nretention = 0.3"),
            r"\[overview\] takes retention",
        ),
        (lambda s: s.replace("retention = 0.3\n", ""), r"\[matrix\] takes task and retention"),
        (lambda s: s.replace("example.txt", "gone.txt"), "cannot read the example"),
        (lambda s: s.replace('"costs"', '"cost"'), "unknown question 'cost'"),
        (lambda s: s + "\n[[", "cannot read the study"),
        (lambda s: 'title = "empty"', "names no run"),
    ],
)
def test_mistakes_in_the_file_are_named_before_any_work(
    change: Any, says: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(change((folder / "study.toml").read_text()))
    (tmp_path / "example.txt").write_text("A: b")
    out = tmp_path / "out"
    with pytest.raises(InputError, match=says):
        read_study(str(path), out, folder)
    assert main(["report", "--config", str(path), "--data", str(folder), "--out", str(out)]) == 2
    assert capsys.readouterr().err.count("\n") == 1 and not out.exists()


def test_presets_can_be_read(tmp_path: Path) -> None:
    names = [path.stem for path in PRESETS.glob("*.toml")]
    assert "small" in names
    for name in names:
        config = read_study(name, tmp_path / "out", write_data(tmp_path / name))
        assert config.runs and config.example.strip()
    with pytest.raises(InputError, match="there is no study 'tiny'; give a .toml file or one of .*small"):
        read_study("tiny", tmp_path)


def test_examples() -> None:
    assert doctest.testmod(model.evaluation.report.curves).failed == 0
