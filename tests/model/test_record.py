"""The record: whatever is not a correction is refused in one line that names the field; the rest comes back."""

from __future__ import annotations

import doctest
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from model import fields as fields_module
from model import record as record_module
from model.compress import PAPER, CompressRequest
from model.errors import RecordError
from model.record import RULES, CorrectionRecord, correction_schema
from tests.support.saving import HOSTILE, correction, record

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "docs" / "correction.schema.json"


@pytest.mark.parametrize("text", HOSTILE)
def test_record_round_trip(text: str) -> None:
    made = correction(text, note=text, annotator=text, review_note=text)
    line = made.to_line()
    assert line.isascii() and len(line.splitlines()) == 1
    assert CorrectionRecord.from_line(line) == made == CorrectionRecord.from_fields(made.to_fields())


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
    ("granularity", "word"),
    ("granularity", None),
    ("guards", 1),
    ("guards", "True"),
    ("least", 1.5),
    ("least_demonstration", -0.1),
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
        correction(**{name: value})
    message = str(error.value)
    named = message.replace("'", "").split(":")[0]
    assert named == name or named.endswith("_mask")  # fewer offsets: then it is the mask that does not fit
    assert message.isprintable() and len(message) < 200


@pytest.mark.parametrize(
    "line", ["", "[]", "{", "[" * 100_000, '{"seed": NaN}', '{"seed": 1' + "0" * 5000 + "}", "\x00"]
)
def test_bad_lines_are_refused(line: str) -> None:
    with pytest.raises(RecordError):
        CorrectionRecord.from_line(line)
    with pytest.raises(RecordError, match="twice"):
        CorrectionRecord.from_line(correction().to_line()[:-1] + ',"note":""}')
    with pytest.raises(RecordError, match="^note: is missing|^human_mask: is missing"):
        CorrectionRecord.from_fields({name: value for name, value in record().items() if name != "human_mask"})


def test_a_missing_field_is_named_before_wrong_ones() -> None:
    with pytest.raises(RecordError, match="^status: is missing$"):
        CorrectionRecord.from_fields({**_without("status"), "id": 5})


@pytest.mark.parametrize("given", [None, [], "{}", 5, [("id", 1)]])
def test_what_is_no_object_is_no_record(given: Any) -> None:
    with pytest.raises(RecordError, match="^record: is not an object with fields$"):
        CorrectionRecord.from_fields(given)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("offsets", [[0, "x"]] * 300_000),
        ("offsets", ["x"] * 300_000),
        ("shot_starts", ["x"] * 300_000),
        ("pins", {f"x{i}": True for i in range(300_000)}),
        ("pins", {str(i): "x" for i in range(300_000)}),
    ],
)
def test_of_many_mistakes_the_first_is_said_in_one_line(field: str, value: Any) -> None:
    with pytest.raises(RecordError, match=rf"^{field}: .{{1,100}}$"):
        correction(**{field: value})
    with pytest.raises(RecordError, match="^'u0': is not a field of a correction$"):
        CorrectionRecord.from_fields({f"u{i}": value for i in range(300_000)})


def test_a_record_cannot_be_changed() -> None:
    made = correction()
    with pytest.raises(ValueError, match="frozen"):
        made.human_mask = "0000"  # type: ignore[misc]


def test_what_may_be_left_out() -> None:
    optional = ("prompt_sha256", "shot_starts", "pins", "seconds", "note", "reviewer", "review_note")
    bare = CorrectionRecord.from_fields(_without(*optional))
    assert (bare.shot_starts, bare.pins, bare.seconds, bare.note, bare.reviewer) == ((), {}, 0.0, "", "")
    assert bare.prompt_sha256 == correction().prompt_sha256 == correction(prompt_sha256=None).prompt_sha256


def test_a_record_from_before_there_were_pieces_is_one_of_tokens() -> None:
    old = CorrectionRecord.from_fields(_without(*RULES))
    assert old.rules == dict(PAPER) and CorrectionRecord.from_fields(record()).rules != old.rules
    assert set(RULES) <= set(CompressRequest.__dataclass_fields__)
    today = {name: CompressRequest("a").__dict__[name] for name in RULES}
    assert CorrectionRecord.from_fields({**record(), **today}).rules == today


def _without(*names: str) -> dict[str, Any]:
    return {name: value for name, value in record().items() if name not in names}


# --- the published schema ----------------------------------------------------------------------------------


def test_the_published_schema_is_up_to_date() -> None:
    """If not: python -m model.record > docs/correction.schema.json"""
    command = [sys.executable, "-m", "model.record"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert printed == correction_schema() == SCHEMA.read_text(encoding="utf-8")


def test_the_schema_says_what_the_reader_accepts() -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    assert schema["additionalProperties"] is False and set(schema["properties"]) == set(CorrectionRecord.model_fields)
    assert all(field["description"] for field in schema["properties"].values())
    for name in schema["properties"]:
        if name in schema["required"]:
            with pytest.raises(RecordError, match=f"^{name}: is missing$"):
                CorrectionRecord.from_fields(_without(name))
        else:
            CorrectionRecord.from_fields(_without(name))


def test_other_programs_can_check_with_the_schema() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    check = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    assert check.is_valid(correction(HOSTILE[5]).to_fields()) and check.is_valid(record())
    for change in ({"status": "done"}, {"more": 1}, {"offsets": []}, {"pins": {"-1": True}}, {"human_mask": "01x1"}):
        assert not check.is_valid(record(**change))


def test_examples_in_docstrings() -> None:
    for module in (fields_module, record_module):
        results = doctest.testmod(module)
        assert results.failed == 0 and results.attempted > 0
