"""Layout and wiring of "Check the answers", below the canvas of Explore."""

from __future__ import annotations

import gradio as gr

from app.answering.agreement import LEAST_ANSWERS
from app.answering.fields import answerer_fields
from app.components.forms import Form
from app.components.scripted import table_component
from app.explore.check_events import CheckEvents
from app.explore.checking import MOST_QUESTIONS
from app.studio import Studio

_AT_ONCE = 4  # checks at the same time
_KEY_SECONDS = 3600  # a key is forgotten after
_ABOUT = (
    "A language model answers the full and the short prompt of the last run, with each question behind them; "
    f"from {LEAST_ANSWERS} questions on it is said how far the answers agree."
)


def check_fold(studio: Studio, last_run: gr.State) -> None:
    """Lay it out and wire it. last_run: id of the run on the canvas."""
    events = CheckEvents(studio)
    with gr.Accordion("Check the answers", open=False, elem_id="check"):
        questions = gr.Textbox(
            label="Questions, one a line",
            info=_ABOUT,
            placeholder=f"Left empty, the prompt is sent as it is. At most {MOST_QUESTIONS} questions.",
            lines=3,
            max_lines=8,
            elem_id="check-questions",
        )
        with gr.Accordion("Who answers", open=False, elem_id="check-who"):
            answerer = answerer_fields(studio.local_targets, "check-")
        with gr.Row(elem_classes="dm-controls"):
            run = gr.Button("Check the answers", variant="primary", elem_id="check-run", scale=1, min_width=160)
            stop = gr.Button("Stop", elem_id="check-stop", scale=0, min_width=80)
        answers = table_component(elem_id="check-answers")
    form = Form(
        **answerer,
        questions=questions,
        last_run=last_run,
        answers=answers,
        check=gr.State(None),
        kept_key=gr.State(None, time_to_live=_KEY_SECONDS),
    )
    shows = ["answers", "check", "key", "kept_key"]
    form.on(run.click, events.ask, shows, concurrency_id="check", concurrency_limit=_AT_ONCE)
    form.on(stop.click, events.stop, queue=False)
