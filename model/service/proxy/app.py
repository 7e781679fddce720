"""The proxy: prompts are shortened on their way to a language model, everything else passes."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from ...errors import InputError
from ..bodies import RefusedError, dump_json, load_json, read_body
from ..metrics import Metrics
from ..pool import BusyError
from ..shortener import Outcome, Shortener
from ..turns import Wishes
from .protocols import PROTOCOLS, Protocol, error_of
from .upstream import HandedBack, Upstream

BYPASS_HEADER = "x-diffumask-bypass"
OUTCOME, BEFORE, AFTER = "x-diffumask-outcome", "x-diffumask-tokens-before", "x-diffumask-tokens-after"
SAVED = "x-diffumask-tokens-saved"
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"]
_log = logging.getLogger("uvicorn.error")


@dataclass(frozen=True)
class ProxySettings:
    """How the proxy shortens.

    Attributes:
        audit: measure what would be saved, and send everything as it came.
        body: bytes of a request at most.
        seconds: how long a prompt may take; then it is sent as it came.
    """

    wishes: Wishes = field(default_factory=lambda: Wishes(user=True, min_tokens=256))
    audit: bool = False
    body: int = 32 * 2**20
    seconds: float = 20.0


def make_proxy(shortener: Shortener, upstream: Upstream, settings: ProxySettings) -> Starlette:
    """The ASGI app. It closes both when it ends."""
    metrics = Metrics(shortener)
    proxy = _Proxy(shortener, upstream, settings, metrics)

    async def healthz(_: Request) -> Response:
        return Response(b'{"status":"ok"}', media_type="application/json")

    async def metrics_text(_: Request) -> Response:
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(shortener.close)
        await upstream.close()

    own = [Route("/healthz", healthz), Route("/metrics", metrics_text)]
    return Starlette(routes=[*own, Route("/{path:path}", proxy.answer, methods=METHODS)], lifespan=lifespan)


class _Proxy:
    def __init__(self, shortener: Shortener, upstream: Upstream, settings: ProxySettings, metrics: Metrics) -> None:
        self.shortener, self.upstream, self.settings, self.metrics = shortener, upstream, settings, metrics

    async def answer(self, request: Request) -> Response:
        """Whatever comes in goes upstream; the prompts that are known, shorter."""
        path = request.url.path
        protocol = PROTOCOLS.get(path) if request.method == "POST" else None
        with self.metrics.running.track_inprogress():
            response = await self._answered(request, protocol)
        label = path if protocol else "other"
        self.metrics.requests.labels(label, str(response.status_code)).inc()
        return response

    async def _answered(self, request: Request, protocol: Protocol | None) -> Response:
        try:
            if protocol is None:
                return HandedBack(await self.upstream.send(request), {})
            body = await read_body(request, self.settings.body)
            body, told = await self._shorter(request, protocol, body)
            return HandedBack(await self.upstream.send(request, body), told)
        except RefusedError as refused:
            return _error(request, refused.status, refused.message)
        except httpx.TimeoutException:
            return _error(request, 504, "the server behind this proxy did not answer in time")
        except httpx.TransportError as error:
            return _error(request, 502, f"the server behind this proxy cannot be reached ({type(error).__name__})")
        except ClientDisconnect:
            return Response(status_code=499)

    async def _shorter(self, request: Request, protocol: Protocol, body: bytes) -> tuple[bytes, dict[str, str]]:
        """What to send, and the headers that tell what was done. Whatever goes wrong, the body is sent as it came."""
        outcome, sent, made = "bypassed", body, None
        if request.headers.get(BYPASS_HEADER, "").lower() != "true":
            try:
                outcome, sent, made = await self._shortened(request, protocol, body)
            except (InputError, ValueError, TypeError, KeyError):
                outcome = "unreadable"
            except BusyError:
                outcome = "busy"
            except asyncio.TimeoutError:
                outcome = "timeout"
            except Exception:
                _log.exception("a prompt could not be shortened")
                outcome = "failed"
        self.metrics.outcomes.labels(outcome).inc()
        return sent, {OUTCOME: outcome} | (self._told(made) if made else {})

    async def _shortened(self, request: Request, protocol: Protocol, body: bytes) -> tuple[str, bytes, Outcome | None]:
        """What was done, the body to send, and what was saved."""
        asked = await asyncio.to_thread(load_json, body)
        talk = protocol.read(asked) if isinstance(asked, dict) else None
        if talk is None:
            return "unreadable", body, None
        work = self.shortener.shorten(talk, self.settings.wishes, _caller(request), sound=True)
        made = await asyncio.wait_for(work, self.settings.seconds)
        if self.settings.audit:
            return "audit", body, made
        if not made.changed:
            return "refused" if made.refused else "unchanged", body, made
        return "shortened", await asyncio.to_thread(_written, protocol, asked, talk, made.messages), made

    def _told(self, made: Outcome) -> dict[str, str]:
        self.metrics.before.inc(made.before)
        self.metrics.after.inc(made.after)
        return {BEFORE: str(made.before), AFTER: str(made.after), SAVED: str(made.before - made.after)}


def _written(protocol: Protocol, asked: dict[str, Any], talk: Any, short: Any) -> bytes:
    return dump_json(protocol.write(asked, talk, short))


def _caller(request: Request) -> str:
    """Whose request it is: the key for the server behind."""
    key = request.headers.get("authorization", "") + "\n" + request.headers.get("x-api-key", "")
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def _error(request: Request, status: int, message: str) -> Response:
    return Response(error_of(request.url.path)(status, message), status, media_type="application/json")
