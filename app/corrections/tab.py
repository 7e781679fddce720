"""The Corrections tab: find what people corrected, look at it, accept or reject it, export and import."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import gradio as gr

from annotations.errors import ExportError, NotFoundError, RecordError, StoreError
from annotations.files.archive import unzipped, zip_folder
from annotations.files.export import export
from annotations.files.importing import import_file
from annotations.results import Filter
from app.components import table as sheet
from app.components.canvas import token_canvas
from app.corrections import view as review
from app.studio import Run, Studio
from model.errors import InputError
from model.fields import NOTE_LIMIT
from model.record import STATUSES

FORMATS = {"JSONL": ".jsonl", "CSV": ".csv", "Parquet": ".parquet", "Data set (zip)": ".zip"}
_ERRORS = (InputError, RecordError, StoreError, ExportError)
_EMPTY = "Choose a correction above: its masks, their difference and its history are shown here."
_NONE_CHOSEN = "Choose a correction in the table first."
_REVIEWED = {"accepted": "Accepted", "rejected": "Rejected"}
_SHOW_IT = "() => setTimeout(() => document.querySelector('#review-part').scrollIntoView({behavior: 'smooth'}), 100)"
_DOWNLOAD = "() => setTimeout(() => document.querySelector('#export-file').click(), 100)"


def read_filter(
    text: str, statuses: list[str], annotator: str, checkpoint: str, since: str | None, until: str | None
) -> Filter:
    """The tab's filter as the store takes it. Raises RecordError."""
    chosen = tuple(statuses or ())
    return Filter(chosen, annotator or "", checkpoint or "", since or "", until or "", (text or "").strip())


class Reviewing:
    """The tab's events, answered by one studio."""

    def __init__(self, studio: Studio):
        self.studio = studio

    def refresh(self, *values: Any) -> tuple[Any, ...]:
        """All that does not depend on the chosen correction: statistics, list, people, models, agreement."""
        try:
            stats = self.studio.store.stats()
            agreement = review.agreement_sheet(self.studio.store.agreement())
        except StoreError as error:
            return _refused(error), gr.skip(), gr.skip(), gr.skip(), gr.skip()
        people = gr.update(choices=[("Everybody", ""), *((name, name) for name in stats.annotators)])
        models = gr.update(choices=[("Every model", ""), *((name, name) for name in stats.checkpoints)])
        return review.stats_sheet(stats), self.list(*values), people, models, agreement

    def list(self, *values: Any) -> str:
        """The first page of what the filter lets through."""
        return self._list(0, *values)

    def turn(self, event: gr.EventData, *values: Any) -> Any:
        """Another page of it."""
        try:
            return self._list(max(0, int(event.page)), *values)
        except (ValueError, TypeError, AttributeError, OverflowError):
            return gr.skip()

    def _list(self, page: int, *values: Any, chosen: str = "") -> str:
        try:
            store = self.studio.store
            found = store.find(read_filter(*values), page * review.PAGE_SIZE, review.PAGE_SIZE)
            anything = bool(found.total) or store.find(limit=1).total > 0
            return review.list_sheet(found, page, anything, chosen)
        except _ERRORS as error:
            return _refused(error)

    def pick(self, event: gr.EventData) -> tuple[Any, ...]:
        """Show a revision: canvas, card, what is chosen, and no message."""
        try:
            return (*self._show(*review.parse_key(event.id)), sheet.sheet())
        except (ValueError, AttributeError):
            return gr.skip(), gr.skip(), gr.skip(), _refused(_NONE_CHOSEN)
        except _ERRORS as error:
            return gr.skip(), gr.skip(), gr.skip(), _refused(error)

    def _show(self, id: str, revision: int) -> tuple[str, str, tuple[str, int]]:
        store = self.studio.store
        correction = store.get(id, revision)
        card = review.card_sheet(correction, store.history(id), store.agreement())
        return review.canvas_lines(correction), card, (id, revision)

    def accept(self, *values: Any) -> tuple[Any, ...]:
        """The reviewer says yes."""
        return self._verdict("accepted", *values)

    def reject(self, *values: Any) -> tuple[Any, ...]:
        """The reviewer says no."""
        return self._verdict("rejected", *values)

    def _verdict(
        self, status: str, chosen: tuple[str, int] | None, reviewer: str, remark: str, *values: Any
    ) -> tuple[Any, ...]:
        """Canvas, card, what is chosen, message, remark, list, statistics."""
        nothing = [gr.skip()] * 3
        try:
            if not chosen:
                raise NotFoundError(_NONE_CHOSEN)
            name = (reviewer or "").strip() or "anonymous"
            saved = self.studio.store.review(*chosen, status, name, remark or "")
            one = saved.correction
            shown = self._show(one.id, one.revision)
            stats = review.stats_sheet(self.studio.store.stats())
        except _ERRORS as error:
            return (*nothing, _refused(error), *nothing)
        said = f"{_REVIEWED[status]} by {name}: revision {one.revision}."
        listed = self._list(0, *values, chosen=review.key(one.id, one.revision))
        return (*shown, sheet.sheet(sheet.text(said, "ok")), "", listed, stats)

    def open_again(self, chosen: tuple[str, int] | None, annotator: str) -> tuple[Any, ...]:
        """Take the chosen revision to the Correct tab: message, tabs, prompt, percent, canvas, Opened."""
        try:
            if not chosen:
                raise NotFoundError(_NONE_CHOSEN)
            name = (annotator or "").strip() or "anonymous"
            correction = self.studio.store.get(*chosen)
            opened = review.opened_again(correction, name)
            run = Run(opened.id, opened.ask, review.stored_prompt(correction), {})
            lines = review.edit_lines(correction, name, self.studio.document(run))
        except _ERRORS as error:
            return (_refused(error), *[gr.skip()] * 5)
        percent = max(5, round(100 * correction.retention))
        return sheet.sheet(), gr.Tabs(selected="correct"), correction.prompt, percent, lines, opened

    def search_for(self, event: gr.EventData) -> Any:
        """A prompt of the agreement table was chosen: search for it."""
        try:
            return str(event.id)[:200]
        except AttributeError:
            return gr.skip()

    def export_as(self, suffix: str, *values: Any) -> Iterator[tuple[Any, str]]:
        """The file to download, and a message. The file is kept until the page has its copy."""
        try:
            with tempfile.TemporaryDirectory(prefix="diffumask-") as folder:
                name = f"corrections-{datetime.now(timezone.utc):%Y-%m-%d}"
                path = Path(folder, name + suffix)
                count = self._write(path, read_filter(*values))
                if not count:
                    raise ExportError("nothing matches this filter, so there is nothing to export")
                yield str(path), sheet.sheet(sheet.text(f"{review.plural(count, 'correction')} in {path.name}.", "ok"))
        except _ERRORS as error:
            yield gr.skip(), _refused(error)

    def _write(self, path: Path, chosen: Filter) -> int:
        store = self.studio.store
        corrections = store.fetch(store.keys(chosen))
        if path.suffix != ".zip":
            return export(corrections, path)
        count = export(corrections, path.with_suffix(""), "dataset")
        zip_folder(path.with_suffix(""), path)
        return count

    def import_from(self, path: str | None) -> str:
        """Take in a file; says row by row what became of it."""
        if not path:
            return sheet.sheet()
        try:
            with unzipped(Path(path)) as source:
                return review.report_sheet(import_file(self.studio.store, source))
        except _ERRORS as error:
            return _refused(error)


def _refused(error: object) -> str:
    return sheet.sheet(sheet.text(str(error), "error"))


def corrections_tab(studio: Studio, tab: gr.Tab, name: gr.Textbox, kept: gr.BrowserState, reopened: list[Any]) -> None:
    """Lay out and wire the tab.

    Args:
        name: the box with the visitor's name in the Correct tab.
        kept: the name in their browser.
        reopened: where a correction goes that is opened again: tabs, prompt, percent, canvas, Opened.
    """
    answers = Reviewing(studio)
    quick: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}

    stats = sheet.sheet_component(elem_id="corrections-stats")
    filters = _filters()
    people, models = filters[2:4]
    found = sheet.sheet_component(elem_id="corrections-list")
    with gr.Row(elem_classes="dm-exports"):
        exports = [gr.Button(f"Export {title}", size="sm", min_width=90) for title in FORMATS]
        file = gr.DownloadButton("Download", visible="hidden", elem_id="export-file")
    exported = sheet.sheet_component(elem_id="export-said")

    with gr.Column(elem_id="review-part"):
        canvas = token_canvas(reviewing=True, empty=_EMPTY, elem_id="review-canvas")
        with gr.Row(equal_height=False):
            with gr.Column(scale=3, min_width=300):
                card = sheet.sheet_component(elem_id="review-card")
            with gr.Column(scale=2, min_width=260, visible=False) as verdict:
                reviewer = gr.Textbox(label="Your name", max_length=80, elem_id="reviewer", placeholder="anonymous")
                remark = gr.Textbox(
                    label="Remark", lines=2, max_length=NOTE_LIMIT, elem_id="remark", placeholder="Why, if you like"
                )
                with gr.Row():
                    accept = gr.Button("Accept", variant="primary", elem_id="accept", min_width=90)
                    reject = gr.Button("Reject", elem_id="reject", min_width=90)
                    again = gr.Button("Open again", elem_id="open-again", min_width=140)
                said = sheet.sheet_component(elem_id="review-said")
    chosen = gr.State(None)

    with gr.Accordion("Agreement between annotators", open=False, elem_id="agreement"):
        agreement = sheet.sheet_component(elem_id="agreement-sheet")
    with gr.Accordion("Import corrections", open=False, elem_id="import"):
        gr.HTML(
            "<p>A JSONL, CSV or Parquet file, or the zip of a data set, as exported here. Importing a file twice adds"
            " nothing.</p>"
        )
        upload = gr.File(
            label="File", file_types=[".jsonl", ".csv", ".parquet", ".zip"], height=120, elem_id="import-file"
        )
        report = sheet.sheet_component(elem_id="import-report")

    fresh = [stats, found, people, models, agreement]
    shown = [canvas, card, chosen, said]
    tab.select(answers.refresh, filters, fresh, **quick)
    gr.on([part.change for part in filters], answers.list, filters, found, trigger_mode="always_last", **quick)
    found.turn(answers.turn, filters, found, **quick)
    picked = found.pick(answers.pick, None, shown, **quick)
    picked.then(lambda: gr.Column(visible=True), None, verdict, js=_SHOW_IT, **quick)
    card.pick(answers.pick, None, shown, **quick)
    for button, judge in ((accept, answers.accept), (reject, answers.reject)):
        button.click(judge, [chosen, reviewer, remark, *filters], [*shown, remark, found, stats], **quick)
    again.click(answers.open_again, [chosen, reviewer], [said, *reopened], **quick)
    agreement.pick(answers.search_for, None, filters[0], **quick)
    for button, suffix in zip(exports, FORMATS.values(), strict=True):
        made = button.click(_exporter(answers, suffix), filters, [file, exported], **quick)
        made.success(None, None, None, js=_DOWNLOAD, **quick)
    imported = upload.change(answers.import_from, upload, report, show_progress="minimal", api_visibility="private")
    imported.then(answers.refresh, filters, fresh, **quick)
    _one_name(tab, name, kept, reviewer)


def _filters() -> list[Any]:
    """In the order that `read_filter` takes them."""
    with gr.Row(elem_classes="dm-filters"):
        text = gr.Textbox(
            label="Search", placeholder="words of the prompt, a note, a name, an id", scale=3, min_width=220
        )
        people = gr.Dropdown([("Everybody", "")], value="", label="Annotator", allow_custom_value=True, min_width=140)
        models = gr.Dropdown([("Every model", "")], value="", label="Model", allow_custom_value=True, min_width=140)
    with gr.Row(elem_classes="dm-filters"):
        done = [status for status in STATUSES if status != "draft"]
        statuses = gr.CheckboxGroup(STATUSES, value=done, label="Status", scale=3, min_width=260, elem_id="statuses")
        since = gr.DateTime(label="From day", include_time=False, type="string", min_width=190)
        until = gr.DateTime(label="To day", include_time=False, type="string", min_width=190)
    return [text, statuses, people, models, since, until]


def _exporter(answers: Reviewing, suffix: str) -> Any:
    def write(*values: Any) -> Iterator[tuple[Any, str]]:
        yield from answers.export_as(suffix, *values)

    return write


def _one_name(tab: gr.Tab, name: gr.Textbox, kept: gr.BrowserState, reviewer: gr.Textbox) -> None:
    """The name is one, whichever box it is written in."""
    quick: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    tab.select(lambda name: name, name, reviewer, **quick)
    reviewer.blur(lambda name: (name, name), reviewer, [name, kept], **quick)
