"""Layout and wiring of the Results tab: what the compressed prompts are still worth, from a study's report."""

from __future__ import annotations

from functools import partial

import gradio as gr

from app.components.forms import Form
from app.components.scripted import table_component
from app.results.events import ResultsEvents
from app.results.view import COMMAND
from app.settings import Settings

_READERS = "Does what was shortened for one language model serve another? Bluer is better"
_ABOUT = (
    f"Measure it yourself: `{COMMAND}`, then `DIFFUMASK_REPORT=report/report.json python app.py`. How all this was "
    "measured: `docs/results.md`."
)


def results_tab(settings: Settings, tab: gr.Tab) -> None:
    """Lay the tab out, inside it, and wire it."""
    events = ResultsEvents(settings)
    told = table_component(elem_id="results-story")
    with gr.Row():
        run = gr.Dropdown([], label="Look closer: prompts and reader", elem_id="results-run", scale=3, min_width=320)
        measure = gr.Radio([], label="Measure", elem_id="results-measure", scale=4, min_width=320)
    curve = gr.Plot(show_label=False, elem_id="results-curve")
    with gr.Accordion("All numbers of these prompts", open=False, elem_id="results-all"):
        numbers = table_component(elem_id="results-table")
    with gr.Accordion(_READERS, open=True, elem_id="results-readers") as readers:
        matrix = gr.Plot(show_label=False, elem_id="results-matrix")
    gr.Markdown(_ABOUT)
    form = Form(run=run, measure=measure, story=told, curve=curve, readers=readers, matrix=matrix, numbers=numbers)
    shows = ["run", "measure", "story", "curve", "numbers", "readers", "matrix"]
    form.on(tab.select, events.show, shows)
    form.on(partial(gr.on, [run.input, measure.input]), events.show, shows)
