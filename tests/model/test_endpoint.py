"""Endpoints as writers, against a server that behaves well and badly; and which addresses may be called."""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.errors import InputError
from model.llm.endpoint import Endpoint
from model.llm.public_address import PublicTransport, is_public, public_address
from model.llm.writers import Usage
from tests.support.fake_endpoint import KEY, FakeEndpoint, fake_endpoint

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def server() -> Iterator[FakeEndpoint]:
    with fake_endpoint() as served:
        yield served


def answer(server: FakeEndpoint, model: str, **given: Any) -> tuple[str, Usage | str]:
    """What came, and how it ended: the usage, or the message of the error."""
    text, writing = "", Endpoint(server.url, model, KEY, private=True, **given).write("One two three", 16)
    try:
        while True:
            text += next(writing)
    except StopIteration as end:
        return text, end.value
    except InputError as error:
        return text, str(error)


def test_an_answer_comes_whole_with_its_usage(server: FakeEndpoint) -> None:
    assert answer(server, "good") == ("Hello \ufffd<b> to 13", Usage(3, 3))
    path, headers, body = server.seen[-1]
    assert path == "/v1/chat/completions" and headers["Authorization"] == f"Bearer {KEY}"
    assert body["max_tokens"] == 16 and body["stream"] is True and body["temperature"] == 0
    assert body["messages"] == [{"role": "user", "content": "One two three"}] and KEY not in str(body)


def test_what_an_endpoint_does_not_know_is_left_out(server: FakeEndpoint) -> None:
    assert answer(server, "old") == ("Hello \ufffd<b> to 13", Usage(None, None))
    assert answer(server, "new") == ("Hello \ufffd<b> to 13", Usage(3, 3))
    assert server.seen[-1][2]["max_completion_tokens"] == 16 and "max_tokens" not in server.seen[-1][2]


@pytest.mark.parametrize(
    "model, came, says",
    [
        ("bad-key", "", "refuses the key (401)"),
        ("forbidden", "", "refuses the key (403)"),
        ("nothing", "", "has no model 'nothing'"),
        ("busy", "", "(429): try again in 7 s"),
        ("busy-until", "", "(429): try again in 1"),
        ("broken", "", "refused (500): No <b>such</b> thing for … here."),
        ("moved", "", "sends on to another address (307)"),
        ("garbage", "", "is it an OpenAI-like API?"),
        ("not-json", "So far ", "not JSON in the middle of the answer"),
        ("no-choices", "", "no choices"),
        ("empty", "", "answer is empty within the limit of tokens: raise it"),
        ("cut-off", "So far so good", "stopped in the middle of the answer"),
        ("fails", "So far ", "failed in the middle of the answer: out of memory"),
        ("line", "", "a line that has no end"),
    ],
)
def test_what_goes_wrong_is_said_in_one_line_and_what_came_stays(
    server: FakeEndpoint, model: str, came: str, says: str
) -> None:
    text, said = answer(server, model)
    assert text == came and isinstance(said, str) and says in said
    assert "\n" not in said and KEY not in said


def test_a_time_out_and_an_answer_without_end(server: FakeEndpoint) -> None:
    text, said = answer(server, "slow", timeout=httpx.Timeout(0.3))
    assert "took too long" in str(said)
    assert "more than 100,000 characters" in str(answer(server, "endless")[1])
    assert server.left.wait(30), "the connection is closed then"


def test_closing_leaves_the_endpoint(server: FakeEndpoint) -> None:
    server.left.clear()
    writing = Endpoint(server.url, "endless", private=True).write("Hi", 16)
    assert next(writing) == "and " and "Authorization" not in server.seen[-1][1]
    writing.close()
    assert server.left.wait(30)


def test_an_endpoint_that_is_not_there_or_speaks_no_tls(server: FakeEndpoint) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(InputError, match="cannot be reached: check the address"):
        next(Endpoint(f"http://127.0.0.1:{port}/v1", "m", private=True).write("Hi", 4))
    with pytest.raises(InputError, match="TLS"):
        next(Endpoint(server.url.replace("http:", "https:"), "m", private=True).write("Hi", 4))


@pytest.mark.parametrize("url", ("", "ftp://x", "file:///etc/passwd", "localhost:1/v1", "http://", "http://a:b", "//x"))
def test_only_web_addresses(url: str) -> None:
    with pytest.raises(InputError, match="address"):
        Endpoint(url, "m")


def test_addresses_names_and_keys_that_cannot_be_right() -> None:
    for url in ("http://me:pass@x/v1", f"http://x/v1?key={KEY}", "http://x/v1#a"):
        with pytest.raises(InputError, match="has a box of its own") as caught:
            Endpoint(url, "m")
        assert KEY not in str(caught.value) and "pass@" not in str(caught.value)
    for key in ("two words", "new\nline", "naïve", "k" * 1001):
        with pytest.raises(InputError, match="copy it again") as caught:
            Endpoint("http://x", "m", key)
        assert key not in str(caught.value)
    with pytest.raises(InputError, match="Name the endpoint's model"):
        Endpoint("http://x", "  ")
    assert KEY not in repr(Endpoint("http://x", "m", KEY)) and KEY not in Endpoint("http://x", "m", KEY).name
    for url in ("http://x", "http://x/", "http://x/v1", "http://x/v1/", "http://x/v1/chat/completions"):
        assert str(Endpoint(url, "m").url) == "http://x/v1/chat/completions"


# --- which addresses may be called -------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]"])
def test_a_public_server_does_not_call_itself(server: FakeEndpoint, host: str) -> None:
    before = len(server.seen)
    with pytest.raises(InputError, match="public ones only|cannot be reached"):
        next(Endpoint(f"http://{host}:{server.server_port}/v1", "good", KEY).write("Hi", 4))
    assert len(server.seen) == before


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_public_addresses_are_global_ones(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    if is_public(str(ip)):
        assert ip.is_global and not (ip.is_private or ip.is_loopback or ip.is_link_local or ip.is_multicast)


def test_networks_behind_other_notations() -> None:
    inside = "10.1.2.3 169.254.169.254 100.64.0.1 0.0.0.0 224.0.0.1 fe80::1%eth0 fc00::1 2002:7f00:1::1 64:ff9b::7f00:1"
    assert not any(map(is_public, inside.split()))
    assert is_public("8.8.8.8") and is_public("2606:4700:4700::1111")


def test_a_name_is_looked_up_once_and_one_private_address_is_enough_to_refuse(
    server: FakeEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def look_up(*addresses: str) -> Any:
        def getaddrinfo(host: str, *_: Any, **__: Any) -> Any:
            asked.append(host)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in addresses]

        return getaddrinfo

    monkeypatch.setattr("model.llm.public_address.socket.getaddrinfo", look_up("93.184.215.14", "10.0.0.1"))
    with pytest.raises(InputError, match="public ones only"):
        public_address("rebinding.example")
    monkeypatch.setattr("model.llm.public_address.socket.getaddrinfo", look_up("93.184.215.14"))
    sent: list[httpx.Request] = []
    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", lambda _, request: sent.append(request))
    PublicTransport().handle_request(httpx.Request("POST", "https://api.example:8443/v1", headers={"X": "1"}))
    assert asked == ["rebinding.example", "api.example"]
    assert sent[0].url.host == "93.184.215.14" and sent[0].headers["Host"] == "api.example:8443"
    assert sent[0].extensions["sni_hostname"] == "api.example", "the certificate is checked against the name"


def test_a_compressed_answer_is_not_unpacked(server: FakeEndpoint) -> None:
    """The server's few kilobytes would be 200 MB; it is asked for plain text and sends it all the same."""
    assert answer(server, "packed") == ("", "The endpoint compresses its answer ('gzip'), though it was asked not to.")


def test_the_key_is_not_in_what_an_endpoint_says_in_the_middle_of_a_stream(server: FakeEndpoint) -> None:
    text, said = answer(server, "leaks")
    assert text == "So far " and "wrong key" in str(said) and KEY not in str(said)


def test_stop_ends_an_answer_that_waits(server: FakeEndpoint) -> None:
    """Before and after the first words have come."""
    for model in ("pausing", "silent"):
        endpoint = Endpoint(server.url, model, KEY, private=True)
        pieces = endpoint.write("One two three", 16)
        if model == "pausing":
            assert next(pieces) == "So far "
        timer = threading.Timer(0.3, endpoint.stop)
        timer.start()
        with pytest.raises(InputError, match="closed the connection|stopped in the middle"):
            next(pieces)
        assert not server.go_on.is_set()
