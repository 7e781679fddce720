"""The Learn tab: choose corrections, fine-tune, compare, promote, roll back."""

from __future__ import annotations

from typing import Any

import gradio as gr

from annotations.errors import RecordError, StoreError
from annotations.results import TO_LEARN
from app.components import charts
from app.learn import view as learn_view
from app.learn.jobs import Lesson
from app.studio import Studio
from app.web import read_web, script
from model.errors import InputError

POLL = 0.7  # seconds between two looks at a running job
MAX_EPOCHS = 100
_NAMES = {"accepted": "accepted", "submitted": "submitted, not reviewed yet"}
_ERRORS = (InputError, RecordError, StoreError)


class Learning:
    """The tab's events, answered by one studio."""

    def __init__(self, studio: Studio):
        self.studio = studio

    def refresh(self, statuses: list[str], unused: bool) -> tuple[Any, ...]:
        """All that the tab shows, in the order of `learn_tab`'s outputs."""
        choices, said = self._choices(), self.count(statuses, unused)
        return (*self._running(), gr.update(choices=choices), said, self._plot(), self._checkpoints())

    def poll(self, statuses: list[str], unused: bool) -> tuple[Any, ...]:
        """What has changed since the last look: while a job runs, only how far it is."""
        job = self.studio.finetuning.job
        if job is not None and job.alive:
            return (*self._running(), *[gr.skip()] * 4)
        return self.refresh(statuses, unused)

    def start(self, statuses: list[str], unused: bool, held_out: float, epochs: float, seed: float) -> tuple[Any, ...]:
        """Begin to learn."""
        try:
            if held_out is None or epochs is None or seed is None or not float(seed).is_integer() or seed < 0:
                raise InputError("A setting is empty: give share, epochs and seed a number, the seed a whole one.")
            if not (10 <= held_out <= 50 and 1 <= epochs <= MAX_EPOCHS):
                raise InputError(f"Hold out 10 to 50 %, in 1 to {MAX_EPOCHS} epochs.")
            self.studio.finetuning.start(Lesson(_known(statuses), bool(unused), held_out / 100, int(epochs), int(seed)))
        except _ERRORS as error:
            gr.Warning(str(error))
        return self.refresh(statuses, unused)

    def cancel(self, statuses: list[str], unused: bool) -> tuple[Any, ...]:
        """End the job."""
        self.studio.finetuning.cancel()
        return self.poll(statuses, unused)

    def keep(self, statuses: list[str], unused: bool) -> tuple[Any, ...]:
        """Put the job's outcome away; the model stays as it is."""
        self.studio.finetuning.dismiss()
        return self.refresh(statuses, unused)

    def serve(self, statuses: list[str], unused: bool, event: gr.EventData) -> tuple[Any, ...]:
        """Promote a checkpoint."""
        try:
            gr.Info(f"Checkpoint {self.studio.promote(str(event.id))} is served now.")
        except _ERRORS as error:
            gr.Warning(str(error))
        except AttributeError:
            pass  # not an event of ours
        return self.refresh(statuses, unused)

    def back(self, statuses: list[str], unused: bool) -> tuple[Any, ...]:
        """Go back to the checkpoint before."""
        try:
            gr.Info(f"Rolled back: checkpoint {self.studio.roll_back()} is served now.")
        except _ERRORS as error:
            gr.Warning(str(error))
        return self.refresh(statuses, unused)

    def count(self, statuses: list[str], unused: bool) -> str:
        """How many corrections are chosen, in words."""
        try:
            known = _known(statuses)
            chosen, every = (len(self.studio.finetuning.choose(Lesson(known, only))) for only in (bool(unused), False))
            there = self.studio.store.stats().statuses
            others = [(name, n) for name, n in there.items() if name not in known]
            return learn_view.counts_text(chosen, [("learned already", every - chosen), *others])
        except _ERRORS as error:
            return str(error)

    def _choices(self) -> list[tuple[str, str]]:
        try:
            there = self.studio.store.stats().statuses
        except StoreError:
            there = {}
        return [(f"{_NAMES[name]} ({there.get(name, 0):,})", name) for name in reversed(TO_LEARN)]

    def _served(self) -> str:
        try:
            return self.studio.compressor.checkpoint.id
        except InputError:
            return ""

    def _running(self) -> tuple[Any, Any, Any, Any]:
        """The job, the two buttons, the timer."""
        job, served = self.studio.finetuning.job, self._served()
        alive = job is not None and job.alive
        text = learn_view.job_text(job, served, self.studio.served.note)
        return text, gr.update(interactive=not alive), gr.update(visible=alive), gr.Timer(POLL, active=alive)

    def _plot(self) -> Any:
        job = self.studio.finetuning.job
        if job is None or job.result is None or not job.result.epochs:
            return gr.update(value=None, visible=False)
        return gr.update(value=charts.loss_curve(job.result.epochs), visible=True)

    def _checkpoints(self) -> Any:
        served = self._served()
        try:
            known = self.studio.store.checkpoints()
        except StoreError:
            return gr.skip()
        free = self.studio.settings.checkpoint is None
        here = next((one for one in known if one.id == served), None)
        before = any(one.served_at and one.status == "available" and one.id != served for one in known)
        back = free and (before or (here is not None and here.parent is not None))
        return learn_view.checkpoints_text(known, served, free, back)


def _known(statuses: list[str] | None) -> tuple[str, ...]:
    return tuple(status for status in statuses or () if status in TO_LEARN)


def learn_tab(studio: Studio, tab: gr.Tab) -> None:
    """Lay the tab out, inside it, and wire it."""
    answers = Learning(studio)
    with gr.Row():
        with gr.Column(scale=2, min_width=300):
            choices = [(_NAMES[name], name) for name in reversed(TO_LEARN)]
            statuses = gr.CheckboxGroup(choices, value=list(TO_LEARN), label="Learn from corrections that are")
            unused = gr.Checkbox(True, label="Leave out what the served model has learned from already")
            said = gr.Markdown(elem_id="learn-count")
            with gr.Accordion("Settings", open=False):
                held_out = gr.Slider(
                    10, 50, 20, step=5, label="Hold out (% of prompts)", info="Measured on, not learned from"
                )
                epochs = gr.Slider(
                    1, MAX_EPOCHS, 12, step=1, label="Epochs at the most", info="Stops early when it gets no better"
                )
                seed = gr.Number(0, label="Seed", precision=0, minimum=0)
            with gr.Row():
                start = gr.Button("Fine-tune", variant="primary", elem_id="fine-tune")
                cancel = gr.Button("Cancel", visible=False, elem_id="cancel")
        with gr.Column(scale=3, min_width=300):
            job = gr.HTML(
                "",
                html_template=read_web("learn.html"),
                js_on_load=script("learn"),
                apply_default_css=False,
                elem_id="learn-job",
            )
            plot = gr.Plot(show_label=False, visible=False, elem_id="loss")
    table = gr.HTML(
        "",
        html_template=read_web("checkpoints.html"),
        js_on_load=script("checkpoints"),
        apply_default_css=False,
        elem_id="checkpoints",
    )
    timer = gr.Timer(POLL, active=False)

    chosen, shown = [statuses, unused], [job, start, cancel, timer, statuses, said, plot, table]
    quick: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    start.click(answers.start, [*chosen, held_out, epochs, seed], shown, **quick)
    cancel.click(answers.cancel, chosen, shown, **quick)
    timer.tick(answers.poll, chosen, shown, **quick)
    job.keep(answers.keep, chosen, shown, **quick)
    for board in (job, table):
        board.serve(answers.serve, chosen, shown, **quick)
    table.back(answers.back, chosen, shown, **quick)
    tab.select(answers.refresh, chosen, shown, **quick)
    gr.on([statuses.input, unused.input], answers.count, chosen, said, **quick)
