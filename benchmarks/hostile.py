"""Does anything that a stranger sends bring the studio down, fill its memory, or hold it up?

    python -m benchmarks.hostile --inputs 10000 --prompts 300

Hostile inputs go through every door: HTTP requests to a hosted studio (by handler index, by endpoint, as raw bodies
and uploads), files to import, chat messages, regular expressions, and replies of an LLM's endpoint. A crash is an
answer 500, a server that is gone, or an error that is not one of ours. Then distinct prompts are compressed, and the
memory after each is looked at. Printed: crashes, the largest memory above the start, the longest that the server did
not answer at all.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import psutil  # type: ignore[import-untyped,unused-ignore]
import torch

from annotations.errors import ExportError, StoreError
from annotations.files.archive import unzipped, zip_folder
from annotations.files.export import export
from annotations.files.importing import import_file
from annotations.store import open_store
from benchmarks.load import HostedServer
from model.compress import Compressor, CompressRequest
from model.devices import settle_dtype
from model.errors import InputError
from model.llm.endpoint import Endpoint
from model.memory import resident
from model.messages import compress_messages
from tests.support.exported import all_of, filled
from tests.support.hosted import Stranger
from tests.support.saving import HOSTILE
from tests.support.scripted import ScriptedCompressor

Sent: TypeAlias = tuple[str, float, float]  # what, from when to when
Way: TypeAlias = Callable[[random.Random, int], str]
OURS = (InputError, ExportError, StoreError)
SHARES = {"http": 0.45, "files": 0.25, "messages": 0.2, "replies": 0.08, "patterns": 0.02}  # of the inputs
SENDERS = ("ann", "bob", "rex", "ada")  # who send requests at once: two annotators, a reviewer, an admin
PATTERNS = (
    "(a+)+$",
    "(x{1000}){1000}",
    "a{1,60000}" * 3,
    "(?P<x>" * 200,
    "[" * 5000,
    r"(\w+\s?)*!",
    "(" * 10_000,
    "\\",
)
VALUES: tuple[Any, ...] = (
    *(None, True, -1, 2**70, 1e308, float("nan"), float("-inf"), "", "\0", "\ud800", [], {}, [[[[[]]]]]),
    *({"a": {"b": [None]}}, "9" * 5000, "../../etc/passwd", "=cmd|' /C calc'!A0", {"path": "/etc/passwd"}, *HOSTILE),
)


def value(rng: random.Random) -> Any:
    """Something that nobody expects."""
    kind = rng.randrange(10)
    if kind == 0:
        return rng.choice("a \n(é漢\u202e") * rng.choice((10, 1000, 100_000))
    if kind == 1:
        return [value(rng) for _ in range(rng.randrange(4))]
    if kind == 2:
        return {str(value(rng))[:20]: value(rng) for _ in range(rng.randrange(3))}
    return rng.choice(VALUES)


# --- doors -------------------------------------------------------------------------------------------------


class Doors:
    """Each method sends one hostile input and returns what was wrong with the answer, or ""."""

    def __init__(self, folder: Path, url: str):
        self.folder, self.url = folder, url
        self.model = ScriptedCompressor()
        self.reply = b""
        self.files = self._exported()
        self.strangers = [Stranger(url, user, **{"x-forwarded-for": "9.9.9.9"}) for user in SENDERS]
        self._endpoint = _endpoint(self)

    def _exported(self) -> dict[str, bytes]:
        made, files = all_of(filled(HOSTILE[:6])), {}
        for name in ("x.jsonl", "x.csv", "x.parquet"):
            export(made, self.folder / name)
            files[name] = (self.folder / name).read_bytes()
        export(made, self.folder / "set")
        zip_folder(self.folder / "set", self.folder / "x.zip")
        return {**files, "x.zip": (self.folder / "x.zip").read_bytes()}

    def http(self, rng: random.Random, who: int) -> str:
        stranger = self.strangers[who]
        kind = rng.randrange(4)
        if kind == 0:
            path = rng.choice(
                ("queue/join", "upload", "call/compress", "call/correct", "run/compress", "component_server")
            )
            body = rng.choice(
                (rng.randbytes(200), b"[" * 50_000, b'{"data": ' + b"9" * 5000 + b"}", b"{}", b"\xff\xfe")
            )
            headers = {"Content-Type": rng.choice(("application/json", "multipart/form-data; boundary=x", "x"))}
            return _status(stranger.http.post(f"gradio_api/{path}", content=body, headers=headers))
        if kind == 1:
            data = [value(rng) for _ in range(rng.randrange(9))]
            answer = stranger.http.post(
                f"gradio_api/call/{rng.choice(('compress', 'correct', 'corrections'))}", **_body(data)
            )
            return _status(answer)
        index = rng.choice(list(stranger.handlers()))
        data = stranger.blank(index)
        for _ in range(rng.randrange(1, 4)):
            if data:
                data[rng.randrange(len(data))] = value(rng)
        asked = {"fn_index": index, "data": data, "session_hash": f"s{rng.random()}", "event_data": value(rng)}
        joined = stranger.http.post("gradio_api/queue/join", **_body(asked))
        return _status(joined) or (_heard(stranger, asked["session_hash"]) if joined.status_code == 200 else "")

    def damaged(self, rng: random.Random, who: int) -> str:
        """A file to import; most are of the kinds that are read in this process."""
        name = rng.choices(list(self.files), (10, 10, 1, 1))[0]
        content = bytearray(self.files[name])
        for _ in range(rng.randrange(1, 8)):
            at = rng.randrange(len(content) or 1)
            content[at : at + rng.randrange(3)] = rng.randbytes(rng.randrange(40))
        path = self.folder / f"damaged-{who}{Path(name).suffix}"
        path.write_bytes(content[: rng.randrange(len(content))] if rng.random() < 0.3 else content)
        with closing(open_store("sqlite://")) as store, unzipped(path) as source:
            import_file(store, source)
        return ""

    def messages(self, rng: random.Random, who: int) -> str:
        roles = ("system", "user", "assistant", "tool", value(rng))
        chat: Any = [{"role": rng.choice(roles), "content": _text(rng)} for _ in range(rng.randrange(4))]
        if rng.random() < 0.3:
            chat = [value(rng) for _ in range(3)]
        compress_messages(self.model, chat, rng.choice((0.1, 0.5, 1.0)))
        return ""

    def patterns(self, rng: random.Random, who: int) -> str:
        pattern = rng.choice(PATTERNS) + rng.choice(("", "a", "|b*", "{2}"))
        self.model.run(CompressRequest("a" * 30_000 + " x! " * 200, keep=pattern)).result()
        return ""

    def replies(self, rng: random.Random, who: int) -> str:
        chunk = json.dumps({"choices": [{"delta": {"content": _text(rng)}, "finish_reason": value(rng)}]}, default=str)
        self.reply = rng.choice(
            (rng.randbytes(3000), b"data: " + chunk.encode() + b"\n\n", b"data: {" * 9, b"x" * 10**6)
        )
        for _ in Endpoint(self._endpoint, "model", "key", private=True, timeout=httpx.Timeout(5)).write("Hello", 8):
            pass
        return ""


def _text(rng: random.Random) -> Any:
    return rng.choice(HOSTILE) * rng.choice((1, 30)) if rng.random() < 0.7 else value(rng)


def _body(content: Any) -> dict[str, Any]:
    return {"content": json.dumps(content).encode(), "headers": {"Content-Type": "application/json"}}


def _status(answer: httpx.Response) -> str:
    return "Traceback" if "Traceback" in answer.text else f"{answer.status_code}" * (answer.status_code == 500)


def _heard(stranger: Stranger, session: str) -> str:
    with stranger.http.stream("GET", "gradio_api/queue/data", params={"session_hash": session}) as stream:
        for line in stream.iter_lines():
            if "Traceback" in line:
                return "Traceback"
            if '"process_completed"' in line or '"close_stream"' in line:
                return ""
    return ""


def _endpoint(doors: Doors) -> str:
    """An address that answers with `doors.reply`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(doors.reply)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/v1"


# --- what is looked at -------------------------------------------------------------------------------------


@contextmanager
def _watched(server: HostedServer, idle: str) -> Iterator[dict[str, list[float]]]:
    """A process of its own looks on, which nothing of what is done here holds up: see `watch`. The figures are there
    in the end."""
    assert server.process is not None
    command = [sys.executable, "-m", "benchmarks.hostile", "--watch", server.url, idle]
    command += map(str, (server.process.pid, os.getpid()))
    figures: dict[str, list[float]] = {}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield figures
        finally:
            said, _ = process.communicate(timeout=120)
    figures |= json.loads(said)


def watch(url: str, idle: str, *pids: str) -> dict[str, list[float]]:
    """Until standard input ends: ask the server for something trivial all the time, and another server that does
    nothing else: what that one takes is the machine's. Look at the memory of some processes.

    Returns the longest seconds of both, the bytes of each process above the start, and from when to when the server
    stood still for longest.
    """
    over, looked = threading.Event(), [psutil.Process(int(pid)) for pid in pids]
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    start = [process.memory_info().rss for process in looked]
    stalls, most, longest = [0.0, 0.0], [0.0] * len(looked), [0.0, 0.0]
    print("ready", flush=True)
    with httpx.Client(timeout=60) as http:
        while not over.wait(0.05):
            taken = [_seconds(http, address) for address in (f"{url}/robots.txt", idle)]
            if taken[0] > stalls[0]:
                longest = [time.monotonic() - sum(taken), time.monotonic() - taken[1]]
            stalls = list(map(max, stalls, taken))
            most = [max(m, process.memory_info().rss - s) for m, process, s in zip(most, looked, start, strict=True)]
    return {"stalls": stalls, "most": most, "longest": longest}


def _seconds(http: httpx.Client, url: str) -> float:
    begun = time.monotonic()
    http.get(url)
    return time.monotonic() - begun


@contextmanager
def _idle_server(folder: Path) -> Iterator[str]:
    """The address of a server in a process of its own that does nothing but answer."""
    folder.mkdir()
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split("(")[1].split(")")[0]
        finally:
            process.kill()


@contextmanager
def _killed(server: HostedServer) -> Iterator[None]:
    """In the end."""
    try:
        yield
    finally:
        server.kill()


def attack(inputs: int, folder: Path) -> dict[str, Any]:
    """Send them all; returns the figures."""
    server = HostedServer(folder / "data", real=False)
    server.stderr = subprocess.DEVNULL  # Gradio tells of each value that it does not take
    server.start()
    crashes: Counter[str] = Counter()
    sent: list[Sent] = []
    with _idle_server(folder / "idle") as idle, _killed(server):
        with _watched(server, idle) as seen:
            doors = Doors(folder, server.url)
            ways = {"files": doors.damaged, **{name: getattr(doors, name) for name in SHARES if name != "files"}}
            for name, share in SHARES.items():
                _send(ways[name], name, round(inputs * share), len(SENDERS) if name == "http" else 1, crashes, sent)
        if httpx.get(f"{server.url}/config", timeout=60).status_code != 200:
            crashes["the server is gone"] += 1
    return {
        "inputs": inputs,
        "crashes": sum(crashes.values()),
        "what": dict(crashes),
        "MB of the server above the start": round(seen["most"][0] / 2**20),
        "MB of this process above the start": round(seen["most"][1] / 2**20),
        "longest stall of the server, s": round(seen["stalls"][0], 2),
        "longest stall of a server that does nothing, s": round(seen["stalls"][1], 2),
        "sent meanwhile": [name for name, a, b in sent if a < seen["longest"][1] and b > seen["longest"][0]],
    }


def _send(way: Way, name: str, count: int, threads: int, crashes: Counter[str], sent: list[Sent]) -> None:
    def work(who: int) -> None:
        for i in range(who, count, threads):
            begun = time.monotonic()
            try:
                if wrong := way(random.Random(f"{name} {i}"), who):
                    crashes[f"{name} {i}: {wrong}"] += 1
            except OURS:
                pass
            except Exception as error:
                crashes[f"{name} {i}: {type(error).__name__}: {str(error)[:80]}"] += 1
            sent.append((f"{name} {i}", begun, time.monotonic()))

    crowd = [threading.Thread(target=work, args=(who,)) for who in range(threads)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()


# --- memory ------------------------------------------------------------------------------------------------


def distinct(count: int) -> Iterator[str]:
    """Prompts of several kinds, of which no two are alike."""
    rng, words = random.Random(0), sorted({word for text in HOSTILE for word in text.split() if word.isalpha()})

    def sentence() -> str:
        return " ".join(
            rng.choice((*words, "the", "of", "harbour", "meeting", f"n{rng.randrange(9999)}")) for _ in range(9)
        )

    for i in range(count):
        lines = [sentence() for _ in range(rng.randrange(3, 20))]
        kind = ("Document {n}: {line}.", "Q: {line}\nA: {n}", "{line}.")[i % 3]
        yield "\n\n".join(kind.format(n=n, line=line) for n, line in enumerate(lines)) + f"\n\nQuestion: {sentence()}?"


def memory(prompts: int, after: int) -> dict[str, Any]:
    """Compress distinct prompts with the real model, and look at the memory of this process after each.

    In bfloat16, whether or not it is faster here: there each new length used to leave something behind.
    """
    settle_dtype(torch.bfloat16)
    compressor, sizes = Compressor.load(), []
    for i, prompt in enumerate(distinct(prompts)):
        compressor.compress(prompt, (0.2, 0.35, 0.5)[i % 3], steps=(1, 4)[i % 2])
        sizes.append(resident())
    return {
        "prompts": prompts,
        f"MB after {after}": round(sizes[after - 1] / 2**20),
        "MB at most after that": round(max(sizes[after:]) / 2**20),
        "MB grown": round((max(sizes[after:]) - sizes[after - 1]) / 2**20),
    }


def memory_of_a_process(prompts: int, after: int) -> dict[str, Any]:
    """`memory`, of a process that does nothing else."""
    code = f"import json; from benchmarks.hostile import memory; print(json.dumps(memory({prompts}, {after})))"
    done = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE)
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=10_000, help="hostile ones, through all doors (10,000; 0: none)")
    parser.add_argument("--prompts", type=int, default=300, help="distinct ones to compress (300; 0: none)")
    parser.add_argument("--after", type=int, default=100, help="of these, after which memory must be flat (100)")
    parser.add_argument("--watch", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.watch:
        print(json.dumps(watch(*arguments.watch)))
        return 0
    figures: dict[str, Any] = {}
    if arguments.inputs:
        with tempfile.TemporaryDirectory() as folder:
            figures |= attack(arguments.inputs, Path(folder))
    if arguments.prompts:  # in a process that has done nothing else
        figures |= memory_of_a_process(arguments.prompts, arguments.after)
    for name, shown in figures.items():
        print(f"{name}: {shown}")
    held = (
        all(figures.get(f"MB of {what} above the start", 0) <= 500 for what in ("the server", "this process"))
        and figures.get("longest stall of the server, s", 0) <= 1
    )
    return int(not held or figures.get("crashes", 0) > 0 or figures.get("MB grown", 0) > 50)


if __name__ == "__main__":
    sys.exit(main())
