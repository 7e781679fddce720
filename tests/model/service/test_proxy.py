"""The proxy between real clients and a server that stands in for OpenAI's and Anthropic's."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import anthropic
import httpx
import openai
import pytest

from model.compress import Compressor
from model.errors import InputError
from model.service.proxy.app import ProxySettings, make_proxy
from model.service.proxy.upstream import Upstream
from model.service.shortener import Shortener
from model.service.turns import Wishes
from tests.support.serving import serving
from tests.support.stand_in import SAID, StandIn, stand_in
from tests.support.talks import BEDS, NOTES, TALK, call, result, user

COMPRESSOR = Compressor.load()
REPLY = "".join(SAID)
WISHES = Wishes(user=True)
TOOL_USE = {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "look", "input": {}}]}


@contextmanager
def proxied(upstream: str, **settings: Any) -> Iterator[str]:
    app = make_proxy(Shortener(COMPRESSOR), Upstream(upstream), ProxySettings(WISHES, **settings))
    with serving(app) as url:
        yield url


@pytest.fixture(scope="module")
def server() -> Iterator[StandIn]:
    with stand_in() as server:
        yield server


@pytest.fixture(scope="module")
def url(server: StandIn) -> Iterator[str]:
    with proxied(f"{server.url}/v1") as url:  # with /v1, as people copy it
        yield url


@pytest.fixture
def openai_client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="sk-1", base_url=f"{url}/v1", max_retries=0) as client:
        yield client


@pytest.fixture
def anthropic_client(url: str) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(api_key="sk-2", base_url=url, max_retries=0) as client:
        yield client


def saved(headers: Any) -> int:
    before, after = (int(headers[f"x-diffumask-tokens-{name}"]) for name in ("before", "after"))
    assert int(headers["x-diffumask-tokens-saved"]) == before - after
    return before - after


# --- OpenAI's client


def test_chat_completions(openai_client: openai.OpenAI, server: StandIn) -> None:
    tools = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}]
    raw = openai_client.chat.completions.with_raw_response.create(
        model="gpt-x",
        messages=TALK,
        tools=tools,
        temperature=0.25,
        extra_body={"new_field": [1, None]},  # type: ignore[call-overload]
    )
    assert raw.parse().choices[0].message.content == REPLY
    assert raw.headers["x-diffumask-outcome"] == "shortened" and saved(raw.headers) > 0
    sent = server.body()
    assert [i for i, (old, new) in enumerate(zip(TALK, sent.pop("messages"), strict=True)) if old != new] == [3, 7]
    assert sent == {"model": "gpt-x", "tools": tools, "temperature": 0.25, "new_field": [1, None]}
    assert server.seen[-1][2]["authorization"] == "Bearer sk-1"


def test_chat_completions_streamed(openai_client: openai.OpenAI) -> None:
    chunks = openai_client.chat.completions.create(model="gpt-x", messages=TALK, stream=True)  # type: ignore[call-overload]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == REPLY


def test_responses(openai_client: openai.OpenAI, server: StandIn) -> None:
    items: list[Any] = [
        {"role": "user", "content": [{"type": "input_text", "text": "How many beds has Town 7?"}]},
        {"type": "reasoning", "id": "r1", "summary": [], "encrypted_content": "abc"},
        {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": BEDS},
    ]
    raw = openai_client.responses.with_raw_response.create(model="gpt-x", input=items, instructions="Be short.")
    assert raw.parse().output_text == REPLY and saved(raw.headers) > 0
    sent = server.body()
    assert sent["input"][:3] == items[:3] and sent["instructions"] == "Be short."
    short = sent["input"][3]
    assert short | {"output": BEDS} == items[3] and '"Town 7"' in short["output"] and len(short["output"]) < len(BEDS)
    with openai_client.responses.create(model="gpt-x", input=items, stream=True) as stream:
        assert "".join(event.delta for event in stream if event.type == "response.output_text.delta") == REPLY


def test_responses_to_a_plain_text(openai_client: openai.OpenAI, server: StandIn) -> None:
    text = f"Answer in one word.\n\n{NOTES}\n\nWhen was House 12 painted?"
    openai_client.responses.create(model="gpt-x", input=text)
    sent = server.body()["input"]
    assert (
        len(sent) < len(text) and sent.startswith("Answer in one word.") and sent.endswith("When was House 12 painted?")
    )


# --- Anthropic's client


def test_messages(anthropic_client: anthropic.Anthropic, server: StandIn) -> None:
    document = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": NOTES}, "title": "N"}
    cached = {"type": "text", "text": "When was House 12 painted?", "cache_control": {"type": "ephemeral"}}
    talk: list[Any] = [
        user([document, cached]),
        TOOL_USE,
        user([{"type": "tool_result", "tool_use_id": "t1", "content": BEDS}, {"type": "text", "text": "And Town 7?"}]),
    ]
    raw = anthropic_client.messages.with_raw_response.create(
        model="claude-x", max_tokens=10, system="Never guess.", messages=talk
    )
    assert raw.parse().content[0].text == REPLY and saved(raw.headers) > 0  # type: ignore[union-attr]
    sent = server.body()
    first, last = sent["messages"][0]["content"], sent["messages"][2]["content"]
    assert first[1] == cached and sent["messages"][1] == TOOL_USE and last[1] == talk[2]["content"][1]
    assert first[0]["source"].pop("data") != NOTES and first[0]["title"] == "N"
    assert any(row["city"] == "Town 7" for row in json.loads(last[0]["content"]))
    assert (sent["system"], sent["max_tokens"]) == ("Never guess.", 10)
    with anthropic_client.messages.stream(model="claude-x", max_tokens=10, messages=talk) as stream:
        assert "".join(stream.text_stream) == REPLY


def test_documents_that_are_cited_stay_whole(url: str, server: StandIn) -> None:
    source = {"type": "text", "media_type": "text/plain", "data": NOTES}
    document = {"type": "document", "source": source, "citations": {"enabled": True}}
    body = {"model": "m", "messages": [user([document, {"type": "text", "text": "When was House 12 painted?"}])]}
    assert httpx.post(f"{url}/v1/messages", json=body).headers["x-diffumask-outcome"] == "unchanged"
    assert server.body() == body


# --- what passes


def test_what_changes_nothing_is_sent_byte_for_byte(url: str, server: StandIn) -> None:
    for body in (
        b'{ "model":"m", "messages" : [{"role":"user","content":"Hi \\u2602"}], "x": 1.0e2 }',
        b'{"model":"m","messages":[{"role":"king","content":7}]}',
        b'{"model":"m","messages":[]}',
        b'{"model":"m"}',
        b"[1, 2]",
    ):
        for path in ("/v1/chat/completions", "/v1/messages", "/v1/responses"):
            reply = httpx.post(url + path, content=body)
            assert server.seen[-1][3] == body and reply.content == server.sent
            assert reply.headers["x-diffumask-outcome"] in ("unchanged", "unreadable")


def test_other_paths_pass_as_they_are(url: str, server: StandIn) -> None:
    reply = httpx.get(
        f"{url}/v1/models/a%2Fb?x=1&y=%20", headers={"X-Own": "7", "Connection": "keep-alive, x-hop", "X-Hop": "1"}
    )
    method, path, headers, body = server.seen[-1]
    assert (method, path, body) == ("GET", "/v1/models/a%2Fb?x=1&y=%20", b"")
    assert headers["x-own"] == "7" and "x-hop" not in headers and "transfer-encoding" not in headers
    assert reply.headers.get_list("set-cookie") == ["a=1", "b=2"] and reply.headers["x-request-id"] == "req-1"
    httpx.get(f"{url}/v1/models")
    assert "cookie" not in server.seen[-1][2]  # of one caller, sent with another's request
    httpx.post(f"{url}/v1/embeddings", content=b'{"input": "x"}')
    assert server.seen[-1][3] == b'{"input": "x"}'


def test_packed_replies_stay_packed(url: str, server: StandIn) -> None:
    body = {"model": "packed", "messages": TALK}
    with httpx.stream("POST", f"{url}/v1/chat/completions", json=body) as reply:
        assert b"".join(reply.iter_raw()) == server.sent and reply.headers["content-encoding"] == "gzip"


def test_streams_pass_byte_for_byte_as_soon_as_they_come(url: str, server: StandIn) -> None:
    body = {"model": "slow", "messages": TALK, "stream": True}
    with httpx.stream("POST", f"{url}/v1/chat/completions", json=body, timeout=30) as reply:
        parts = reply.iter_raw()
        got = next(parts)
        while got.count(b"\n\n") < 2:  # both events that come before it waits
            got += next(parts)
        server.go_on.set()
        assert got + b"".join(parts) == server.sent


def test_the_header_that_bypasses(url: str, server: StandIn) -> None:
    body = {"model": "m", "messages": TALK}
    reply = httpx.post(f"{url}/v1/chat/completions", json=body, headers={"x-diffumask-bypass": "true"})
    assert server.body() == body and reply.headers["x-diffumask-outcome"] == "bypassed"
    assert not any(name.startswith("x-diffumask") for name in server.seen[-1][2])


def test_an_audit_measures_and_changes_nothing(server: StandIn) -> None:
    body = json.dumps({"model": "m", "messages": TALK}).encode()
    with proxied(server.url, audit=True) as url:
        reply = httpx.post(f"{url}/v1/chat/completions", content=body)
        assert 'diffumask_outcomes_total{outcome="audit"} 1.0' in httpx.get(f"{url}/metrics").text
    assert server.seen[-1][3] == body and reply.headers["x-diffumask-outcome"] == "audit" and saved(reply.headers) > 0


def test_a_growing_conversation_keeps_its_beginning(url: str, server: StandIn) -> None:
    talk = [user(f"{NOTES}\n\nWhen was House 12 painted?"), *TALK[4:], call(3), result(3, BEDS)]
    sent = []
    for end in (1, 5, 7):
        httpx.post(f"{url}/v1/chat/completions", json={"model": "m", "messages": talk[:end]}, timeout=30)
        sent.append(server.body()["messages"])
    assert sent[1][:1] == sent[0] != talk[:1] and sent[2][:5] == sent[1]


def test_what_would_be_broken_is_sent_whole(url: str, server: StandIn) -> None:
    body = {"model": "m", "messages": [user(NOTES)]}  # nobody asks: what counts is not known
    reply = httpx.post(f"{url}/v1/chat/completions", json=body, timeout=30)
    assert server.body() == body and reply.headers["x-diffumask-outcome"] == "refused"


# --- what goes wrong


def test_errors_of_the_server_pass(openai_client: openai.OpenAI, url: str, server: StandIn) -> None:
    with pytest.raises(openai.RateLimitError, match="slow down") as caught:
        openai_client.chat.completions.create(model="busy", messages=TALK)  # type: ignore[arg-type]
    assert caught.value.response.headers["retry-after"] == "9" and caught.value.response.content == server.sent
    with (
        anthropic.Anthropic(api_key="k", base_url=url, max_retries=0) as client,
        pytest.raises(anthropic.RateLimitError),
    ):
        client.messages.create(model="busy", max_tokens=1, messages=TALK[1:2])  # type: ignore[arg-type]


def test_a_stream_that_breaks_off_is_no_whole_one(
    url: str, server: StandIn, openai_client: openai.OpenAI, caplog: pytest.LogCaptureFixture
) -> None:
    body = {"model": "cut-off", "messages": TALK, "stream": True}
    got = b""
    with (
        pytest.raises(httpx.RemoteProtocolError),
        httpx.stream("POST", f"{url}/v1/chat/completions", json=body) as reply,
    ):
        for part in reply.iter_raw():
            got += part
    assert got == server.sent and not any(
        record.exc_info for record in caplog.records if record.levelno >= logging.ERROR
    )
    with pytest.raises((httpx.RemoteProtocolError, openai.APIError)):
        list(openai_client.chat.completions.create(model="cut-off", messages=TALK, stream=True))  # type: ignore[call-overload]


def test_a_server_that_hangs_up_or_is_not_there(
    openai_client: openai.OpenAI, anthropic_client: anthropic.Anthropic
) -> None:
    with pytest.raises(openai.InternalServerError, match="cannot be reached") as refused:
        openai_client.chat.completions.create(model="dead", messages=TALK)  # type: ignore[arg-type]
    assert refused.value.status_code == 502 and refused.value.type == "api_error"
    with pytest.raises(anthropic.InternalServerError, match="cannot be reached") as gone:
        anthropic_client.messages.create(model="dead", max_tokens=1, messages=TALK[1:2])  # type: ignore[arg-type]
    assert gone.value.body["type"] == "error"  # type: ignore[index]
    with proxied("http://127.0.0.1:1") as url:
        assert httpx.get(f"{url}/v1/models").status_code == 502


def test_too_much_is_refused_in_the_protocols_shape(server: StandIn) -> None:
    with proxied(server.url, body=1000) as url:
        said = httpx.post(f"{url}/v1/chat/completions", json={"messages": TALK})
        assert said.status_code == 413 and said.json()["error"]["type"] == "invalid_request_error"
        said = httpx.post(f"{url}/v1/messages", json={"messages": TALK})
        assert said.status_code == 413 and said.json()["error"]["type"] == "request_too_large"


def test_what_takes_too_long_is_sent_as_it_came(server: StandIn) -> None:
    body = {"model": "m", "messages": TALK}
    with proxied(server.url, seconds=0.0001) as url:
        reply = httpx.post(f"{url}/v1/chat/completions", json=body)
    assert reply.headers["x-diffumask-outcome"] == "timeout" and server.body() == body


@pytest.mark.parametrize("address", ["", "api.openai.com", "ftp://a", "http://", "https://a/?x=1"])
def test_addresses_that_are_none(address: str) -> None:
    with pytest.raises(InputError, match="no address"):
        Upstream(address)
