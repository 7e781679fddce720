"""Hand a request on to the server behind the proxy, and its reply back as it comes, byte for byte."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

import httpx
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import Send

from ...errors import InputError

CONNECT = 10.0  # seconds
SILENCE = 600.0  # seconds without a byte, in which a language model may think
_OWN = "x-diffumask-"
# Between two neighbours only (RFC 9110, section 7.6.1), or made anew here.
_NOT_HANDED_ON = {
    *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer"),
    *("transfer-encoding", "upgrade", "host", "expect"),
}
_log = logging.getLogger("uvicorn.error")


class Upstream:
    """The server behind the proxy."""

    def __init__(self, url: str) -> None:
        """url: with or without /v1 at its end. InputError when it is no address."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise InputError(f"upstream {url!r} is no address such as https://api.openai.com")
        self.url = url.rstrip("/").removesuffix("/v1")
        self._base = httpx.URL(self.url)
        self._timeout = httpx.Timeout(SILENCE, connect=CONNECT).as_dict()
        # A transport alone: a client would remember cookies, add headers of its own and unpack replies.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=100)
        self._transport = httpx.AsyncHTTPTransport(limits=limits, trust_env=False)

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.aclose()

    async def send(self, request: Request, body: bytes | None = None) -> httpx.Response:
        """Send a request on; the reply, of which only the head has been read.

        body: what to send instead of the request's own body, which then has been read.
        Raises httpx.TransportError when there is no reply.
        """
        scope, headers = request.scope, handed_on(request.headers.raw, body is not None)
        query = b"?" + scope["query_string"] if scope["query_string"] else b""
        path = self._base.raw_path.rstrip(b"/") + scope["raw_path"] + query
        has_body = "content-length" in request.headers or "transfer-encoding" in request.headers
        content = body if body is not None else request.stream() if has_body else None
        url, more = self._base.copy_with(raw_path=path), {"timeout": self._timeout}
        asked = httpx.Request(request.method, url, headers=headers, content=content, extensions=more)
        return await self._transport.handle_async_request(asked)


def handed_on(headers: Iterable[tuple[bytes, bytes]], new_length: bool = False) -> list[tuple[bytes, bytes]]:
    """The headers that concern the other side; new_length: the body's length is counted anew."""
    pairs = [(name.lower(), value) for name, value in headers]
    named = b",".join(value for name, value in pairs if name == b"connection").decode("latin-1").lower()
    leave = _NOT_HANDED_ON | {name.strip() for name in named.split(",")} | ({"content-length"} if new_length else set())
    return [
        (name, value)
        for name, value in pairs
        if (known := name.decode("latin-1")) not in leave and not known.startswith(_OWN)
    ]


class HandedBack(StreamingResponse):
    """A reply from upstream. Where it breaks off, the connection does, too, so that nobody takes it for whole."""

    def __init__(self, reply: httpx.Response, more: Mapping[str, str]) -> None:
        super().__init__(reply.aiter_raw(), reply.status_code)
        self.reply = reply
        own = [(name.encode(), value.encode("latin-1")) for name, value in more.items()]
        self.raw_headers = [*handed_on(reply.headers.raw), *own]

    async def stream_response(self, send: Send) -> None:
        try:
            await super().stream_response(send)
        except httpx.TransportError as error:  # the last, empty part is never sent: the server drops the connection
            _log.warning("upstream broke off: %s", type(error).__name__)
        finally:
            await asyncio.shield(self.reply.aclose())
