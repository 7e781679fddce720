"""Layout and wiring of the Compare tab: one prompt, shortened in several ways, answered side by side; the arena."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.answering.fields import answerer_fields
from app.compare.arms import offered
from app.compare.events import CompareEvents
from app.compare.fields import arena_fields, arm_fields, mode_field, price_fields, prompt_fields
from app.components.canvas import token_canvas
from app.components.forms import MODEL_QUEUE, PRIVATE, Form
from app.components.scripted import queue_place, scripted, table_component, waits_at
from app.studio import Studio

_AT_ONCE = 4  # comparisons that are answered at the same time
_KEY_SECONDS = 3600  # a key is forgotten after
_UNMASKED = "A diffusion LLM's answer is played here, step by step."
_DOWNLOAD = "() => setTimeout(() => document.querySelector('#votes-file').click(), 100)"


@dataclass(frozen=True)
class CompareTab:
    """The components that other tabs use."""

    context: gr.Textbox
    questions: gr.Textbox


def compare_tab(studio: Studio, page: gr.Blocks, tab: gr.Tab, name: gr.Textbox) -> CompareTab:
    """Lay the tab out, inside it, and wire it. name: the box with the visitor's name in the Correct tab."""
    events, methods = CompareEvents(studio), offered(studio.settings)
    prompt = prompt_fields()
    run = gr.Button("Compare", variant="primary", elem_id="compare", scale=2, min_width=110, render=False)
    three, arena = gr.Column(render=False), gr.Column(visible=False, render=False)
    mode = mode_field(run, three, arena)
    mode.render()
    with three.render():
        arms = arm_fields(methods)
    with arena.render():
        arms |= arena_fields(methods)
    with gr.Row(equal_height=True, elem_classes="dm-controls"):
        run.render()
        cancel = gr.Button("Cancel", interactive=False, elem_id="compare-cancel", scale=1, min_width=90)
    with gr.Accordion("Who answers, and what it costs", open=False, elem_id="who"):
        answerer, prices = answerer_fields(studio.local_targets), price_fields(page)
    place = queue_place(elem_id="compare-place")
    summary = table_component(elem_id="compare-summary")
    answers = scripted("compare", elem_id="board")
    with gr.Row(visible=False, elem_id="unmasked") as unmasked:
        left, right = (token_canvas(empty=_UNMASKED, elem_id=f"unmasked-{side}") for side in ("left", "right"))
    with gr.Accordion("Standings of the arena", open=True, elem_id="votes"):
        votes = table_component(elem_id="votes-sheet")
        with gr.Accordion("Pair by pair", open=False, elem_id="pairs"):
            pairs = table_component(elem_id="pairs-sheet")
        with gr.Row(elem_classes="dm-exports"):
            export = gr.Button("Download all votes (JSONL)", size="sm", min_width=220, scale=0, elem_id="votes-export")
            file = gr.DownloadButton("Download", visible="hidden", elem_id="votes-file")
        exported = table_component(elem_id="votes-said")
    form = Form(
        **prompt,
        **arms,
        **answerer,
        **prices,
        run=run,
        cancel=cancel,
        mode=mode,
        summary=summary,
        answers=answers,
        unmasked=unmasked,
        left=left,
        right=right,
        name=name,
        votes=votes,
        pairs=pairs,
        file=file,
        exported=exported,
        kept_key=gr.State(None, time_to_live=_KEY_SECONDS),
        comparison=gr.State(None),
    )
    _wire_comparison(form, events, {"concurrency_id": MODEL_QUEUE, **waits_at(place)})
    _wire_votes(form, events, tab, export)
    return CompareTab(prompt["context"], prompt["questions"])


def _wire_comparison(form: Form, events: CompareEvents, model: dict[str, Any]) -> None:
    begun = ["answers", "summary", "comparison", "key", "kept_key", "run", "cancel"]
    played = ["unmasked", "left", "right"]
    shortened = form.on(form["run"].click, events.shorten, begun, **model)
    written = form.on(
        shortened.then, events.write, ["answers", "summary"], concurrency_id="compare", concurrency_limit=_AT_ONCE
    )
    finished = form.on(written.then, events.finish, ["run", "cancel"], queue=False)
    form.on(finished.then, events.play, played)
    form.on(form["cancel"].click, events.cancel, queue=False)
    voted = form.on(form["answers"].vote, events.vote, ["answers", "votes", "pairs"])
    form.on(voted.then, events.play, played)


def _wire_votes(form: Form, events: CompareEvents, tab: gr.Tab, export: gr.Button) -> None:
    form.on(tab.select, events.show_votes, ["votes", "pairs"])
    written = form.on(export.click, events.export, ["file", "exported"])
    written.success(None, None, None, js=_DOWNLOAD, **PRIVATE)
