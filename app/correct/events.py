"""What happens on a click in Correct: opening a prompt, keeping drafts, submitting, taking the next one."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace

import gradio as gr
from pydantic import InstanceOf

from annotations.errors import NotFoundError
from annotations.results import Filter, QueueItem
from app.components.canvas_lines import (
    drafted_line,
    end_line,
    error_line,
    judged_line,
    offer_line,
    saved_line,
    step_line,
)
from app.components.forms import UNCHANGED, USER_ERRORS, Change, Changes, Request, Text, reads
from app.components.payloads import CheckedEdits, CounterChoice, Edits, OutOfStepError
from app.components.sampling import SamplingRequest
from app.components.verdict import mask_panel, verdict_panel
from app.components.words import shorten
from app.correct import view
from app.correct.queue import PeopleRequest, PersonRequest, progress_line, prompt_sha256
from app.hosting.people import signed_in_name
from app.opened import Opened, opened_again, stored_mask
from app.studio import Studio
from model.compress import CompressRequest
from model.errors import InputError
from model.record import CorrectionRecord

_CLOSED = "The server has put this prompt away since it was opened: press Open; your draft will be there."
_ELSEWHERE = (
    "This prompt is being corrected in another window, whose draft is kept; the edits here are not. Submit them, or "
    "press Open to go on with the draft."
)
_IN_HAND = "This is your next prompt already: submit it, or skip it."


class OpenedRequest(PersonRequest):
    """Who asks, and the prompt that they have open."""

    opened: InstanceOf[Opened] | None


class OpenRequest(OpenedRequest, SamplingRequest):
    """Open a prompt with these settings."""

    text: Text
    counter: str


class OpenNextRequest(SamplingRequest, PersonRequest):
    """Open the prompt that comes next; "" = there is none."""

    next_text: Text
    counter: str


class RedenoiseRequest(OpenedRequest):
    """Let the model decide again around the person's pins."""

    counter: str
    event: CheckedEdits


class DraftRequest(OpenedRequest):
    """Keep what the person has done so far.

    Attributes:
        kept: of what this window has open, its id and when its draft was made ("" = there is none). None: not known.
    """

    event: CheckedEdits
    kept: tuple[str, str] | None

    def may_replace(self, draft: CorrectionRecord | None, opened: Opened) -> bool:
        """Whether a draft is this window's own."""
        if draft is None:
            return True
        if self.kept is None or self.kept[0] != opened.id:
            return draft.id == opened.id
        return draft.created_at == self.kept[1]


class SubmitRequest(OpenedRequest, PeopleRequest):
    """Save a correction."""

    event: CheckedEdits


class RestoreRequest(PersonRequest):
    """Go on with the person's newest draft."""

    counter: str


class TakeRequest(OpenedRequest, PeopleRequest):
    """Take the next prompt; current: id of the one from the queue that is in hand, or ""."""

    current: Text


class GreetRequest(Request):
    """The name that the visitor's browser keeps, or ""."""

    kept_name: Text


class CorrectCountRequest(Request):
    """Another tokenizer was chosen on the canvas."""

    opened: InstanceOf[Opened] | None
    event: CounterChoice


@dataclass(frozen=True)
class CorrectPage(Changes):
    """What the tab shows, and what it remembers: the prompt that is open, and the next one with its id in the queue."""

    canvas: Change[str] = UNCHANGED
    text: Change[str] = UNCHANGED
    retention: Change[int] = UNCHANGED
    name: Change[str] = UNCHANGED
    kept_name: Change[str] = UNCHANGED
    counter: Change[str] = UNCHANGED
    progress: Change[str] = UNCHANGED
    opened: Change[Opened] = UNCHANGED
    kept: Change[tuple[str, str]] = UNCHANGED
    next_text: Change[str] = UNCHANGED
    current: Change[str] = UNCHANGED


def _on_canvas(error: Exception) -> CorrectPage:
    return CorrectPage(canvas=error_line(str(error)))


def _not_saved(error: Exception) -> CorrectPage:
    message = str(error) if isinstance(error, OutOfStepError) else f"Not saved: {error}"
    return CorrectPage(canvas=error_line(message), next_text="")


def _draft_not_kept(error: Exception) -> CorrectPage:
    another_prompt_was_opened = isinstance(error, OutOfStepError)
    return CorrectPage(canvas=drafted_line("" if another_prompt_was_opened else f"The draft is not kept: {error}"))


def _warned(error: Exception) -> CorrectPage:
    gr.Warning(str(error))
    return CorrectPage(next_text="")


class CorrectEvents:
    """The tab's events, answered by one studio."""

    def __init__(self, studio: Studio):
        self.studio = studio

    # --- opening -------------------------------------------------------------------------------------------

    @reads(OpenRequest, refused=_on_canvas)
    def open(self, request: OpenRequest) -> Iterator[CorrectPage]:
        """Go on with the person's draft of a prompt, or let the model propose a mask.

        Opening the prompt that is open already, at another retention, asks for a new proposal.
        """
        asked, opened = request.about(request.text), request.opened
        is_open = opened is not None and opened.request.text == asked.text
        anew = opened is not None and is_open and opened.request.retention != asked.retention
        yield from self._draft_or_proposal(asked, request.name, request.counter, look_for_draft=not anew)

    @reads(OpenNextRequest, refused=_on_canvas)
    def open_next(self, request: OpenNextRequest) -> Iterator[CorrectPage]:
        """Open the prompt that comes after a submitted one, if there is one."""
        text = request.next_text
        if not text:
            yield CorrectPage()  # an event that yields nothing would empty the slider
            return
        for page in self._draft_or_proposal(request.about(text), request.name, request.counter):
            yield replace(page, text=text)

    @reads(RedenoiseRequest, refused=_on_canvas)
    def redenoise(self, request: RedenoiseRequest) -> Iterator[CorrectPage]:
        """Let the model decide again around the person's pins."""
        opened = self._opened(request.opened, request.name, request.event)
        _, pins = request.event.masks(len(opened.model_mask))
        yield from self._propose(replace(opened.request, pins=pins), opened, request.name, request.counter)

    @reads(CorrectCountRequest, refused=_on_canvas)
    def count(self, request: CorrectCountRequest) -> CorrectPage:
        """Count the open prompt's tokens by another tokenizer."""
        opened, counter = request.opened, request.event.name
        if opened is not None:
            return CorrectPage(canvas=self.studio.recount(opened.request.prompt, counter), counter=counter)
        return CorrectPage(counter=counter) if counter in self.studio.counters.names else CorrectPage()

    def _draft_or_proposal(
        self, asked: CompressRequest, name: str, counter: str, look_for_draft: bool = True
    ) -> Iterator[CorrectPage]:
        draft = self._draft(name, asked.prompt.text, counter) if look_for_draft else None
        yield from self._propose(asked, None, name, counter) if draft is None else [draft]

    def _draft(self, name: str, text: str, counter: str) -> CorrectPage | None:
        try:
            draft = self.studio.store.draft(name, prompt_sha256(text))
            message = "Your draft is back; undo shows the model's own mask."
            return self._show(draft, name, counter, message) if draft else None
        except USER_ERRORS:
            return None  # then the model proposes

    def _show(self, stored: CorrectionRecord, name: str, counter: str, message: str) -> CorrectPage:
        opened = opened_again(stored, name)
        document = self.studio.document(uuid.uuid4().hex, opened.without_rules, counter, correction=opened.id)
        mask = stored_mask(stored.human_mask)
        judged = judged_line(mask_panel(opened.request, mask, stored.pins), mask)
        canvas = view.stored_edits(document, stored, message) + judged
        return CorrectPage(
            canvas=canvas, opened=opened, retention=round(100 * stored.retention), kept=(opened.id, stored.created_at)
        )

    def _propose(self, asked: CompressRequest, opened: Opened | None, name: str, counter: str) -> Iterator[CorrectPage]:
        """The model's mask; opened: what is open already and is denoised again."""
        id = opened.id if opened else uuid.uuid4().hex
        lines = self.studio.document(uuid.uuid4().hex, asked, counter, correction=id)
        yield CorrectPage(canvas=lines)
        run = self.studio.start(asked)
        lines += "".join(map(step_line, self.studio.denoise(run)))
        lines += end_line(run.trace, run.seconds, run.checkpoint, verdict=verdict_panel(run.result()))
        if opened:
            yield CorrectPage(canvas=lines, opened=opened)
            return
        first = Opened(id, replace(asked, pins={}), run.trace.keep, run.checkpoint, name)
        yield CorrectPage(canvas=lines, opened=first, kept=(id, self._drafted(name, asked.prompt.text)))

    def _drafted(self, name: str, text: str) -> str:
        """When the person's draft of a prompt was made, which a new proposal takes the place of; "" = there is none."""
        try:
            draft = self.studio.store.draft(name, prompt_sha256(text))
        except USER_ERRORS:
            return ""
        return draft.created_at if draft else ""

    def _opened(self, opened: Opened | None, name: str, edits: Edits) -> Opened:
        """What is open; after a restart of the server, from the person's draft of it. InputError if there is none."""
        if opened is not None:
            return opened
        try:
            draft = self.studio.store.get(edits.correction, 0)
        except NotFoundError:
            raise InputError(_CLOSED) from None
        if draft.annotator != name:
            raise InputError(_CLOSED)
        return opened_again(draft, name)

    # --- drafts --------------------------------------------------------------------------------------------

    @reads(GreetRequest, refused=_on_canvas)
    def greet(self, request: GreetRequest) -> CorrectPage:
        """The page was opened: the name that the browser keeps, or one that nobody else has, and the newest draft."""
        name = signed_in_name(request.kept_name or f"guest-{uuid.uuid4().hex[:6]}")
        return CorrectPage(name=name, kept_name=name, canvas=self._offer(name))

    @reads(OpenedRequest, refused=_on_canvas)
    def offer(self, request: OpenedRequest) -> CorrectPage:
        """Another name was written: tell the canvas of that person's newest draft, unless a prompt is open."""
        return CorrectPage() if request.opened is not None else CorrectPage(canvas=self._offer(request.name))

    @reads(RestoreRequest, refused=_on_canvas)
    def restore(self, request: RestoreRequest) -> CorrectPage:
        """Open the person's newest draft."""
        newest = self._newest(request.name)
        if newest is None:
            raise InputError("There is no draft any more.")
        page = self._show(newest, request.name, request.counter, "Your edits are back.")
        return replace(page, text=newest.prompt)

    @reads(PersonRequest, refused=_on_canvas)
    def discard(self, request: PersonRequest) -> CorrectPage:
        """Forget the person's newest draft, and tell the canvas of the one before."""
        newest = self._newest(request.name)
        if newest is not None:
            self.studio.store.discard_draft(newest.annotator, newest.prompt_sha256)
        return CorrectPage(canvas=self._offer(request.name))

    @reads(DraftRequest, refused=_draft_not_kept)
    def keep_draft(self, request: DraftRequest) -> CorrectPage:
        """Store what the person has done so far."""
        edits = request.event
        opened = self._opened(request.opened, request.name, edits)
        mask, pins = edits.masks(len(opened.model_mask))
        draft = self.studio.store.draft(request.name, prompt_sha256(opened.request.prompt.text))
        if not request.may_replace(draft, opened):
            return CorrectPage(canvas=drafted_line(_ELSEWHERE))
        saved = self.studio.save_draft(opened, mask, pins, request.name, edits.note, edits.seconds)
        lines = drafted_line("Draft kept.") + judged_line(mask_panel(opened.request, mask, pins), mask)
        return CorrectPage(canvas=lines, kept=(opened.id, saved.correction.created_at))

    def _offer(self, name: str) -> str:
        newest = self._newest(name)
        return offer_line(shorten(newest.prompt, 80) if newest else "")

    def _newest(self, name: str) -> CorrectionRecord | None:
        """The person's newest draft."""
        try:
            store = self.studio.store
            drafts = store.find(Filter(("draft",), annotator=name), limit=1).entries
            return store.get(drafts[0].id, 0) if drafts else None
        except USER_ERRORS:
            return None

    # --- submitting, and the queue -------------------------------------------------------------------------

    @reads(SubmitRequest, refused=_not_saved)
    def submit(self, request: SubmitRequest) -> CorrectPage:
        """Save a correction, and name the prompt that comes next.

        The page says "saved" only after the store has said so.
        """
        edits, name = request.event, request.name
        opened = self._opened(request.opened, name, edits)
        mask, pins = edits.masks(len(opened.model_mask))
        saved = self.studio.save(opened, mask, pins, name, edits.note, edits.seconds)
        correction = saved.correction
        message = view.saved_message(correction.edits, len(mask), correction.revision, saved.new)
        try:
            item = self._next(request)
        except USER_ERRORS:
            item = None  # the correction is saved all the same
        return replace(self._hand_over(item, name), canvas=saved_line(message))

    @reads(TakeRequest, refused=_warned)
    def take(self, request: TakeRequest) -> CorrectPage:
        """Next was pressed: hand over the person's next prompt."""
        return self._take(request, request.current, request.opened)

    @reads(TakeRequest, refused=_warned)
    def skip(self, request: TakeRequest) -> CorrectPage:
        """Skip was pressed: as `take`, without the prompt that is open."""
        try:
            if request.current:
                self.studio.store.skip(request.current, request.name)
        except USER_ERRORS as error:
            gr.Warning(str(error))
        return self._take(request, "", request.opened)

    def _take(self, request: TakeRequest, current: str, opened: Opened | None) -> CorrectPage:
        item = self._next(request)
        if item is None:
            gr.Info("There is nothing left for you in the queue.")
        elif item.id == current and opened is not None and opened.request.text == item.text:
            gr.Info(_IN_HAND)
            return CorrectPage(next_text="", progress=progress_line(self.studio, request.name))
        return self._hand_over(item, request.name)

    def _next(self, request: PeopleRequest) -> QueueItem | None:
        return self.studio.store.next_prompt(request.name, request.people_per_prompt())

    def _hand_over(self, item: QueueItem | None, name: str) -> CorrectPage:
        progress = progress_line(self.studio, name)
        if item is None:
            return CorrectPage(next_text="", current="", progress=progress)
        return CorrectPage(next_text=item.text, current=item.id, progress=progress)
