"""What was said to be saved is there, once: writers at the same time, a kill, a busy database."""

from __future__ import annotations

import doctest
import importlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text

from annotations import store as store_package
from annotations.errors import StoreError
from annotations.files import formats, prompts
from annotations.results import Filter
from annotations.store import Store, open_store, tables
from tests.support.saving import fields

PRAGMAS = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30_000}
ROOT = Path(__file__).resolve().parents[2]


def _start(url: str, annotator: str, count: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.support.saving", url, annotator, str(count)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, cwd=ROOT)


def test_processes_write_at_once_and_one_is_killed(url: str) -> None:
    """They also start at once, on a database that is not there yet."""
    workers = [_start(url, f"Person {i}", 15) for i in range(2)]
    victim = _start(url, "Victim", 1_000_000)
    assert victim.stdout is not None
    printed = [victim.stdout.readline() for _ in range(5)]
    victim.send_signal(signal.SIGKILL)
    printed += victim.communicate()[0].splitlines(keepends=True)
    outputs = [worker.communicate(timeout=120)[0] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0] and victim.returncode == -signal.SIGKILL
    killed = [line.decode().strip() for line in printed if line.endswith(b"\n")]
    others = [line for output in outputs for line in output.decode().split()]
    store = open_store(url)
    entries = store.find(Filter(("submitted",)), limit=10_000).entries
    assert len(others) == 30 and len(killed) >= 5
    for id in killed + others:
        assert [entry.id for entry in entries].count(id) == 1 and len(store.history(id)) == 1
    assert len(entries) - len(others) - len(killed) in (0, 1)  # the last may be saved, and not said to be
    if url.startswith("sqlite"):
        with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert connection.execute("PRAGMA journal_mode").fetchall() == [("wal",)]


def test_a_new_database_is_opened_by_many_at_once(tmp_path: Path) -> None:
    start = threading.Barrier(4)

    def opened(url: str) -> int:
        start.wait()
        store = open_store(url)
        store.close()
        return 1

    with ThreadPoolExecutor(4) as pool:
        for i in range(25):
            assert list(pool.map(opened, [f"sqlite:///{tmp_path}/{i}.sqlite3"] * 4)) == [1] * 4


def test_the_same_submit_from_many_threads_is_one(store: Store) -> None:
    sent = fields()
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(store.submit, [sent] * 16))
    assert sum(result.new for result in results) == 1 and len(store.history(sent["id"])) == 1


def test_a_busy_database_is_said_to_be_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("annotations.store.engine.BUSY_SECONDS", 0.1)
    store = open_store(f"sqlite:///{tmp_path}/store.sqlite3")
    with store._writer.begin() as connection:
        connection.execute(text("DELETE FROM queue"))
        with pytest.raises(StoreError, match="not saved, try again: database is locked"):
            store.submit(fields())
        assert store.find().total == 0  # reading goes on
    assert store.submit(fields()).new


# --- connections -------------------------------------------------------------------------------------------


def test_a_password_is_not_shown() -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(StoreError) as error:
        open_store("postgresql://user:secret@127.0.0.1:1/x?connect_timeout=1")
    assert "secret" not in str(error.value) and "127.0.0.1" in str(error.value)


def test_memory_is_shared_by_threads() -> None:
    store = open_store("sqlite://")
    with ThreadPoolExecutor(4) as pool:
        assert all(result.new for result in pool.map(store.submit, [fields(f"Prompt {i}") for i in range(8)]))
    assert store.find().total == 8


def test_sqlite_keeps_what_it_committed(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/store.sqlite3")
    with store._reader.connect() as connection:
        pragmas = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in PRAGMAS}
    assert pragmas == PRAGMAS


def test_examples_in_docstrings() -> None:
    for module in (formats, store_package, prompts):
        assert doctest.testmod(module).failed == 0


def test_importing() -> None:
    """A second import of the tables is fine, and every module does without torch and Gradio."""
    importlib.reload(tables)
    result = subprocess.run([sys.executable, "-c", _IMPORT_ALL], cwd=ROOT, capture_output=True, text=True)
    assert (result.stdout, result.stderr) == (
        "model model.bounded model.errors model.fields model.hub model.record\n",
        "",
    )


_IMPORT_ALL = """
import importlib, pkgutil, sys
for name in ("torch", "gradio", "transformers"):
    sys.modules[name] = None  # importing it raises ImportError
import annotations
for module in pkgutil.walk_packages(annotations.__path__, "annotations."):
    importlib.import_module(module.name)
print(*sorted(name for name in sys.modules if name.split(".")[0] == "model"))
"""
