"""The token canvas: a Gradio component whose tokens are built in the browser.

Gradio re-evaluates the templates of gr.HTML as code, so the template is static and a prompt never enters it: the value
is text in the format of `app.components.canvas_lines`, which the script reads with JSON.parse and shows with
textContent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from app.web import read_web, script

LEAST_PERCENT = 5  # of the retention slider


def token_canvas(
    *,
    editable: bool = False,
    reviewing: bool = False,
    slider: str = "",
    inputs: tuple[str, str] = ("", ""),
    file: str = "",
    check: str = "",
    empty: str = "",
    counters: Sequence[str] = (),
    roles: Mapping[str, str] | None = None,
    **kwargs: Any,
) -> gr.HTML:
    """A prompt as chips, with the model's decisions. (No subclass: Gradio would write a stub file beside it.)

    Its value is a text in the format of `app.components.canvas_lines`. Events: "resample" (the slider was let go);
    "fix" (something is kept by a click, with all `marks` of a person's pins); "role" (tokens `first` to `last` are a
    part with a `role`); "recall" (an earlier run's setup); "link" (the page's own, with what stands behind its "#");
    "redenoise", "draft" and "submit" (with
    `mask` and `pins` as text of one character a token); "restore" and "discard" (of a draft); "count" (with the `name`
    of a tokenizer).

    Args:
        editable: corrections by mouse and keyboard instead of a player.
        reviewing: read only: a stored correction, its masks and their difference.
        slider: elem_id of the retention slider that the canvas listens to.
        inputs: elem_ids of the text box and of the settings, after whose change what is shown is out of date.
        file: elem_id of an upload button that gets files dropped on the text box.
        check: elem_id of the fold in which answers are checked.
        empty: what to say before there is a prompt.
        counters: names of the tokenizers that tokens can be counted with.
        roles: what a person may say a part is -> how it is called.
    """
    # In the script and not as properties: a canvas whose tab opens with its first value may start without those.
    mode = "edit" if editable else "review" if reviewing else "view"
    shown = {"file": file, "check": check, "empty": empty, "counters": list(counters), "roles": dict(roles or {})}
    watched = dict(zip(("text", "settings"), inputs, strict=True))
    return gr.HTML(
        "",
        html_template=read_web("canvas.html"),
        js_on_load=script("canvas", mode=mode, slider=slider, inputs=watched, **shown),
        apply_default_css=False,
        **kwargs,
    )


def retention_slider(elem_id: str, percent: int = 50) -> gr.Slider:
    """In percent; without Gradio's reset button, which the canvas would not hear of."""
    shown: dict[str, Any] = {"elem_id": elem_id, "scale": 4, "min_width": 260, "buttons": []}
    return gr.Slider(LEAST_PERCENT, 100, percent, step=1, label="Keep at most (%)", **shown)
