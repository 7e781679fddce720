"""Layout and wiring of the Explore tab: run the model on a prompt and watch it decide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.components.canvas import retention_slider, token_canvas
from app.components.canvas_lines import ROLE_TITLES
from app.components.forms import INSTANT, MODEL_QUEUE, Form
from app.components.sampling import SamplingBoxes, sampling_boxes
from app.components.scripted import queue_place, waits_at
from app.examples import example_prompts
from app.explore.check_tab import check_fold
from app.explore.events import ExploreEvents
from app.explore.setup import SETTINGS
from app.studio import Studio

_EMPTY = "Press Run. Every word starts undecided; the model then keeps or drops the ones it is most certain of."


@dataclass(frozen=True)
class ExploreTab:
    """The components that other tabs use."""

    text: gr.Textbox
    retention: gr.Slider
    settings: SamplingBoxes
    correct_this: gr.Button
    compare_this: gr.Button


def explore_tab(studio: Studio, counter: gr.State) -> ExploreTab:
    """Lay the tab out, inside it, and wire it. counter: name of the tokenizer that tokens are counted with."""
    events, examples = ExploreEvents(studio), example_prompts()
    with gr.Row(elem_classes="dm-examples"):
        buttons = [gr.Button(title, size="sm", min_width=60) for title in examples]
        file = gr.UploadButton("Open a file", size="sm", min_width=60, type="filepath", elem_id="prompt-file")
    first = next(iter(examples.values()))
    text = gr.Textbox(
        first.text,
        label="Prompt",
        lines=3,
        max_lines=5,
        elem_id="prompt",
        placeholder="Paste a prompt or chat messages (JSON), or drop a file: text of any kind, JSON or PDF",
    )
    with gr.Row(equal_height=True, elem_classes="dm-controls"):
        run = gr.Button("Run", variant="primary", elem_id="run", scale=1, min_width=110)
        stop = gr.Button("Stop", elem_id="stop", scale=0, min_width=80)
        retention = retention_slider("retention", first.percent)
        auto = gr.Button("Auto length", elem_id="auto", scale=0, min_width=120)
    with gr.Accordion("Settings", open=False, elem_id="settings"):
        settings = sampling_boxes()
    place = queue_place(elem_id="explore-place")
    canvas = token_canvas(
        slider="retention",
        inputs=("prompt", "settings"),
        file="prompt-file",
        check="check",
        empty=_EMPTY,
        counters=studio.counters.names,
        roles=ROLE_TITLES,
        elem_id="explore-canvas",
    )
    with gr.Row(elem_classes="dm-next"):
        correct_this = gr.Button("Correct this by hand", elem_id="correct-this", min_width=150)
        compare_this = gr.Button("Compare with other ways to shorten", elem_id="compare-this", min_width=150)
    last_run = gr.State(None)
    check_fold(studio, last_run)
    with gr.Accordion("Charts of this run", open=False, elem_id="charts"):
        confidence = gr.Plot(label="Keep probability", show_label=False)
        with gr.Row():
            decided, parts = gr.Plot(show_label=False), gr.Plot(show_label=False)
    form = Form(
        text=text,
        retention=retention,
        **vars(settings),
        counter=counter,
        canvas=canvas,
        last_run=last_run,
        by_hand=gr.State(None),
        file=file,
        confidence=confidence,
        decided=decided,
        parts=parts,
    )
    shows = ["canvas", "last_run"]
    model: dict[str, Any] = {
        "concurrency_id": MODEL_QUEUE,
        "trigger_mode": "always_last",  # what is pressed during a run is not lost
        **waits_at(place),
    }
    runs = [
        form.on(run.click, events.run, shows, **model),
        form.on(auto.click, events.find_length, [*shows, "retention"], **model),
        form.on(canvas.resample, events.resample, shows, **model),
        form.on(canvas.fix, events.fix, [*shows, "by_hand"], **model),
        form.on(canvas.role, events.name_part, [*shows, "by_hand"], **model),
        *_from_elsewhere(form, events, shows, model),
    ]
    for button, example in zip(buttons, examples.values(), strict=True):
        filled = button.click(lambda it=example: (it.text, it.percent), None, [text, retention], **INSTANT)
        runs.append(form.on(filled.then, events.run, shows, **model))
    for finished in runs:
        form.on(finished.then, events.draw_charts, ["confidence", "decided", "parts"])
    form.on(stop.click, events.stop, ["canvas"], cancels=runs)
    form.on(canvas.count, events.count, ["canvas", "counter"])
    return ExploreTab(text, retention, settings, correct_this, compare_this)


def _from_elsewhere(form: Form, events: ExploreEvents, shows: list[str], options: dict[str, Any]) -> list[Any]:
    """A file, an earlier run and a link: they fill the page, and the model is run."""
    filled = [*shows, "by_hand", "text", *SETTINGS]
    return [
        form.on(form["file"].upload, events.open_file, [*shows, "text"], **options),
        form.on(form["canvas"].recall, events.recall, filled, **options),
        form.on(form["canvas"].link, events.open_link, filled, **options),
    ]
