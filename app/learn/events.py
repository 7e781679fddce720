"""What happens on a click in Learn: fine-tuning, promoting a checkpoint, rolling back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any

import gradio as gr
from pydantic import AfterValidator, Field

from annotations.errors import StoreError
from annotations.results import TO_LEARN
from app.background.finetuning import HELD_OUT, Lesson
from app.components.forms import (
    UNCHANGED,
    USER_ERRORS,
    Change,
    Changes,
    Request,
    TextList,
    Tick,
    WholeNumber,
    reads,
    refused_as,
)
from app.components.payloads import RowChoice
from app.learn import view
from app.studio import Studio
from model.errors import InputError

POLL = 0.7  # seconds between two looks at a running job
MAX_EPOCHS = 100
_NAMES = {"accepted": "accepted", "submitted": "submitted, not reviewed yet"}
_EMPTY = "A setting is empty: give epochs and seed a whole number."
_RANGE = refused_as(f"Learn in 1 to {MAX_EPOCHS} epochs.")


def _known(statuses: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(status for status in statuses if status in TO_LEARN)


class LessonRequest(Request):
    """Which corrections to learn from."""

    statuses: Annotated[TextList, AfterValidator(_known)]
    unused: Tick


class StartRequest(LessonRequest):
    """Fine-tune with these settings."""

    epochs: Annotated[WholeNumber, refused_as(_EMPTY), Field(ge=1, le=MAX_EPOCHS), _RANGE]
    seed: Annotated[WholeNumber, Field(ge=0), refused_as(_EMPTY)]

    def lesson(self) -> Lesson:
        """What to learn from, and how."""
        return Lesson(self.statuses, self.unused, epochs=self.epochs, seed=self.seed)


class ServeRequest(LessonRequest):
    """Serve the checkpoint with this id."""

    event: RowChoice


@dataclass(frozen=True)
class LearnPage(Changes):
    """What the tab shows."""

    job: Change[str] = UNCHANGED
    start: Change[Any] = UNCHANGED
    cancel: Change[Any] = UNCHANGED
    timer: Change[Any] = UNCHANGED
    statuses: Change[Any] = UNCHANGED
    count: Change[str] = UNCHANGED
    loss: Change[Any] = UNCHANGED
    checkpoints: Change[str] = UNCHANGED


def _warned(error: Exception) -> LearnPage:
    gr.Warning(str(error))
    return LearnPage()


class LearnEvents:
    """The tab's events, answered by one studio."""

    def __init__(self, studio: Studio):
        self.studio = studio

    # --- looking -------------------------------------------------------------------------------------------

    @reads(LessonRequest, refused=_warned)
    def refresh(self, request: LessonRequest) -> LearnPage:
        """Show everything anew."""
        return self._everything(request)

    @reads(LessonRequest, refused=_warned)
    def poll(self, request: LessonRequest) -> LearnPage:
        """Show what has changed since the last look: while a job runs, only how far it is."""
        job = self.studio.finetuning.job
        return self._progress() if job is not None and job.alive else self._everything(request)

    @reads(LessonRequest, refused=_warned)
    def count(self, request: LessonRequest) -> LearnPage:
        """Other corrections were chosen: say how many there are."""
        return LearnPage(count=self._count(request))

    # --- learning ------------------------------------------------------------------------------------------

    @reads(StartRequest, refused=_warned)
    def start(self, request: StartRequest) -> LearnPage:
        """Begin to learn."""
        try:
            self.studio.finetuning.start(request.lesson())
        except USER_ERRORS as error:
            gr.Warning(str(error))
        return self._everything(request)

    @reads(LessonRequest, refused=_warned)
    def cancel(self, request: LessonRequest) -> LearnPage:
        """End the job."""
        self.studio.finetuning.cancel()
        job = self.studio.finetuning.job
        return self._progress() if job is not None and job.alive else self._everything(request)

    @reads(LessonRequest, refused=_warned)
    def keep(self, request: LessonRequest) -> LearnPage:
        """Put the job's outcome away; the model stays as it is."""
        self.studio.finetuning.dismiss()
        return self._everything(request)

    # --- choosing the model --------------------------------------------------------------------------------

    @reads(ServeRequest, refused=_warned)
    def serve(self, request: ServeRequest) -> LearnPage:
        """Promote a checkpoint."""
        try:
            gr.Info(f"Promoted: everybody is served checkpoint {self.studio.promote(request.event.id)} now.")
        except USER_ERRORS as error:
            gr.Warning(str(error))
        return self._everything(request)

    @reads(LessonRequest, refused=_warned)
    def back(self, request: LessonRequest) -> LearnPage:
        """Go back to the checkpoint before."""
        try:
            gr.Info(f"Rolled back: checkpoint {self.studio.roll_back()} is served now.")
        except USER_ERRORS as error:
            gr.Warning(str(error))
        return self._everything(request)

    # --- what is shown -------------------------------------------------------------------------------------

    def _everything(self, request: LessonRequest) -> LearnPage:
        return replace(
            self._progress(),
            statuses=gr.update(choices=status_choices(self._counts())),
            count=self._count(request),
            loss=self._loss(),
            checkpoints=self._checkpoints(),
        )

    def _progress(self) -> LearnPage:
        """How far the job is, with the buttons and the timer that go with it."""
        job = self.studio.finetuning.job
        alive = job is not None and job.alive
        return LearnPage(
            job=view.job_text(job, self._served(), self.studio.served.note),
            start=gr.update(interactive=not alive),
            cancel=gr.update(visible=alive),
            timer=gr.Timer(POLL, active=alive),
        )

    def _count(self, request: LessonRequest) -> str:
        """How many corrections are chosen, in words."""
        try:
            finetuning = self.studio.finetuning
            chosen, every = (finetuning.choose(Lesson(request.statuses, unused)) for unused in (request.unused, False))
            learnt, held = finetuning.split(chosen, HELD_OUT)
            others = [(status, n) for status, n in self.studio.store.stats().statuses.items()]
            others = [(status, n) for status, n in others if status not in request.statuses]
            left_out = [("learned already", len(every) - len(chosen)), *others]
            return view.counts_text(len(learnt), len(held), left_out)
        except USER_ERRORS as error:
            return str(error)

    def _counts(self) -> dict[str, int]:
        """How many corrections have each status."""
        try:
            return dict(self.studio.store.stats().statuses)
        except StoreError:
            return {}

    def _served(self) -> str:
        try:
            return self.studio.compressor.checkpoint.id
        except InputError:
            return ""

    def _loss(self) -> Any:
        job = self.studio.finetuning.job
        if job is None or job.result is None or not job.result.epochs:
            return gr.update(value=None, visible=False)
        return gr.update(value=view.loss_curve(job.result.epochs), visible=True)

    def _checkpoints(self) -> Change[str]:
        try:
            known = self.studio.store.checkpoints()
        except StoreError:
            return UNCHANGED
        return view.checkpoints_text(known, self._served(), free=self.studio.settings.checkpoint is None)


def status_choices(counts: dict[str, int] | None = None) -> list[tuple[str, str]]:
    """The statuses that can be learned from, as choices; counts: of the corrections that have them."""
    names = {status: _NAMES[status] for status in reversed(TO_LEARN)}
    if counts is None:
        return [(name, status) for status, name in names.items()]
    return [(f"{name} ({counts.get(status, 0):,})", status) for status, name in names.items()]
