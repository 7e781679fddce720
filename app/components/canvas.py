"""The token canvas: a Gradio component whose tokens are built in the browser.

Gradio re-evaluates the templates of gr.HTML as code, so the template is static and a prompt never enters it: the value
is text in the format of `app.components.canvas_lines`, which the script reads with JSON.parse and shows with
textContent.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

WEB = Path(__file__).parents[1] / "web"
# Together one function body, in this order.
_SCRIPTS = ("document.js", "paint.js", "player.js", "edit.js", "keys.js", "review.js", "start.js")


def read_web(name: str) -> str:
    """A file of the canvas's own HTML, CSS or JavaScript."""
    return (WEB / name).read_text(encoding="utf-8")


def token_canvas(
    *,
    editable: bool = False,
    reviewing: bool = False,
    slider: str = "",
    empty: str = "",
    counters: Sequence[str] = (),
    **kwargs: Any,
) -> gr.HTML:
    """A prompt as chips, with the model's decisions. (No subclass: Gradio would write a stub file beside it.)

    Its value is a text in the format of `app.components.canvas_lines`. Events: "resample" (the slider was let go);
    "redenoise", "draft"
    and "submit" (with `mask` and `pins` as text of one character a token); "restore" and "discard" (of a draft);
    "count" (with the `name` of a tokenizer).

    Args:
        editable: corrections by mouse and keyboard instead of a player.
        reviewing: read only: a stored correction, its masks and their difference.
        slider: elem_id of the retention slider that the canvas listens to.
        empty: what to say before there is a prompt.
        counters: names of the tokenizers that tokens can be counted with.
    """
    # In the script and not as properties: a canvas whose tab opens with its first value may start without those.
    settings = dict(editable=editable, reviewing=reviewing, slider=slider, empty=empty, counters=list(counters))
    return gr.HTML(
        "",
        html_template=read_web("canvas.html"),
        js_on_load="\n".join([f"const settings = {json.dumps(settings)};", *map(read_web, _SCRIPTS)]),
        apply_default_css=False,
        **kwargs,
    )


def retention_slider(elem_id: str) -> gr.Slider:
    """In percent; without Gradio's reset button, which the canvas would not hear of."""
    return gr.Slider(5, 100, 50, step=1, label="Keep (% of words)", elem_id=elem_id, scale=4, min_width=260, buttons=[])
