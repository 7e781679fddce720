"""The Results tab in a real browser, with the report that is shipped."""

from __future__ import annotations

from typing import Any

from browsing import needs_chromium

from app.results import read_report
from app.settings import SHIPPED_REPORT
from model.study.curves import measures_of, run_name

pytestmark = needs_chromium


def test_curves_matrix_and_numbers_of_every_run(page: Any) -> None:
    report = read_report(SHIPPED_REPORT)
    page.get_by_role("tab", name="Results", exact=True).click()
    page.wait_for_selector("#results-matrix .js-plotly-plot .hm")
    for run in report["runs"]:
        page.locator("#results-run input").click()
        page.get_by_role("option", name=run_name(run), exact=True).click()
        for measure in measures_of(run)[:2]:
            page.get_by_label(measure, exact=True).check()
            page.wait_for_function(
                "([title, measure, count]) => { const plot = document.querySelector('#results-curve .js-plotly-plot');"
                " return plot && plot.layout.title.text.includes(title) && plot.layout.title.text.startsWith(measure)"
                " && document.querySelectorAll('#results-table tbody tr').length === count; }",
                arg=[run_name(run), measure, len(run["rows"])],
            )
    shown = page.evaluate("document.querySelector('#results-curve .js-plotly-plot').data.map(d => d.customdata).flat()")
    assert any(text for _, text, *_ in shown), "no point shows a compressed prompt"
