"""Layout and wiring of the Correct tab: open a prompt, or take one from the queue, correct the mask, submit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from annotations.files.prompts import SUFFIXES
from app.components.canvas import retention_slider, token_canvas
from app.components.forms import INSTANT, MODEL_QUEUE, Form
from app.components.sampling import SamplingBoxes
from app.components.scripted import queue_place, table_component, waits_at
from app.correct.events import CorrectEvents
from app.correct.queue import QueueEvents
from app.studio import Studio

# concurrency_id of quick events that write to the canvas and may happen together: in one line none of them overtakes
# another, as the offer of a draft did when another name and a correction to open came at once
CANVAS_QUEUE = "correct-canvas"
_EMPTY = "Open a prompt: the model proposes what to keep, you click the words it got wrong."


@dataclass(frozen=True)
class CorrectTab:
    """The components that other tabs use; `open_after(event)` makes the prompt be opened after an event."""

    name: gr.Textbox
    text: gr.Textbox
    retention: gr.Slider
    canvas: gr.HTML
    opened: gr.State
    open_after: Callable[[Any], Any]


def correct_tab(
    studio: Studio,
    page: gr.Blocks,
    tab: gr.Tab,
    kept_name: gr.BrowserState,
    counter: gr.State,
    settings: SamplingBoxes,
) -> CorrectTab:
    """Lay the tab out, inside it, and wire it.

    Args:
        kept_name: the visitor's name, in their browser.
        counter: name of the tokenizer that tokens are counted with.
        settings: Explore's, which hold here, too; the retention is the tab's own.
    """
    events = CorrectEvents(studio)
    with gr.Row(elem_classes="dm-queue"):
        progress = table_component(elem_id="queue-progress")
        take = gr.Button("Next prompt", size="sm", elem_id="next", scale=0, min_width=120)
        skip = gr.Button("Skip", size="sm", elem_id="skip", scale=0, min_width=80)
    adding = _adding_fold()
    text = gr.Textbox(
        label="Prompt to correct", lines=3, max_lines=5, elem_id="correct-prompt", placeholder="Paste a prompt"
    )
    with gr.Row(equal_height=True, elem_classes="dm-controls"):
        button = gr.Button("Open", variant="primary", elem_id="open", scale=1, min_width=110)
        retention = retention_slider("correct-retention")
        name = gr.Textbox(label="Your name", max_length=80, elem_id="annotator", placeholder="anonymous", min_width=150)
    place = queue_place(elem_id="correct-place")
    canvas = token_canvas(editable=True, empty=_EMPTY, counters=studio.counters.names, elem_id="correct-canvas")
    form = Form(
        text=text,
        retention=retention,
        **vars(settings),
        name=name,
        kept_name=kept_name,
        counter=counter,
        canvas=canvas,
        progress=progress,
        people=adding.people,
        opened=gr.State(None),
        kept=gr.State(None),
        next_text=gr.State(""),
        current=gr.State(""),
    )

    model = {"concurrency_id": MODEL_QUEUE, **waits_at(place)}

    def open_after(event: Any) -> Any:
        return form.on(event, events.open, ["canvas", "opened", "retention", "kept"], **model)

    open_after(button.click)
    _wire_canvas(form, events, model)
    _wire_queue(form, events, take, skip, model)
    _wire_names(form, events, page)
    _wire_adding(adding, QueueEvents(studio), tab, name, progress)
    return CorrectTab(name, text, retention, canvas, form["opened"], open_after)


def _wire_canvas(form: Form, events: CorrectEvents, model: dict[str, Any]) -> None:
    canvas = form["canvas"]
    shows = ["canvas", "opened", "retention", "kept"]
    form.on(canvas.redenoise, events.redenoise, shows, **model)
    form.on(canvas.draft, events.keep_draft, ["canvas", "kept"], trigger_mode="always_last")
    form.on(canvas.restore, events.restore, [*shows, "text"])
    form.on(canvas.discard, events.discard, ["canvas"])
    form.on(canvas.count, events.count, ["canvas", "counter"])


def _wire_queue(form: Form, events: CorrectEvents, take: gr.Button, skip: gr.Button, model: dict[str, Any]) -> None:
    """Submit, Next and Skip find out which prompt comes next; then it is opened."""
    shows = ["next_text", "current", "progress"]
    for happened in (
        form.on(form["canvas"].submit, events.submit, ["canvas", *shows]),
        form.on(take.click, events.take, shows),
        form.on(skip.click, events.skip, shows),
    ):
        opened = ["canvas", "opened", "retention", "kept", "text"]
        form.on(happened.then, events.open_next, opened, **model)


def _wire_names(form: Form, events: CorrectEvents, page: gr.Blocks) -> None:
    name = form["name"]
    form.on(name.change, events.offer, ["canvas"], trigger_mode="always_last", concurrency_id=CANVAS_QUEUE)
    name.change(lambda name: name, name, form["kept_name"], trigger_mode="always_last", **INSTANT)
    # A box in a tab that was not open yet reports no change, so the page keeps the name once more when it is loaded.
    form.on(page.load, events.greet, ["name", "kept_name", "canvas"], queue=False)


# --- adding prompts ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Adding:
    pasted: gr.Textbox
    add: gr.Button
    file: gr.File
    again: gr.Button
    people: gr.Number
    report: gr.HTML


def _adding_fold() -> _Adding:
    """The fold in which prompts are added."""
    with gr.Accordion("Add prompts to the queue", open=False, elem_id="add-prompts"):
        with gr.Row():
            with gr.Column(scale=3, min_width=280):
                pasted = gr.Textbox(
                    label="Prompts",
                    lines=4,
                    max_lines=8,
                    elem_id="paste",
                    placeholder="Paste prompts, with a line --- between them",
                )
                add = gr.Button("Add these", size="sm", elem_id="add")
            with gr.Column(scale=2, min_width=240):
                file = gr.File(
                    label="File: txt, or JSONL or CSV with prompt or text",
                    file_types=list(SUFFIXES),
                    height=120,
                    elem_id="queue-file",
                )
                again = gr.Button("Add what was corrected before", size="sm", elem_id="again")
                people = gr.Number(
                    1, label="People per prompt", info="Two or more give agreement figures", precision=0, minimum=1
                )
        report = table_component(elem_id="queue-report")
    return _Adding(pasted, add, file, again, people, report)


def _wire_adding(adding: _Adding, events: QueueEvents, tab: gr.Tab, name: gr.Textbox, progress: gr.HTML) -> None:
    form = Form(
        name=name,
        progress=progress,
        pasted=adding.pasted,
        file=adding.file,
        people=adding.people,
        report=adding.report,
    )
    form.on(adding.add.click, events.paste, ["report", "progress", "pasted"])
    form.on(adding.file.upload, events.upload, ["report", "progress"])
    form.on(adding.again.click, events.add_corrected, ["report", "progress", "people"])
    form.on(tab.select, events.show, ["progress"])
