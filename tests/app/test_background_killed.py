"""SIGKILL in the middle of importing, promoting and fine-tuning: nothing said to be done is lost, nothing half-made is
served, no text is left lying about. For submitting see tests/annotations/test_store_safety.py and
tests/browser/test_server_killed.py."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from annotations.files.archive import zip_folder
from annotations.files.export import export
from annotations.files.importing import import_file
from app.background.finetuning import FAILED
from app.hosting.uploads import clean_up, remove_old
from model.compress import Compressor
from tests.support.exported import all_of
from tests.support.killed import SECRET, make, store_in, studio_in
from tests.support.saving import correction

ROOT = Path(__file__).resolve().parents[2]


def start(*command: str, **environment: str) -> subprocess.Popen[str]:
    line = [sys.executable, "-m", *command]
    return subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment})


def killed(process: subprocess.Popen[str], lines: int, seconds: float = 0.0) -> list[str]:
    """What it said, whole lines only, until it was killed a while after its first lines."""
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(lines)]
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    said += process.communicate()[0].splitlines(keepends=True)
    assert process.returncode == -signal.SIGKILL, "it was over before it was killed"
    return [line.strip() for line in said if line.endswith("\n")]


def whole(folder: Path) -> bool:
    with sqlite3.connect(folder / "store.sqlite3") as connection:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def holding_text(folder: Path) -> list[Path]:
    """Files with the prompts' text, besides the database."""
    files = (file for file in folder.rglob("*") if file.is_file() and "store.sqlite3" not in file.name)
    return [file for file in files if SECRET.encode() in file.read_bytes()]


def test_an_import_goes_on_where_it_was_killed(tmp_path: Path) -> None:
    made = [correction(f"Prompt {i} about {SECRET}") for i in range(1500)]
    export(made, tmp_path / "x.jsonl")
    database = ["--database", f"sqlite:///{tmp_path}/store.sqlite3"]
    said = killed(start("annotations", "import", str(tmp_path / "x.jsonl"), "-v", *database, PYTHONUNBUFFERED="1"), 250)
    added, store = sum("added" in line for line in said), store_in(tmp_path)
    there = store.find().total
    assert 250 <= added <= there < len(made) and whole(tmp_path)
    assert import_file(store, tmp_path / "x.jsonl").already == there
    assert sorted(record.to_line() for record in all_of(store)) == sorted(record.to_line() for record in made)


def test_what_was_unpacked_by_a_killed_server_is_removed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export([correction(f"About {SECRET}")], tmp_path / "set")
    zip_folder(tmp_path / "set", tmp_path / "set.zip")
    (temporary := tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    process = start("tests.support.killed", "unzip", str(tmp_path), str(tmp_path / "set.zip"), TMPDIR=str(temporary))
    assert process.stdout is not None
    folder = Path(process.stdout.readline().strip())
    clean_up()
    assert any(folder.rglob("*.parquet")), "another server at work is left alone"
    killed(process, 0)
    clean_up()
    assert not list(temporary.glob("diffumask-*"))


def test_uploads_of_a_killed_server_grow_old(tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.jsonl").write_text(SECRET)
    for path in (tmp_path / "old" / "x.jsonl", tmp_path / "old"):
        os.utime(path, (0, 0))
    remove_old(tmp_path, 3600)
    remove_old(tmp_path / "none", 3600)
    assert [path.name for path in tmp_path.rglob("*.jsonl")] == ["x.jsonl"] and (tmp_path / "new").exists()


def test_a_promotion_is_whole_or_not_at_all(tmp_path: Path) -> None:
    ids = make(tmp_path)
    said = killed(start("tests.support.killed", "promote", str(tmp_path)), 5, 0.02)
    assert said[0] == "ready" and set(said[1:]) == set(ids)
    served = [entry.id for entry in store_in(tmp_path).checkpoints() if entry.status == "served"]
    assert len(served) == 1 and served[0] in ids and whole(tmp_path)
    assert studio_in(tmp_path).compressor.checkpoint.id == served[0]


def test_a_killed_fine_tuning_leaves_no_text_and_no_checkpoint(tmp_path: Path) -> None:
    ids = make(tmp_path)
    killed(start("tests.support.killed", "finetune", str(tmp_path)), 3)
    assert holding_text(tmp_path), "what it learnt from lay there"
    after = studio_in(tmp_path)
    after.finetuning.recover()
    assert not holding_text(tmp_path) and sorted(os.listdir(tmp_path / "checkpoints")) == sorted(ids)
    assert after.finetuning.job is not None and after.finetuning.job.state == FAILED
    assert {entry.id for entry in after.store.checkpoints()} == set(ids) and whole(tmp_path)
    assert after.compressor.checkpoint.id == ids[0]
    assert all(Compressor.load(tmp_path / "checkpoints" / id) for id in ids)
