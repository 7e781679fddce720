"""The Correct tab: open a prompt, or take one from the queue, correct the mask, submit. Drafts are kept on the way."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from annotations.errors import ExportError, NotFoundError, RecordError, StoreError
from annotations.files.prompts import SUFFIXES, ReadPrompt, prompts_in_file, prompts_in_text
from annotations.results import Filter
from app.components import canvas_lines as view
from app.components import table as sheet
from app.components.canvas import retention_slider, token_canvas
from app.correct import view as queue_view
from app.corrections import view as review
from app.explore.events import MODEL, count_again, read_ask
from app.studio import Ask, Opened, Run, Studio
from model.errors import InputError
from model.prompt import parse
from model.prompt.limits import MAX_CHARACTERS
from model.record import CorrectionRecord

FROM_STORE = 1000  # prompts that were corrected before, taken at once
_EMPTY = "Open a prompt: the model proposes what to keep, you click the words it got wrong."
_CLOSED = "The server was started anew since this prompt was opened: press Open; your draft will be there."
_OUT_OF_STEP = "The page and the server disagree about the prompt: press Open again."
_IN_HANDS = "This is your next prompt already: submit it, or skip it."
_ERRORS = (InputError, RecordError, StoreError, ExportError)
Shown = tuple[Any, ...]  # values for the canvas, Opened, the retention, ...


class Correcting:
    """The tab's events, answered by one studio."""

    def __init__(self, studio: Studio):
        self.studio = studio

    # --- opening -------------------------------------------------------------------------------------------

    def open(self, opened: Opened | None, name: str, counter: str, *values: Any) -> Iterator[Shown]:
        """Go on with the person's draft of a prompt, or let the model propose a mask: canvas, Opened, retention.

        Who opens the prompt that is open already, at another retention, wants a new proposal.
        """
        try:
            ask, name = read_ask(*values), _name(name)
            again = opened is not None and opened.ask.text == ask.text
            anew = again and opened.ask.config.retention != ask.config.retention  # type: ignore[union-attr]
            draft = None if anew else self._draft(name, ask.text, counter)
            yield from self._propose(ask, None, name, counter) if draft is None else [draft]
        except InputError as error:
            yield view.error_line(str(error)), gr.skip(), gr.skip()

    def _draft(self, name: str, text: str, counter: str) -> Shown | None:
        try:
            draft = self.studio.store.draft(name, _sha256(text))
            said = "Your draft is back; undo shows the model's own mask."
            return self._show(draft, name, counter, said) if draft else None
        except (InputError, RecordError, StoreError):
            return None  # then the model proposes

    def _show(self, stored: CorrectionRecord, name: str, counter: str, said: str) -> Shown:
        opened = review.opened_again(stored, name)
        run = Run(uuid.uuid4().hex, opened.ask, review.stored_prompt(stored), {})
        document = self.studio.document(run, counter, correction=opened.id)
        masks = view.masks_line(
            stored.model_mask, stored.human_mask, stored.pins, note=stored.note, said=said, seconds=stored.seconds
        )
        return document + masks, opened, round(100 * stored.retention)

    def _propose(self, ask: Ask, opened: Opened | None, name: str, counter: str) -> Iterator[Shown]:
        run = self.studio.start(ask)
        id = opened.id if opened else uuid.uuid4().hex
        lines = self.studio.document(run, counter, correction=id)
        yield lines, gr.skip(), gr.skip()
        for step in self.studio.denoise(run):
            lines += view.step_line(step)
        assert run.trace
        first = opened or Opened(id, replace(ask, pins={}), run.trace.keep, run.checkpoint, name)
        yield lines + view.end_line(run.trace, run.seconds, run.checkpoint), first, gr.skip()

    def redenoise(self, opened: Opened | None, name: str, counter: str, event: gr.EventData) -> Iterator[Shown]:
        """Let the model decide again around the person's pins: canvas, Opened, retention."""
        try:
            opened = self._opened(opened, _name(name), event)
            pins = view.parse_pins(event.pins, len(opened.model_mask))
            yield from self._propose(replace(opened.ask, pins=pins), opened, _name(name), counter)
        except (InputError, RecordError, StoreError) as error:
            yield view.error_line(str(error)), gr.skip(), gr.skip()
        except (ValueError, AttributeError):
            yield view.error_line(_OUT_OF_STEP), gr.skip(), gr.skip()

    def _opened(self, opened: Opened | None, name: str, event: gr.EventData) -> Opened:
        """What is open; after a restart of the server, from the person's draft of it. InputError if there is none."""
        if opened is not None:
            return opened
        try:
            draft = self.studio.store.get(str(event.correction), 0)
        except NotFoundError:
            raise InputError(_CLOSED) from None
        if draft.annotator != name:
            raise InputError(_CLOSED)
        return review.opened_again(draft, name)

    def count(self, opened: Opened | None, event: gr.EventData) -> tuple[Any, Any]:
        """Count the open prompt's tokens by another tokenizer: canvas, the tokenizer's name."""
        return count_again(self.studio, parse(opened.ask.text) if opened else None, event)

    # --- drafts --------------------------------------------------------------------------------------------

    def greet(self, kept: str) -> tuple[str, str, Any]:
        """The page was opened: the name that the browser keeps, or one that nobody else has; it again; the canvas."""
        name = kept or f"guest-{uuid.uuid4().hex[:6]}"
        return name, name, self.offer(None, name)

    def offer(self, opened: Opened | None, name: str) -> Any:
        """Tell the canvas of the person's newest draft."""
        if opened is not None:
            return gr.skip()
        newest = self._newest(_name(name))
        return view.offer_line(review.shorten(newest.prompt, 80) if newest else "")

    def restore(self, name: str, counter: str) -> Shown:
        """Open the person's newest draft: canvas, Opened, retention, prompt."""
        try:
            newest = self._newest(_name(name))
            if newest is None:
                raise InputError("There is no draft any more.")
            return *self._show(newest, _name(name), counter, "Your edits are back."), newest.prompt
        except InputError as error:
            return view.error_line(str(error)), gr.skip(), gr.skip(), gr.skip()

    def discard(self, name: str) -> Any:
        """Forget the person's newest draft, and tell the canvas of the one before."""
        newest = self._newest(_name(name))
        try:
            if newest is not None:
                self.studio.store.discard_draft(newest.annotator, newest.prompt_sha256)
        except (StoreError, RecordError) as error:
            return view.error_line(str(error))
        return self.offer(None, name)

    def _newest(self, name: str) -> CorrectionRecord | None:
        try:
            store = self.studio.store
            found = store.find(Filter(("draft",), annotator=name), limit=1).entries
            return store.get(found[0].id, 0) if found else None
        except (StoreError, RecordError):
            return None

    def keep_draft(self, opened: Opened | None, name: str, event: gr.EventData) -> str:
        """Store what the person has done so far."""
        try:
            opened = self._opened(opened, _name(name), event)
            self.studio.save_draft(opened, *_read_edits(event, opened), _name(name), *_read_remarks(event))
        except (InputError, RecordError, StoreError) as error:
            return view.drafted_line(f"The draft is not kept: {error}")
        except (ValueError, AttributeError):
            return view.drafted_line("")  # another prompt was opened meanwhile
        return view.drafted_line("Draft kept.")

    # --- submitting, and the queue -------------------------------------------------------------------------

    def submit(self, opened: Opened | None, name: str, people: float, event: gr.EventData) -> Shown:
        """Save a correction: canvas, the prompt that comes next (or ""), its id in the queue, the queue.

        The page says "saved" only after the store has said so.
        """
        name = _name(name)
        try:
            opened = self._opened(opened, name, event)
            saved = self.studio.save(opened, *_read_edits(event, opened), name, *_read_remarks(event))
        except (InputError, RecordError, StoreError) as error:
            return view.error_line(f"Not saved: {error}"), "", gr.skip(), gr.skip()
        except (ValueError, AttributeError):
            return view.error_line(_OUT_OF_STEP), "", gr.skip(), gr.skip()
        edits, revision, n = saved.correction.edits, saved.correction.revision, len(opened.model_mask)
        said = f"Saved: {edits} of {n} tokens corrected, revision {revision}."
        if not saved.new:
            said = "This is saved already; nothing has changed since."
        try:
            item = self.studio.store.next_prompt(name, _people(people))
        except _ERRORS:
            item = None
        return view.saved_line(said), item.text if item else "", item.id if item else "", self.queue(name)

    def open_next(self, text: str, name: str, counter: str, *values: Any) -> Iterator[Shown]:
        """Open the prompt that comes after a submitted one, if there is one: canvas, Opened, retention, prompt box."""
        if not text:
            yield gr.skip(), gr.skip(), gr.skip(), gr.skip()  # without a value Gradio would empty the slider
            return
        for shown in self.open(None, name, counter, text, *values):
            yield *shown, text

    def take(self, current: str, name: str, people: float, opened: Opened | None) -> Shown:
        """Next was pressed: the text of the person's next prompt (or ""), its id, the queue."""
        name = _name(name)
        try:
            item = self.studio.store.next_prompt(name, _people(people))
        except _ERRORS as error:
            gr.Warning(str(error))
            return "", current, gr.skip()
        if item is None:
            gr.Info("There is nothing left for you in the queue.")
            return "", "", self.queue(name)
        if item.id == current and opened is not None and opened.ask.text == item.text:
            gr.Info(_IN_HANDS)
            return "", current, self.queue(name)
        return item.text, item.id, self.queue(name)

    def skip(self, current: str, name: str, people: float, opened: Opened | None) -> Shown:
        """Skip was pressed: as `take`, without the prompt that is open."""
        try:
            if current:
                self.studio.store.skip(current, _name(name))
        except _ERRORS as error:
            gr.Warning(str(error))
        return self.take("", name, people, opened)

    def queue(self, name: str) -> str:
        """How far the queue is."""
        try:
            store = self.studio.store
            return queue_view.progress_sheet(store.progress(_name(name)), len(store.unmeasured(1000)))
        except _ERRORS as error:
            return sheet.sheet(sheet.text(str(error), "error"))

    def paste(self, text: str, name: str) -> Shown:
        """Add prompts that were pasted: report, queue, paste box."""
        if not (text or "").strip():
            return sheet.sheet(sheet.text("Paste one or more prompts first.", "error")), gr.skip(), gr.skip()
        try:
            report = self._add(list(prompts_in_text(text, MAX_CHARACTERS)), "pasted")
        except _ERRORS as error:
            return sheet.sheet(sheet.text(str(error), "error")), gr.skip(), gr.skip()
        return report, self.queue(name), ""

    def upload(self, path: str | None, name: str) -> Shown:
        """Add the prompts of a file: report, queue."""
        if not path:
            return gr.skip(), gr.skip()
        try:
            return self._add(list(prompts_in_file(Path(path), MAX_CHARACTERS)), "file"), self.queue(name)
        except _ERRORS as error:
            return sheet.sheet(sheet.text(str(error), "error")), gr.skip()

    def again(self, people: float, name: str) -> Shown:
        """Add what was corrected before, for other people to correct as well: report, queue, people."""
        try:
            store = self.studio.store
            keys = store.keys(Filter(("submitted", "accepted")))[-FROM_STORE:]
            by = {(c.prompt, c.annotator) for c in store.fetch(keys)}
            prompts = sorted({prompt for prompt, _ in by})
            if not prompts:
                raise InputError("Nothing was corrected yet.")
            report = self._add(list(enumerate(prompts, start=1)), "corrected before")
            for prompt, annotator in by:
                store.done(_sha256(prompt), annotator)
        except _ERRORS as error:
            return sheet.sheet(sheet.text(str(error), "error")), gr.skip(), gr.skip()
        return report, self.queue(name), max(2, _people(people))

    def _add(self, rows: list[ReadPrompt], source: str) -> str:
        taken = [(line, row) for line, row in rows if isinstance(row, str)]
        added = self.studio.store.add_prompts([(prompt, None) for _, prompt in taken], source)
        refused = [(line, str(row)) for line, row in rows if not isinstance(row, str)]
        refused += [(taken[i][0], why) for i, why in added.refused]
        self.studio.gauge.start()
        return queue_view.report_sheet(added.new, added.already, sorted(refused))


def _name(name: str | None) -> str:
    return (name or "").strip() or "anonymous"


def _people(people: float | None) -> int:
    """How many shall correct each prompt. Raises InputError."""
    if people is None or not float(people).is_integer() or not 1 <= people <= 100:
        raise InputError("People per prompt is a whole number from 1 to 100.")
    return int(people)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _read_edits(event: gr.EventData, opened: Opened) -> tuple[tuple[bool, ...], dict[int, bool]]:
    n = len(opened.model_mask)
    return view.parse_mask(event.mask, n), view.parse_pins(event.pins, n)


def _read_remarks(event: gr.EventData) -> tuple[str, float]:
    return str(event.note), float(event.seconds)


# --- layout ------------------------------------------------------------------------------------------------


def correct_tab(
    studio: Studio, page: gr.Blocks, tab: gr.Tab, kept: gr.BrowserState, counter: gr.State, settings: list[Any]
) -> tuple[list[Any], Any]:
    """Lay the tab out, inside it, and wire it.

    Args:
        kept: the visitor's name, in their browser.
        counter: name of the tokenizer that tokens are counted with.
        settings: of Explore, as `read_ask` takes them after the prompt; the first, the retention, is the tab's own.
    Returns name, prompt, retention, canvas and Opened, and a function that makes an event open the prompt.
    """
    answers = Correcting(studio)
    with gr.Row(elem_classes="dm-queue"):
        progress = sheet.sheet_component(elem_id="queue-progress")
        following = gr.Button("Next prompt", size="sm", elem_id="next", scale=0, min_width=120)
        skip = gr.Button("Skip", size="sm", elem_id="skip", scale=0, min_width=80)
    people, wire_adding = _adding(answers)
    text = gr.Textbox(
        label="Prompt to correct", lines=3, max_lines=5, elem_id="correct-prompt", placeholder="Paste a prompt"
    )
    with gr.Row(equal_height=True, elem_classes="dm-controls"):
        button = gr.Button("Open", variant="primary", elem_id="open", scale=1, min_width=110)
        percent = retention_slider("correct-retention")
        name = gr.Textbox(label="Your name", max_length=80, elem_id="annotator", placeholder="anonymous", min_width=150)
    canvas = token_canvas(editable=True, empty=_EMPTY, counters=studio.counters.names, elem_id="correct-canvas")
    opened, current, found = gr.State(None), gr.State(""), gr.State("")

    quick: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    shared: dict[str, Any] = {"concurrency_id": MODEL, **quick}
    asked, shown = [text, percent, *settings[1:]], [canvas, opened, percent]

    def open_on(event: Any) -> None:
        event(answers.open, [opened, name, counter, *asked], shown, **shared)

    def open_found(event: Any) -> None:
        event(answers.open_next, [found, name, counter, percent, *settings[1:]], [*shown, text], **shared)

    open_on(button.click)
    canvas.redenoise(answers.redenoise, [opened, name, counter], shown, **shared)
    saved = canvas.submit(answers.submit, [opened, name, people], [canvas, found, current, progress], **quick)
    open_found(saved.then)
    for pressed, answer in ((following, answers.take), (skip, answers.skip)):
        open_found(pressed.click(answer, [current, name, people, opened], [found, current, progress], **quick).then)

    canvas.draft(answers.keep_draft, [opened, name], canvas, trigger_mode="always_last", **quick)
    canvas.restore(answers.restore, [name, counter], [*shown, text], **quick)
    canvas.count(answers.count, opened, [canvas, counter], **quick)
    canvas.discard(answers.discard, name, canvas, **quick)
    name.change(answers.offer, [opened, name], canvas, trigger_mode="always_last", **quick)
    # A box in a tab that was not open yet tells of no change, so the page says it once more when it is loaded.
    browser: dict[str, Any] = {"queue": False, **quick}
    name.change(lambda name: name, name, kept, trigger_mode="always_last", **browser)
    page.load(answers.greet, kept, [name, kept, canvas], **browser)
    tab.select(answers.queue, name, progress, **quick)
    wire_adding(name, progress, quick)
    return [name, text, percent, canvas, opened], open_on


def _adding(answers: Correcting) -> tuple[gr.Number, Any]:
    """The fold in which prompts are added: people per prompt, and a function that wires it."""
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
        report = sheet.sheet_component(elem_id="queue-report")

    def wire(name: gr.Textbox, progress: gr.HTML, quick: dict[str, Any]) -> None:
        add.click(answers.paste, [pasted, name], [report, progress, pasted], **quick)
        file.upload(answers.upload, [file, name], [report, progress], **quick)
        again.click(answers.again, [people, name], [report, progress, people], **quick)

    return people, wire
