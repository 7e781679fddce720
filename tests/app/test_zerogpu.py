"""ZeroGPU, with a stand-in of the package `spaces`: what is computed where, and for how long a GPU is asked."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from gradio.context import LocalContext

from annotations.store import open_store
from app.hosting.zerogpu import LONGEST, gpu_seconds, on_gpu
from app.settings import Settings
from app.studio import Studio
from model.compress import Compressor, CompressRequest
from model.devices import pick_device
from model.errors import InputError
from tests.support.scripted import ScriptedCompressor
from tests.support.tiny import tiny_checkpoint

# As ZeroGPU does it, what goes to a worker and comes back is pickled, and an error that is raised there is not said.
SPACES = """
import functools, pickle
asked, forked = [], []

def GPU(task=None, *, duration=None, size=None):
    if task is None:
        return functools.partial(GPU, duration=duration)

    @functools.wraps(task)
    def wrapped(*args):
        asked.append(duration(*args))
        try:
            for value in task(*pickle.loads(pickle.dumps(args))):
                yield pickle.loads(pickle.dumps(value))
        except Exception as error:
            raise RuntimeError("ZeroGPU worker error: " + type(error).__name__) from None

    return wrapped
"""
PROMPT = "Sort.\n\nQ: 2+2?\nA: 4\n\nQ: 3-1?\nA: 2\n\nQ: 3+4?\nA:"


@pytest.fixture
def spaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    (tmp_path / "spaces.py").write_text(SPACES)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "spaces", raising=False)
    import spaces  # type: ignore[import-not-found,unused-ignore]

    yield spaces
    sys.modules.pop("spaces", None)


@contextmanager
def visited() -> Iterator[None]:
    """As Gradio runs a handler for somebody."""
    token = LocalContext.request.set(object())
    try:
        yield
    finally:
        LocalContext.request.reset(token)


def load(folder: Path | None = None) -> Compressor:
    return Compressor(tiny_checkpoint())


def studio(tmp_path: Path) -> Studio:
    store = open_store(f"sqlite:///{tmp_path}/store.sqlite3")
    return Studio(Settings(data=tmp_path), load=load, open_store=lambda: store)


def test_a_visitors_run_is_computed_by_a_worker(spaces: Any, tmp_path: Path) -> None:
    made, request = studio(tmp_path), CompressRequest(PROMPT, 0.5, steps=3)
    plain = load().run(request)
    with visited():
        run = made.start(request)
        assert list(made.denoise(run)) == list(plain) and run.result().text == plain.result().text
        assert made.compressor.compress(PROMPT, 0.5, steps=3).text == plain.result().text
    assert spaces.asked == [10, 10]


def test_what_nobody_asked_for_takes_no_ones_gpu_time(spaces: Any, tmp_path: Path) -> None:
    made = studio(tmp_path)
    made.warm_up()
    assert list(made.denoise(made.start(CompressRequest(PROMPT)))) and spaces.asked == []


def test_a_worker_that_was_there_before_a_promotion_loads_the_new_model(
    spaces: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, loaded = on_gpu(load)(tmp_path), list[Path]()

    def load_there(folder: Path, device: str) -> Compressor:
        loaded.append(folder)
        return load()

    monkeypatch.setattr(made._workers, "_held", {})  # type: ignore[attr-defined]
    monkeypatch.setattr(Compressor, "load", load_there)
    with visited():
        assert made.compress(PROMPT, 0.5).text and made.compress(PROMPT, 0.5).text
    assert loaded == [tmp_path]


def test_what_is_wrong_with_a_request_is_said_in_its_own_words(spaces: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = on_gpu(load)()
    with visited(), pytest.raises(InputError, match="pattern"):
        made.compress(PROMPT, keep="(")
    assert spaces.asked == [], "and costs nobody any time"

    def broken(*_: Any) -> Any:
        raise InputError("the encoder is gone")

    monkeypatch.setattr(Compressor, "_token_predict", broken)
    with visited(), pytest.raises(InputError, match="the encoder is gone"):
        made.compress(PROMPT)


def test_the_time_grows_with_the_prompt_and_ends_somewhere() -> None:
    seconds = [gpu_seconds("x", None, CompressRequest("word " * words)) for words in (10, 4_000, 40_000)]
    assert seconds == sorted(set(seconds)) and seconds[0] == 10
    assert gpu_seconds("x", None, CompressRequest("word " * 40_000, steps=64, exact=True)) == LONGEST


def test_without_the_package_nothing_is_wrapped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spaces", None)
    assert on_gpu(ScriptedCompressor) is ScriptedCompressor


def test_a_gpu_that_only_seems_to_be_there_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert pick_device().type == "cuda"
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    assert pick_device().type == "cpu" and pick_device("cuda").type == "cuda"
