"""Run one of the two programs on uvicorn until it is told to stop; what runs then is finished."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

import uvicorn

from ..devices import cores
from ..errors import InputError
from .shortener import Shortener

WARM_UP = "Lund has 120 beds. Ystad has 80 beds.\n\nHow many beds has Lund?"
TOGETHER = 4  # requests that are worked on at once, for each core
_GRACE = 10  # seconds beyond a request's own limit that are waited for at the end
_HEADERS = 64 * 2**10  # bytes


def listen(host: str, port: int) -> socket.socket:
    """A socket to serve on. InputError when it cannot be had."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # asyncio sends at once where it says TCP
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
        found.listen(2048)
        return found
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot listen on {host}:{port} ({reason}); choose another with --host and --port") from None


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a host's address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def default_workers() -> int:
    """Several for each core, so that there is something to read together."""
    return TOGETHER * cores()


def warm_up(shortener: Shortener) -> None:
    """Load what is loaded at first use, so that the first request need not wait for it."""
    shortener.compressor.compress(WARM_UP, 0.5)


def serve_app(app: Any, sockets: list[socket.socket], seconds: float) -> None:
    """Answer requests on sockets until SIGTERM or Ctrl-C; then take none, finish those that run, and return.

    seconds: how long a request may take.
    """
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=int(seconds) + _GRACE,
        h11_max_incomplete_event_size=_HEADERS,
        server_header=False,
        date_header=False,  # the proxy hands on that of the server behind it
    )
    uvicorn.Server(config).run(sockets=sockets)
