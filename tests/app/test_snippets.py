"""The programs that Explore offers: they run as they stand, and give what was on the canvas."""

from __future__ import annotations

import ast
import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import model.prompt
from app.components.counting import OWN
from app.components.sampling import BREAKS, DIGITS, PART, TASK, TOKEN, UNIT, WORDS_ALONE
from app.explore.events import ExploreEvents
from app.explore.setup import ByHand
from app.explore.snippets import EMBEDDED, ORIGIN
from app.settings import Settings
from app.studio import Studio
from tests.support.scripted import ScriptedCompressor

ROOT = Path(__file__).parents[2]
PROMPT = (
    "Answer from the notes. Don't \"guess\".\n\nNotes: The harbourmaster's office has `comfortable` furniture 👍. "
    "Never pay in cash. Call Ann on 0176-2231 first. Boats are registered internationally ${1+1} \\n.\n\n"
    "Question: How do I pay?"
)
CALL = {"id": "c1", "type": "function", "function": {"name": "beds", "arguments": "{}"}}
MESSAGES = [
    {"role": "system", "content": "Answer in one sentence. Never guess."},
    {"role": "user", "content": "I like old mills. It rained all day. It must not cost more than 400 EUR."},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "user", "content": "How many beds has Lund?"},
]
SETTINGS: dict[str, Any] = {"retention": 50, "steps": 8, "threshold": 0, "seed": 0, "rules": [TASK]}
SETTINGS |= {"granularity": UNIT, "words": "", "counter": OWN, "by_hand": None}
BY_HAND = ByHand(PROMPT, {i: True for i in range(12, 16)} | {30: False}, ((0, 24, "question"), (24, 200, "document")))
VARIANTS: dict[str, dict[str, Any]] = {
    "as it comes": {},
    "everything set": {"steps": 4, "threshold": 0.1, "seed": 7, "rules": [DIGITS, BREAKS], "granularity": TOKEN},
    "words to keep": {"words": "cash, Ann", "granularity": PART},
    "a pattern": {"words": r"/\bp\w+'?/", "granularity": WORDS_ALONE, "retention": 33},
    "by hand": {"by_hand": BY_HAND},
    "in plain lines": {"text": PROMPT.replace("\\n", "").replace("👍", "👍\n  \t'")},
    "a length that is found": {"auto": True},
}


def shown(text: str = PROMPT, auto: bool = False, **more: Any) -> tuple[str, dict[str, str]]:
    """What stands on the canvas at the end, and the programs beside it."""
    tab = ExploreEvents(Studio(Settings(), ScriptedCompressor))  # type: ignore[arg-type]
    *_, page = (tab.find_length if auto else tab.run)({**SETTINGS, "text": text, **more})
    run = tab.studio.run(page.last_run)
    assert run is not None
    return run.result().text, json.loads(page.canvas.splitlines()[-1])["use"]["programs"]


def printed(program: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """What a program prints, with the tests' model in place of the shipped one."""
    package = ModuleType("diffumask")
    package.Compressor = ScriptedCompressor  # type: ignore[attr-defined]
    monkeypatch.setattr(ScriptedCompressor, "load", classmethod(lambda cls: cls()))
    monkeypatch.setitem(sys.modules, "diffumask", package)
    monkeypatch.setitem(sys.modules, "diffumask.prompt", model.prompt)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(program, "snippet", "exec"), {})
    return out.getvalue()


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("title", ["Python", "LangChain"])
def test_a_program_gives_what_the_canvas_shows(name: str, title: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if title == "LangChain":
        pytest.importorskip("langchain_core")
    text, programs = shown(**VARIANTS[name])
    assert printed(programs[title], monkeypatch).startswith(text + "\n")
    assert all(program.count("compress") for program in programs.values())
    assert all(("auto" in program) == (name == "a length that is found") for program in programs.values())


@pytest.mark.parametrize("rules", [[TASK], []])
@pytest.mark.parametrize("title", ["Python", "LangChain"])
def test_a_program_for_messages_gives_messages(title: str, rules: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    if title == "LangChain":
        pytest.importorskip("langchain_core")
    text, programs = shown(json.dumps(MESSAGES), rules=rules)
    written = ast.literal_eval(printed(programs[title], monkeypatch).splitlines()[0])
    assert [message["role"] for message in written] == [message["role"] for message in MESSAGES]
    said = [message["content"] for message in written if message["content"] and message["content"] != "…"]
    assert all(words.strip() in text for words in said) and said


def test_a_long_prompt_is_read_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text, programs = shown(PROMPT * 20)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prompt.txt").write_text(PROMPT * 20, encoding="utf-8")
    assert all(len(program) < EMBEDDED for program in programs.values())
    assert printed(programs["Python"], monkeypatch).startswith(text + "\n")


def test_the_python_program_runs_alone_on_the_shipped_model(tmp_path: Path) -> None:
    _, programs = shown(PROMPT)
    (tmp_path / "diffumask").symlink_to(ROOT / "model")
    (tmp_path / "snippet.py").write_text(programs["Python"], encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "snippet.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 and "How do I pay?" in done.stdout, done.stderr


@pytest.mark.parametrize(("title", "program", "file"), [("JavaScript", "node", "a.mjs"), ("curl", "bash", "a.sh")])
def test_a_long_prompt_goes_to_this_server_from_a_file(
    url: str, tmp_path: Path, title: str, program: str, file: str
) -> None:
    if not all(map(shutil.which, ("node", "curl", "jq"))):
        pytest.skip("no JavaScript, curl or jq here")
    text, programs = shown(PROMPT * 20)
    (tmp_path / "prompt.txt").write_text(PROMPT * 20, encoding="utf-8")
    (tmp_path / file).write_text(programs[title].replace(ORIGIN, url.rstrip("/")), encoding="utf-8")
    done = subprocess.run([program, file], cwd=tmp_path, capture_output=True, text=True, check=False)
    shown_there = json.dumps(text)[1:-1] if title == "curl" else text + "\n"
    assert shown_there in done.stdout, done.stderr


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize(
    ("title", "command"), [("curl", ["bash", "-e"]), ("JavaScript", ["node", "--input-type=module"])]
)
def test_a_program_that_asks_this_server_gives_what_the_canvas_shows(
    url: str, title: str, command: list[str], name: str
) -> None:
    if not shutil.which({"curl": "curl"}.get(title, "node")):
        pytest.skip(f"no {title} here")
    text, programs = shown(**VARIANTS[name])
    program = programs[title].replace(ORIGIN, url.rstrip("/"))
    done = subprocess.run(command, input=program, capture_output=True, text=True, check=False)
    if title == "JavaScript":
        assert done.stdout == text + "\n", done.stderr
    else:
        (answer,) = [line for line in done.stdout.splitlines() if line.startswith("data: [")]
        assert json.loads(answer.removeprefix("data: "))[0]["compressed"] == text
