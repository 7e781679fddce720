"""The Results tab in a real browser, with the report that is shipped."""

from __future__ import annotations

from typing import Any

from app.results.view import read_report
from app.settings import SHIPPED_REPORT
from model.evaluation.report.curves import measures_of, run_name
from tests.support.browsing import needs_chromium

pytestmark = needs_chromium


def wait_for_curve(page: Any, title: str, measure: str, rows: int) -> None:
    """Until this curve is drawn, and the table has as many rows."""
    page.wait_for_function(
        "([title, measure, rows]) => { const plot = document.querySelector('#results-curve .js-plotly-plot');"
        " return plot && plot.layout.title.text.includes(title) && plot.layout.title.text.startsWith(measure)"
        " && document.querySelectorAll('#results-table tbody tr').length === rows; }",
        arg=[title, measure, rows],
    )


def test_curves_matrix_and_numbers_of_every_run(page: Any) -> None:
    report = read_report(SHIPPED_REPORT)
    page.get_by_role("tab", name="Results", exact=True).click()
    page.wait_for_selector("#results-matrix .js-plotly-plot .hm")
    story = page.inner_text("#results-story")
    assert story.startswith("8 documents") and "cutting off is better" in story
    page.click("#results-all > button")
    for at, run in enumerate(report["runs"]):
        name, measure, rows = run_name(run), measures_of(run)[-1], len(run["rows"])
        if at:
            page.locator("#results-run input").click()
            page.get_by_role("option", name=name, exact=True).click()
        wait_for_curve(page, name, "", rows)
        page.wait_for_timeout(500)  # the measures are drawn anew, too
        page.get_by_text(measure, exact=True).first.click()
        wait_for_curve(page, name, measure, rows)
    sampled = next(run for run in report["runs"] if run["samples"])
    page.locator("#results-run input").click()
    page.get_by_role("option", name=run_name(sampled), exact=True).click()
    wait_for_curve(page, run_name(sampled), "", len(sampled["rows"]))
    shown = page.evaluate("document.querySelector('#results-curve .js-plotly-plot').data.map(d => d.customdata).flat()")
    assert any(text for _, text, *_ in shown), "no point shows a compressed prompt"
