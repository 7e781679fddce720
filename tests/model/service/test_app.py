"""The service over HTTP, on a running server."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import httpx
import pytest

from model.compress import Compressor
from model.service.app import ServiceLimits, make_service
from model.service.keys import Keys
from model.service.originals import StoreLimits
from model.service.schemas import EXAMPLES
from model.service.shortener import Shortener
from tests.support.serving import serving
from tests.support.talks import BEDS, NOTES, TALK, call, result, user
from tests.support.tiny import tiny_checkpoint

COMPRESSOR = Compressor(tiny_checkpoint())
KEY, OTHER = "the-key-of-the-first", "the-key-of-the-second"


@pytest.fixture(scope="module")
def api() -> Iterator[httpx.Client]:
    """A service without keys."""
    with (
        serving(
            make_service(Shortener(COMPRESSOR, workers=2, store=StoreLimits()), Keys([]), ServiceLimits(body=200_000))
        ) as url,
        httpx.Client(base_url=url, timeout=30) as client,
    ):
        yield client


def compress(api: httpx.Client, **body: Any) -> dict[str, Any]:
    response = api.post("/v1/compress", json=body)
    assert response.status_code == 200, response.text
    made: dict[str, Any] = response.json()
    return made


def error(response: httpx.Response) -> tuple[int, str, str]:
    said = response.json()
    assert list(said) == ["error"] and sorted(said["error"]) == ["message", "type"]
    assert "\n" not in said["error"]["message"]
    return response.status_code, said["error"]["type"], said["error"]["message"]


def test_only_results_of_tools_are_shorter(api: httpx.Client) -> None:
    made = compress(api, messages=TALK, model="gpt-4o", retention=0.5)
    kept = [i for i, (old, new) in enumerate(zip(TALK, made["messages"], strict=True)) if old == new]
    assert kept == [0, 1, 2, 4, 5, 6] and made["transforms_applied"] == ["diffumask:3", "diffumask:7"]
    assert isinstance(json.loads(made["messages"][3]["content"]), list)
    assert made["tokens_saved"] == made["tokens_before"] - made["tokens_after"] > 0
    assert made["compression_ratio"] == pytest.approx(made["tokens_after"] / made["tokens_before"], abs=1e-3)
    assert made["verdict"]["broken"] is False and made["verdict"]["numbers_gone"]
    assert len(made["hashes"]) == 2 and made["ccr_hashes"] == []


def test_what_was_sent_before_comes_out_the_same(api: httpx.Client) -> None:
    for end in (4, 6, 8):
        short = compress(api, messages=TALK[:end], retention=0.4)["messages"]
        assert short == compress(api, messages=[*TALK, call(3), result(3, BEDS)], retention=0.4)["messages"][:end]


def test_another_server_gives_the_same_bytes(api: httpx.Client) -> None:
    body = {"messages": TALK, "retention": 0.4}
    app = make_service(Shortener(COMPRESSOR, store=StoreLimits()), Keys([]), ServiceLimits())
    with serving(app) as url:
        assert httpx.post(f"{url}/v1/compress", json=body).content == api.post("/v1/compress", json=body).content


def test_many_at_once_get_what_each_would_get_alone() -> None:
    """Byte for byte, with the model that is shipped: what it reads for several is read in common passes."""
    compressor = Compressor.load()
    talks = [[user(f"How many beds has Town {i}?"), call(1), result(1, (BEDS, NOTES)[i % 2])] for i in range(8)]

    def asked(workers: int, callers: int) -> list[bytes]:
        assert compressor.encoder and compressor.reader
        compressor.encoder.remember(2**25)
        compressor.reader.encoder.remember(2**25)
        app = make_service(Shortener(compressor, workers), Keys([]), ServiceLimits())
        with serving(app) as url, ThreadPoolExecutor(callers) as threads:
            ask = partial(httpx.post, f"{url}/v1/compress", timeout=60)
            return [each.content for each in threads.map(lambda talk: ask(json={"messages": talk}), talks)]

    together = asked(8, 8)
    assert together == asked(1, 1)
    assert len(set(together)) == 8 and all(json.loads(each)["tokens_saved"] for each in together)


@pytest.mark.parametrize("budget", [60, 200, 400])
def test_a_budget_is_for_all_texts(api: httpx.Client, budget: int) -> None:
    made = compress(api, messages=TALK, token_budget=budget)
    whole = sum(len(str(m["content"]).split()) for i, m in enumerate(TALK) if i not in (3, 7))
    assert made["tokens_after"] <= max(budget, 3 * whole)


def test_a_budget_that_is_large_enough_changes_nothing(api: httpx.Client) -> None:
    made = compress(api, messages=TALK, token_budget=10**6)
    assert made["messages"] == TALK and (made["tokens_saved"], made["compression_ratio"]) == (0, 1.0)


def test_users_documents_where_one_asks(api: httpx.Client) -> None:
    talk = [user(NOTES), user("When was House 3 painted?")]
    assert compress(api, messages=talk)["messages"] == talk
    made = compress(api, messages=talk, config={"compress_user_messages": True, "target_ratio": 0.3, "unknown": 1})
    assert made["messages"][1] == talk[1] and len(made["messages"][0]["content"]) < len(NOTES) / 2


def test_a_text(api: httpx.Client) -> None:
    text = f"Answer briefly.\n\n{NOTES}\n\nWhen was House 3 painted?"
    made = compress(api, text=text, token_budget=100)
    assert made["tokens_after"] <= 100 and made["text"].endswith("When was House 3 painted?") and "messages" not in made
    assert api.get(f"/v1/retrieve/{made['hashes'][0]}").json()["original_content"] == text


def test_a_length_of_its_own(api: httpx.Client) -> None:
    text = f"Answer briefly.\n\n{NOTES}\n\nWhen was House 3 painted?"
    made = compress(api, text=text, retention="auto")
    assert made["tokens_after"] < made["tokens_before"] and made["text"].endswith("When was House 3 painted?")
    talk = [user(NOTES), user("When was House 3 painted?")]
    made = compress(api, messages=talk, config={"compress_user_messages": True}, retention="auto")
    assert made["messages"][1] == talk[1] and made["tokens_after"] < made["tokens_before"]


def test_a_conversation_without_texts(api: httpx.Client) -> None:
    talk = [user([{"type": "image_url", "image_url": {"url": "data:"}}]), call(1), result(1, None), user("")]
    assert compress(api, messages=talk)["messages"] == talk
    assert compress(api, messages=[])["messages"] == []


def test_the_header_that_bypasses(api: httpx.Client) -> None:
    for header in ("x-diffumask-bypass", "X-Headroom-Bypass"):
        for body in ({"messages": TALK}, {"text": NOTES}):
            made = api.post("/v1/compress", json=body, headers={header: "true"}).json()
            assert made[next(iter(body))] == next(iter(body.values())) and made["tokens_saved"] == 0


def test_originals_come_back(api: httpx.Client) -> None:
    made = compress(api, messages=TALK, config={"mode": "ccr"})
    assert made["ccr_hashes"] == made["hashes"]
    for digest, place, text in zip(made["hashes"], (3, 7), (BEDS, NOTES), strict=True):
        assert made["messages"][place]["content"].endswith(f"hash={digest}]")
        assert api.get(f"/v1/retrieve/{digest}").json()["original_content"] == text


def test_a_query_brings_what_it_is_about(api: httpx.Client) -> None:
    long = " ".join(f"House {i} stands by the old river. It was painted in {1900 + i}." for i in range(1, 90))
    digest = compress(api, messages=[user("What?"), call(1), result(1, long)])["hashes"][0]
    found = api.get(f"/v1/retrieve/{digest}", params={"query": "House 7"}).json()
    assert found["returned_tokens"] <= 800 < found["original_tokens"] and found["query"] == "House 7"
    assert error(api.get(f"/v1/retrieve/{digest}", params={"query": "x" * 5000}))[0] == 400


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "no valid JSON"),
        (b'{"text": ', "no valid JSON"),
        (b"[" * 100_000, "no valid JSON"),
        (b'{"text": NaN}', "no JSON"),
        (b"\xff\xfe", "no valid JSON"),
        (b"[]", "must be a JSON object"),
        (b"{}", "give either messages or text"),
        (b'{"text": "a", "n": ' + b"9" * 5000 + b"}", "JSON: a number of more than 1000 digits"),
        (b'{"text": "a", "messages": []}', "either messages or text"),
        (b'{"text": 3}', "text: "),
        (b'{"text": ""}', "no words|empty|prompt"),
        (b'{"text": "a \\ud83d b"}', "half|surrogate|valid"),
        (b'{"messages": [3]}', "messages.0"),
        (b'{"messages": [{"role": "king"}]}', "message 0"),
        (b'{"text": "a b", "token_budget": 0}', "token_budget"),
        (b'{"text": "a b", "token_budget": -1}', "token_budget"),
        (b'{"text": "a b", "retention": 0}', "retention"),
        (b'{"text": "a b", "retention": "0.5"}', 'retention: give a number above 0 and at most 1, or "auto"'),
        (b'{"text": "a b", "retention": true}', "retention: give a number"),
        (b'{"text": "a b", "retention": 0.5, "token_budget": 7}', "one of"),
        (b'{"text": "a b", "model": 7}', "model"),
        (b'{"text": "a b", "config": {"protect_recent": -1}}', "config.protect_recent"),
    ],
)
def test_mistakes(api: httpx.Client, body: bytes, message: str) -> None:
    status, kind, said = error(api.post("/v1/compress", content=body))
    assert (status, kind) == (400, "invalid_request_error")
    assert any(each in said for each in message.split("|")) and "Value error" not in said, said


def test_what_is_too_large_or_not_there(api: httpx.Client) -> None:
    assert error(api.post("/v1/compress", json={"text": "word " * 50_000}))[:2] == (413, "request_too_large")
    assert error(api.get("/v1/compress"))[0] == 405
    assert error(api.get("/v1/nothing"))[0] == 404
    assert error(api.get("/v1/retrieve/abc"))[:2] == (404, "not_found")


def test_the_examples_of_the_documentation_work(api: httpx.Client) -> None:
    for example in EXAMPLES.values():
        assert compress(api, **copy.deepcopy(example["value"]))["tokens_before"]
    schema = api.get("/openapi.json").json()
    shown = schema["paths"]["/v1/compress"]["post"]["requestBody"]["content"]["application/json"]
    assert shown["examples"] == EXAMPLES and "config" in shown["schema"]["properties"]


def test_what_is_counted(api: httpx.Client) -> None:
    compress(api, messages=TALK)
    text = api.get("/metrics").text
    assert 'diffumask_requests_total{path="/v1/compress",status="200"}' in text
    assert "diffumask_tokens_before_total" in text and "diffumask_originals " in text
    assert api.get("/healthz").json()["status"] == "ok"


def test_keys_let_in_and_keep_callers_apart() -> None:
    app = make_service(Shortener(COMPRESSOR, store=StoreLimits()), Keys([KEY, OTHER]), ServiceLimits())
    mine, others = ({"Authorization": f"Bearer {key}"} for key in (KEY, OTHER))
    with serving(app) as url, httpx.Client(base_url=url) as api:
        for path in ("/v1/retrieve/abc", "/metrics", "/docs", "/nothing"):
            assert error(api.get(path))[:2] == (401, "authentication_error")
        assert error(api.post("/v1/compress", json={"messages": TALK}))[0] == 401
        assert api.get("/healthz").status_code == 200
        digest = api.post("/v1/compress", json={"messages": TALK}, headers=mine).json()["hashes"][0]
        assert api.get(f"/v1/retrieve/{digest}", headers=mine).status_code == 200
        assert error(api.get(f"/v1/retrieve/{digest}", headers=others))[0] == 404


def test_a_full_store_is_said_and_nothing_is_lost() -> None:
    app = make_service(Shortener(COMPRESSOR, store=StoreLimits(entries=1)), Keys([]), ServiceLimits())
    with serving(app) as url, httpx.Client(base_url=url) as api:
        made = compress(api, messages=TALK, config={"mode": "ccr"})
        assert len(made["hashes"]) == 1 and made["transforms_applied"] == ["diffumask:3"]
        assert made["messages"][7] == TALK[7]
        assert any("store of originals is full" in line for line in made["verdict"]["warnings"])


class _Waiting:
    """A compressor that begins only when it may."""

    def __init__(self) -> None:
        self.go, self.begun = threading.Event(), threading.Event()

    def compress(self, text: str, retention: float, **options: Any) -> Any:
        self.begun.set()
        self.go.wait(30)
        return COMPRESSOR.compress(text, retention, **options)

    compress_messages = COMPRESSOR.compress_messages


def test_too_many_and_too_slow() -> None:
    slow = _Waiting()
    app = make_service(Shortener(slow, workers=1, room=1), Keys([]), ServiceLimits(seconds=0.3))
    with serving(app) as url, ThreadPoolExecutor(2) as threads:
        first = threads.submit(httpx.post, f"{url}/v1/compress", json={"text": NOTES})
        slow.begun.wait(30)
        second = threads.submit(httpx.post, f"{url}/v1/compress", json={"text": NOTES})
        assert error(first.result())[:2] == error(second.result())[:2] == (504, "timeout")
        third = httpx.post(f"{url}/v1/compress", json={"text": NOTES})
        slow.go.set()
    assert error(third)[:2] in ((503, "overloaded"), (504, "timeout"))


def test_a_full_queue() -> None:
    slow = _Waiting()
    app = make_service(Shortener(slow, workers=1, room=1), Keys([]), ServiceLimits())
    with serving(app) as url, ThreadPoolExecutor(2) as threads:
        first = threads.submit(httpx.post, f"{url}/v1/compress", json={"text": NOTES}, timeout=30)
        slow.begun.wait(30)
        second = threads.submit(httpx.post, f"{url}/v1/compress", json={"text": NOTES}, timeout=30)
        while "diffumask_waiting 1.0" not in httpx.get(f"{url}/metrics").text:
            pass
        third = httpx.post(f"{url}/v1/compress", json={"text": NOTES})
        slow.go.set()
        assert error(third)[:2] == (503, "overloaded") and third.headers["Retry-After"] == "1"
        assert first.result().status_code == second.result().status_code == 200
