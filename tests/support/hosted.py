"""A studio that is hosted for strangers, and strangers who call its handlers by index, as an attacker does."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx

from annotations.store import Store
from app.hosting.mode import Hosting, Limits, _network
from app.settings import Settings
from app.studio import Studio
from app.ui import build, launch
from tests.support.scripted import ScriptedCompressor

HEADER = "x-user"  # in which the trusted proxy names who is signed in
PEOPLE = {0: "", 1: "ann", 2: "rex", 3: "ada"}  # by role: visitor, annotator, reviewer, admin
HOSTING = Hosting(
    hosted=True,
    proxies=(_network("127.0.0.0/8"),),
    user_header=HEADER,
    admins=("ada",),
    reviewers=("proxy:rex",),
    limits=Limits(waiting=20),
)


def hosted_studio(store: Store, data: Path, hosting: Hosting = HOSTING) -> Studio:
    settings = Settings(data=data, hosting=hosting, endpoints="off" if hosting.hosted else "local")
    return Studio(settings, load=ScriptedCompressor, open_store=lambda: store)


class Address(str):
    """Of a server; what it says of its page is asked once, since it takes it half a second."""

    @cached_property
    def config(self) -> dict[str, Any]:
        """For everybody the same."""
        config: dict[str, Any] = httpx.get(f"{self}config", timeout=60).json()
        return config


@contextmanager
def served(studio: Studio) -> Iterator[str]:
    """Its address, while the block lasts."""
    from gradio import networking

    networking.url_ok = lambda url: True
    app, url, _ = launch(studio, prevent_thread_lock=True, quiet=True)
    try:
        yield Address(url)
    finally:
        app.get_blocks().close(verbose=False)


class Stranger:
    """Somebody who talks to the server without its page."""

    def __init__(self, url: str, user: str = "", **headers: str):
        self.http = httpx.Client(base_url=url, timeout=60, headers={**({HEADER: user} if user else {}), **headers})
        self.session, self.url = uuid.uuid4().hex, url

    @cached_property
    def config(self) -> dict[str, Any]:
        """What the server says of its page."""
        if isinstance(self.url, Address):
            return self.url.config
        config: dict[str, Any] = self.http.get("config").json()
        return config

    def handlers(self) -> dict[int, dict[str, Any]]:
        """What the server says of its handlers, by index."""
        return {entry["id"]: entry for entry in self.config["dependencies"] if entry["backend_fn"]}

    def blank(self, index: int) -> list[Any]:
        """What the page would send when nothing was typed."""
        values = {entry["id"]: entry["props"].get("value") for entry in self.config["components"]}
        return [values.get(id) for id in self.handlers()[index]["inputs"]]

    def join(self, index: int, data: list[Any], event: Any = None) -> httpx.Response:
        """Join the queue, without listening."""
        body = {"fn_index": index, "data": data, "session_hash": self.session, "event_data": event}
        headers = {"Content-Type": "application/json"}
        return self.http.post("gradio_api/queue/join", content=json.dumps(body), headers=headers)

    def ask(self, index: int, data: list[Any], event: Any = None) -> tuple[bool, Any]:
        """Call a handler by index: (True, its output) or (False, what is said)."""
        self.session = uuid.uuid4().hex
        joined = self.join(index, data, event)
        if joined.status_code != 200:
            return False, joined.text
        return self.listen()

    def tool(self, method: str, asked: dict[str, Any] | None = None) -> Any:
        """What the MCP server answers."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": asked or {}}
        headers = {"Accept": "application/json, text/event-stream"}
        answer = self.http.post("gradio_api/mcp/", json=body, headers=headers)
        line = next(line for line in answer.text.splitlines() if line.startswith(("data:", "{")))
        return json.loads(line.removeprefix("data:"))["result"]

    def listen(self) -> tuple[bool, Any]:
        """Wait for the end of the session's event."""
        with self.http.stream("GET", "gradio_api/queue/data", params={"session_hash": self.session}) as stream:
            for line in stream.iter_lines():
                message = json.loads(line[5:]) if line.startswith("data:") else {}
                if message.get("msg") == "process_completed":
                    output = message["output"]
                    return message["success"], output.get("data") if message["success"] else output.get("error")
        return False, "the stream ended"


def names_of(studio: Studio) -> dict[int, str]:
    """The names of the handlers by index, in a page like the one that is served."""
    page = build(studio)
    return {index: handler.fn.__qualname__ for index, handler in page.fns.items() if handler.fn is not None}
