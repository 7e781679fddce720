"""What strangers supply is read in bounded time and memory: patterns, words, weights."""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model import bounded
from model.bounded import BoundedError, Bounds, bounded_lines
from model.errors import InputError
from model.prompt import parse
from model.prompt.occurrences import occurrences
from model.prompt.pins import WORDS_LIMIT, pins_for_words, pins_from_regex

BOMBS = ("(?:(?:(?:a|b){999}){999}){999}", "(?:a(?=(?:b(?=c){999}){999})){999}")  # gigabytes, while they are compiled
LIMITS = Bounds(seconds=2.0, memory=64 * 2**20, line=1000)


@pytest.mark.parametrize("pattern", BOMBS)
def test_a_pattern_cannot_take_this_process_memory(pattern: str) -> None:
    """The bombs are disarmed in a child; here nothing may grow."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match="make it simpler"):
        pins_from_regex(parse("a b c"), pattern)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kilobytes


@pytest.mark.parametrize(
    "program",
    ["x = bytearray(10**9)", "while True: pass", "raise SystemExit(1)", "print('y' * 2000)", "import os; os.abort()"],
)
def test_a_program_that_goes_beyond_its_limits_is_ended(tmp_path: Path, program: str) -> None:
    (tmp_path / "bad.py").write_text(f"print('first', flush=True)\n{program}\n")
    lines = bounded_lines(tmp_path / "bad.py", LIMITS)
    assert next(lines) == b"first"
    with pytest.raises(BoundedError):
        list(lines)


def test_a_program_that_waits_for_ever_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long before its time is up: one that uses no processor meets no limit of the system."""
    monkeypatch.setattr(bounded, "STALLED", 1.0)
    script = tmp_path / "x.py"
    script.write_text("import time\nprint('first', flush=True)\ntime.sleep(600)\n")
    lines = bounded_lines(script, Bounds(seconds=500, memory=2**28, line=100))
    assert next(lines) == b"first"
    with pytest.raises(BoundedError):
        next(lines)


def test_a_program_gets_its_arguments_and_input(tmp_path: Path) -> None:
    echo = "import sys, json; print(json.dumps([sys.argv[1:], sys.stdin.read()]))"
    (tmp_path / "echo.py").write_text(echo)
    (line,) = bounded_lines(tmp_path / "echo.py", LIMITS, ["--a", "ü"], b"x\ny")
    assert json.loads(line) == [["--a", "ü"], "x\ny"]


WORDS = st.lists(st.text("ab ", min_size=1, max_size=4), max_size=4)


@given(text=st.text("ab ", max_size=30), words=WORDS)
def test_occurrences_cover_what_the_words_cover(text: str, words: list[str]) -> None:
    covered = {
        i for word in words for at in range(len(text)) if text.startswith(word, at) for i in range(at, at + len(word))
    }
    assert {i for start, end in occurrences(text, words) for i in range(start, end)} == covered


def test_words_are_found_in_one_pass() -> None:
    """Every place of the text begins all three words: comparing them there would take 10 billion steps."""
    steps = 0

    def count(frame: object, event: str, argument: object) -> object:
        nonlocal steps
        steps += 1
        return count

    text, words = "a" * 9_000, ["a" * 3_000, "a" * 3_001, "a" * 3_002]
    sys.settrace(count)
    try:
        spans = list(occurrences(text, words))
    finally:
        sys.settrace(None)
    assert len(spans) == 6_001 and steps < 30 * (len(text) + sum(map(len, words)))


def test_too_many_words_are_refused() -> None:
    with pytest.raises(InputError, match="at most 100,000"):
        pins_for_words(parse("a b"), ["x" * WORDS_LIMIT, "y"])
