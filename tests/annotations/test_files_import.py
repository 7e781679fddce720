"""Import: each row is added, there already or refused with a reason, and hostile files do no more than that."""

from __future__ import annotations

import random
import resource
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from annotations.errors import ExportError, RecordError
from annotations.files import formats
from annotations.files.export import export
from annotations.files.importing import import_file
from annotations.store import Store, open_store
from model.record import CORRECTION_FIELDS
from tests.support.exported import NAMES, all_of
from tests.support.saving import correction, fields


def test_jsonl_report(tmp_path: Path) -> None:
    store = open_store("sqlite://")
    good, other = correction(), correction("Another prompt")
    lines = [
        good.to_line(),
        "",
        good.to_line(),
        other.to_line().replace('"seconds":1.5', '"seconds":2.5'),
        other.to_line(),
        correction("Stolen id", id=good.id, revision=2).to_line(),
        "{]",
        '"text"',
        good.to_line().replace('"human_mask":"1111"', '"human_mask":"111"'),
        good.to_line().replace("brief", "brief\\u0000"),
        correction(revision=7, status="accepted", reviewer="Bob").to_line(),
    ]
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode() + b"\n\xff\xfe{}\n" + other.to_line().encode()[:50])
    report = import_file(store, path)
    results = {outcome.line: outcome.result for outcome in report.outcomes}
    assert results == {
        **{1: "added", 3: "already there", 4: "added", 5: "refused", 6: "refused", 7: "refused", 8: "refused"},
        **{9: "refused", 10: "refused", 11: "added", 12: "refused", 13: "refused"},
    }
    reasons = {outcome.line: outcome.reason for outcome in report.outcomes if outcome.reason}
    assert "other content" in reasons[5] and reasons[6].startswith("id: ") and "NUL" in reasons[10]
    assert reasons[9] == "human_mask: has 3 marks, but the prompt has 4 tokens"
    assert all(reason.isprintable() for reason in reasons.values())
    again = import_file(store, path)
    assert (again.added, again.already, again.refused) == (0, report.added + report.already, report.refused)


def test_import_does_not_touch_a_draft(tmp_path: Path) -> None:
    store = open_store("sqlite://")
    mine = store.save_draft(fields(note="mine")).correction
    theirs = correction(status="draft", revision=0)
    export([theirs, mine], tmp_path / "x.jsonl")
    report = import_file(store, tmp_path / "x.jsonl")
    assert (report.refused, report.already) == (1, 1) and store.draft("Ann", mine.prompt_sha256) == mine


def test_csv_report(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    store = open_store("sqlite://")
    export(
        [
            correction("two\nlines"),
            correction(),
            correction("last one"),
        ],
        path,
    )
    lines = path.read_bytes().split(b"\n")
    lines[3] = lines[3].replace(b'"8"', b'"=8"')
    content = b"\n".join(lines).replace(b'"\n"', b'"\r\n"')  # as a spreadsheet ends rows
    path.write_bytes(content + b'"too","few"\r\n')
    report = import_file(store, path)
    assert [(o.line, o.result) for o in report.outcomes] == [(2, "added"), (4, "refused"), (5, "added"), (6, "refused")]
    assert report.outcomes[1].reason == "steps: '=8' is not a whole number"
    path.write_bytes(content[: content.index(b'"=8"')])
    assert [o.result for o in import_file(store, path).outcomes] == ["already there", "refused"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.csv", b""),
        ("x.csv", b"a,b\n1,2\n"),
        ("x.csv", b"id,prompt,human_mask,id\n"),
        ("x.csv", b'"id'),
        ("x.csv", b"\xff\xfe\x00\x00"),
        ("x.parquet", b""),
        ("x.parquet", b"PAR1" + b"\0" * 100 + b"PAR1"),
        ("x.doc", b""),
    ],
)
def test_files_of_another_kind(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ExportError) as error:
        import_file(open_store("sqlite://"), tmp_path / name)
    assert str(error.value).isprintable()
    for missing in ("none.csv", "", "x.csv/"):
        with pytest.raises(ExportError):
            import_file(open_store("sqlite://"), tmp_path / "folder" / missing)


def test_sizes_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small, large = (
        correction(),
        correction("Please be brief. " * 300),
    )
    for name in ("x.jsonl", "x.csv", "x.parquet"):
        export([small, large, small], tmp_path / name)
    monkeypatch.setattr(formats, "LINE_BYTES", 2000)
    results = [outcome.result for outcome in import_file(open_store("sqlite://"), tmp_path / "x.jsonl").outcomes]
    assert results == ["added", "refused", "already there"]
    results = [outcome.result for outcome in import_file(open_store("sqlite://"), tmp_path / "x.csv").outcomes]
    assert results == ["added", "refused"]  # a CSV file is not read on after that
    (tmp_path / "many.csv").write_text(",".join(CORRECTION_FIELDS) + "\n" + '"a\n",' * 2000)
    [outcome] = import_file(open_store("sqlite://"), tmp_path / "many.csv").outcomes
    assert "a row is longer" in outcome.reason
    monkeypatch.setattr(formats, "PARQUET_MEMORY", 2**20)
    with pytest.raises(ExportError, match="too large"):
        import_file(open_store("sqlite://"), tmp_path / "x.parquet")


@pytest.mark.parametrize("name", NAMES[:3])
def test_damaged_files(hostile: Store, tmp_path: Path, name: str) -> None:
    """Cut off or with bytes changed: what can be read is, everything else is refused, and nothing else happens."""
    path = tmp_path / name
    export(all_of(hostile), path)
    whole = path.read_bytes()
    rng = random.Random(0)
    for attempt in range(20):
        damaged = bytearray(whole[: rng.randrange(len(whole))] if attempt % 2 else whole)
        for _ in range(attempt % 5):
            at = rng.randrange(len(damaged) or 1)
            damaged[at : at + 1] = rng.randbytes(rng.randrange(3))
        path.write_bytes(damaged)
        try:
            report = import_file(open_store("sqlite://"), path)
            assert report.added + report.already + report.refused == len(report.outcomes)
        except ExportError:
            pass


def test_parquet_of_many_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "ROWS_PER_GROUP", 3)
    made = [correction(f"Prompt {i}") for i in range(10)]
    assert export(made, tmp_path / "x.parquet") == 10
    assert pq.ParquetFile(tmp_path / "x.parquet").metadata.num_row_groups == 4
    assert [row for _, row in formats.corrections_in_parquet(tmp_path / "x.parquet")] == made


@pytest.mark.parametrize(
    ("pins", "reason"),
    [
        ([{"token": 0, "keep": True}, {"token": 0, "keep": True}], "pins: has a token twice"),
        ([{"token": 9, "keep": True}], "pins: 9 is not the index of a token"),
        ([{"token": 0, "keep": None}], "pins: token 0 is None, not true or false"),
        (["0"], "pins: is not a list of {token, keep}"),
        ([{"token": 0}], "pins: is not a list of {token, keep}"),
        (None, "pins: is not a list of {token, keep}"),
    ],
)
def test_pins_in_parquet(tmp_path: Path, pins: Any, reason: str) -> None:
    fields_of_it = correction().to_fields() | {"pins": pins}
    pq.write_table(pa.table({name: pa.array([value]) for name, value in fields_of_it.items()}), tmp_path / "x.parquet")
    [outcome] = import_file(open_store("sqlite://"), tmp_path / "x.parquet").outcomes
    assert (outcome.line, outcome.result, outcome.reason) == (1, "refused", reason)


def test_columns_of_something_else(tmp_path: Path) -> None:
    for columns, message in (
        (["id", "prompt", "human_mask", "price"], "'price' is not expected"),
        (["id", "prompt"], "human_mask missing"),
    ):
        pq.write_table(pa.table({name: pa.array(["x"]) for name in columns}), tmp_path / "x.parquet")
        with pytest.raises(ExportError, match=message):
            import_file(open_store("sqlite://"), tmp_path / "x.parquet")


def test_what_is_no_file_or_data_set(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "folder.csv").mkdir()
    for name, format, message in (
        ("empty", "", "holds no data/"),
        ("folder.csv", "csv", "is not a file"),
        ("missing.csv", "", "is not there"),
        ("empty", "xlsx", "'xlsx' is not one of jsonl, csv, parquet, dataset"),
    ):
        with pytest.raises(ExportError, match=message):
            import_file(open_store("sqlite://"), tmp_path / name, format)


def test_large_files_are_imported_in_batches(tmp_path: Path) -> None:
    """More rows than one transaction takes, with a refused one in between and blank lines in CSV."""
    made = [correction(f"Prompt {i}") for i in range(450)]
    export(made, tmp_path / "x.csv")
    lines = (tmp_path / "x.csv").read_bytes().split(b"\n")
    lines[300:300] = [b"", b'"too","few"']
    (tmp_path / "x.csv").write_bytes(b"\n".join(lines))
    store = open_store("sqlite://")
    report = import_file(store, tmp_path / "x.csv")
    assert (report.added, report.refused, store.find().total) == (450, 1, 450)
    assert [outcome.line for outcome in report.outcomes if outcome.result == "refused"] == [302]


def test_a_small_parquet_file_that_unpacks_to_gigabytes_is_refused(tmp_path: Path) -> None:
    """Its one value is a gigabyte; reading it takes no memory of this process."""
    huge = pa.table({"id": ["0" * 32], "human_mask": ["1"], "prompt": pa.array(["a" * 2**30], pa.large_string())})
    pq.write_table(
        huge, tmp_path / "x.parquet", compression="zstd", write_statistics=False, dictionary_pagesize_limit=2**31
    )
    del huge
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ExportError, match="too large"):
        import_file(open_store("sqlite://"), tmp_path / "x.parquet")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kilobytes


def test_a_revision_that_leaves_none_for_a_reviewer_is_refused(tmp_path: Path) -> None:
    store = open_store("sqlite://")
    export([correction(revision=1_000_000), correction(revision=9_999)], tmp_path / "x.jsonl")
    refused, added = import_file(store, tmp_path / "x.jsonl").outcomes
    assert (refused.result, added.result) == ("refused", "added") and "nobody revised" in refused.reason
    assert store.review(added.id, 9_999, "accepted", "Rex").correction.revision == 10_000


def test_a_mask_that_keeps_nothing_is_not_taken(tmp_path: Path) -> None:
    store = open_store("sqlite://")
    empty = correction(human_mask="0000", pins={})
    export([empty], tmp_path / "x.jsonl")
    [outcome] = import_file(store, tmp_path / "x.jsonl").outcomes
    assert outcome.result == "refused" and "keeps no token" in outcome.reason
    with pytest.raises(RecordError, match="keeps no token"):
        store.submit(fields(human_mask="0000", pins={}))
    assert store.save_draft(fields(human_mask="0000", pins={})).new
