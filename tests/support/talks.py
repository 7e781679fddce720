"""Conversations with tools and documents."""

from __future__ import annotations

import json
from typing import Any

Talk = list[dict[str, Any]]
BEDS = json.dumps([{"city": f"Town {i}", "beds": 10 * i, "note": "open all year"} for i in range(1, 30)])
NOTES = " ".join(f"House {i} stands by the old river. It was painted in {1900 + i}." for i in range(1, 25))


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def call(number: int) -> dict[str, Any]:
    function = {"name": "look", "arguments": "{}"}
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": f"c{number}", "type": "function", "function": function}],
    }


def result(number: int, content: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": f"c{number}", "content": content}


TALK: Talk = [
    {"role": "system", "content": "Answer in one sentence. Never guess."},
    user("How many beds has Town 7?"),
    call(1),
    result(1, BEDS),
    {"role": "assistant", "content": "Town 7 has 70 beds. It is open all year."},
    user("When was House 12 painted?"),
    call(2),
    result(2, NOTES),
]
