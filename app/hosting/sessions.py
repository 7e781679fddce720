"""Gradio's sessions without a copy of the page in each.

Gradio describes every component of the page once more for each session, of which each call of an endpoint is one: on
this page 50 ms of the event loop and 430 kB, and the last 10,000 sessions stay. It also keeps what was last sent and
shown in them. All that is for links that open the page as it stood (`gr.DeepLinkButton`); this page has none.
"""

from __future__ import annotations

from copy import copy
from typing import Any

import gradio as gr
from gradio.state_holder import SessionState

SESSIONS = 2_000  # whose states are remembered; those used last


class SlimSession(SessionState):  # type: ignore[misc]
    """What becomes of Gradio's session: it holds the values of `gr.State`, and components that were replaced."""

    def __init__(self, page: gr.Blocks):
        self.blocks_config = page.default_config  # until a component of it is replaced
        self.config_values: dict[int, Any] = {}
        self.state_data: dict[int, Any] = {}
        self._state_ttl: dict[int, Any] = {}
        self.is_closed = False
        self.STATE_TTL_WHEN_CLOSED = 3600

    def __setitem__(self, key: int, value: Any) -> None:
        known, own = self.blocks_config.blocks.get(key), self.blocks_config.root_block.default_config
        if known is value:
            return
        if not isinstance(known, gr.State) and self.blocks_config is own:
            self.blocks_config = copy(own)
        _set(self, key, value)
        self.config_values.clear()

    def _update_config(self, key: int) -> None:
        pass

    def _update_value_in_config(self, key: int, value: Any) -> None:
        pass


_set = SessionState.__setitem__


def slim_sessions() -> None:
    """From now on all sessions of this process are slim; Gradio makes them in four places, by the class's name."""
    for name in ("__init__", "__setitem__", "_update_config", "_update_value_in_config"):
        setattr(SessionState, name, SlimSession.__dict__[name])
