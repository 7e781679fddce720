"""The parts of the Compare tab that are filled in: prompt and questions, the ways to shorten it, the prices.

Each function lays its part out and returns the components under the names of `CompareRequest`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple
from typing import Any

import gradio as gr

from app.compare.arms import FULL, HUMAN, LEFT_OUT, NONE, SIZED, triples
from app.compare.comparisons import MOST_COMPARED
from app.compare.events import ARENA, MODES, SIDE_BY_SIDE
from app.compare.sides import Prices
from app.components.forms import INSTANT
from app.examples import example_questions

_RUN = ("Compare", "Draw a pair")
_HOW = "Three ways beside the full prompt; or two without names, and you vote"


def prompt_fields() -> dict[str, Any]:
    """The prompt and the questions, with examples."""
    examples = example_questions()
    with gr.Row(elem_classes="dm-examples"):
        buttons = [gr.Button(title, size="sm", min_width=60) for title in examples]
    first = next(iter(examples.values()))
    shape: dict[str, Any] = {"lines": 7, "max_lines": 10, "min_width": 260}
    with gr.Row():
        context = gr.Textbox(
            first[0],
            label="Prompt",
            info="Demonstrations, documents or a conversation; this is what is shortened",
            elem_id="compare-prompt",
            scale=3,
            **shape,
        )
        questions = gr.Textbox(
            first[1],
            label="Questions",
            info=f"Each follows the prompt, whole; an empty line between two, at most {MOST_COMPARED}",
            elem_id="compare-questions",
            scale=2,
            **shape,
        )
    for button, texts in zip(buttons, examples.values(), strict=True):
        button.click(lambda texts=texts: texts, None, [context, questions], **INSTANT)
    return {"context": context, "questions": questions}


def mode_field(run: gr.Button, three: gr.Column, arena: gr.Column) -> gr.Radio:
    """Side by side or arena; run: is named by it; three, arena: the fields of each."""
    mode = gr.Radio(MODES, value=SIDE_BY_SIDE, label="How to compare", info=_HOW, elem_id="compare-mode", render=False)

    mode.change(
        lambda mode: (
            gr.update(value=_RUN[mode == ARENA]),
            gr.update(visible=mode != ARENA),
            gr.update(visible=mode == ARENA),
        ),
        mode,
        [run, three, arena],
        **INSTANT,
    )
    return mode


def arm_fields(methods: Sequence[str]) -> dict[str, Any]:
    """Three ways to shorten the prompt, with triples to choose at once. methods: those that are offered."""
    titles, shown = ("First", "Second", "Third"), triples(tuple(methods))
    choices = [method for method in methods if method != FULL]
    with gr.Row(elem_classes="dm-examples"):
        buttons = [gr.Button(title, size="sm", min_width=60) for title in shown]
    fields: dict[str, Any] = {}
    with gr.Row():
        for title, arm in zip(titles, next(iter(shown.values())), strict=True):
            with gr.Column(min_width=240):
                method = gr.Dropdown([*choices, LEFT_OUT], value=arm.method, label=title, elem_id=f"{title}-arm")
                percent = _percent(arm.percent, f"{title}-percent", arm.sized)
            method.change(lambda method: gr.update(visible=method in SIZED), method, percent, **INSTANT)
            fields |= {f"{title.lower()}_method": method, f"{title.lower()}_percent": percent}
    for button, arms in zip(buttons, shown.values(), strict=True):
        values = [value for arm in arms for value in (arm.method, gr.update(value=arm.percent, visible=arm.sized))]
        button.click(lambda values=values: values, None, list(fields.values()), **INSTANT)
    return fields


def arena_fields(methods: Sequence[str]) -> dict[str, Any]:
    """Who may be drawn, and how long their prompts are. methods: those that are offered."""
    with gr.Row():
        contestants = gr.CheckboxGroup(
            list(methods),
            value=[method for method in methods if method not in (HUMAN, NONE)],
            label="Who may be drawn",
            info="Two of them, one of the questions, and who is left, by chance",
            elem_id="contestants",
            scale=3,
            min_width=260,
        )
        percent = _percent(35, "arena-percent")
    return {"contestants": contestants, "percent": percent}


def _percent(value: int, elem_id: str, visible: bool = True) -> gr.Slider:
    label = "Keep at most (%)"
    return gr.Slider(5, 100, value, step=1, label=label, visible=visible, min_width=200, buttons=[], elem_id=elem_id)


def price_fields(page: gr.Blocks) -> dict[str, Any]:
    """The prices, which are remembered in the browser."""
    standard = list(astuple(Prices()))
    kept = gr.BrowserState(standard, storage_key="diffumask-prices", secret="diffumask")
    titles = ("Input, $ per million tokens", "Output, $ per million tokens", "Compressing machine, $ per hour")
    with gr.Row(elem_id="prices"):
        boxes = [
            gr.Number(value, label=title, minimum=0, step=0.1, min_width=150)
            for value, title in zip(standard, titles, strict=True)
        ]
    gr.on([box.input for box in boxes], lambda *values: list(values), boxes, kept, **INSTANT)
    page.load(lambda values: values, kept, boxes, **INSTANT)
    return dict(zip(("price_in", "price_out", "price_hour"), boxes, strict=True))
