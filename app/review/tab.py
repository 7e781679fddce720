"""Layout and wiring of the Review tab: find what people corrected, look at it, review it, export and import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr

from app.components.canvas import token_canvas
from app.components.forms import INSTANT, PRIVATE, Form
from app.components.scripted import table_component
from app.correct.tab import CANVAS_QUEUE, CorrectTab
from app.review.events import CorrectionsEvents, ExportEvents
from app.studio import Studio
from model.fields import NOTE_LIMIT
from model.record import STATUSES

_EXPORTS = {"JSONL": ".jsonl", "CSV": ".csv", "Parquet": ".parquet", "Data set (zip)": ".zip"}
_EMPTY = "Choose a correction above: its masks, their difference and its history are shown here."
_SCROLL_TO_IT = (
    "() => setTimeout(() => document.querySelector('#review-part').scrollIntoView({behavior: 'smooth'}), 100)"
)
_DOWNLOAD = "() => setTimeout(() => document.querySelector('#export-file').click(), 100)"
_FILTER = ("search", "statuses", "annotator", "checkpoint", "since", "until")
_DAYS = ("since", "until")


def review_tab(studio: Studio, tab: gr.Tab, tabs: gr.Tabs, correct: CorrectTab, kept_name: gr.BrowserState) -> None:
    """Lay the tab out, inside it, and wire it.

    Args:
        correct: the tab in which a correction is opened again, and where the visitor's name is.
        kept_name: the name in their browser.
    """
    events = CorrectionsEvents(studio)
    stats = table_component(elem_id="corrections-stats")
    filters = _filter_row()
    listing = table_component(elem_id="corrections-list")
    exporting = _export_row()
    review = _review_part()
    with gr.Accordion("Agreement between annotators", open=False, elem_id="agreement"):
        agreement = table_component(elem_id="agreement-sheet")
    upload, take_in, report = _import_fold()
    form = Form(
        **filters,
        stats=stats,
        listing=listing,
        agreement=agreement,
        chosen=gr.State(None),
        canvas=review.canvas,
        card=review.card,
        people=review.people,
        settle=review.settle,
        reviewer=review.reviewer,
        remark=review.remark,
        message=review.message,
        file=exporting.file,
        exported=exporting.message,
        upload=upload,
        report=report,
        tabs=tabs,
        correct_text=correct.text,
        correct_retention=correct.retention,
        correct_canvas=correct.canvas,
        opened=correct.opened,
    )
    _wire_list(form, events, tab)
    _wire_review(form, events, review)
    _wire_files(form, events, studio, exporting.buttons, take_in)
    _share_name(tab, correct.name, kept_name, review.reviewer)


_FRESH = ["stats", "listing", "annotator", "checkpoint", "agreement"]


def _wire_list(form: Form, events: CorrectionsEvents, tab: gr.Tab) -> None:
    form.on(tab.select, events.refresh, _FRESH)
    typed = [event for name in _DAYS for event in (form[name].submit, form[name].blur)]  # half a day is no day
    changed = partial(gr.on, [*(form[name].change for name in _FILTER if name not in _DAYS), *typed])
    form.on(changed, events.first_page, ["listing"], trigger_mode="always_last")
    form.on(form["listing"].turn, events.turn, ["listing"])
    form.on(form["agreement"].pick, events.search_for, ["search"])


def _wire_review(form: Form, events: CorrectionsEvents, review: _Review) -> None:
    shown = ["canvas", "card", "chosen", "message", "people", "settle"]
    picked = form.on(form["listing"].pick, events.pick, shown)
    picked.then(lambda: gr.Column(visible=True), None, review.column, js=_SCROLL_TO_IT, **PRIVATE)
    form.on(form["card"].pick, events.pick, shown)
    form.on(review.accept.click, events.accept, [*shown, "remark", "listing", "stats"])
    form.on(review.reject.click, events.reject, [*shown, "remark", "listing", "stats"])
    reopened = ["message", "tabs", "correct_text", "correct_retention", "correct_canvas", "opened"]
    form.on(review.again.click, events.open_again, reopened, concurrency_id=CANVAS_QUEUE)
    form.on(review.settle.click, events.settle, reopened, concurrency_id=CANVAS_QUEUE)


def _wire_files(
    form: Form, events: CorrectionsEvents, studio: Studio, buttons: Mapping[str, gr.Button], take_in: gr.Button
) -> None:
    for suffix, button in buttons.items():
        written = form.on(button.click, ExportEvents(studio, suffix).export, ["file", "exported"])
        written.success(None, None, None, js=_DOWNLOAD, **PRIVATE)
    imported = form.on(take_in.click, events.import_from, ["report"], show_progress="minimal")
    form.on(imported.then, events.refresh, _FRESH)


def _share_name(tab: gr.Tab, name: gr.Textbox, kept_name: gr.BrowserState, reviewer: gr.Textbox) -> None:
    """The visitor has one name, whichever box it is written in."""
    tab.select(lambda name: name, name, reviewer, **INSTANT)
    reviewer.blur(lambda name: (name, name), reviewer, [name, kept_name], **INSTANT)


# --- layout ------------------------------------------------------------------------------------------------


def _filter_row() -> dict[str, Any]:
    """The components of `FilterRequest`."""
    with gr.Row(elem_classes="dm-filters"):
        search = gr.Textbox(
            label="Search", placeholder="words of the prompt, a note, a name, an id", scale=3, min_width=220
        )
        annotator = gr.Dropdown(
            [("Everybody", "")], value="", label="Annotator", allow_custom_value=True, min_width=140
        )
        checkpoint = gr.Dropdown([("Every model", "")], value="", label="Model", allow_custom_value=True, min_width=140)
    with gr.Row(elem_classes="dm-filters"):
        done = [status for status in STATUSES if status != "draft"]
        statuses = gr.CheckboxGroup(STATUSES, value=done, label="Status", scale=3, min_width=260, elem_id="statuses")
        since, until = (
            gr.Textbox(label=f"{word} day", placeholder="2026-11-22", min_width=130) for word in ("From", "To")
        )
    return dict(zip(_FILTER, (search, statuses, annotator, checkpoint, since, until), strict=True))


@dataclass(frozen=True)
class _Exporting:
    """buttons: suffix of a file -> what makes it."""

    buttons: Mapping[str, gr.Button]
    file: gr.DownloadButton
    message: gr.HTML


def _export_row() -> _Exporting:
    with gr.Row(elem_classes="dm-exports"):
        buttons = {suffix: gr.Button(f"Export {kind}", size="sm", min_width=90) for kind, suffix in _EXPORTS.items()}
        file = gr.DownloadButton("Download", visible="hidden", elem_id="export-file")
    return _Exporting(buttons, file, table_component(elem_id="export-said"))


@dataclass(frozen=True)
class _Review:
    """column: what a reviewer writes in; hidden until a correction is chosen."""

    canvas: gr.HTML
    card: gr.HTML
    column: gr.Column
    reviewer: gr.Textbox
    remark: gr.Textbox
    accept: gr.Button
    reject: gr.Button
    again: gr.Button
    settle: gr.Button
    people: gr.HTML
    message: gr.HTML


def _review_part() -> _Review:
    with gr.Column(elem_id="review-part"):
        canvas = token_canvas(reviewing=True, empty=_EMPTY, elem_id="review-canvas")
        with gr.Row(equal_height=False):
            with gr.Column(scale=3, min_width=300):
                card = table_component(elem_id="review-card")
            with gr.Column(scale=2, min_width=260, visible=False) as column:
                reviewer = gr.Textbox(label="Your name", max_length=80, elem_id="reviewer", placeholder="anonymous")
                remark = gr.Textbox(
                    label="Remark", lines=2, max_length=NOTE_LIMIT, elem_id="remark", placeholder="Why, if you like"
                )
                with gr.Row():
                    accept = gr.Button("Accept", variant="primary", elem_id="accept", min_width=90)
                    reject = gr.Button("Reject", elem_id="reject", min_width=90)
                    again = gr.Button("Open again", elem_id="open-again", min_width=140)
                settle = gr.Button("Settle it: open the majority's mask", visible=False, elem_id="settle")
                message = table_component(elem_id="review-said")
        people = table_component(elem_id="review-people")
    return _Review(canvas, card, column, reviewer, remark, accept, reject, again, settle, people, message)


def _import_fold() -> tuple[gr.File, gr.Button, gr.HTML]:
    with gr.Accordion("Import corrections", open=False, elem_id="import"):
        gr.HTML(
            "<p>A JSONL, CSV or Parquet file, or the zip of a data set, as exported here. Importing a file twice adds"
            " nothing.</p>"
        )
        upload = gr.File(
            label="File", file_types=[".jsonl", ".csv", ".parquet", ".zip"], height=120, elem_id="import-file"
        )
        take_in = gr.Button("Import this file", elem_id="import-this", elem_classes="dm-confirm")
        return upload, take_in, table_component(elem_id="import-report")
