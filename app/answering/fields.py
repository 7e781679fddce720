"""The boxes that say who answers: a model on this server or an endpoint, under the names of `Answerer`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from app.answering.answerer import ANSWER_TOKENS, HERE, PLACES, THERE
from app.components.forms import INSTANT


def answerer_fields(offered: Sequence[str], prefix: str = "") -> dict[str, Any]:
    """Who answers, and how long.

    offered: models on this server that everybody may choose. prefix: of the elements' ids, where the page has several.
    """
    with gr.Group():
        where = gr.Radio(PLACES, value=HERE, label="Who answers", elem_id=f"{prefix}where")
        with gr.Row() as here:
            local = gr.Dropdown(
                list(offered),
                value=offered[0],
                label="Model",
                info="On your own machine any Hugging Face name or folder, too",
                allow_custom_value=True,
                elem_id=f"{prefix}local-model",
            )
            chat = gr.Checkbox(
                False,
                label="As a chat",
                info="With the model's chat template, if it has one; else it continues the text to a blank line",
                elem_id=f"{prefix}chat",
            )
        with gr.Row(visible=False) as there:
            endpoint = _endpoint_fields(prefix)
        limit = gr.Slider(
            16, ANSWER_TOKENS, 64, step=16, label="Answer (tokens at most)", buttons=[], elem_id=f"{prefix}limit"
        )
    where.change(
        lambda where: (gr.update(visible=where == HERE), gr.update(visible=where == THERE)),
        where,
        [here, there],
        **INSTANT,
    )
    return {"where": where, "local": local, "chat": chat, **endpoint, "limit": limit}


def _endpoint_fields(prefix: str) -> dict[str, gr.Textbox]:
    shown = {"url": ("Address", "http://localhost:11434/v1", 2000), "model": ("Model", "llama3.2", 100)}
    boxes = {
        name: gr.Textbox(label=label, placeholder=hint, max_length=most, elem_id=f"{prefix}endpoint-{name}")
        for name, (label, hint, most) in shown.items()
    }
    key = gr.Textbox(
        label="Key",
        info="Sent to this address only, and never written down",
        type="password",
        max_length=1000,
        elem_id=f"{prefix}endpoint-key",
    )
    return {**boxes, "key": key}
