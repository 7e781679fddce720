"""The parts of the Compare tab that are filled in: the prompt, the two ways to shorten it, the prices.

Each function lays its part out and returns the components under the names of `CompareRequest`.
"""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

import gradio as gr

from app.compare.arms import PAIRS, SHORTENINGS, SIZED, Arm
from app.compare.sides import Prices
from app.components.forms import INSTANT
from app.examples import example_questions


def prompt_fields() -> dict[str, Any]:
    """The prompt and the question, with examples."""
    examples = example_questions()
    with gr.Row(elem_classes="dm-examples"):
        buttons = [gr.Button(title, size="sm", min_width=60) for title in examples]
    first = next(iter(examples.values()))
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
    for button, texts in zip(buttons, examples.values(), strict=True):
        button.click(lambda texts=texts: texts, None, [context, question], **INSTANT)
    return {"context": context, "question": question}


def arm_fields() -> dict[str, Any]:
    """The two ways to shorten the prompt, with pairs to choose at once."""
    with gr.Row(elem_classes="dm-examples"):
        buttons = [gr.Button(title, size="sm", min_width=60) for title in PAIRS]
    fields: dict[str, Any] = {}
    with gr.Row():
        for title, arm in zip(("First", "Second"), PAIRS["Full against compressed"], strict=True):
            with gr.Group(), gr.Row():
                method = gr.Dropdown(SHORTENINGS, value=arm.method, label=title, min_width=150, elem_id=f"{title}-arm")
                percent = _percent(arm, f"{title}-percent")
            method.change(lambda method: gr.update(visible=method in SIZED), method, percent, **INSTANT)
            fields |= {f"{title.lower()}_method": method, f"{title.lower()}_percent": percent}
    for button, pair in zip(buttons, PAIRS.values(), strict=True):
        values = [value for arm in pair for value in (arm.method, gr.update(value=arm.percent, visible=arm.sized))]
        button.click(lambda values=values: values, None, list(fields.values()), **INSTANT)
    return fields


def _percent(arm: Arm, elem_id: str) -> gr.Slider:
    label = "Keep at most (% of tokens)"
    return gr.Slider(
        5, 100, arm.percent, step=1, label=label, visible=arm.sized, min_width=150, buttons=[], elem_id=elem_id
    )


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
