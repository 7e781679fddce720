"""A studio whose disk is lost at every restart keeps what people saved, in a log outside."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from annotations.errors import ExportError
from annotations.store import open_store
from annotations.sync.log import Sync
from annotations.sync.places import Folder
from app.background.syncing import Syncing
from benchmarks.saving import call
from benchmarks.saving import fields as sent_fields
from tests.support.hub_stand_in import Hub
from tests.support.saving import fields

ROOT = Path(__file__).resolve().parents[2]


def test_a_new_disk_is_filled_before_anybody_is_served(tmp_path: Path) -> None:
    old, new = (open_store(f"sqlite:///{tmp_path}/{name}.sqlite3") for name in ("old", "new"))
    first = Syncing(lambda: old, str(tmp_path / "log"))
    first.start()
    saved = old.submit(fields()).correction
    first.stop()
    second = Syncing(lambda: new, str(tmp_path / "log"))
    second.start()
    assert new.get(saved.id) == saved
    second.stop()


def test_trouble_stops_nobody(hub: Hub, tmp_path: Path) -> None:
    store = open_store("sqlite://")
    hub.fail("POST /api/repos/create", 403, times=1)
    syncing = Syncing(lambda: store, "hf://datasets/ann/log")
    syncing.start()
    assert "HF_TOKEN" in syncing.trouble
    store.submit(fields())
    syncing.stop()
    assert not syncing.trouble and any(name.startswith("corrections/") for name in hub.files("ann/log", "dataset"))
    Syncing(lambda: store, "").start()
    with pytest.raises(ExportError, match="give a data set"):
        Syncing(lambda: store, "hf://ann/log")


def test_the_last_ones_are_kept_when_the_server_is_stopped(tmp_path: Path) -> None:
    """A real server: saved through its endpoint, stopped at once, its disk thrown away."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    environment = {**os.environ, "DIFFUMASK_DATA": str(tmp_path / "data"), "DIFFUMASK_SYNC": str(tmp_path / "log")}
    environment |= {"GRADIO_SERVER_PORT": port, "GRADIO_SERVER_NAME": "127.0.0.1", "DIFFUMASK_DATABASE_URL": ""}
    process = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(url, process)
        with httpx.Client(timeout=60) as http:
            said = [call(http, url, sent_fields("ann", i))["id"] for i in range(3)]
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
    shutil.rmtree(tmp_path / "data")
    fresh = open_store("sqlite://")
    Sync(fresh, Folder(tmp_path / "log")).once()
    assert {id for id, _ in fresh.keys()} == set(said)


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        try:
            if httpx.get(f"{url}/config", timeout=10).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.2)
        assert process.poll() is None
    raise AssertionError("the server does not answer")
