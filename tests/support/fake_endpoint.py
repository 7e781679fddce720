"""A tiny OpenAI-compatible server in a thread; the model's name says how it behaves."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "sk-very-secret-0123456789"
REFUSED = {"bad-key": 401, "forbidden": 403, "nothing": 404, "busy": 429, "busy-until": 429, "broken": 500}
REFUSED["moved"] = 307


class FakeEndpoint(ThreadingHTTPServer):
    """seen: what was asked (path, headers, body); go_on: what "slow" waits for; left: it was left alone."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.seen: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.go_on, self.left = threading.Event(), threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: FakeEndpoint

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append((self.path, dict(self.headers), body))
        model = body["model"]
        if model in REFUSED:
            return self._refuse(REFUSED[model], {"error": {"message": f"No <b>such</b>\nthing for {KEY} here."}})
        if model == "old" and "stream_options" in body:
            return self._refuse(400, {"detail": "Extra inputs are not permitted: stream_options"})
        if model == "new" and "max_tokens" in body:
            return self._refuse(400, {"error": {"message": "Unsupported parameter: 'max_tokens'"}})
        if model == "silent":
            self.server.go_on.wait(30)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        if model == "packed":
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        try:
            for data in _streams(model, body, self.server):
                self.wfile.write(data)
                self.wfile.flush()
        except OSError:
            self.server.left.set()

    def _refuse(self, status: int, said: dict[str, Any]) -> None:
        text = json.dumps(said).encode()
        self.send_response(status)
        wait = {"busy": "7", "busy-until": "Wed, 21 Oct 2065 07:28:00 GMT"}.get(json_model(self))
        if wait:
            self.send_header("Retry-After", wait)
        if status == 307:
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        pass


def json_model(handler: _Handler) -> str:
    return str(handler.server.seen[-1][2]["model"])


def _event(text: str = "", **more: Any) -> bytes:
    choice = {"index": 0, "delta": {"content": text} if text else {}, "finish_reason": None} | more
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"


def _streams(model: str, body: dict[str, Any], server: FakeEndpoint) -> Iterator[bytes]:
    if model == "garbage":
        yield b"<html>It works!</html>\n"
    elif model == "not-json":
        yield _event("So far ") + b"data: {nonsense\n\n"
    elif model == "no-choices":
        yield b'data: {"object": "chat.completion.chunk"}\n\ndata: [DONE]\n\n'
    elif model == "empty":
        yield _event(finish_reason="length") + b"data: [DONE]\n\n"
    elif model == "cut-off":
        yield _event("So far ") + _event("so good")
    elif model == "fails":
        yield _event("So far ") + b'data: {"error": {"message": "out of memory"}}\n\n'
    elif model == "leaks":
        yield _event("So far ") + b'data: {"error": {"message": "wrong key %s"}}\n\n' % KEY.encode()
    elif model == "packed":
        yield gzip.compress(b"data: " + b"x" * 200_000_000, 1)
    elif model == "line":
        yield from (b"data: " + b"x" * 100_000 for _ in range(20))
    elif model == "endless":
        while True:
            yield _event("and ")
    elif model == "pausing":
        yield _event("So far ")
        server.go_on.wait(60)
        while True:
            yield _event("and ")
    elif model == "slow":
        yield b": ping\r\n\r\n"
        server.go_on.wait(30)
        yield _event("Late.", finish_reason="stop")
    else:
        yield b": ping\n\n" + _event()
        text = _event("He") + _event("llo \ud83d<b>") + _event(f" to {len(body['messages'][-1]['content'])}")
        yield text[:40]
        yield text[40:]  # events may arrive in parts
        yield _event(finish_reason="stop")
        if "stream_options" in body:
            usage = {"prompt_tokens": len(body["messages"][-1]["content"].split()), "completion_tokens": 3}
            yield b"data: " + json.dumps({"choices": [], "usage": usage}).encode() + b"\n\n"
        yield b"data: [DONE]\n\n"


@contextmanager
def fake_endpoint() -> Iterator[FakeEndpoint]:
    """Served while the block lasts."""
    server = FakeEndpoint()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield server
    finally:
        server.go_on.set()
        server.shutdown()
        server.server_close()
