"""What strangers send, short; the whole, with 10,000 inputs and 300 prompts, is benchmarks/hostile.py."""

from __future__ import annotations

import time
from pathlib import Path

import gradio as gr
import httpx
import pytest

from annotations.store import open_store
from app.explore.setup import ByHand
from app.hosting import sessions as hosting_sessions
from app.hosting import uploads
from app.hosting.sessions import Held, SlimSession
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


def test_sessions_hold_no_more_prompts_than_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each that was read takes 11 MB, and the last 2,000 sessions had one; those used last keep theirs."""
    with gr.Blocks() as page:
        opened, other = gr.State(None), gr.State(None)
    sessions = [SlimSession(page) for _ in range(3)]
    monkeypatch.setattr(hosting_sessions, "_held", Held(300_000))
    for session in sessions[:2]:
        session[opened._id] = ByHand("x" * 120_000)
    sessions[0][other._id] = "used again"
    sessions[2][opened._id] = ByHand("x" * 120_000)
    assert [session[opened._id] is None for session in sessions] == [False, True, False]
    sessions[2][opened._id] = ByHand("x" * 400_000)
    assert [session[opened._id] is None for session in sessions] == [True, True, False], "one is always kept"


def test_names_of_sessions_are_short(tmp_path: Path) -> None:
    """They are kept, some thousands of them."""
    with served(hosted_studio(open_store(f"sqlite:///{tmp_path}/store.sqlite3"), tmp_path)) as url:
        for path in ("queue/join", "run/predict"):
            body = {"data": [], "fn_index": 0, "session_hash": "x" * 10**6}
            answer = httpx.post(f"{url}gradio_api/{path}", json=body)
            assert answer.status_code >= 400 and "session" in answer.text, answer.text


def test_a_request_of_very_many_values_is_not_read(tmp_path: Path) -> None:
    """Reading and searching three million of them stopped everybody for seconds; so did a thousand small files."""
    with served(hosted_studio(open_store(f"sqlite:///{tmp_path}/store.sqlite3"), tmp_path)) as url:
        body = {"data": [[0] * 900_000], "fn_index": 0}
        large = httpx.post(f"{url}gradio_api/queue/join", json=body)
        assert large.status_code == 413 and "800,000 values" in large.text
        files = [("files", (str(i), b"x")) for i in range(20)]
        assert httpx.post(f"{url}gradio_api/upload", files=files).status_code == 400
