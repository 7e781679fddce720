"""The Results tab: what the compressed prompts are still worth, from a study's report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from app.components import table as sheet
from app.results import view as results
from app.settings import Settings
from model.errors import InputError
from model.evaluation.report import curves

_ABOUT = (
    "How well a target LLM still answers after compressed prompts, on tasks that DiffuMask was never trained on. "
    f"Measure it yourself: `{results.COMMAND}`, then `DIFFUMASK_REPORT=report/report.json python app.py`."
)


class Results:
    """Reads the report when the tab is opened, so that a new one shows without a restart."""

    def __init__(self, settings: Settings):
        self.path: Path = settings.report

    def open(self, chosen: str | None, measure: str | None) -> tuple[Any, ...]:
        """Runs, measures, curve, table, matrix."""
        try:
            report = results.read_report(self.path)
        except InputError as error:
            hidden = gr.update(visible=False)
            return hidden, hidden, hidden, sheet.sheet(sheet.text(str(error), "error")), hidden
        names = [curves.run_name(run) for run in report["runs"]]
        at = names.index(chosen) if chosen in names else 0
        run = report["runs"][at]
        measures = curves.measures_of(run)
        measure = measure if measure in measures else measures[0]
        across = curves.matrix(report)
        return (
            gr.update(choices=names, value=names[at], visible=True),
            gr.update(choices=measures, value=measure, visible=True),
            gr.update(value=curves.curve(run, measure), visible=True),
            results.rows_sheet(run, measure),
            gr.update(value=across, visible=across is not None),
        )


def results_tab(settings: Settings, tab: gr.Tab) -> None:
    """Lay the tab out, inside it, and wire it."""
    answers = Results(settings)
    gr.Markdown(_ABOUT)
    with gr.Row():
        run = gr.Dropdown([], label="Task and target", elem_id="results-run", scale=3, min_width=320)
        measure = gr.Radio([], label="Measure", elem_id="results-measure", scale=4, min_width=320)
    plot = gr.Plot(show_label=False, elem_id="results-curve")
    across = gr.Plot(show_label=False, elem_id="results-matrix")
    table = sheet.sheet_component(elem_id="results-table")
    shown = [run, measure, plot, table, across]
    quick: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    tab.select(answers.open, [run, measure], shown, **quick)
    gr.on([run.input, measure.input], answers.open, [run, measure], shown, **quick)
