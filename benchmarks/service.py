"""How fast the service and the proxy are, on this machine: `python -m benchmarks.service`.

1. Service: messages a second by 16 callers at once and by one caller, and the time to reply at 4 callers, for messages
   that were never sent before, of about 1,000 tokens and of 100. Sent once more, they come from memory.
   With --growth N, instead: what memory the service has while it answers N short requests.
2. Proxy: the time that a request takes which it does not shorten, beside a proxy that only hands on and the server
   itself, all asked in turn.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from model.prompt.tokens import token_spans
from model.service.proxy.upstream import HandedBack, Upstream

ROOT = Path(__file__).parents[1]
SERVICE, SERVER, PLAIN, PROXY = range(8801, 8805)  # ports
TOKENS, SHORT = 1000, 70
PROSE = ("documents.txt", "meeting.txt", "news.txt")  # of the example prompts
WORDS = " ".join(ROOT.joinpath("examples", name).read_text(encoding="utf-8") for name in PROSE).split()


def main() -> None:
    arguments = _parser().parse_args()
    if arguments.server:
        uvicorn.run(
            {"answer": answering, "plain": plain}[arguments.server](arguments), port=arguments.port, log_level="error"
        )
        return
    if arguments.growth:
        growth(arguments.growth)
        return
    for tokens in arguments.tokens:
        service(arguments.workers, tokens, arguments.messages)
    if not arguments.no_proxy:
        proxies(arguments.requests)


# --- the service


def service(workers: int | None, tokens: int, count: int) -> None:
    own = [] if workers is None else ["--workers", str(workers)]
    with (
        started(["-m", "model", "serve", "--timeout", "600", *own], SERVICE) as url,
        httpx.Client(timeout=600) as client,
    ):
        print(f"service, messages of {tokens:,} tokens; load average {os.getloadavg()[0]:.1f}")
        number, speeds = iter(range(10**6)), []
        for callers in (1, 4, 16):
            bodies = [_message(next(number), tokens) for _ in range(count)]
            before = _processor_seconds(url)
            seconds, took = _ask(client, url, bodies, callers)
            busy = (_processor_seconds(url) - before) / count
            again, _ = _ask(client, url, bodies, callers)
            p95 = statistics.quantiles(took, n=20)[-1]
            speeds.append(count / seconds)
            print(
                f"  {callers:2d} caller(s): {speeds[-1]:5.2f} messages a second (x {speeds[-1] / speeds[0]:.2f}), "
                f"median {statistics.median(took):.2f} s, p95 {p95:.2f} s, {busy:.2f} s of processor each; sent again "
                f"{count / again:.0f} a second",
                flush=True,
            )


def _ask(client: httpx.Client, url: str, bodies: list[Any], callers: int) -> tuple[float, list[float]]:
    """Seconds for all, and for each."""

    def ask(body: Any) -> float:
        began = time.perf_counter()
        client.post(f"{url}/v1/compress", json=body).raise_for_status()
        return time.perf_counter() - began

    began = time.perf_counter()
    with ThreadPoolExecutor(callers) as threads:
        took = list(threads.map(ask, bodies))
    return time.perf_counter() - began, took


def growth(count: int) -> None:
    """Memory after each tenth of so many requests, none like another, and how much of it is what the service remembers.

    It remembers up to 64 MB of results, 32 MB of embeddings for each of its two readers, and the originals.
    """
    with started(["-m", "model", "serve", "--timeout", "600"], SERVICE) as url, httpx.Client(timeout=600) as client:
        for part in range(10):
            numbers = range(part * count // 10, (part + 1) * count // 10)
            _ask(client, url, [_message(number, SHORT) for number in numbers], 16)
            resident, results, originals = (
                _metric(url, name) / 2**20
                for name in ("process_resident_memory_bytes", "diffumask_remembered_bytes", "diffumask_originals_bytes")
            )
            print(
                f"{numbers.stop:6,} requests: {resident:.0f} MB, of them {results + originals:.1f} MB results and "
                "originals",
                flush=True,
            )


def _processor_seconds(url: str) -> float:
    """What the service has used so far, on all cores."""
    return _metric(url, "process_cpu_seconds_total")


def _metric(url: str, name: str) -> float:
    lines = httpx.get(f"{url}/metrics").text.splitlines()
    return float(next(line for line in lines if line.startswith(f"{name} ")).split()[1])


def _message(seed: int, tokens: int = TOKENS) -> dict[str, Any]:
    """A question and a result of about so many tokens, in sentences that no other message has."""
    rng = random.Random(seed)
    sentences, size = [], 0
    while size < tokens:
        words = rng.choices(WORDS, k=rng.randint(8, 25))
        sentences.append(" ".join(words).rstrip(".,:") + ".")
        size += sum(1 for _ in token_spans(sentences[-1]))
    calls = [{"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}]
    return {
        "messages": [
            {"role": "user", "content": "What is decided for each token of a prompt?"},
            {"role": "assistant", "tool_calls": calls},
            {"role": "tool", "tool_call_id": "c", "content": " ".join(sentences)},
        ]
    }


# --- the proxy


def proxies(count: int) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "How many beds has Lund?"}]}
    own = ["-m", "benchmarks.service", "--server"]
    with (
        started([*own, "answer"], SERVER, "/v1/models") as server,
        started([*own, "plain", "--upstream", server], PLAIN, "/v1/models") as plain_url,
        started(["-m", "model", "proxy", "--upstream", server], PROXY) as proxy,
        httpx.Client() as client,
    ):
        places = {"server": server, "plain proxy": plain_url, "diffumask proxy": proxy}
        took: dict[str, list[float]] = {name: [] for name in places}
        for _ in range(count):
            for name, url in places.items():
                began = time.perf_counter()
                client.post(f"{url}/v1/chat/completions", json=body).raise_for_status()
                took[name].append(1000 * (time.perf_counter() - began))
    print("a short prompt, milliseconds")
    for name, each in took.items():
        print(f"  {name:16s} median {statistics.median(each):.2f}, p95 {statistics.quantiles(each, n=20)[-1]:.2f}")


def answering(_: Any) -> Starlette:
    """Stands for a language model's server."""

    async def answer(request: Request) -> Response:
        await request.body()
        return Response(json.dumps({"choices": []}), media_type="application/json")

    return Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])])


def plain(arguments: Any) -> Starlette:
    """A proxy that only hands on."""
    upstream = Upstream(arguments.upstream)

    async def hand_on(request: Request) -> Response:
        return HandedBack(await upstream.send(request), {})

    return Starlette(routes=[Route("/{path:path}", hand_on, methods=["GET", "POST"])])


@contextmanager
def started(command: list[str], port: int, ready: str = "/healthz") -> Iterator[str]:
    """A program that listens on a port, once it does."""
    process = subprocess.Popen([sys.executable, *command, "--port", str(port)], cwd=ROOT, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        while not _is_ready(url + ready):
            if process.poll() is not None:
                raise SystemExit(f"{' '.join(command)} has ended; is port {port} free?")
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait()


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(url, timeout=1).status_code == 200
    except httpx.TransportError:
        return False


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, metavar="N", help="of the service (default: as it chooses)")
    parser.add_argument("--tokens", type=int, nargs="*", default=[TOKENS, 100], metavar="N", help="of the messages")
    parser.add_argument("--messages", type=int, default=32, metavar="N", help="sent at each number of callers")
    parser.add_argument("--growth", type=int, metavar="N", help="short requests; say what memory the service has")
    parser.add_argument("--requests", type=int, default=300, metavar="N", help="sent to each proxy")
    parser.add_argument("--no-proxy", action="store_true", help="measure the service alone")
    parser.add_argument("--server", choices=("answer", "plain"), help=argparse.SUPPRESS)
    parser.add_argument("--upstream", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    main()
