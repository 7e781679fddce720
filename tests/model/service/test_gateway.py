"""LiteLLM's own guardrail for compression services, called as its gateway calls it, against this service."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from litellm.proxy.guardrails.guardrail_hooks.headroom.headroom import HeadroomGuardrail

from model.compress import Compressor
from model.service.app import ServiceLimits, make_service
from model.service.keys import Keys
from model.service.originals import StoreLimits
from model.service.shortener import Shortener
from tests.support.serving import serving
from tests.support.talks import BEDS, NOTES, TALK, call, result, user
from tests.support.tiny import tiny_checkpoint

KEY = "the-key-of-a-gateway"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    shortener = Shortener(Compressor(tiny_checkpoint()), store=StoreLimits())
    with serving(make_service(shortener, Keys([KEY]), ServiceLimits())) as url:
        yield url


def guarded(url: str, messages: list[dict[str, Any]], key: str = KEY, **options: Any) -> tuple[Any, dict[str, Any]]:
    """What the guardrail makes of a request, and what it has noted."""

    async def run() -> tuple[Any, dict[str, Any]]:
        guardrail = HeadroomGuardrail(api_base=url, api_key=key, guardrail_name="short", default_on=True, **options)
        request = {"model": "gpt-4o", "messages": messages, "metadata": {}}
        made = await guardrail.apply_guardrail({"structured_messages": messages}, request, "request")
        return made, request

    return asyncio.run(run())


def test_results_of_tools_come_back_shorter_and_their_originals_can_be_asked_for(url: str) -> None:
    talk = [*TALK, {"role": "assistant", "content": "In 1912."}, user("Thank you. And House 13?")]
    made, request = guarded(url, talk)
    short = made["structured_messages"]
    assert [i for i, (old, new) in enumerate(zip(talk, short, strict=True)) if old != new] == [3, 7]
    assert len(short[3]["content"]) < len(BEDS) and len(short[7]["content"]) < len(NOTES)
    assert made["tools"][0]["function"]["name"] == "headroom_retrieve"
    (noted,) = request["metadata"]["standard_logging_guardrail_information"]
    assert noted["guardrail_status"] == "success"
    assert noted["guardrail_response"]["tokens_saved"] > 0

    async def retrieve() -> str:
        guardrail = HeadroomGuardrail(api_base=url, api_key=KEY)
        digest = short[3]["content"].rpartition("hash=")[2].rstrip("]")
        return await guardrail._call_retrieve(digest, None)

    assert asyncio.run(retrieve()) == BEDS


def test_a_growing_conversation_keeps_its_beginning(url: str) -> None:
    talk = [*TALK, {"role": "assistant", "content": "In 1912."}, user("And House 13?"), call(3), result(3, NOTES)]
    later = [{"role": "assistant", "content": "In 1913."}, user("Thanks.")]
    long = guarded(url, [*talk, *later])[0]["structured_messages"]
    for end in (len(talk), len(talk) - 2):
        short = guarded(url, talk[:end])[0]["structured_messages"]
        assert [i for i in (3, 7) if short[i] != long[i]] == []


def test_without_retrieval_json_stays_json(url: str) -> None:
    talk = [*TALK[:4], {"role": "assistant", "content": "70."}, user("Thanks.")]
    made, _ = guarded(url, talk, ccr_retrieval=False)
    assert isinstance(json.loads(made["structured_messages"][3]["content"]), list) and "tools" not in made


def test_a_wrong_key_goes_by_the_guardrails_own_rule(url: str) -> None:
    talk = [*TALK[:4], {"role": "assistant", "content": "70."}, user("Thanks.")]
    made, _ = guarded(url, talk, key="some-other-key-here", unreachable_fallback="fail_open")
    assert made["structured_messages"] == talk
