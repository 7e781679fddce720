"""The Results tab: what it reads of a report, and what it lists."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app.results.story import glances, opening, story
from app.results.view import read_report, results_table
from app.settings import SHIPPED_REPORT
from model.errors import InputError
from model.evaluation.report.curves import measures_of

ROOT = Path(__file__).parents[2]


def test_every_measure_of_the_shipped_report_is_listed() -> None:
    report = read_report(SHIPPED_REPORT)
    assert report["runs"]
    for run in report["runs"]:
        for measure in measures_of(run):
            assert len(json.loads(results_table(run, measure))[0]["rows"]) == len(run["rows"])


def test_the_shipped_study_opens_with_a_sentence_that_says_where_it_loses() -> None:
    report = read_report(SHIPPED_REPORT)
    sentence, shown, *_ = json.loads(story(report))
    assert sentence["text"] == (
        "8 documents that look alike that DiffuMask cut to 10% still hold the answer to 90 of 100 questions and worked "
        "maths problems cut to 50% help 90% as much as whole ones; with labelled news (read by Gemma 3 270M), cutting "
        "off is better."
    )
    first, *_, last = (cells for _, cells in shown["rows"])
    assert first[1:4] == [
        "the answer is still there: 72% at 5%, 90% at 10%, 99% at 20% and 99% at 35%",
        "BM25 sentences, dense sentences (at 5%)",
        "–",
    ]
    assert last[1] == "as helpful as the whole: 78% at 25% and 90% at 50%"
    assert [cells[3] for _, cells in shown["rows"]] == ["–", "–", "cutting off (at 35% and 50%)", "–"]


def test_the_readme_shows_the_figures_of_the_study() -> None:
    """Each row of its tables, against the runs and lengths of their columns."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    names = {"bm25": "BM25", "dense": "dense", "diffumask": "DiffuMask", "full": "full prompt", "first": "cutting off"}
    names |= {"random": "random tokens", "llmlingua": "LLMLingua |", "llmlingua2": "LLMLingua-2", "zero": "no demo"}
    report = read_report(SHIPPED_REPORT)
    tables = {
        "nq": [("nq", "none", share, "answer kept") for share in (0.05, 0.1, 0.2, 0.35)],
        "demonstrations": [
            ("agnews", "smollm2", 0.35, "NLL cal."),
            ("agnews", "gemma3", 0.35, "NLL cal."),
            ("gsm8k", "gemma3", 0.25, "benefit kept"),
            ("gsm8k", "gemma3", 0.5, "benefit kept"),
        ],
    }
    checked = 0
    for columns in tables.values():
        for method, name in names.items():
            lines = [line for line in readme.splitlines() if line.replace("*", "").startswith(f"| {name}")]
            cells = [[cell.strip(" *") for cell in line.strip("|").split("|")[1:]] for line in lines]
            for task, target, share, measure in columns:
                value = measured(report, task, target, method, share, measure)
                at = columns.index((task, target, share, measure))
                shown = {row[at] for row in cells if len(row) == len(columns) and row[at]}
                decimals = 3 if measure.startswith("NLL") else 2
                assert value is None or f"{value:.{decimals}f}" in shown, (method, task, share, shown)
                checked += value is not None
    assert checked == 12 + 25


def measured(report: Any, task: str, target: str, method: str, share: float, measure: str) -> float | None:
    for run in report["runs"]:
        if (run["config"]["task"], run["config"]["target"]) == (task, target):
            for row in run["rows"]:
                if row["method"] == method and row["retention"] in (None, share) and row["measures"].get(measure):
                    return float(row["measures"][measure][0])
    return None


def run_of(measure: str, difference: list[float | None]) -> dict[str, Any]:
    own = {"method": "diffumask", "retention": 0.5, "tokens_kept": 0.5, "measures": {}, "differences": {}}
    other = {**own, "method": "first", "differences": {"diffumask": difference}}
    return {"config": {"task": "qmsum", "target": "gemma3"}, "differences_in": measure, "rows": [own, other]}


@pytest.mark.parametrize(
    ("measure", "difference", "says"),
    [
        ("NLL", [0.2, 0.1, 0.3], "ahead"),
        ("NLL", [-0.2, -0.3, -0.1], "behind"),
        ("F1", [-0.2, -0.3, -0.1], "ahead"),
        ("F1", [0.2, 0.1, 0.3], "behind"),
        ("F1", [0.2, -0.1, 0.3], "even"),
        ("F1", [0.2, None, None], "even"),
    ],
)
def test_better_is_said_only_where_the_interval_says_it(
    measure: str, difference: list[float | None], says: str
) -> None:
    report = {"runs": [run_of(measure, difference)]}
    (glance,) = glances(report)
    assert {name: getattr(glance, name) for name in ("ahead", "behind", "even")} == {
        name: {"cutting off": [0.5]} if name == says else {} for name in ("ahead", "behind", "even")
    }
    lost = "With QMSum (read by Gemma 3 270M), cutting off is better."
    assert opening(report) == (lost if says == "behind" else "No other way is better for certain.")


def test_a_method_that_has_no_lengths_is_compared_at_its_own() -> None:
    run = run_of("NLL", [0.2, 0.1, 0.3])
    run["rows"][0]["differences"] = {"llmlingua2": [-0.2, -0.3, -0.1]}
    run["rows"].append({**run["rows"][1], "method": "llmlingua2", "retention": None, "tokens_kept": 0.3})
    assert glances({"runs": [run]})[0].ahead == {"cutting off": [0.5], "LLMLingua-2 at 30%": [0.5]}


def test_a_study_without_diffumask_says_so() -> None:
    run = run_of("NLL", [0.2, 0.1, 0.3])
    assert opening({"runs": [{**run, "rows": run["rows"][1:]}]}) == "DiffuMask was not measured in this study."


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"runs": [{}]}', '{"runs": [{"rows": 3, "differences_in": "x"}]}'])
def test_what_is_no_report(text: str, tmp_path: Path) -> None:
    (tmp_path / "no.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="no.json is not a report of a study .* Make one: python -m model report"):
        read_report(tmp_path / "no.json")


def test_a_report_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no report at missing.json"):
        read_report(tmp_path / "missing.json")
