"""Layout and wiring of the Results tab: what the compressed prompts are still worth, from a study's report."""

from __future__ import annotations

from functools import partial

import gradio as gr

from app.components.forms import Form
from app.components.scripted import table_component
from app.results.events import ResultsEvents
from app.results.view import COMMAND
from app.settings import Settings

_ABOUT = (
    "How well a target LLM still answers after compressed prompts, on tasks that DiffuMask was never trained on. "
    f"Measure it yourself: `{COMMAND}`, then `DIFFUMASK_REPORT=report/report.json python app.py`."
)


def results_tab(settings: Settings, tab: gr.Tab) -> None:
    """Lay the tab out, inside it, and wire it."""
    events = ResultsEvents(settings)
    gr.Markdown(_ABOUT)
    with gr.Row():
        run = gr.Dropdown([], label="Task and target", elem_id="results-run", scale=3, min_width=320)
        measure = gr.Radio([], label="Measure", elem_id="results-measure", scale=4, min_width=320)
    headline = table_component(elem_id="results-headline")
    curve = gr.Plot(show_label=False, elem_id="results-curve")
    matrix = gr.Plot(show_label=False, elem_id="results-matrix")
    with gr.Accordion("All numbers", open=False, elem_id="results-all"):
        numbers = table_component(elem_id="results-table")
    form = Form(run=run, measure=measure, headline=headline, curve=curve, matrix=matrix, numbers=numbers)
    shows = ["run", "measure", "headline", "curve", "numbers", "matrix"]
    form.on(tab.select, events.show, shows)
    form.on(partial(gr.on, [run.input, measure.input]), events.show, shows)
