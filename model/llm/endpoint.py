"""An OpenAI-compatible endpoint (vLLM, llama.cpp, Ollama, hosted) as a writer: streaming chat completions over httpx.

Whoever names an endpoint makes this machine call it, so on a public server only public addresses may be called
(`model.llm.public_address`). The key goes into one header and nowhere else: not into messages, not to another host
(redirects are not followed).
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from ..errors import InputError
from .public_address import PublicTransport
from .writers import Pieces, Usage

TIMEOUT = httpx.Timeout(120, connect=10, write=30)  # seconds; 120 between two pieces of an answer
WHOLE_TIME = 600.0  # seconds for a whole answer
STREAM_LINE_LIMIT = 1_000_000  # bytes of one line of a stream
STREAM_ANSWER_LIMIT = 100_000  # characters
SAID_LIMIT = 200  # characters of what an endpoint says that are shown
_PATH = "/chat/completions"
_KEY = re.compile(r"[\x21-\x7e]{0,1000}")
_NOT_TEXT = re.compile("[\0\ud800-\udfff]")  # no database or file takes these


class Endpoint:
    """A model behind an address.

    >>> endpoint = Endpoint("http://localhost:11434/v1", "llama3.2")
    >>> for piece in endpoint.write("What is 2 + 2?", limit=64): ...

    Args:
        url: of the API, as "https://api.openai.com/v1"; with or without "/chat/completions".
        private: whether it may lie in this machine's own network.
    Raises InputError when url, model or key cannot be right.
    """

    at_once = True

    def __init__(self, url: str, model: str, key: str = "", private: bool = False, timeout: httpx.Timeout = TIMEOUT):
        self.url, self.model, self._private, self._timeout = _checked_url(url), model.strip(), private, timeout
        if not self.model or len(self.model) > 100:
            raise InputError("Name the endpoint's model, in at most 100 characters.")
        if not _KEY.fullmatch(key := key.strip()):
            raise InputError("The key holds spaces or signs that no key has: copy it again.")
        self._key = key
        self.name = f"{self.model} at {self.url.host}"[:190]
        self._streams: list[Any] = []  # connections, for `stop`
        self._stopped = False
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"Endpoint({self.name!r})"  # never the key

    def write(self, prompt: str, limit: int, system: str = "") -> Pieces:
        """See `model.llm.writers.Writer`. Raises InputError, in the middle of an answer, too."""
        told = [{"role": "system", "content": system}] if system else []
        body = {
            "model": self.model,
            "messages": [*told, {"role": "user", "content": prompt}],
            "stream": True,
            "max_tokens": limit,
            "temperature": 0,
            "stream_options": {"include_usage": True},
        }
        reading = _Reading(self._without_key)
        try:
            with self._client() as client:
                while True:
                    with client.stream(
                        "POST", self.url, json=body, headers=self._headers(), extensions={"trace": self._listen}
                    ) as response:
                        _check_encoding(response)
                        if response.status_code == 200:
                            yield from reading.pieces(response)
                            break
                        said = self._said(response)
                        if not _adapt(body, response.status_code, said):
                            raise InputError(_refusal(response, said, self.model))
        except httpx.TimeoutException:
            raise InputError(f"The endpoint took too long{reading.so_far}. Try again, or a shorter prompt.") from None
        except httpx.ConnectError as error:
            raise InputError(_unreachable(error)) from None
        except (httpx.HTTPError, httpx.StreamError):
            raise InputError(f"The endpoint closed the connection{reading.so_far}. Try again.") from None
        reading.check()
        return reading.usage

    def again(self) -> Endpoint:
        """The same, for another answer: one that was stopped writes no more."""
        return Endpoint(str(self.url), self.model, self._key, self._private, self._timeout)

    def stop(self) -> None:
        """End whatever is being written now, from another thread; `write` then raises InputError."""
        with self._lock:
            self._stopped = True
            for stream in self._streams:
                _shut(stream)

    def _listen(self, event: str, info: Mapping[str, Any]) -> None:
        """httpx reports a new connection here: it is remembered, for `stop`."""
        if event.endswith((".connect_tcp.complete", ".start_tls.complete")):
            with self._lock:
                self._streams.append(info["return_value"])
                if self._stopped:
                    _shut(info["return_value"])

    def _without_key(self, text: str) -> str:
        return text.replace(self._key, "…") if self._key else text

    def _client(self) -> httpx.Client:
        # A proxy would decide itself what it calls, so one from the environment is for private use only.
        if self._private:
            return httpx.Client(timeout=self._timeout)
        return httpx.Client(timeout=self._timeout, transport=PublicTransport(), trust_env=False)

    def _headers(self) -> dict[str, str]:
        own = {"Accept": "text/event-stream", "Accept-Encoding": "identity"}
        return own | ({"Authorization": f"Bearer {self._key}"} if self._key else {})

    def _said(self, response: httpx.Response) -> str:
        """The message of an error: one short line, without the key."""
        start = b""
        for chunk in response.iter_raw(4096):
            start += chunk
            if len(start) > 20_000:
                break
        text = start.decode("utf-8", "replace")
        try:
            text = _message(json.loads(text)) or text
        except (ValueError, RecursionError):
            pass
        return _short(self._without_key(text))


class _Reading:
    """The stream of one answer as it is read; hide: takes the key out of what the endpoint says."""

    def __init__(self, hide: Callable[[str], str]) -> None:
        self._hide = hide
        self.usage, self.characters, self.finish, self.choices = Usage(), 0, "", False

    @property
    def so_far(self) -> str:
        return " in the middle of the answer" if self.characters else ""

    def pieces(self, response: httpx.Response) -> Iterator[str]:
        for line in _lines(response):
            field, _, value = line.partition(b":")
            value = value.strip()
            if field not in (b"data", b"event", b"id", b"retry", b""):  # b"": a blank line or a comment
                raise InputError("The endpoint does not answer with a stream of events: is it an OpenAI-like API?")
            if field == b"data" and value == b"[DONE]":
                self.finish = self.finish or "stop"
                return
            if field == b"data" and value:
                yield self._piece(value)

    def _piece(self, value: bytes) -> str:
        try:
            event = json.loads(value)
        except (ValueError, RecursionError):
            raise InputError(f"The endpoint sent what is not JSON{self.so_far}.") from None
        if not isinstance(event, dict):
            raise InputError(f"The endpoint sent an event that is no object{self.so_far}.")
        if event.get("error"):
            raise InputError(f"The endpoint failed{self.so_far}: {_short(self._hide(_message(event)))}")
        self._count(event.get("usage"))
        choices = event.get("choices")
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            return ""
        self.choices = True
        self.finish = str(choices[0].get("finish_reason") or self.finish)[:40]
        delta = choices[0].get("delta")
        text = delta.get("content") if isinstance(delta, dict) else None
        piece = _NOT_TEXT.sub("\ufffd", text) if isinstance(text, str) else ""
        self.characters += len(piece)
        if self.characters > STREAM_ANSWER_LIMIT:
            raise InputError(
                f"The endpoint wrote more than {STREAM_ANSWER_LIMIT:,} characters: it does not keep to limits."
            )
        return piece

    def _count(self, usage: Any) -> None:
        if isinstance(usage, dict):
            said = (usage.get("prompt_tokens"), usage.get("completion_tokens"))
            prompt, answer = (n if type(n) is int and 0 <= n < 10**9 else None for n in said)
            self.usage = Usage(prompt, answer)

    def check(self) -> None:
        """Whether the answer is whole. Raises InputError."""
        if not self.choices:
            raise InputError("The endpoint sent no answer (no choices): is it an OpenAI-like API?")
        if not self.finish:
            raise InputError(f"The endpoint stopped{self.so_far}: its end is missing.")
        if not self.characters:
            why = " within the limit of tokens: raise it" if self.finish == "length" else ""
            raise InputError(f"The endpoint's answer is empty{why}.")


def _shut(stream: Any) -> None:
    """Wake whoever reads from a connection: it has ended."""
    with suppress(OSError):
        stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)


def _check_encoding(response: httpx.Response) -> None:
    """A compressed answer is not unpacked: some kilobytes of it may be gigabytes."""
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise InputError(f"The endpoint compresses its answer ({encoding[:20]!a}), though it was asked not to.")


def _lines(response: httpx.Response) -> Iterator[bytes]:
    """The lines of a stream; bounded in length and time."""
    rest, until = b"", time.monotonic() + WHOLE_TIME
    for chunk in response.iter_raw():
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line.rstrip(b"\r") for line in whole)
        if time.monotonic() > until:
            raise httpx.ReadTimeout("the whole answer")
        if len(rest) > STREAM_LINE_LIMIT:
            raise InputError("The endpoint sent a line that has no end.")
    if rest:
        yield rest


def _adapt(body: dict[str, Any], status: int, said: str) -> bool:
    """Leave out what the endpoint says it does not know; False when that is nothing of ours.

    Newer models of OpenAI call the limit max_completion_tokens.
    """
    if status not in (400, 422):
        return False
    for name in ("stream_options", "max_tokens", "temperature"):
        if name in body and name in said:
            value = body.pop(name)
            if name == "max_tokens":
                body["max_completion_tokens"] = value
            return True
    return False


def _refusal(response: httpx.Response, said: str, model: str) -> str:
    status = response.status_code
    if status in (401, 403):
        return f"The endpoint refuses the key ({status}): check the key, and that it may use this model."
    if status == 404:
        return f"The endpoint has no model {model!r}, or nothing at this address (404): check both."
    if status == 429:
        wait = _wait(response.headers.get("Retry-After", ""))
        return f"The endpoint has had too many requests, or the quota is used up (429): try again {wait}."
    if 300 <= status < 400:
        return f"The endpoint sends on to another address ({status}): give that one."
    return f"The endpoint refused ({status})" + (f": {said}" if said else ".")


def _wait(value: str) -> str:
    """Retry-After (RFC 9110, 10.2.3: seconds or a date) in words."""
    if value.isdecimal() and len(value) < 8:
        return f"in {int(value)} s"
    try:
        seconds = (parsedate_to_datetime(value) - datetime.now(timezone.utc)).total_seconds()
        return f"in {max(1, round(seconds))} s"
    except (ValueError, TypeError, OverflowError):
        return "later"


def _unreachable(error: httpx.ConnectError) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return "No safe connection to the endpoint (TLS): is its certificate valid, and is it https, not http?"
        cause = cause.__cause__ or cause.__context__
    return "The endpoint cannot be reached: check the address, and that it is running."


def _checked_url(text: str) -> httpx.URL:
    try:
        url = httpx.URL(text.strip())
    except (httpx.InvalidURL, UnicodeError):
        raise InputError("The endpoint's address is not one, such as http://localhost:11434/v1.") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise InputError("The endpoint's address begins with http:// or https://, as http://localhost:11434/v1.")
    if url.userinfo or url.query or url.fragment:
        raise InputError("The endpoint's address has no name, password, ? or #: the key has a box of its own.")
    path = url.path.rstrip("/")
    return url if path.endswith(_PATH) else url.copy_with(path=(path or "/v1") + _PATH)


def _message(answer: Any) -> str:
    """What an error says: {"error": {"message": ...}}, {"error": ...} or {"message": ...}."""
    error = answer.get("error", answer) if isinstance(answer, dict) else answer
    if isinstance(error, dict):
        error = error.get("message") or error.get("detail") or ""
    return str(error)


def _short(text: str) -> str:
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= SAID_LIMIT else line[:SAID_LIMIT] + "…"
