"""Does everything that was said to be saved survive a kill? Many people submit at once over real HTTP.

    python -m benchmarks.saving --people 20 --seconds 120

A server is started on an empty database; each person calls /correct again and again (sending a submission that got no
answer once more, under the same id, as the page and any careful program do); half-way the server is killed with
SIGKILL and started again. In the end the database is compared with what people were told.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

from annotations.store import open_store

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 300.0  # for a server to answer, on a machine that is busy with other things
ANSWER_SECONDS = 60.0
TEXT = "Person {name} says {i}: ${{1+1}} </script> =1+1 keep it short."


def serve(port: int) -> None:
    """The studio without a real model, in a process of its own; the database is where the environment says."""

    from gradio import networking

    from app.settings import Settings
    from app.studio import Studio
    from app.ui import launch
    from tests.support.scripted import ScriptedCompressor

    networking.url_ok = lambda url: True  # Gradio gives a busy machine three seconds
    launch(Studio(Settings(), load=ScriptedCompressor), server_port=port, quiet=True)


class Server:
    """A studio as a process that can be killed and started again on the same port and database."""

    def __init__(self, folder: Path):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {**os.environ, "DIFFUMASK_DATA": str(folder), "GRADIO_ANALYTICS_ENABLED": "False"}
        self.environment.pop("DIFFUMASK_DATABASE_URL", None)
        self.command = ["benchmarks.saving", "--serve", str(self.port)]
        self.stderr: int | None = None  # where what it complains of goes; None: to the terminal
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Returns after how many seconds the server answers."""
        command = [sys.executable, "-m", *self.command]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=self.environment, stdout=subprocess.DEVNULL, stderr=self.stderr
        )
        begun = time.monotonic()
        while time.monotonic() - begun < START_SECONDS:
            try:
                if httpx.get(f"{self.url}/config", timeout=10).status_code == 200:
                    return time.monotonic() - begun
            except httpx.HTTPError:
                time.sleep(0.2)
            if self.process.poll() is not None:
                raise SystemExit("the server ended by itself")
        raise SystemExit("the server does not answer")

    def kill(self) -> None:
        """As a power cut would end it."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()


class Person(threading.Thread):
    """Submits corrections until told to stop; `said` holds the ids that the server said are saved."""

    def __init__(self, name: str, url: str, stop: threading.Event):
        super().__init__(daemon=True)
        self.person, self.url, self.stop = name, url, stop
        self.said: list[str] = []
        self.sent = self.unanswered = 0
        self.refusals: Counter[str] = Counter()

    def run(self) -> None:
        with httpx.Client(timeout=ANSWER_SECONDS) as http:
            while not self.stop.is_set():
                self._submit(http, fields(self.person, self.sent))
                self.sent += 1

    def _submit(self, http: httpx.Client, record: dict[str, Any]) -> None:
        """Until it is said to be saved, or time is up."""
        while not self.stop.is_set():
            try:
                answer = call(http, self.url, record)
            except (httpx.HTTPError, ValueError):
                self.unanswered += 1
                time.sleep(0.3)
                continue
            if isinstance(answer, dict) and answer.get("id") == record["id"]:
                self.said.append(record["id"])
                return
            self.refusals[str(answer)[:80]] += 1
            time.sleep(0.3)


def fields(name: str, i: int) -> dict[str, Any]:
    """A correction as /correct takes it."""
    prompt = TEXT.format(name=name, i=i)
    ends = [at for at, c in enumerate(prompt + " ") if c == " "]
    offsets = list(zip([0, *(end + 1 for end in ends)], ends, strict=False))
    mask = "1" * len(offsets)
    return {
        "id": uuid.uuid4().hex,
        "prompt": prompt,
        "offsets": offsets,
        "model_mask": "0" + mask[1:],
        "human_mask": mask,
        "checkpoint": "scripted",
        "annotator": name,
    }


def call(http: httpx.Client, url: str, record: dict[str, Any]) -> Any:
    """What /correct answers: the saved record, or what is wrong, as text. Raises HTTPError or ValueError without it."""
    order = ("prompt", "offsets", "model_mask", "human_mask", "checkpoint", "annotator")
    more = [0.5, 8, 0.0, 0, None, None, 1.0, "", record["id"], "unit", True, 0.0, 0.5]
    made = http.post(f"{url}/gradio_api/call/correct", json={"data": [record[name] for name in order] + more})
    made.raise_for_status()
    event = ""
    with http.stream("GET", f"{url}/gradio_api/call/correct/{made.json()['event_id']}") as stream:
        for line in stream.iter_lines():
            name, _, value = line.partition(": ")
            if name == "event":
                event = value
            elif name == "data" and event in ("complete", "error"):
                data = json.loads(value)
                return data[0] if event == "complete" else data
    raise ValueError("the answer broke off")


def measure(people: int, seconds: float, folder: Path) -> dict[str, Any]:
    """Run it all in an empty folder; returns the figures."""
    server = Server(folder)
    try:
        server.start()
        stop = threading.Event()
        crowd = [Person(f"Person {i}", server.url, stop) for i in range(people)]
        for person in crowd:
            person.start()
        time.sleep(seconds / 2)
        before = sum(len(person.said) for person in crowd)
        server.kill()
        down = server.start()
        time.sleep(seconds / 2)
        stop.set()
        for person in crowd:
            person.join(ANSWER_SECONDS + 10)
    finally:
        server.kill()
    said = [id for person in crowd for id in person.said]
    return {
        "people": people,
        "seconds": seconds,
        "seconds until the server answered again": round(down, 1),
        "said to be saved": len(said),
        "of these before the kill": before,
        **compare(said, folder),
        "requests without an answer": sum(person.unanswered for person in crowd),
        "refusals": dict(sum((person.refusals for person in crowd), Counter())),
        "submissions per second": round(len(said) / seconds, 1),
    }


def compare(said: list[str], folder: Path) -> dict[str, int]:
    """What the database holds of what people were told."""
    store = open_store(f"sqlite:///{folder / 'corrections.sqlite3'}")
    revisions = Counter(id for id, _ in store.keys(history=True))
    prompts = Counter(one.prompt for one in store.fetch(store.keys()))
    return {
        "found": sum(revisions[id] == 1 for id in said),
        "lost": sum(revisions[id] == 0 for id in said),
        "duplicates": sum(revisions[id] > 1 for id in said) + sum(count - 1 for count in prompts.values()),
        "saved, but never said to be": len(set(revisions) - set(said)),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=20, help="who submit at once (default 20)")
    parser.add_argument("--seconds", type=float, default=120, help="of submitting, without the restart (default 120)")
    parser.add_argument("--serve", type=int, metavar="PORT", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve)
        return 0
    with tempfile.TemporaryDirectory(prefix="diffumask-") as folder:
        figures = measure(arguments.people, arguments.seconds, Path(folder))
    for name, value in figures.items():
        print(f"{name}: {value}")
    return int(figures["found"] != figures["said to be saved"] or figures["duplicates"] > 0)


if __name__ == "__main__":
    sys.exit(main())
