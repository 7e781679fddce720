"""Work on what strangers supply, in a process of its own with limits of time and memory.

A regular expression may take gigabytes to compile, and a file of some kilobytes may unpack to as much; neither asks
before it does so, and no thread can be stopped. A process can: it gets so many bytes and seconds from the system, and
what it had taken is free when it ends. Where the system has no such limits (Windows) only the time holds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

STARTING = 20.0  # seconds of wall time that a busy machine may need on top
_DRAIN = 65536

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
    environment = {**os.environ, "ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_ARENA_MAX": "1"}
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _LIMITED, asked],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    )
    assert process.stdin is not None and process.stdout is not None
    deadline = threading.Timer(bounds.seconds + STARTING, process.kill)
    feeder = threading.Thread(target=_feed, args=(process.stdin, given), daemon=True)
    deadline.start()
    feeder.start()
    try:
        while row := process.stdout.readline(bounds.line + 1):
            if not row.endswith(b"\n"):
                raise BoundedError
            yield row[:-1]
        if process.wait():
            raise BoundedError
    finally:
        deadline.cancel()
        process.kill()
        process.wait()
        process.stdout.close()
        feeder.join()


def _feed(pipe: IO[bytes], given: bytes) -> None:
    try:
        with pipe:
            for at in range(0, len(given), _DRAIN):
                pipe.write(given[at : at + _DRAIN])
    except OSError:
        pass  # it has ended already
