"""Does a crowd keep anybody from saving? Many people at a hosted studio with the real model, over real HTTP.

    python -m benchmarks.load --people 30 --seconds 120

Everybody compresses a prompt and saves a correction every few seconds, as people do; one sends the longest prompts that
are taken, one after the other, and one asks and asks and never listens. Printed: how many saves were refused, and how
long they took.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from annotations.store import open_store
from benchmarks.saving import ANSWER_SECONDS, Server, call, fields
from model.prompt.limits import MAX_CHARACTERS
from tests.support.hosted import HEADER

THINKS = (1.0, 4.0)  # seconds between two things that a person does
PROMPT = (
    "Document 1: The harbour was built in 1907 by {name}.\n\nDocument 2: It closed {i} years later.\n\nQuestion: When?"
)


def serve(port: int, real: bool) -> None:
    """A hosted studio, in a process of its own; the data folder is where the environment says."""
    from gradio import networking

    from annotations.store.settings import data_dir
    from app.settings import Settings
    from app.studio import Studio
    from app.ui import launch
    from model.compress import Compressor
    from tests.support.hosted import HOSTING
    from tests.support.scripted import ScriptedCompressor

    networking.url_ok = lambda url: True  # Gradio gives a busy machine three seconds
    store = open_store(f"sqlite:///{data_dir()}/corrections.sqlite3")
    settings = Settings(data=data_dir(), hosting=HOSTING, endpoints="off")
    studio = Studio(settings, load=Compressor.load if real else ScriptedCompressor, open_store=lambda: store)
    studio.warm_up()
    launch(studio, server_port=port, quiet=True)


class HostedServer(Server):
    """The same as a process. real: with the real model, or a scripted one."""

    def __init__(self, folder: Path, real: bool):
        super().__init__(folder)
        self.command = ["benchmarks.load", "--serve", str(self.port), *(["--real"] if real else [])]


class Somebody(threading.Thread):
    """A person who does the same thing until told to stop."""

    def __init__(self, name: str, url: str, stop: threading.Event):
        super().__init__(daemon=True)
        self.person, self.url, self.stop = name, url, stop
        self.random = random.Random(name)

    def run(self) -> None:
        with httpx.Client(timeout=ANSWER_SECONDS, headers={HEADER: self.person}) as http:
            i = 0
            while not self.stop.is_set():
                i += 1
                self.act(http, i)

    def act(self, http: httpx.Client, i: int) -> None:
        raise NotImplementedError


class Annotator(Somebody):
    """Compresses and saves. saves, runs: seconds that each took; refusals: what was said instead."""

    def __init__(self, *given: Any):
        super().__init__(*given)
        self.saves: list[float] = []
        self.runs: list[float] = []
        self.unanswered = 0
        self.refusals: Counter[str] = Counter()

    def act(self, http: httpx.Client, i: int) -> None:
        self.stop.wait(self.random.uniform(*THINKS))
        begun = time.monotonic()
        if i % 3 == 1:
            answered = compress(http, self.url, PROMPT.format(name=self.person, i=i))
            if not self.stop.is_set():
                self.runs.append(time.monotonic() - begun)
                self.unanswered += not answered
        self._save(http, i)

    def _save(self, http: httpx.Client, i: int) -> None:
        record = fields(self.person, i)
        begun = time.monotonic()
        try:
            answer = call(http, self.url, record)
        except (httpx.HTTPError, ValueError) as error:
            answer = type(error).__name__
        if self.stop.is_set():
            return  # the server may be gone by now
        self.saves.append(time.monotonic() - begun)
        if not (isinstance(answer, dict) and answer.get("id") == record["id"]):
            self.refusals[str(answer)[:80]] += 1


class Longwinded(Somebody):
    """Sends the longest prompts that are taken."""

    def act(self, http: httpx.Client, i: int) -> None:
        sentence = f"The harbour of {self.person} was built in {1900 + i}. "
        compress(http, self.url, (sentence * (MAX_CHARACTERS // len(sentence) + 1))[:MAX_CHARACTERS])


class Deaf(Somebody):
    """Asks and asks, and never listens."""

    def act(self, http: httpx.Client, i: int) -> None:
        asked = {"data": _compress(PROMPT.format(name="deaf", i=i))}
        with suppress(httpx.HTTPError):
            http.post(f"{self.url}/gradio_api/call/compress", json=asked)
        self.stop.wait(0.2)


def _compress(text: str) -> list[Any]:
    """What /compress takes, in its order."""
    return [text, 0.35, 4, 0.0, 0, "", None, "unit", [], False, False, True, True, 0.7, 0.5, None, False]


def compress(http: httpx.Client, url: str, text: str) -> bool:
    """Ask for it, and wait for the answer; whether there is one."""
    with suppress(httpx.HTTPError):  # it took longer than a person waits
        made = http.post(f"{url}/gradio_api/call/compress", json={"data": _compress(text)})
        if made.status_code == 200:
            heard = http.get(f"{url}/gradio_api/call/compress/{made.json()['event_id']}")
            return "event: complete" in heard.text
    return False


def measure(people: int, seconds: float, folder: Path, real: bool = True) -> dict[str, Any]:
    """Run it all in an empty folder; returns the figures."""
    server = HostedServer(folder, real)
    try:
        server.start()
        stop = threading.Event()
        crowd = [Annotator(f"person{i}", server.url, stop) for i in range(people - 2)]
        others = [Longwinded("longwinded", server.url, stop), Deaf("deaf", server.url, stop)]
        for one in (*crowd, *others):
            one.start()
        time.sleep(seconds)
        stop.set()
    finally:
        server.kill()
    saves = sorted(took for one in crowd for took in one.saves) or [0.0]
    runs = sorted(took for one in crowd for took in one.runs) or [0.0]
    return {
        "people": people,
        "seconds": seconds,
        "saves": len(saves),
        "refused": sum(sum(one.refusals.values()) for one in crowd),
        "refusals": dict(sum((one.refusals for one in crowd), Counter())),
        "seconds of a save, median": round(statistics.median(saves), 3),
        "seconds of a save, 99 %": round(saves[int(0.99 * (len(saves) - 1))], 3),
        "seconds of a save, longest": round(saves[-1], 3),
        "runs": len(runs),
        "runs without an answer": sum(one.unanswered for one in crowd),
        "seconds of a run, median": round(statistics.median(runs), 3),
        "seconds of a run, longest": round(runs[-1], 3),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--people", type=int, default=30, help="how many, with the two who are not like the others (30)"
    )
    parser.add_argument("--seconds", type=float, default=120, help="how long (default 120)")
    parser.add_argument("--serve", type=int, metavar="PORT", help=argparse.SUPPRESS)
    parser.add_argument("--real", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve, arguments.real)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(arguments.people, arguments.seconds, Path(folder))
    for name, value in figures.items():
        print(f"{name}: {value}")
    return int(figures["refused"] > 0 or figures["seconds of a save, longest"] > 2)


if __name__ == "__main__":
    sys.exit(main())
