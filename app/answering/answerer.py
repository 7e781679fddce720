"""Who answers in the Compare tab: a model on this server or an endpoint, with its key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from model.errors import InputError
from model.llm.endpoint import Endpoint

ANSWER_TOKENS = 1024  # at most
HERE, THERE = WHERE = ("A model on this server", "An endpoint")


@dataclass(frozen=True, repr=False)
class Key:
    """A key that was typed, and the only origin (scheme, host, port) that it is sent to."""

    origin: tuple[Any, ...]
    value: str


@dataclass(frozen=True, repr=False)
class Answerer:
    """What the page says about who answers: `key` as it was typed just now, `kept` from before."""

    where: str
    local: str
    chat: bool
    url: str
    model: str
    key: str
    kept: Key | None
    limit: float

    def writer(self, offered: Sequence[str], endpoints: bool, private: bool) -> tuple[Endpoint | str, Key | None]:
        """An endpoint or the name of a model here, and the key to keep. Raises InputError.

        offered: models that everybody may choose; endpoints: whether there may be any; private: whether the visitor
        may use this machine's own network and disk.
        """
        if not (isinstance(self.limit, (int, float)) and 1 <= self.limit <= ANSWER_TOKENS):
            raise InputError(f"An answer has 1 to {ANSWER_TOKENS:,} tokens at the most.")
        if self.where == THERE:
            if not endpoints:
                raise InputError("Endpoints are switched off here: choose a model on this server.")
            return self._endpoint(private)
        name = str(self.local or "").strip()
        if name not in offered and not (private and name):
            raise InputError("Choose one of the models in the list; other names work on your own machine only.")
        return name, self.kept

    def _endpoint(self, private: bool) -> tuple[Endpoint, Key | None]:
        made = Endpoint(self.url or "", self.model or "", self.key or "", private)
        origin = (made.url.scheme, made.url.host, made.url.port)
        if self.key:
            return made, Key(origin, self.key)
        if self.kept is not None and self.kept.origin == origin:
            return Endpoint(self.url, self.model, self.kept.value, private), self.kept
        return made, None


def answerer(offered: Sequence[str], browser: dict[str, Any]) -> tuple[list[Any], gr.Textbox]:
    """In the order of `Answerer`, without key and kept; and the key."""
    with gr.Group():
        where = gr.Radio(WHERE, value=HERE, label="Who answers", elem_id="where")
        with gr.Row() as here:
            local = gr.Dropdown(
                list(offered),
                value=offered[0],
                label="Model",
                info="On your own machine any Hugging Face name or folder, too",
                allow_custom_value=True,
                elem_id="local-model",
            )
            chat = gr.Checkbox(
                False,
                label="As a chat",
                info="With the model's chat template, if it has one; else it continues the text to a blank line",
                elem_id="chat",
            )
        with gr.Row(visible=False) as there:
            url = gr.Textbox(
                label="Address", placeholder="http://localhost:11434/v1", max_length=2000, elem_id="endpoint-url"
            )
            model = gr.Textbox(label="Model", placeholder="llama3.2", max_length=100, elem_id="endpoint-model")
            key = gr.Textbox(
                label="Key",
                info="Sent to this address only, and never written down",
                type="password",
                max_length=1000,
                elem_id="endpoint-key",
            )
        limit = gr.Slider(16, ANSWER_TOKENS, 64, step=16, label="Answer (tokens at most)", buttons=[], elem_id="limit")
    shown = lambda where: (gr.update(visible=where == HERE), gr.update(visible=where == THERE))  # noqa: E731
    where.change(shown, where, [here, there], **browser)
    return [where, local, chat, url, model, limit], key
