"""Gradio's sessions without a copy of the page in each, and with no more prompts than the memory holds.

Gradio describes every component of the page once more for each session, of which each call of an endpoint is one: on
this page 50 ms of the event loop and 430 kB, and the last 10,000 sessions stay. It also keeps what was last sent and
shown in them. All that is for links that open the page as it stood (`gr.DeepLinkButton`); this page has none.

What a state holds says how many `characters` it is about. Of all sessions those used last keep theirs; the others find
their states empty, as after a restart of the server.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from copy import copy
from typing import Any

import gradio as gr
from gradio.state_holder import SessionState, StateHolder
from starlette.exceptions import HTTPException

SESSIONS = 2_000  # whose states are remembered; those used last
CHARACTERS = 3_000_000  # that the states of all sessions are about; a prompt that was read takes some 60 bytes each
_LEAST = 2_000  # as how many a short one counts
_LONGEST = 100  # characters of a session's name, which its page makes up
LONG_NAME = f"The name of a session has at most {_LONGEST} characters."


class Held:
    """Which sessions hold prompts in their states, those used last at the end. Safe to share between threads."""

    def __init__(self, characters: int):
        self.characters = characters
        self._sizes: OrderedDict[int, dict[int, int]] = OrderedDict()  # by session and state
        self._sessions: dict[int, SessionState] = {}
        self._lock = threading.Lock()

    def use(self, session: SessionState, key: int, value: Any) -> None:
        """A state of a session has a new value: empty those that were used longest ago, while there is too much."""
        size = int(getattr(value, "characters", 0))
        with self._lock:
            sizes = self._sizes.pop(id(session), {})
            sizes.pop(key, None)
            if size:
                sizes[key] = max(size, _LEAST)
            if sizes:
                self._sizes[id(session)], self._sessions[id(session)] = sizes, session
            else:
                self._sessions.pop(id(session), None)
            while len(self._sizes) > 1 and sum(sum(each.values()) for each in self._sizes.values()) > self.characters:
                self._empty(*self._sizes.popitem(last=False))

    def _empty(self, id: int, sizes: dict[int, int]) -> None:
        session = self._sessions.pop(id)
        for key in sizes:
            session.state_data.pop(key, None)


_held = Held(CHARACTERS)


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
        if isinstance(known, gr.State):
            _held.use(self, key, value)
        self.config_values.clear()

    def _update_config(self, key: int) -> None:
        pass

    def _update_value_in_config(self, key: int, value: Any) -> None:
        pass


_set, _get = SessionState.__setitem__, StateHolder.__getitem__


def is_long(name: str | None) -> bool:
    """Whether a session's name is too long to be kept."""
    return len(name or "") > _LONGEST


def _named(holder: StateHolder, name: str) -> SessionState:
    if is_long(name):
        raise HTTPException(400, LONG_NAME)
    return _get(holder, name)


def slim_sessions() -> None:
    """From now on all sessions of this process are slim; Gradio makes them in four places, by the class's name."""
    for name in ("__init__", "__setitem__", "_update_config", "_update_value_in_config"):
        setattr(SessionState, name, SlimSession.__dict__[name])
    StateHolder.__getitem__ = _named
