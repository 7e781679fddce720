"""Files of prompts to correct: what is read, what is refused, and on which line it is reported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotations.errors import ExportError, RecordError
from annotations.files import prompts
from annotations.files.prompts import prompts_in_file, prompts_in_text
from tests.support.saving import HOSTILE


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def split(rows: list[prompts.Row]) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    """What was taken, and what was refused with the reason's first word."""
    taken = [(line, row) for line, row in rows if isinstance(row, str)]
    return taken, [(line, str(row).split(":")[0]) for line, row in rows if isinstance(row, RecordError)]


def test_jsonl_takes_prompt_text_or_a_bare_text_and_names_the_lines_it_refuses(tmp_path: Path) -> None:
    lines = ['{"prompt": "one", "id": 3}', '{"text": "two"}', "", '"three"', '{"x": 1}', "{", '{"prompt": 5}', '""']
    rows = list(prompts_in_file(written(tmp_path, "p.jsonl", "\n".join(lines))))
    taken, refused = split(rows)
    assert taken == [(1, "one"), (2, "two"), (4, "three")]
    assert refused == [(5, "record"), (6, "record"), (7, "record"), (8, "prompt")]


def test_csv_takes_the_column_wherever_it_is_and_prompts_of_many_lines(tmp_path: Path) -> None:
    content = '\ufeffid,Text\r\n1,"Q: a?\n\nA: b"\r\n2,plain\r\n3\r\n4,  \r\n'
    taken, refused = split(list(prompts_in_file(written(tmp_path, "p.csv", content))))
    assert taken == [(2, "Q: a?\n\nA: b"), (5, "plain")]
    assert refused == [(6, "record"), (7, "prompt")]
    with pytest.raises(ExportError, match="no column prompt or text"):
        list(prompts_in_file(written(tmp_path, "q.csv", "a,b\n1,2\n")))
    _, refused = split(list(prompts_in_file(written(tmp_path, "r.csv", 'prompt\ngood\n"never closed\n'))))
    assert refused == [(3, "record")]


def test_a_text_is_one_prompt_unless_lines_of_dashes_part_it(tmp_path: Path) -> None:
    whole = "Sort.\n\nQ: a - b --- c?\nA: d"
    assert list(prompts_in_file(written(tmp_path, "p.txt", whole))) == [(1, whole)]
    assert list(prompts_in_text("---\none\n\n-----\n\n\ntwo\nmore\n ---\r\n")) == [(2, "one"), (7, "two\nmore")]


@given(st.lists(st.sampled_from(HOSTILE), min_size=1, max_size=6))
def test_hostile_prompts_come_through_jsonl_as_they_are(texts: list[str]) -> None:
    content = "\n".join(json.dumps({"prompt": text}) for text in texts)
    assert [row for _, row in prompts._bounded(prompts._json_rows(content), 10_000)] == texts


def test_too_much_and_not_text_is_refused_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken, refused = split(list(prompts_in_text("short\n---\n" + "long" * 10 + "\n---\nnul\0", limit=20)))
    assert taken == [(1, "short")] and refused == [(3, "prompt"), (5, "prompt")]
    monkeypatch.setattr(prompts, "PROMPTS_PER_FILE", 2)
    rows = list(prompts_in_text("a\n---\nb\n---\nc\n---\nd"))
    assert [row for _, row in rows[:2]] == ["a", "b"] and len(rows) == 3 and "at most 2" in str(rows[2][1])
    monkeypatch.setattr(prompts, "FILE_LIMIT", 10)
    for name, content, says in (
        ("p.txt", "x" * 11, "larger"),
        ("p.txt", b"\xff\xfe", "UTF-8"),
        ("p.exe", "x", "ends in"),
    ):
        with pytest.raises(ExportError, match=says):
            prompts_in_file(written(tmp_path, name, content))
    with pytest.raises(ExportError, match="cannot be read"):
        prompts_in_file(tmp_path / "missing.txt")


def test_a_pasted_text_and_csv_that_are_refused_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for content in ('"prompt', "", '"pro"mpt"\n'):
        with pytest.raises(ExportError, match="CSV"):
            list(prompts_in_file(written(tmp_path, "p.csv", content)))
    taken, _ = split(list(prompts_in_file(written(tmp_path, "p.csv", "text\none\n\ntwo\n"))))
    assert taken == [(2, "one"), (4, "two")]  # the empty row between them is none
    monkeypatch.setattr(prompts, "FILE_LIMIT", 10)
    with pytest.raises(ExportError, match="11 characters, more than 10: split it"):
        prompts_in_text("x" * 11)
