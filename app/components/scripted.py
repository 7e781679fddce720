"""Components that a script of app/web draws from their value. The value may hold anybody's text."""

from __future__ import annotations

from typing import Any

import gradio as gr

from app.web import read_web, script


def scripted(name: str, **kwargs: Any) -> gr.HTML:
    """A component with the template NAME.html and the script of the same name."""
    return _html(read_web(f"{name}.html"), script(name), **kwargs)


def table_component(**kwargs: Any) -> gr.HTML:
    """An empty table, see `app.components.table`. Events: "pick" (a row, with its `id`), "turn" (to a `page`)."""
    return _html('<div class="sheet"></div>', script("table"), elem_classes="dm-sheet", **kwargs)


def queue_place(**kwargs: Any) -> gr.HTML:
    """The visitor's place in the queue, for the events whose options are `waits_at(it)`; empty while none waits."""
    return _html("<p class='dm-place' role='status'></p>", script("place"), elem_classes="dm-sheet dm-wait", **kwargs)


def waits_at(place: gr.HTML) -> dict[str, Any]:
    """Options of an event whose place in the queue is said there."""
    return {"show_progress": "minimal", "show_progress_on": [place]}


def _html(template: str, js: str, **kwargs: Any) -> gr.HTML:
    return gr.HTML("", html_template=template, js_on_load=js, apply_default_css=False, **kwargs)
