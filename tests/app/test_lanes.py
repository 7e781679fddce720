"""A crowd at the model: who goes first, what a long prompt holds up, and what a call leaves behind."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import gradio as gr
import pytest
from gradio.state_holder import SessionState

from annotations.store import open_store
from app.background import lane
from app.background.lane import Lane
from app.hosting.lanes import LONG
from app.ui import build
from model.compress import Compressor, CompressRequest, Run
from model.turns import give_way, giving_way
from tests.support.hosted import Stranger, hosted_studio, names_of, served


@pytest.fixture
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane, "PIECE", 0.0)
    monkeypatch.setattr(lane, "SHARE", 1e6)


def test_what_waits_goes_between_the_pieces_of_a_long_call(no_patience: None) -> None:
    done: list[str] = []
    begun, asked = threading.Event(), threading.Event()
    model = Lane()

    def long() -> None:
        begun.set()
        asked.wait(30)
        give_way()
        done.append("long")

    def ask(name: str) -> threading.Thread:
        thread = threading.Thread(target=model.run, args=(done.append, name))
        thread.start()
        return thread

    first = threading.Thread(target=model.run, args=(long,))
    first.start()
    begun.wait(30)
    others = [ask("short"), ask("short")]
    while len(model._waiting) < 2:
        pass
    asked.set()
    for thread in (first, *others):
        thread.join(30)
    assert done == ["short", "short", "long"]


def test_a_failure_between_two_pieces_is_the_failure_of_whoever_asked(no_patience: None) -> None:
    model = Lane()

    def fail() -> None:
        raise ValueError("mine")

    def long() -> str:
        waiting = threading.Thread(target=lambda: said.append(_error_of(lambda: model.run(fail))))
        waiting.start()
        while not model._waiting:
            pass
        give_way()
        waiting.join(30)
        return "whole"

    said: list[str] = []
    assert model.run(long) == "whole" and said == ["mine"]


def _error_of(work: Callable[[], object]) -> str:
    try:
        work()
    except ValueError as error:
        return str(error)
    return ""


def test_a_long_prompt_is_read_in_pieces_and_comes_out_the_same_when_others_go_between() -> None:
    compressor = Compressor.load()
    documents = "\n\n".join(f"Document {i}: The harbour was built in {1900 + i}. It rained." for i in range(120))
    asked = CompressRequest(f"{documents}\n\nQuestion: When did harbour 7 open?", 0.3, steps=2)
    alone = compressor.run(asked).result()
    compressor.encoder.remember(0)  # type: ignore[union-attr]
    between: list[str] = []

    def others() -> None:
        if not between:
            between.append("begun")
            compressor.compress("Q: 1 + 1?\nA: 2\n\nQ: 2 + 2?\nA:", steps=2)

    with giving_way(others):
        again = compressor.run(asked).result()
    assert between and again.text == alone.text


def test_short_prompts_pass_long_ones_at_the_queue(tmp_path: Path) -> None:
    """The long prompt is held until the short one has been answered."""
    answered, long = threading.Event(), "word " * (LONG // 4)
    overtaken: list[bool] = []

    studio = hosted_studio(open_store(f"sqlite:///{tmp_path}/store.sqlite3"), tmp_path)
    start = studio.start

    def waiting(request: CompressRequest) -> Run:
        if len(request.prompt.text) > LONG:
            overtaken.append(answered.wait(20))
        return start(request)

    studio.start = waiting  # type: ignore[method-assign]
    index = {name: index for index, name in names_of(studio).items()}["Endpoints.compress"]
    with served(studio) as url:
        ann, bob = Stranger(url, "ann"), Stranger(url, "bob")
        values = [0.5, 2, 0.0, 0, "", None, "unit", [], False, False, True, True, 0.7, 0.5, None, False]
        assert ann.join(index, [long, *values]).status_code == 200
        assert ann.join(index, [long, *values]).status_code == 200
        done, said = bob.ask(index, ["Short. Shorter.", *values])
        answered.set()
        assert done, said
        assert ann.listen()[0]
    assert overtaken and all(overtaken)


def test_too_few_values_are_said_to_be_so_and_not_printed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    studio = hosted_studio(open_store(f"sqlite:///{tmp_path}/store.sqlite3"), tmp_path)
    index = {name: index for index, name in names_of(studio).items()}["Endpoints.compress"]
    with served(studio) as url:
        for data, says in ((["A secret prompt."], "17 values, and 1"), ([2**70] * 17, "beyond 64 bits")):
            done, said = Stranger(url, "ann").ask(index, data)
            assert not done and says in said
    assert "secret" not in "".join(capfd.readouterr())


def test_a_session_holds_its_states_and_nothing_of_the_page(tmp_path: Path) -> None:
    """Before, each call of an endpoint left 430 kB behind, 10,000 times."""
    studio = hosted_studio(open_store(f"sqlite:///{tmp_path}/store.sqlite3"), tmp_path)
    with served(studio) as url:
        page = build(studio)
        one, other = SessionState(page), SessionState(page)
        assert one.blocks_config is other.blocks_config is page.default_config and not one.config_values
        state = next(id for id, block in page.blocks.items() if isinstance(block, gr.State))
        box = next(id for id, block in page.blocks.items() if isinstance(block, gr.Textbox))
        one[state], one[box] = "mine", gr.Textbox(label="mine", render=False)
        one._update_value_in_config(box, "x" * 200_000)
        assert one[state] == "mine" and other[state] != "mine"
        assert one[box].label == "mine" and other[box] is page.blocks[box]
        assert not one.config_values and url
