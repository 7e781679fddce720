"""Reading corrections: what is read as it was meant, and what is refused."""

from __future__ import annotations

import hashlib
import uuid
from pathlib import Path
from typing import Any

import pytest

from model.errors import InputError
from model.prompt import parse
from model.record import CorrectionRecord
from model.training.corrections import read_corrections
from tests.support.corrected import bits, fields_for, plain, read, write


def test_a_record_that_the_store_made_is_read_as_it_was_meant(tmp_path: Path) -> None:
    offsets = [[0, 2], [3, 8], [8, 9], [9, 10]]
    given = CorrectionRecord.from_fields(
        plain(prompt="Sé breve.\U0001f600", prompt_sha256=None, offsets=offsets, shot_starts=[3])
        | {"model_mask": "1011", "human_mask": "0110"}
    )
    path = write(tmp_path / "c.jsonl", given.to_line(), "")
    (corrected,), digest = read_corrections(path)
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (corrected.id, corrected.revision, corrected.sha256) == (given.id, 1, given.prompt_sha256)
    assert [t.text for t in corrected.prompt.tokens] == ["Sé", "breve", ".", "\U0001f600"]
    assert [t.part for t in corrected.prompt.tokens] == [0, 1, 1, 1]
    assert bits(corrected.model) == "1011" and bits(corrected.keep) == "0110" and corrected.pins == {0: False, 1: True}
    assert bits(corrected.touched) == "1100"
    asked = corrected.asked
    assert (asked.retention, asked.steps, asked.threshold, asked.seed, asked.temperature) == (0.5, 4, 0, 3, 0)


def test_no_shot_starts_mean_one_shot(tmp_path: Path) -> None:
    text = "Q: 1?\nA: 2\n\nQ: 3?\nA:"
    one, two = parse(text, []), parse(text)
    corrected = read(tmp_path, *(fields_for(p, [1] * len(p), [1] * len(p)) for p in (one, two)))
    assert [len(c.prompt.parts) for c in corrected] == [1, 2]


def test_a_person_decided_the_pins_or_without_any_what_differs(tmp_path: Path) -> None:
    (corrected,) = read(tmp_path, plain(pins={"2": True}))
    assert corrected.pins == {2: True} and corrected.touched == [False, False, True]
    (corrected,) = read(tmp_path, plain(pins={}))
    assert corrected.touched == [True, True, False]


def test_the_latest_revision_counts_in_any_order_and_drafts_and_rejected_do_not(tmp_path: Path) -> None:
    edited, rejected, drafted, fresh = (uuid.uuid4().hex for _ in range(4))
    pinless: dict[str, Any] = {"pins": {}}
    corrected = read(
        tmp_path,
        plain(id=edited, revision=2, human_mask="110", status="accepted", **pinless),
        plain(id=edited, revision=1),
        plain(id=edited, revision=0, status="draft", human_mask="001", **pinless),
        plain(id=rejected, revision=1),
        plain(id=rejected, revision=2, status="rejected"),
        plain(id=drafted, revision=0, status="draft"),
        plain(id=fresh, revision=1, status="rejected"),
        plain(id=fresh, revision=2, status="submitted"),
    )
    assert [(c.id, c.revision, bits(c.keep)) for c in corrected] == [(edited, 2, "110"), (fresh, 2, "011")]


def test_the_same_line_twice_is_one_correction_but_two_truths_are_refused(tmp_path: Path) -> None:
    line = plain()
    assert len(read(tmp_path, line, line)) == 1
    with pytest.raises(InputError, match=r"corrections.jsonl line 2: id: revision 1 .* twice"):
        read(tmp_path, line, line | {"note": "other"})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prompt_sha256": "0" * 64}, "prompt_sha256: is not that of the prompt"),
        ({"id": "x"}, "id: 'x' is not 32 hex"),
        ({"status": "fine"}, "status: 'fine' is not one of"),
        ({"status": "draft"}, "revision: is 0 for a draft"),
        ({"revision": 0}, "revision: is 0 for a draft"),
        ({"revision": True}, "revision: True is not a whole number"),
        ({"prompt": 5}, "prompt: 5 is not a text"),
        ({"prompt": " ", "prompt_sha256": None}, "prompt: is empty"),
        ({"prompt": "Be \ud800 brief.", "prompt_sha256": None}, "half a character"),
        ({"shot_starts": 3}, "shot_starts: is not a list"),
        ({"shot_starts": [99]}, "shot_starts: 99 is not a number that rises and lies inside"),
        ({"offsets": []}, "offsets: is not a list"),
        ({"offsets": [[0, 2], [1, 8], [8, 9]]}, "offsets: token 1 is empty, overlaps"),
        ({"offsets": [[0, 2], [3, 8], [8, 10]]}, "offsets: token 2 is empty, overlaps .* outside"),
        ({"offsets": [[0, 2], [3, 3], [8, 9]]}, "offsets: token 1 is empty"),
        ({"offsets": [[0, 2], [3.0, 8], [8, 9]]}, r"offsets: token 1 is not \[start, end\]"),
        ({"model_mask": "10"}, "model_mask: has 2 marks, but the prompt has 3 tokens"),
        ({"human_mask": "0111"}, "human_mask: has 4 marks, but the prompt has 3 tokens"),
        ({"human_mask": "01x"}, "human_mask: is not a text of 0 and 1"),
        ({"human_mask": "000", "pins": {}}, "human_mask: keeps no token"),
        ({"pins": []}, "pins: is not an object"),
        ({"pins": {"3": True}}, "pins: '3' is not the index"),
        ({"pins": {"-1": True}}, "pins: '-1' is not the index"),
        ({"pins": {"0": 0}}, "pins: token 0 is 0, not true or false"),
        ({"pins": {"0": True}}, "pins: token 0 is pinned to keep, but human_mask differs"),
        ({"retention": 0}, "retention 0 must be above 0"),
        ({"retention": 1.5}, "retention: 1.5 is more than 1"),
        ({"retention": "0.5"}, "retention: '0.5' is not a number"),
        ({"steps": 65}, "steps 65 must be from 1 to 64"),
        ({"threshold": 1}, "threshold 1 must be"),
        ({"seed": -1}, "seed: -1 is less than 0"),
        ({"pin": {}}, "'pin': is not a field"),
    ],
)  # fmt: skip
def test_a_wrong_record_is_refused_by_its_line(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=rf"corrections.jsonl line 3: .*{message}"):
        read(tmp_path, plain(), "", plain() | change)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("nonsense", "record: is not JSON"),
        ("[1]", "record: is not an object"),
        ("{}", "id: is missing"),
        ('{"id": 1, "id": 1}', "record: has a field twice"),
        ('{"seconds": NaN}', "record: holds NaN"),
        ("[" * 100_000, "record: is nested too deeply"),
    ],
)
def test_a_line_that_is_no_record(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(InputError, match=f"line 2: {message}"):
        read(tmp_path, plain(), line)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read the corrections"):
        read_corrections(tmp_path / "missing.jsonl")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="is not UTF-8"):
        read_corrections(tmp_path / "binary")


def test_other_tokens_take_the_mask_over_by_their_characters(tmp_path: Path) -> None:
    text = "Pay 5-6 now"  # here: Pay 5 - 6 now; in the record: Pay 5-6 n ow
    given = {"offsets": [[0, 3], [4, 7], [8, 9], [9, 11]], "model_mask": "1100", "human_mask": "0111",
             "pins": {"2": True, "3": True}}  # fmt: skip
    base = fields_for(parse(text), [1] * 5, [1] * 5)
    (corrected,) = read(tmp_path, base | given)
    assert [t.text for t in corrected.prompt.tokens] == ["Pay", "5", "-", "6", "now"]
    assert bits(corrected.keep) == "01111" and bits(corrected.model) == "11110" and corrected.pins == {4: True}
    assert bits(corrected.touched) == "00001"


@pytest.mark.parametrize(
    ("offsets", "mask", "message"),
    [
        ([[0, 3], [4, 7], [8, 9], [9, 11]], "1101", "of characters 8 to 11, .* says both keep and drop"),
        ([[0, 3], [8, 11]], "11", "of characters 4 to 5, .* says nothing"),
    ],
)
def test_tokens_that_cannot_take_it_over_are_refused(
    tmp_path: Path, offsets: list[list[int]], mask: str, message: str
) -> None:
    base = fields_for(parse("Pay 5-6 now"), [1] * 5, [1] * 5)
    with pytest.raises(InputError, match=f"line 1: offsets: another version .*{message}"):
        read(tmp_path, base | {"offsets": offsets, "model_mask": mask, "human_mask": mask})
