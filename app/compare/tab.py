"""The Compare tab: one prompt, shortened in two ways, answered side by side; blind votes, and who wins how often."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import astuple
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import gradio as gr

from annotations.errors import ExportError, RecordError, StoreError
from annotations.files.export import export_votes
from app.answering.answerer import Answerer, answerer
from app.compare import comparison as board
from app.compare import view as compare
from app.compare.comparison import Comparison
from app.compare.comparisons import Comparisons
from app.compare.view import EXAMPLES, METHODS, PRESETS, SIZED, Arm, Prices
from app.components import table as sheet
from app.components.canvas import token_canvas
from app.explore.events import MODEL
from app.studio import Studio
from app.web import read_web, script
from model.errors import InputError
from model.fields import NAME_LIMIT
from model.pretrained import WHEELS

AT_ONCE = 4  # rounds that are answered at the same time
KEY_SECONDS = 3600  # a key is forgotten after
_ERRORS = (InputError, RecordError, StoreError, ExportError)
_KEY_KEPT = "Kept for this address until you leave the page"
_UNMASKED = "A diffusion LLM's answer is played here, step by step."
_DOWNLOAD = "() => setTimeout(() => document.querySelector('#votes-file').click(), 100)"
Shown = tuple[Any, ...]


class Comparing:
    """The tab's events, answered by one studio."""

    def __init__(self, studio: Studio):
        self.studio, self.rounds = studio, Comparisons(studio)
        self.local = tuple(dict.fromkeys((*WHEELS, *studio.settings.targets)))  # what everybody may choose

    def shorten(self, request: gr.Request, context: str, question: str, blind: bool, *values: Any) -> Iterator[Shown]:
        """Compare was pressed: board, round, key box, key, Compare, Cancel.

        values: four of the arms, three prices, and `Answerer`'s.
        """
        ready = (gr.update(interactive=True), gr.update(interactive=False))
        try:
            arms, prices = compare.read_arms(*values[:4]), _read_prices(values[4:7])
            asked = Answerer(*values[7:])
            settings, client = self.studio.settings, request.client.host if request.client else ""
            private = settings.reaches_private(client, request.headers.keys())
            writer, kept = asked.writer(self.local, settings.endpoints != "off", private)
            target = (writer if isinstance(writer, str) else writer.name)[:NAME_LIMIT]
            one = Comparison(context or "", question or "", target, bool(blind), prices)
            one.writer, one.chat, one.limit = writer, bool(asked.chat), int(asked.limit)
            self.rounds.begin(one)
            hint = gr.update(value="", placeholder=_KEY_KEPT if kept else "")
            yield one.add(say="Shortening the prompt …"), one.id, hint, kept, *reversed(ready)
            self.rounds.shorten(one, arms)
            yield one.lines, *[gr.skip()] * 5
        except _ERRORS as error:
            yield board.error_line(str(error)), *[gr.skip()] * 3, *ready

    def write(self, round_id: str | None) -> Iterator[Any]:
        """The answers, as they come: board."""
        if round_id is None:
            return  # it could not be begun
        one = self.rounds.get(round_id)
        try:
            for changed in self.rounds.write(one):
                yield one.lines if changed else gr.skip()
        except _ERRORS as error:
            one.add(error=str(error))
            yield one.add(end="")

    def cancel(self, round_id: str | None) -> None:
        """End the visitor's own round."""
        try:
            self.rounds.get(round_id).stop.set()
        except InputError:
            pass  # it has ended long ago

    def vote(self, round_id: str | None, name: str, event: gr.EventData) -> Shown:
        """A vote: board, votes."""
        try:
            one = self.rounds.get(round_id)
            self.rounds.vote(one, str(event.winner), (name or "").strip() or "anonymous")
            return one.lines, self.votes()
        except _ERRORS as error:
            gr.Warning(f"Not saved: {error}")
        except AttributeError:
            pass  # not an event of ours
        return gr.skip(), gr.skip()

    def play(self, round_id: str | None) -> Shown:
        """What a diffusion LLM's answers are played in: the row, left, right."""
        try:
            one = self.rounds.get(round_id)
        except InputError:
            return gr.update(visible=False), "", ""
        lines = [one.played(side) for side in range(2)]
        return gr.update(visible=any(lines)), *lines

    def votes(self) -> str:
        """Who wins how often."""
        try:
            return compare.votes_sheet(self.studio.store.vote_summary())
        except StoreError as error:
            return sheet.sheet(sheet.text(str(error), "error"))

    def export(self) -> Iterator[Shown]:
        """All votes as a file to download, and a message. The file is kept until the page has its copy."""
        try:
            with tempfile.TemporaryDirectory(prefix="diffumask-") as folder:
                path = Path(folder, f"votes-{datetime.now(timezone.utc):%Y-%m-%d}.jsonl")
                count = export_votes(self.studio.store.all_votes(), path)
                if not count:
                    raise ExportError("There are no votes yet, so there is nothing to download.")
                said = f"{count:,} vote{'' if count == 1 else 's'} in {path.name}, open ones included."
                yield str(path), sheet.sheet(sheet.text(said, "ok"))
        except _ERRORS as error:
            yield gr.skip(), sheet.sheet(sheet.text(str(error), "error"))


def _read_prices(values: tuple[Any, ...]) -> Prices:
    if not all(isinstance(value, (int, float)) and 0 <= value <= 1e6 for value in values):
        raise InputError("Each price is a number from 0 up.")
    return Prices(*map(float, values))


# --- layout ------------------------------------------------------------------------------------------------


def compare_tab(studio: Studio, page: gr.Blocks, tab: gr.Tab, name: gr.Textbox) -> None:
    """Lay the tab out, inside it, and wire it. name: the box with the visitor's name in the Correct tab."""
    answers = Comparing(studio)
    quick: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    browser: dict[str, Any] = {"queue": False, **quick}
    context, question = _prompt(browser)
    arms = _arms(browser)
    with gr.Row(equal_height=True, elem_classes="dm-controls"):
        run = gr.Button("Compare", variant="primary", elem_id="compare", scale=2, min_width=110)
        cancel = gr.Button("Cancel", interactive=False, elem_id="compare-cancel", scale=1, min_width=90)
        hide = "Who is left is drawn by chance and hidden, as are times, until you vote"
        blind = gr.Checkbox(False, label="Blind", info=hide, elem_id="blind", scale=3, min_width=240)
    with gr.Accordion("Who answers, and what it costs", open=False, elem_id="who"):
        asked, key = answerer(answers.local, browser)
        prices = _prices(page, browser)
    shown = gr.HTML(
        "",
        html_template=read_web("compare.html"),
        js_on_load=script("compare"),
        apply_default_css=False,
        elem_id="board",
    )
    with gr.Row(visible=False, elem_id="unmasked") as row:
        played = [token_canvas(empty=_UNMASKED, elem_id=f"unmasked-{side}") for side in ("left", "right")]
    with gr.Accordion("Votes", open=True, elem_id="votes"):
        votes = sheet.sheet_component(elem_id="votes-sheet")
        with gr.Row(elem_classes="dm-exports"):
            export = gr.Button("Download all votes (JSONL)", size="sm", min_width=220, scale=0, elem_id="votes-export")
            file = gr.DownloadButton("Download", visible="hidden", elem_id="votes-file")
        exported = sheet.sheet_component(elem_id="votes-said")
    kept = gr.State(None, time_to_live=KEY_SECONDS)
    round_id = gr.State(None)

    inputs = [context, question, blind, *arms, *prices, *asked[:-1], key, kept, asked[-1]]
    outputs = [shown, round_id, key, kept, run, cancel]
    shortened = run.click(answers.shorten, inputs, outputs, concurrency_id=MODEL, **quick)
    written = shortened.then(
        answers.write, round_id, shown, concurrency_id="compare", concurrency_limit=AT_ONCE, **quick
    )
    buttons = lambda: (gr.update(interactive=True), gr.update(interactive=False))  # noqa: E731
    written.then(buttons, None, [run, cancel], **browser).then(answers.play, round_id, [row, *played], **quick)
    cancel.click(answers.cancel, round_id, None, **browser)
    voted = shown.vote(answers.vote, [round_id, name], [shown, votes], **quick)
    voted.then(answers.play, round_id, [row, *played], **quick)
    tab.select(answers.votes, None, votes, **quick)
    made = export.click(answers.export, None, [file, exported], **quick)
    made.success(None, None, None, js=_DOWNLOAD, **quick)


def _prompt(browser: dict[str, Any]) -> tuple[gr.Textbox, gr.Textbox]:
    """The prompt and the question, with examples."""
    with gr.Row(elem_classes="dm-examples"):
        buttons = [gr.Button(title, size="sm", min_width=60) for title in EXAMPLES]
    first = next(iter(EXAMPLES.values()))
    hint = "Demonstrations, documents or a conversation; this is what is shortened"
    with gr.Row():
        context = gr.Textbox(
            first[0], label="Prompt", info=hint, lines=5, max_lines=8, elem_id="compare-prompt", scale=3, min_width=260
        )
        question = gr.Textbox(
            first[1],
            label="Question",
            info="Follows the prompt, and stays whole",
            lines=5,
            max_lines=8,
            elem_id="compare-question",
            scale=2,
            min_width=260,
        )
    for button, texts in zip(buttons, EXAMPLES.values(), strict=True):
        button.click(lambda texts=texts: texts, None, [context, question], **browser)
    return context, question


def _arms(browser: dict[str, Any]) -> list[Any]:
    """Method, percent, method, percent."""
    with gr.Row(elem_classes="dm-examples"):
        presets = [gr.Button(title, size="sm", min_width=60) for title in PRESETS]
    parts: list[Any] = []
    with gr.Row():
        for title, arm in zip(("First", "Second"), PRESETS["Full against compressed"], strict=True):
            with gr.Group(), gr.Row():
                method = gr.Dropdown(METHODS, value=arm.method, label=title, min_width=150, elem_id=f"{title}-arm")
                percent = _percent(arm, title)
            method.change(lambda method: gr.update(visible=method in SIZED), method, percent, **browser)
            parts += [method, percent]
    for button, pair in zip(presets, PRESETS.values(), strict=True):
        values = [value for arm in pair for value in (arm.method, gr.update(value=arm.percent, visible=_sized(arm)))]
        button.click(lambda values=values: values, None, parts, **browser)
    return parts


def _percent(arm: Arm, title: str) -> gr.Slider:
    label, place = "Keep (% of words)", f"{title}-percent"
    return gr.Slider(
        5, 100, arm.percent, step=1, label=label, visible=_sized(arm), min_width=150, buttons=[], elem_id=place
    )


def _sized(arm: Arm) -> bool:
    return arm.method in SIZED


def _prices(page: gr.Blocks, browser: dict[str, Any]) -> list[gr.Number]:
    """Remembered in the browser."""
    kept = gr.BrowserState(list(astuple(Prices())), storage_key="diffumask-prices", secret="diffumask")
    titles = ("Input, $ per million tokens", "Output, $ per million tokens", "Compressing machine, $ per hour")
    with gr.Row(elem_id="prices"):
        parts = [
            gr.Number(value, label=title, minimum=0, step=0.1, min_width=150)
            for value, title in zip(astuple(Prices()), titles, strict=True)
        ]
    gr.on([part.input for part in parts], lambda *values: list(values), parts, kept, **browser)
    page.load(lambda values: values, kept, parts, **browser)
    return parts
