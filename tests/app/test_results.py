"""The Results tab: what it reads of a report, and what it lists."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.results.view import headline, read_report, results_table
from app.settings import SHIPPED_REPORT
from model.errors import InputError
from model.evaluation.report.curves import measures_of


def test_every_measure_of_the_shipped_report_is_listed() -> None:
    report = read_report(SHIPPED_REPORT)
    assert report["runs"]
    for run in report["runs"]:
        for measure in measures_of(run):
            assert len(json.loads(results_table(run, measure))[0]["rows"]) == len(run["rows"])


def test_every_measured_run_opens_with_a_sentence() -> None:
    for run in read_report(SHIPPED_REPORT)["runs"]:
        said = headline(run)
        measured = any(row["method"] == "diffumask" for row in run["rows"])
        assert bool(said) == measured and (not said or "DiffuMask leaves" in said)


@pytest.mark.parametrize(
    ("measure", "difference", "says"),
    [
        ("NLL", [-0.2, -0.3, -0.1], "better than the full prompt"),
        ("NLL", [0.2, 0.1, 0.3], "worse than the full prompt"),
        ("F1", [0.2, 0.1, 0.3], "better than the full prompt"),
        ("F1", [0.2, -0.1, 0.3], "not to be told apart from the full prompt"),
        ("F1", [0.2, None, None], "not to be told apart from the full prompt"),
    ],
)
def test_better_is_said_only_where_the_interval_says_it(measure: str, difference: list[float], says: str) -> None:
    row = {"method": "diffumask", "retention": 0.5, "tokens_kept": 0.5, "measures": {}}
    run = {"config": {"task": "nq", "target": "gemma3"}, "differences_in": measure}
    assert says in headline({**run, "rows": [{**row, "differences": {"full": difference}}]})


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"runs": [{}]}', '{"runs": [{"rows": 3, "differences_in": "x"}]}'])
def test_what_is_no_report(text: str, tmp_path: Path) -> None:
    (tmp_path / "no.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="no.json is not a report of a study .* Make one: python -m model report"):
        read_report(tmp_path / "no.json")


def test_a_report_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no report at missing.json"):
        read_report(tmp_path / "missing.json")
