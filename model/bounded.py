"""Work on what strangers supply, in a process of its own with limits of time and memory.

A regular expression may take gigabytes to compile, and a file of some kilobytes may unpack to as much; neither asks
before it does so, and no thread can be stopped. A process can: it gets so many bytes and seconds from the system, and
what it had taken is free when it ends. Where the system has no such limits (Windows) only the time holds.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

STARTING = 20.0  # seconds of wall time that a busy machine may need on top
STALLED = 60.0  # seconds after which work that prints nothing is taken to wait for ever, processor time or not
_DRAIN = 65536
# So that libraries take no more memory and threads than the work needs. A BLAS that wants a thread for each core, and
# gets no memory for it, may wait for ever.
_SMALL = {
    **{"ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_ARENA_MAX": "1"},
    **{"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
}

# What the child does before anything else: take its limits, then run the script as the program.
_LIMITED = """
import json, runpy, sys
path, seconds, memory, script, arguments = json.loads(sys.argv[1])
sys.path[:] = path
try:
    import resource
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
except (ImportError, ValueError, OSError):
    pass
sys.argv = [script, *arguments]
try:
    runpy.run_path(script, run_name="__main__")
except MemoryError:
    sys.exit(3)
"""


class BoundedError(Exception):
    """The work took more memory or time than it may, or failed in a way that says nothing."""


@dataclass(frozen=True)
class Bounds:
    """What the work may take.

    Attributes:
        seconds: of processor time; the wall time is bounded, too (`STARTING` more).
        memory: bytes of data, as `RLIMIT_DATA` counts them; the interpreter itself needs about 30 MB of them.
        line: bytes of a line that it prints.
    """

    seconds: float
    memory: int
    line: int


def bounded_lines(script: Path, bounds: Bounds, arguments: Sequence[str] = (), given: bytes = b"") -> Iterator[bytes]:
    """Run a Python file as a program and yield the lines that it prints, without their ends.

    given: its standard input. Raises BoundedError when it goes beyond its bounds, or does not end well.
    """
    asked = json.dumps([sys.path, int(bounds.seconds) + 1, bounds.memory, str(script), list(arguments)])
    environment = {**os.environ, **_SMALL}
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _LIMITED, asked],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    )
    assert process.stdin is not None and process.stdout is not None
    watch = _Watch(process, bounds.seconds + STARTING)
    feeder = threading.Thread(target=_feed, args=(process.stdin, given), daemon=True)
    watch.start()
    feeder.start()
    try:
        while row := watch.waits_for(lambda: process.stdout.readline(bounds.line + 1)):  # type: ignore[union-attr]
            if not row.endswith(b"\n"):
                raise BoundedError
            yield row[:-1]
        if process.wait():
            raise BoundedError
    finally:
        watch.over.set()
        process.kill()
        process.wait()
        process.stdout.close()
        feeder.join()


class _Watch(threading.Thread):
    """Kills a process that goes on for too long, or says nothing for too long."""

    def __init__(self, process: subprocess.Popen[bytes], seconds: float):
        super().__init__(daemon=True)
        self.over = threading.Event()
        self._process, self._until = process, time.monotonic() + seconds
        self._since = math.inf  # when somebody began to wait for it to say something

    def waits_for(self, read: Callable[[], bytes]) -> bytes:
        """What it says next."""
        self._since = time.monotonic()
        said = read()
        self._since = math.inf
        return said

    def run(self) -> None:
        while not self.over.wait(min(1.0, STALLED)):
            if time.monotonic() > min(self._until, self._since + STALLED):
                self._process.kill()
                return


def _feed(pipe: IO[bytes], given: bytes) -> None:
    try:
        with pipe:
            for at in range(0, len(given), _DRAIN):
                pipe.write(given[at : at + _DRAIN])
    except OSError:
        pass  # it has ended already
