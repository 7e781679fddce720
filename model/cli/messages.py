"""Chat messages as JSON, for `diffumask compress`: a list of messages, or the body of a request that holds one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import InputError


def read_messages(text: str, what: str) -> Any:
    """The list or body in a JSON text. InputError when it is neither."""
    value = _loads(text)
    if value is None or not (isinstance(value, list) or "messages" in value):
        raise InputError(f"{what} holds no JSON list of messages, nor an object with one as `messages`")
    return value


def is_messages(text: str) -> bool:
    """Whether a JSON text is a list of objects with roles, or an object with such a list as `messages`."""
    value = _loads(text)
    if value is None:
        return False
    messages = value if isinstance(value, list) else value.get("messages")
    return isinstance(messages, list) and bool(messages) and all(isinstance(m, dict) and "role" in m for m in messages)


def messages_of(value: Any) -> list[Any]:
    """The messages; the system prompt that Anthropic's interface has beside them comes first."""
    if isinstance(value, list):
        return value
    if not isinstance(value["messages"], list):
        raise InputError("`messages` must be a list")
    system = [{"role": "system", "content": value["system"]}] if value.get("system") else []
    return system + value["messages"]


def with_messages(value: Any, made: Sequence[Mapping[str, Any]]) -> Any:
    """The same list or body with other messages."""
    if isinstance(value, list):
        return list(made)
    if not value.get("system"):
        return value | {"messages": list(made)}
    return value | {"system": made[0]["content"], "messages": list(made[1:])}


def as_json(value: Any, indent: int | None = 2) -> str:
    """JSON to print; in ASCII where it holds half a character, which is no UTF-8."""
    try:
        text = json.dumps(value, ensure_ascii=False, indent=indent)
        text.encode("utf-8")
        return text
    except UnicodeEncodeError:
        return json.dumps(value, indent=indent)
    except RecursionError:
        raise InputError("the messages are nested too deeply") from None


def _loads(text: str) -> Any:
    """The list or object in a JSON text; None where there is none."""
    try:
        value = json.loads(text.removeprefix("\ufeff"), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, list | dict) else None


def _no_constant(name: str) -> float:
    raise ValueError(name)
