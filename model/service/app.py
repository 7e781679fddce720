"""The service: FastAPI's routes over a `Shortener`."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from .. import __version__
from ..errors import InputError
from .bodies import RefusedError, json_response, load_json, read_body
from .keys import Keys
from .metrics import Metrics
from .pool import BusyError
from .schemas import EXAMPLES, CompressBody, CompressReply, ErrorReply, RetrieveReply
from .shortened import TurnVerdict
from .shortener import Outcome, Shortener
from .turns import Wishes

_log = logging.getLogger("uvicorn.error")
BYPASS = ("x-diffumask-bypass", "x-headroom-bypass")
TOKEN = "x-headroom-proxy-token"  # where gateways send a key if Authorization holds another
RETRY_AFTER = "1"  # seconds
QUERY_CHARACTERS = 2000
FOUND_TOKENS = 800  # of an original that answer a query
_ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorReply, "description": "not valid"},
    401: {"model": ErrorReply, "description": "no key, or an unknown one"},
    413: {"model": ErrorReply, "description": "too large"},
    503: {"model": ErrorReply, "description": "too busy; see Retry-After"},
    504: {"model": ErrorReply, "description": "took too long"},
}


@dataclass(frozen=True)
class ServiceLimits:
    """What one request may take: bytes of its body, seconds until its reply; and what is done where it says nothing."""

    body: int = 4 * 2**20
    seconds: float = 60.0
    wishes: Wishes = field(default_factory=Wishes)


def make_service(shortener: Shortener, keys: Keys, limits: ServiceLimits) -> FastAPI:
    """The ASGI app. It closes the shortener when it ends."""
    app = FastAPI(
        title="DiffuMask",
        version=__version__,
        description="Compresses the prompts of language models.",
        lifespan=partial(_lifespan, shortener),
    )
    metrics = Metrics(shortener)
    service = _Service(shortener, limits, metrics)
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(404, _not_found)
    app.add_exception_handler(405, _not_found)

    @app.middleware("http")
    async def _watch(request: Request, call: Callable[[Request], Awaitable[Response]]) -> Response:
        return await _watched(request, call, keys, metrics)

    @app.get("/healthz", tags=["state"])
    async def healthz() -> dict[str, str]:
        """Whether the service runs; needs no key."""
        return {"status": "ok", "version": __version__}

    @app.get("/metrics", tags=["state"], response_class=Response)
    async def metrics_text() -> Response:
        """Counters for Prometheus."""
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get("/", include_in_schema=False)
    async def root() -> RedirectResponse:
        return RedirectResponse("/docs")

    @app.post("/v1/compress", response_model=CompressReply, responses=_ERRORS, openapi_extra=_body_schema())
    async def compress(request: Request) -> Response:
        """Shorten messages, or a text. The same message gives the same bytes whenever it is sent again."""
        return await service.compress(request)

    @app.get("/v1/retrieve/{digest}", response_model=RetrieveReply, responses=_ERRORS)
    async def retrieve(digest: str, request: Request, query: str | None = None) -> Response:
        """The original of a shortened text; with a query, what of it has to do with that."""
        return await service.retrieve(digest, request, query)

    return app


class _Service:
    """What the routes do."""

    def __init__(self, shortener: Shortener, limits: ServiceLimits, metrics: Metrics) -> None:
        self.shortener, self.limits, self.metrics = shortener, limits, metrics

    async def compress(self, request: Request) -> Response:
        body = _parsed(await read_body(request, self.limits.body))
        caller = request.state.caller
        if any(request.headers.get(name, "").lower() == "true" for name in BYPASS):
            reply = await asyncio.to_thread(self._unchanged, body)
        elif body.messages is not None:
            wishes = body.wishes(self.limits.wishes)
            marks = body.config.mode == "ccr"
            made = await self._in_time(self.shortener.shorten(body.messages, wishes, caller, marks=marks))
            reply = _reply(made, marks)
        else:
            work = partial(self._text, body, body.wishes(self.limits.wishes), caller)
            reply = await self._in_time(self.shortener.run(caller, work))
        self.metrics.before.inc(reply.tokens_before)
        self.metrics.after.inc(reply.tokens_after)
        return json_response(
            reply.model_dump(exclude_none=True, exclude={"verdict"}) | {"verdict": reply.verdict.model_dump()}
        )

    async def retrieve(self, digest: str, request: Request, query: str | None) -> Response:
        caller = request.state.caller
        text = self.shortener.originals.get(caller, digest)
        if text is None:
            raise RefusedError(404, "not_found", "no original is kept under this hash, or not any more")
        if query is not None and len(query) > QUERY_CHARACTERS:
            raise RefusedError(400, "invalid_request_error", f"query has more than {QUERY_CHARACTERS:,} characters")
        found = text
        if query and query.strip() and self.shortener.count(text) > FOUND_TOKENS:
            found = await self._in_time(self.shortener.run(caller, partial(self._found, text, query)))
        count = self.shortener.count
        reply = RetrieveReply(
            hash=digest,
            original_content=found,
            original_tokens=count(text),
            returned_tokens=count(found),
            query=query,
        )
        return json_response(reply.model_dump())

    def _found(self, text: str, query: str) -> str:
        """What of a text has to do with a query, in its own order."""
        said = [{"role": "tool", "content": text}, {"role": "user", "content": query}]
        options = {"target_tokens": FOUND_TOKENS, "of_unprotected": True}
        return str(self.shortener.compressor.compress_messages(said, 1.0, **options)[0]["content"])

    def _text(self, body: CompressBody, wishes: Wishes, caller: str) -> CompressReply:
        """A prompt that is no conversation."""
        of, text = self.shortener, body.text or ""
        options = {"target_tokens": wishes.token_budget, "tokenizer": of.reader}
        made = of.compressor.compress(text, wishes.retention, **options)
        before, after = of.count(text), of.count(made.text)
        digest = of.originals.put(caller, text) if after < before else None
        hashes = (digest,) if digest else ()
        changed = (0,) if after < before else ()
        reply = _reply(Outcome([], before, after, changed, hashes=hashes, verdict=TurnVerdict.of(made.verdict)), False)
        return reply.model_copy(update={"messages": None, "text": made.text})

    def _unchanged(self, body: CompressBody) -> CompressReply:
        messages = body.messages or []
        tokens = self.shortener.tokens(messages) if messages else self.shortener.count(body.text or "")
        reply = _reply(Outcome(messages, tokens, tokens), False)
        return reply if body.text is None else reply.model_copy(update={"messages": None, "text": body.text})

    async def _in_time(self, work: Awaitable[Any]) -> Any:
        try:
            return await asyncio.wait_for(work, self.limits.seconds)
        except asyncio.TimeoutError:
            message = f"this took longer than {self.limits.seconds:g} s: send less at once, or try again"
            raise RefusedError(504, "timeout", message) from None


def _parsed(body: bytes) -> CompressBody:
    try:
        value = load_json(body)
    except ValueError as error:
        raise InputError(f"the body is no valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise InputError("the body must be a JSON object: give messages or text")
    try:
        return CompressBody.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        said = first["msg"].removeprefix("Value error, ")
        raise InputError(f"{place}: {said}" if place else said) from None


def _reply(made: Outcome, marks: bool) -> CompressReply:
    return CompressReply.model_validate(
        {
            "messages": made.messages,
            "tokens_before": made.before,
            "tokens_after": made.after,
            "tokens_saved": made.before - made.after,
            "compression_ratio": round(made.after / made.before, 4) if made.before else 1.0,
            "transforms_applied": [f"diffumask:{place}" for place in made.changed],
            "verdict": made.verdict.to_json(),
            "hashes": list(made.hashes),
            "ccr_hashes": list(made.hashes) if marks else [],
        }
    )


# --- around every request


@asynccontextmanager
async def _lifespan(shortener: Shortener, _: FastAPI) -> AsyncIterator[None]:
    yield
    await asyncio.to_thread(shortener.close)


async def _watched(
    request: Request, call: Callable[[Request], Awaitable[Response]], keys: Keys, metrics: Metrics
) -> Response:
    """Let in who may, count, and make errors of what goes wrong."""
    began = time.perf_counter()
    with metrics.running.track_inprogress():
        response = await _answered(request, call, keys)
    path = getattr(request.scope.get("route"), "path", "other")
    metrics.requests.labels(path, str(response.status_code)).inc()
    metrics.seconds.labels(path).observe(time.perf_counter() - began)
    return response


async def _answered(request: Request, call: Callable[[Request], Awaitable[Response]], keys: Keys) -> Response:
    request.state.caller = caller = keys.caller(request.headers.get("authorization"), request.headers.get(TOKEN))
    if caller is None and request.url.path != "/healthz":
        refused = RefusedError(401, "authentication_error", "give a valid key: Authorization: Bearer KEY")
        return await _refused(request, refused)
    try:
        return await call(request)
    except InputError as error:
        return await _refused(request, RefusedError(400, "invalid_request_error", str(error)))
    except BusyError:
        busy = RefusedError(503, "overloaded", "too many requests wait: try again later", {"Retry-After": RETRY_AFTER})
        return await _refused(request, busy)
    except Exception:
        _log.exception("a request failed")
        return await _refused(request, RefusedError(500, "internal_error", "something went wrong here"))


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    return json_response({"error": {"type": error.type, "message": error.message}}, error.status, error.headers)


async def _not_found(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    message = "there is no such path" if status == 404 else "this path takes another method"
    return await _refused(request, RefusedError(status, "not_found", message))


def _body_schema() -> dict[str, Any]:
    """What the documentation shows, since the body is read here and not by FastAPI."""
    schema = CompressBody.model_json_schema(ref_template="#/components/schemas/{model}")
    config = schema.pop("$defs")["CompressConfig"]
    schema["properties"]["config"] = config
    content = {"application/json": {"schema": schema, "examples": EXAMPLES}}
    return {"requestBody": {"required": True, "content": content}}
