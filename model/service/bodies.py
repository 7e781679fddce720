"""JSON in and out, and errors, as both programs have them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

DIGITS = 1000  # of a whole number; Python itself reads a few thousand at most


class RefusedError(Exception):
    """A request that gets an error instead of a reply.

    Attributes:
        type: a word for programs.
    """

    def __init__(self, status: int, type: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.type, self.message, self.headers = status, type, message, headers


async def read_body(request: Request, limit: int) -> bytes:
    """The body of a request. RefusedError (413) as soon as it is longer than `limit` bytes."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > limit:
            raise RefusedError(413, "request_too_large", f"the request has more than the {limit:,} bytes allowed")
    return bytes(body)


def load_json(body: bytes) -> Any:
    """The value in a JSON text. ValueError when it is none, is nested too deeply, or holds a number of many digits."""
    try:
        return json.loads(body, parse_constant=_no_constant, parse_int=_integer)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def dump_json(value: Any) -> bytes:
    """JSON in UTF-8; in ASCII where it holds half a character, which is no UTF-8."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def json_response(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(dump_json(value), status, headers, "application/json")


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _integer(digits: str) -> int:
    if len(digits) > DIGITS:
        raise ValueError(f"a number of more than {DIGITS} digits")
    return int(digits)
