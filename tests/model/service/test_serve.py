"""`diffumask serve` as a process: what it says, and how it ends."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from model.cli import main
from model.service.serve import listen
from tests.support.talks import NOTES

ROOT = Path(__file__).parents[3]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM that a program can catch")
def test_sigterm_finishes_what_runs() -> None:
    command = [sys.executable, "-m", "model", "serve", "--port", "0", "--workers", "1"]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    url = re.search(r"http://\S+", process.stderr.readline())
    assert url
    with ThreadPoolExecutor(2) as threads:
        asked = [
            threads.submit(httpx.post, f"{url[0]}/v1/compress", json={"text": f"{i}. {NOTES}"}, timeout=60)
            for i in range(2)
        ]
        while "diffumask_running 3.0" not in httpx.get(f"{url[0]}/metrics").text and not asked[0].done():
            time.sleep(0.01)  # the third is this one
        process.send_signal(signal.SIGTERM)
        assert [each.result().status_code for each in asked] == [200] * 2
    assert process.wait(30) in (0, -signal.SIGTERM) and "Traceback" not in process.stderr.read()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--host", "0.0.0.0"], "set keys"),
        (["--retention", "0"], "retention"),
        (["--min-tokens", "-1"], "min_tokens"),
        (["--port", "99999"], "cannot listen"),
        (["--key-file", "/nowhere/keys"], "cannot read the key file"),
    ],
)
def test_mistakes_on_the_command_line(
    flags: Sequence[str], message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DIFFUMASK_KEYS", raising=False)
    assert main(["serve", *flags]) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1


def test_replies_are_sent_at_once() -> None:
    """Without waiting for the acknowledgement of their beginning, which takes 40 ms."""
    with listen("127.0.0.1", 0) as found:
        assert found.proto == socket.IPPROTO_TCP  # by which asyncio knows that it may
