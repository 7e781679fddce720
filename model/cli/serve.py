"""`diffumask serve`: compression as an HTTP service."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from ..errors import InputError
from .tools import Commands, add_device, command, count, share_or_auto

MEBIBYTE = 2**20


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "serve",
        "compress prompts over HTTP, for gateways and programs in any language",
        "  %(prog)s --port 8787\n"
        "  DIFFUMASK_KEYS=$(openssl rand -hex 24) %(prog)s --host 0.0.0.0 --retention 0.4\n"
        '  curl localhost:8787/v1/compress -d \'{"text": "...", "retention": 0.5}\'',
        extra="service",
    )
    flag = parser.add_argument
    add_service_flags(parser, port=8787, timeout=60, body=4)
    flag("--key-file", type=Path, metavar="FILE", help="keys that may call, one a line; more in DIFFUMASK_KEYS")
    flag(
        "--retention",
        type=share_or_auto,
        default=0.5,
        metavar="R",
        help="share to keep where a request names none (0.5)",
    )
    flag("--min-tokens", type=int, default=64, metavar="N", help="texts with fewer tokens stay whole (64)")
    flag("--store", type=count, default=256, metavar="MB", help="memory for originals that can be asked for (256)")
    flag("--expiry", type=count, default=3600, metavar="S", help="seconds that an original is kept (3600)")
    parser.set_defaults(run=run)


def add_service_flags(parser: argparse.ArgumentParser, port: int, timeout: int, body: int) -> None:
    """What `serve` and `proxy` share."""
    flag = parser.add_argument
    flag("--host", default="127.0.0.1", metavar="NAME", help="address to listen on (default: this machine only)")
    flag("--port", type=int, default=port, metavar="N", help=f"port to listen on, 0: any free one (default {port})")
    flag("--workers", type=count, metavar="N", help="turns worked on at once (default: 4 for each core)")
    flag("--queue", type=count, default=256, metavar="N", help="turns that may wait for them (default 256)")
    flag(
        "--timeout",
        type=count,
        default=timeout,
        metavar="S",
        help=f"seconds that a prompt may take (default {timeout})",
    )
    flag("--max-body", type=count, default=body, metavar="MB", help=f"size of a request at most (default {body})")
    flag("--tokenizer", metavar="NAME", help="count tokens of this reader: a folder, hub model or tiktoken:ENCODING")
    flag("--checkpoint", type=Path, metavar="DIR", help="folder of a checkpoint (default: the shipped one)")
    add_device(parser)


def make_shortener(arguments: argparse.Namespace, store: Any = None) -> Any:
    """The model behind its worker threads, as the flags say."""
    from ..compress import Compressor
    from ..service.serve import default_workers, warm_up
    from ..service.shortener import Shortener

    compressor = Compressor.load(arguments.checkpoint, arguments.device)
    workers = arguments.workers or default_workers()
    shortener = Shortener(compressor, workers, arguments.queue, store, arguments.tokenizer)
    warm_up(shortener)
    return shortener


def announce(name: str, socket: Any) -> None:
    """Say on standard error where it listens, once it does."""
    host, port = socket.getsockname()[:2]
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    print(f"diffumask: {name} on http://{where}", file=sys.stderr, flush=True)


def run(arguments: argparse.Namespace) -> None:
    from ..service.app import ServiceLimits, make_service
    from ..service.keys import Keys
    from ..service.originals import StoreLimits
    from ..service.serve import is_loopback, listen, serve_app
    from ..service.turns import Wishes

    keys = Keys.load(arguments.key_file)
    if keys.open and not is_loopback(arguments.host):
        raise InputError("others can reach this address: set keys in DIFFUMASK_KEYS or --key-file first")
    wishes = Wishes(arguments.retention, min_tokens=arguments.min_tokens)
    store = StoreLimits(arguments.store * MEBIBYTE, seconds=arguments.expiry)
    with listen(arguments.host, arguments.port) as socket:
        shortener = make_shortener(arguments, store)
        app = make_service(shortener, keys, ServiceLimits(arguments.max_body * MEBIBYTE, arguments.timeout, wishes))
        announce("service", socket)
        serve_app(app, [socket], arguments.timeout)
