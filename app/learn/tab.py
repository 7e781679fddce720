"""Layout and wiring of the Learn tab: choose corrections, fine-tune, compare, promote, roll back."""

from __future__ import annotations

from functools import partial

import gradio as gr

from annotations.results import TO_LEARN
from app.background.finetuning import HELD_OUT
from app.components.forms import Form
from app.components.scripted import scripted
from app.learn.events import MAX_EPOCHS, POLL, LearnEvents, status_choices
from app.learn.judgement import LEAST
from app.studio import Studio

_HELD_OUT = (
    f"One corrected prompt in {round(1 / HELD_OUT)} is never learned from but measured on, always the same ones: its "
    f"text decides. Whether a model got better is said from {LEAST} of them on."
)
_EVERYTHING = ["job", "start", "cancel", "timer", "statuses", "count", "loss", "checkpoints"]


def learn_tab(studio: Studio, tab: gr.Tab) -> None:
    """Lay the tab out, inside it, and wire it."""
    events = LearnEvents(studio)
    with gr.Row():
        with gr.Column(scale=2, min_width=300):
            statuses = gr.CheckboxGroup(status_choices(), value=list(TO_LEARN), label="Learn from corrections that are")
            unused = gr.Checkbox(True, label="Leave out what the served model has learned from already")
            count = gr.Markdown(elem_id="learn-count")
            with gr.Accordion("Settings", open=False):
                epochs = gr.Slider(
                    1, MAX_EPOCHS, 12, step=1, label="Epochs at the most", info="Stops early when it gets no better"
                )
                seed = gr.Number(0, label="Seed", precision=0, minimum=0)
            gr.Markdown(_HELD_OUT, elem_id="learn-holdout")
            with gr.Row():
                start = gr.Button("Fine-tune", variant="primary", elem_id="fine-tune", elem_classes="dm-confirm")
                cancel = gr.Button("Cancel", visible=False, elem_id="cancel")
        with gr.Column(scale=3, min_width=300):
            job = scripted("learn", elem_id="learn-job")
            loss = gr.Plot(show_label=False, visible=False, elem_id="loss")
    form = Form(
        statuses=statuses,
        unused=unused,
        epochs=epochs,
        seed=seed,
        count=count,
        start=start,
        cancel=cancel,
        job=job,
        loss=loss,
        checkpoints=scripted("checkpoints", elem_id="checkpoints"),
        timer=gr.Timer(POLL, active=False),
    )
    _wire(form, events, tab)


def _wire(form: Form, events: LearnEvents, tab: gr.Tab) -> None:
    form.on(tab.select, events.refresh, _EVERYTHING)
    form.on(form["timer"].tick, events.poll, _EVERYTHING)
    form.on(partial(gr.on, [form["statuses"].input, form["unused"].input]), events.count, ["count"])
    form.on(form["start"].click, events.start, _EVERYTHING)
    form.on(form["cancel"].click, events.cancel, _EVERYTHING)
    form.on(form["job"].keep, events.keep, _EVERYTHING)
    form.on(form["job"].serve, events.serve, _EVERYTHING)
    form.on(form["checkpoints"].serve, events.serve, _EVERYTHING)
    form.on(form["checkpoints"].back, events.back, _EVERYTHING)
