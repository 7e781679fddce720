"""LiteLLM's callback, as its proxy calls it."""

from __future__ import annotations

import asyncio
import copy
import json
import os
from typing import Any

import pytest

from model.errors import InputError
from tests.support.retrieved import COMPRESSOR, FOUND, QUERY

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # it fetches prices where it is imported
pytest.importorskip("litellm", reason="litellm is not installed")
from litellm.integrations.custom_logger import CustomLogger

from model.integrations.litellm import PromptCompression

LONG = " ".join(FOUND * 3)
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
TALK: list[dict[str, Any]] = [
    {"role": "system", "content": LONG},
    {"role": "user", "content": QUERY},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c1", "content": LONG},
    {"role": "assistant", "content": LONG},
    {
        "role": "user",
        "content": [{"type": "text", "text": f"{LONG}\n\nWhere is it?"}, {"type": "image_url", "image_url": {}}],
    },
]


def hook(**options: Any) -> PromptCompression:
    return PromptCompression(COMPRESSOR, 0.4, **{"least": 100, **options})


def sent(data: dict[str, Any], call_type: str = "acompletion", **options: Any) -> dict[str, Any]:
    made: dict[str, Any] = asyncio.run(hook(**options).async_pre_call_hook(None, None, data, call_type))
    return made


def test_texts_of_people_and_tools_are_shorter_and_nothing_else() -> None:
    before = copy.deepcopy(TALK)
    data = sent({"model": "m", "temperature": 0, "messages": TALK})
    assert before == TALK and data["model"] == "m" and data["temperature"] == 0
    short = data["messages"]
    assert [short[i] for i in (0, 1, 2, 4)] == [TALK[i] for i in (0, 1, 2, 4)]
    assert {**short[3], "content": ""} == {**TALK[3], "content": ""}
    assert 0 < len(short[3]["content"]) < 0.6 * len(LONG)
    text, image = short[5]["content"]
    assert text["text"].endswith("Where is it?") and len(text["text"]) < 0.7 * len(LONG)
    assert image == TALK[5]["content"][1]


def test_what_was_sent_stays_the_same_when_the_conversation_goes_on() -> None:
    callback = hook()
    first = callback.shortened(TALK[:4])
    assert callback.shortened(TALK)[:4] == first
    assert hook().shortened(TALK)[:4] == first  # in another process, too


def test_anthropics_tool_results() -> None:
    result = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": LONG}]}
    talk = [
        {"role": "user", "content": QUERY},
        {"role": "assistant", "content": []},
        {"role": "user", "content": [result]},
    ]
    (short,) = sent({"messages": talk}, "anthropic_messages", roles=("tool",))["messages"][2]["content"]
    assert short["tool_use_id"] == "t" and 0 < len(short["content"][0]["text"]) < 0.6 * len(LONG)


@pytest.mark.parametrize(
    ("data", "call_type"),
    [
        ({"messages": TALK, "metadata": {"diffumask": False}}, "acompletion"),
        ({"input": LONG}, "embeddings"),
        ({"messages": "none"}, "acompletion"),
        ({"messages": [{"role": "user", "content": "x" * 250_000}]}, "acompletion"),
        (
            {"messages": [{"role": "user", "content": "half \ud800 " * 50}, 3, None, {}, {"role": "user"}]},
            "acompletion",
        ),
        ({"messages": [{"role": "user", "content": [3, {"type": "text", "text": 4}]}]}, "acompletion"),
    ],
)
def test_what_goes_through_as_it_is(data: dict[str, Any], call_type: str) -> None:
    assert json.dumps(sent(data, call_type)) == json.dumps(data)


def test_it_is_a_callback_of_litellm_and_says_mistakes() -> None:
    assert isinstance(hook(), CustomLogger)
    with pytest.raises(InputError, match="roles must be a list"):
        hook(roles=("assistant",))
    with pytest.raises(InputError, match="no option 'grain'"):
        sent({"messages": TALK}, grain=1)
