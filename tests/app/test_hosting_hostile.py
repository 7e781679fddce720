"""What strangers send, short; the whole, with 10,000 inputs and 300 prompts, is benchmarks/hostile.py."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import pytest

from annotations.store import open_store
from app.hosting import uploads
from benchmarks.hostile import attack, memory_of_a_process
from model.compress import CompressRequest
from tests.support.hosted import Stranger, hosted_studio, names_of, served


def test_hostile_inputs_through_every_door(tmp_path: Path) -> None:
    figures = attack(80, tmp_path)
    assert figures["crashes"] == 0, figures["what"]
    assert figures["MB of the server above the start"] < 500


def test_memory_does_not_grow_with_every_prompt() -> None:
    """Before, it did by 7 MB each."""
    assert memory_of_a_process(prompts=24, after=10)["MB grown"] < 50


def test_long_runs_are_remembered_for_a_shorter_while(tmp_path: Path) -> None:
    """Each takes 17 MB; 64 of them did for the charts alone."""
    studio = hosted_studio(open_store("sqlite://"), tmp_path)
    for i in range(12):
        studio.remember(str(i), studio.start(CompressRequest("word " * 20_000 + str(i))))
    kept = [i for i in range(12) if studio.run(str(i)) is not None]
    assert kept == [3, 4, 5, 6, 7, 8, 9, 10, 11]


BODIES = (b"\xff\xfe\x92", b"[NaN]", b"[" * 100_000, b"{}", b'{"data": ' + b"9" * 5000 + b"}")


def test_bodies_that_cannot_be_read_are_said_to_be_so(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/store.sqlite3")
    headers = {"Content-Type": "application/json"}
    with served(hosted_studio(store, tmp_path)) as url:
        for body in BODIES:
            answer = httpx.post(f"{url}gradio_api/queue/join", content=body, headers=headers)
            assert 400 <= answer.status_code < 500 and "Traceback" not in answer.text, body[:20]
            assert "9" * 100 not in answer.text, "what was sent is not sent back"


def test_half_a_character_ends_no_stream(tmp_path: Path) -> None:
    """Gradio repeats in its error what it does not take, and that broke off the answer."""
    studio = hosted_studio(open_store(f"sqlite:///{tmp_path}/store.sqlite3"), tmp_path)
    index = next(index for index, name in names_of(studio).items() if name == "CompareEvents.shorten")
    with served(studio) as url:
        ann = Stranger(url, "ann")
        done, said = ann.ask(index, ["\ud800"] * len(ann.blank(index)))
    assert not done and "half a character" in said


def test_uploads_are_gone_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    monkeypatch.setattr(uploads, "LOOK", 0.1)
    monkeypatch.setattr(uploads, "AGE", 1.0)
    store = open_store(f"sqlite:///{tmp_path}/store.sqlite3")
    with served(hosted_studio(store, tmp_path)) as url:
        [path] = httpx.post(f"{url}gradio_api/upload", files={"files": b"A secret prompt."}).json()
        until = time.monotonic() + 30
        while Path(path).exists() and time.monotonic() < until:
            time.sleep(0.1)
        assert not Path(path).exists()
