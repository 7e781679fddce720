"""Bodies of requests -> chat messages that can be shortened, and back.

What is not a text that may be shortened (tools, images, reasoning, settings, fields that nobody knows yet) is not
touched: a body that comes back differs from the one that came in only in these texts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..bodies import dump_json

Body = dict[str, Any]
Talk = list[dict[str, Any]]


@dataclass(frozen=True)
class Protocol:
    """How one kind of request is read.

    Attributes:
        read: body -> messages; None where it has none that are known.
        write: body, messages as they were read, and shortened -> body.
        error: status, message -> the body of an error.
    """

    read: Callable[[Body], Talk | None]
    write: Callable[[Body, Talk, Talk], Body]
    error: Callable[[int, str], bytes]


def openai_error(status: int, message: str) -> bytes:
    """An error in OpenAI's shape."""
    kind = "invalid_request_error" if status < 500 else "api_error"
    return dump_json({"error": {"message": message, "type": kind, "param": None, "code": None}})


def anthropic_error(status: int, message: str) -> bytes:
    """An error in Anthropic's shape."""
    kind = {413: "request_too_large", 504: "timeout_error"}.get(status, "api_error")
    return dump_json({"type": "error", "error": {"type": kind, "message": message}})


# --- /v1/chat/completions


def _read_chat(body: Body) -> Talk | None:
    return _objects(body.get("messages"))


def _write_chat(body: Body, _: Talk, short: Talk) -> Body:
    return body | {"messages": short}


# --- Anthropic's /v1/messages: as before, and plain texts as documents


def _read_anthropic(body: Body) -> Talk | None:
    messages = _objects(body.get("messages"))
    return None if messages is None else [_with_parts(message, _document_as_text) for message in messages]


def _write_anthropic(body: Body, talk: Talk, short: Talk) -> Body:
    made = [
        old if new == seen else _written(old, new) for old, seen, new in zip(body["messages"], talk, short, strict=True)
    ]
    return body | {"messages": made}


def _document_as_text(part: Any) -> Any:
    if not isinstance(part, Mapping) or part.get("type") != "document":
        return part
    source, citations = part.get("source"), part.get("citations")
    if not isinstance(source, Mapping) or source.get("type") != "text" or not isinstance(source.get("data"), str):
        return part
    if isinstance(citations, Mapping) and citations.get("enabled"):
        return part  # places in it are cited
    return {"type": "text", "text": source["data"]}


def _written(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(old["content"], list):
        return new
    parts = [_as_document(was, now) for was, now in zip(old["content"], new["content"], strict=True)]
    return old | {"content": parts}


def _as_document(old: Any, new: Any) -> Any:
    if isinstance(old, Mapping) and old.get("type") == "document" and new.get("type") == "text":
        return {**old, "source": {**old["source"], "data": new["text"]}}
    return new


# --- /v1/responses: items of several kinds, of which some are messages


def _read_responses(body: Body) -> Talk | None:
    if isinstance(given := body.get("input"), str):
        return [{"role": "user", "content": given}]
    items = _objects(given)
    return None if items is None else [_item_as_message(item) for item in items]


def _item_as_message(item: dict[str, Any]) -> dict[str, Any]:
    kind = str(item.get("type", "message"))
    if kind == "message":
        return {"role": item.get("role"), "content": item.get("content")}
    if kind.endswith("_call_output") and isinstance(item.get("output"), str | list):
        return {"role": "tool", "content": item["output"]}
    return {"role": "assistant", "content": None}  # calls and reasoning


def _write_responses(body: Body, talk: Talk, short: Talk) -> Body:
    if isinstance(body["input"], str):
        return body | {"input": short[0]["content"]}
    made = [
        item if new == old else item | {"output" if "output" in item else "content": new["content"]}
        for item, old, new in zip(body["input"], talk, short, strict=True)
    ]
    return body | {"input": made}


def _objects(value: Any) -> Talk | None:
    return value if isinstance(value, list) and value and all(isinstance(each, dict) for each in value) else None


def _with_parts(message: dict[str, Any], change: Callable[[Any], Any]) -> dict[str, Any]:
    content = message.get("content")
    return message | {"content": [change(part) for part in content]} if isinstance(content, list) else message


PROTOCOLS = {
    "/v1/chat/completions": Protocol(_read_chat, _write_chat, openai_error),
    "/v1/responses": Protocol(_read_responses, _write_responses, openai_error),
    "/v1/messages": Protocol(_read_anthropic, _write_anthropic, anthropic_error),
}


def error_of(path: str) -> Callable[[int, str], bytes]:
    """How errors look to those who ask for a path."""
    return anthropic_error if path.startswith("/v1/messages") else openai_error
