"""The record: whatever is not a correction is refused in one line that names the field; the rest comes back."""

from __future__ import annotations

from typing import Any

import pytest

from annotations.errors import RecordError
from annotations.record import checked, from_line, to_line
from annotations.store import open_store
from tests.support.saving import HOSTILE, fields, record


@pytest.mark.parametrize("text", HOSTILE)
def test_record_round_trip(text: str) -> None:
    made = checked(record(text, note=text, annotator=text, review_note=text))
    line = to_line(made)
    assert line.isascii() and len(line.splitlines()) == 1
    assert from_line(line) == made == checked(made.to_fields())


BAD: tuple[tuple[str, Any], ...] = (
    ("id", "ABC"),
    ("id", "0" * 31 + "g"),
    ("id", None),
    ("revision", True),
    ("revision", -1),
    ("revision", 0),
    ("status", "done"),
    ("status", ["draft"]),
    ("prompt", ""),
    ("prompt", " \n"),
    ("prompt", "Please be very\0brief."),
    ("prompt", "Please be very brief\ud800"),
    ("prompt", "x" * 1_000_001),
    ("prompt_sha256", "0" * 64),
    ("offsets", []),
    ("offsets", {}),
    ("offsets", [[0, 6], [5, 9], [10, 14], [15, 21]]),
    ("offsets", [[0, 6], [7, 7], [10, 14], [15, 21]]),
    ("offsets", [[0, 6], [7, 9], [10, 14], [15, 22]]),
    ("offsets", [[0, 6], [7, 9], [10, 14], [-1, 21]]),
    ("offsets", [[0, 6], [7, 9], [10, 14], [15, 21.0]]),
    ("offsets", [[0, 6], [7, 9], [10, 14], "15"]),
    ("offsets", [[0, 6], [7, 9], [10, 14]]),
    ("offsets", [[i, i + 1] for i in range(500_000)]),
    ("shot_starts", [3, 3]),
    ("shot_starts", [21]),
    ("shot_starts", "0"),
    ("model_mask", "01x1"),
    ("model_mask", "011"),
    ("model_mask", [0, 1, 1, 1]),
    ("human_mask", "0\u0661\u0661\u0661"),
    ("human_mask", "11111"),
    ("pins", [0]),
    ("pins", {"4": True}),
    ("pins", {"-1": True}),
    ("pins", {"00": True}),
    ("pins", {"0": True, 0: True}),
    ("pins", {"0": 1}),
    ("pins", {"0": False}),
    ("retention", 1.1),
    ("retention", "0.5"),
    ("retention", float("nan")),
    ("steps", 0),
    ("steps", 8.0),
    ("threshold", -0.1),
    ("threshold", 10**400),
    ("seed", 2**63),
    ("seed", 10**5000),
    ("checkpoint", ""),
    ("annotator", "x" * 201),
    ("annotator", 5),
    ("seconds", float("inf")),
    ("seconds", -1),
    ("note", "x" * 10_001),
    ("note", "\0"),
    ("note", None),
    ("reviewer", "\udfff"),
    ("created_at", "yesterday"),
    ("created_at", "2026-11-22T03:05:00"),
    ("created_at", "0001-01-01T00:00:00+23:00"),
    ("created_at", 5),
    ("more", 1),
)


@pytest.mark.parametrize(("name", "value"), BAD, ids=lambda value: ascii(value)[:30] if isinstance(value, str) else "")
def test_bad_fields_are_refused_in_one_line(name: str, value: Any) -> None:
    with pytest.raises(RecordError) as error:
        checked(record(**{name: value}))
    message = str(error.value)
    named = message.replace("'", "").split(":")[0]
    assert named == name or named.endswith("_mask")  # fewer offsets: then it is the mask that does not fit
    assert message.isprintable() and len(message) < 200


@pytest.mark.parametrize(
    "line", ["", "[]", "{", "[" * 100_000, '{"seed": NaN}', '{"seed": 1' + "0" * 5000 + "}", "\x00"]
)
def test_bad_lines_are_refused(line: str) -> None:
    with pytest.raises(RecordError):
        from_line(line)
    with pytest.raises(RecordError, match="twice"):
        from_line(to_line(checked(record()))[:-1] + ',"note":""}')
    with pytest.raises(RecordError, match="^note: is missing|^human_mask: is missing"):
        checked({name: value for name, value in record().items() if name != "human_mask"})


def test_large_record() -> None:
    """A million characters of four bytes each, 100,000 tokens."""
    starts = range(0, 1_000_000, 10)
    big = fields("\U0001f600" * 1_000_000, offsets=[[i, i + 10] for i in starts], pins={}, note="\U0001f600" * 10_000)
    big |= {"model_mask": "01" * 50_000, "human_mask": "10" * 50_000}
    store = open_store("sqlite://")
    saved = store.submit(big).correction
    assert store.get(saved.id) == saved and saved.edits == 100_000
    assert from_line(to_line(saved)) == saved
