"""A server that answers as OpenAI's and Anthropic's do; the model's name says how it behaves."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SAID = ["Town 7 ", "has 70", " beds \u2602."]
USAGE = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
ANTHROPIC_USAGE = {"input_tokens": 9, "output_tokens": 3}


class StandIn(ThreadingHTTPServer):
    """seen: (method, path with query, headers, body); sent: bytes of the last reply; go_on: what "slow" waits for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        self.sent = b""
        self.go_on = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def body(self) -> Any:
        """What was asked last."""
        return json.loads(self.seen[-1][3])


class _Handler(BaseHTTPRequestHandler):
    server: StandIn
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        asked = json.loads(body) if body else {}
        model = asked.get("model", "") if isinstance(asked, dict) else ""
        kind = self.path.partition("?")[0].rpartition("/")[2]
        if model == "busy":
            return self._whole(429, {"error": {"message": "slow down", "type": "rate_limit", "code": "x"}}, "9")
        if model == "dead":
            self.close_connection = True
            return None
        if isinstance(asked, dict) and asked.get("stream"):
            return self._stream(model, kind)
        return self._whole(200, REPLIES.get(kind, {"object": "list", "data": []}), packed=model == "packed")

    def _whole(self, status: int, value: Any, retry: str = "", packed: bool = False) -> None:
        data = json.dumps(value, indent=1).encode()
        data = self.server.sent = gzip.compress(data) if packed else data
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("x-request-id", "req-1")
        self.send_header("Set-Cookie", "a=1")
        self.send_header("Set-Cookie", "b=2")
        if packed:
            self.send_header("Content-Encoding", "gzip")
        if retry:
            self.send_header("Retry-After", retry)
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, model: str, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.server.sent = b""
        for i, part in enumerate(_EVENTS[kind]()):
            if model == "slow" and i == 2:
                self.server.go_on.wait(30)
            if model == "cut-off" and i == 2:
                self.close_connection = True
                return
            self.server.sent += part
            self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_: Any) -> None:
        pass


def _chat_chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def _chat_events() -> Iterator[bytes]:
    yield b": ping\n\n"
    yield from (_chat_chunk({"content": text}) for text in SAID)
    yield _chat_chunk({}, "stop") + b"data: [DONE]\n\n"


def _event(kind: str, **more: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **more})}\n\n".encode()


def _anthropic_events() -> Iterator[bytes]:
    yield _event("message_start", message=REPLIES["messages"] | {"content": [], "stop_reason": None})
    yield _event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    for text in SAID:
        yield _event("content_block_delta", index=0, delta={"type": "text_delta", "text": text})
    yield _event("content_block_stop", index=0)
    yield _event("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage=ANTHROPIC_USAGE)
    yield _event("message_stop")


def _responses_events() -> Iterator[bytes]:
    reply = REPLIES["responses"]
    yield _event("response.created", sequence_number=0, response=reply | {"output": [], "status": "in_progress"})
    place = {"item_id": "m1", "output_index": 0, "content_index": 0, "logprobs": []}
    for i, text in enumerate(SAID, start=1):
        yield _event("response.output_text.delta", sequence_number=i, delta=text, **place)
    yield _event("response.completed", sequence_number=9, response=reply)


REPLIES: dict[str, dict[str, Any]] = {
    "completions": {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "".join(SAID)}, "finish_reason": "stop"}],
        "usage": USAGE,
    },
    "messages": {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [{"type": "text", "text": "".join(SAID)}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": ANTHROPIC_USAGE,
    },
    "responses": {
        "id": "r",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "model": "m",
        "output": [
            {
                "type": "message",
                "id": "m1",
                "status": "completed",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "".join(SAID), "annotations": []}],
            }
        ],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    },
}
_EVENTS = {"completions": _chat_events, "messages": _anthropic_events, "responses": _responses_events}


@contextmanager
def stand_in() -> Iterator[StandIn]:
    """Served while the block lasts."""
    server = StandIn()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield server
    finally:
        server.go_on.set()
        server.shutdown()
        server.server_close()
