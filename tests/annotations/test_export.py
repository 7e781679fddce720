"""Export: every text comes back as it was, nothing runs as a formula, nothing is written by halves."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotations.errors import ExportError, StoreError
from annotations.files import formats
from annotations.files.export import CARD_FILE, DATA_FILE, export
from annotations.files.formats import guarded, unguarded
from annotations.files.importing import import_file
from annotations.store import Store, open_store
from model.compress import PAPER
from model.record import RULES, CorrectionRecord
from tests.support.exported import NAMES, all_of
from tests.support.saving import HOSTILE, correction

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
HOSTILE_TEXT = st.lists(st.one_of(st.sampled_from(HOSTILE), TEXT), max_size=4).map("".join)


@st.composite
def corrections(draw: st.DrawFn) -> CorrectionRecord:
    """Any valid correction."""
    prompt = draw(HOSTILE_TEXT.filter(str.strip))
    ends = sorted(draw(st.sets(st.integers(0, len(prompt)), min_size=2, max_size=12)))
    bits = st.text("01", min_size=len(ends) - 1, max_size=len(ends) - 1)
    human_mask = draw(bits)
    pinned = draw(st.sets(st.integers(0, len(ends) - 2)))
    status = draw(st.sampled_from(("draft", "submitted", "accepted", "rejected")))
    return correction(
        prompt,
        id=draw(st.uuids()).hex,
        status=status,
        revision=0 if status == "draft" else draw(st.integers(1, 99)),
        offsets=list(zip(ends, ends[1:], strict=False)),
        shot_starts=sorted(draw(st.sets(st.integers(0, len(prompt) - 1), max_size=3))),
        model_mask=draw(bits),
        human_mask=human_mask,
        pins={i: human_mask[i] == "1" for i in pinned},
        retention=draw(st.floats(0, 1)),
        threshold=draw(st.floats(0, 1)),
        steps=draw(st.integers(1, 64)),
        seed=draw(st.integers(0, 2**63 - 1)),
        seconds=draw(st.floats(0, 1e7)),
        checkpoint=draw(HOSTILE_TEXT.map(lambda text: "c" + text[:100])),
        annotator=draw(HOSTILE_TEXT.map(lambda text: text[:100] + "a")),
        note=draw(HOSTILE_TEXT),
        reviewer=draw(HOSTILE_TEXT.map(lambda text: text[:100])),
        review_note=draw(HOSTILE_TEXT),
    )


# --- round trips -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_hostile_texts_come_back(hostile: Store, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    assert export(all_of(hostile), path) == len(HOSTILE)
    other = open_store("sqlite://")
    report = import_file(other, path)
    assert (report.added, report.already, report.refused) == (len(HOSTILE), 0, 0)
    assert all_of(other) == all_of(hostile)
    assert import_file(other, path).already == len(HOSTILE) == other.find().total
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=st.lists(corrections(), max_size=4, unique_by=lambda c: c.id))
def test_any_correction_comes_back(tmp_path: Path, name: str, made: list[CorrectionRecord]) -> None:
    path = tmp_path / name
    export(made, path)
    reader = {"out.jsonl": formats.corrections_in_jsonl, "out.csv": formats.corrections_in_csv}.get(
        name, formats.corrections_in_parquet
    )
    file = path / DATA_FILE if name == "out" else path
    assert [made_again for _, made_again in reader(file)] == made


@settings(max_examples=15, deadline=None)
@given(made=corrections().filter(lambda made: "1" in made.human_mask))  # of an empty mask nothing can be learnt
def test_any_correction_is_stored(made: CorrectionRecord) -> None:
    store = open_store("sqlite://")
    assert store.import_many([made, made]) == [("added", ""), ("already there", "")]
    assert store.get(made.id) == made


@given(st.one_of(HOSTILE_TEXT, st.text("'=+-@\t\r\n", max_size=5)))
def test_cells(text: str) -> None:
    cell = guarded(text)
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20"))
    assert unguarded(cell) == text


def test_csv_as_a_spreadsheet_sees_it(hostile: Store, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    export(all_of(hostile), path)
    content = path.read_bytes().decode("utf-8")
    assert content.startswith("\ufeff")
    rows = list(csv.DictReader(io.StringIO(content[1:], newline="")))
    assert len(rows) == len(HOSTILE)
    for row in rows:
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) for cell in row.values())
    assert {"'=1+1", "''=1", "'tis", "</script><img src=x onerror=alert(1)>"} <= {row["note"] for row in rows}


def test_jsonl_is_one_ascii_line_each(hostile: Store, tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    export(all_of(hostile), path)
    lines = path.read_text(encoding="ascii").splitlines()
    assert [json.loads(line)["prompt"] for line in lines] == [c.prompt for c in all_of(hostile)]


def test_data_set_folder(hostile: Store, tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml")
    export(all_of(hostile), tmp_path / "set")
    header = (tmp_path / "set" / CARD_FILE).read_text(encoding="utf-8").split("---\n")[1]
    described = yaml.safe_load(header)
    [pattern] = [file["path"] for file in described["configs"][0]["data_files"]]
    assert list((tmp_path / "set").glob(pattern)) == [tmp_path / "set" / DATA_FILE]
    assert described["size_categories"] == ["n<1K"]
    table = pq.read_table(tmp_path / "set" / DATA_FILE)
    assert table.schema.equals(formats.SCHEMA) and table.num_rows == len(HOSTILE)
    assert table["offsets"][0].as_py() == [list(span) for span in all_of(hostile)[0].offsets]


def test_load_dataset(hostile: Store, tmp_path: Path) -> None:
    datasets: Any = pytest.importorskip("datasets")
    export(all_of(hostile), tmp_path / "set")
    rows = datasets.load_dataset(str(tmp_path / "set"), split="train", cache_dir=str(tmp_path / "cache"))
    assert [row["prompt"] for row in rows] == [c.prompt for c in all_of(hostile)]
    assert rows[0]["pins"] == [{"token": 0, "keep": True}]
    rows.to_parquet(str(tmp_path / "again.parquet"))  # other integer and list types, perhaps
    assert import_file(hostile, tmp_path / "again.parquet").already == len(HOSTILE)


@pytest.mark.parametrize("name", ["out.jsonl", "out.csv", "out.parquet"])
def test_files_from_before_there_were_pieces_still_open(tmp_path: Path, name: str) -> None:
    """Their columns do not say how pieces were made; their masks are of tokens alone."""
    old = {field: value for field, value in correction().to_fields().items() if field not in RULES}
    path = tmp_path / name
    if name.endswith("jsonl"):
        path.write_text(json.dumps(old) + "\n", encoding="utf-8")
    elif name.endswith("csv"):
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(old)
            writer.writerow(guarded(v if isinstance(v, str) else json.dumps(v)) for v in old.values())
    else:
        rows = [{**old, "pins": [{"token": int(i), "keep": keep} for i, keep in old["pins"].items()]}]
        schema = pa.schema([field for field in formats.SCHEMA if field.name not in RULES])
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)
    store = open_store(f"sqlite:///{tmp_path}/store.sqlite3")
    assert import_file(store, path).added == 1
    assert store.get(old["id"]).rules == dict(PAPER)


def test_parquet_of_other_types(tmp_path: Path) -> None:
    """As other programs write it: large strings, 64-bit integers."""
    path = tmp_path / "x.parquet"
    made = correction()
    row = {**made.to_fields(), "pins": [{"token": 0, "keep": True}]}
    columns = {name: pa.array([value]) for name, value in row.items()}
    columns["prompt"] = columns["prompt"].cast(pa.large_string())
    pq.write_table(pa.table(columns), path)
    assert [made_again for _, made_again in formats.corrections_in_parquet(path)] == [made]


# --- whole or not at all -----------------------------------------------------------------------------------


def _breaking() -> Iterator[CorrectionRecord]:
    yield correction()
    raise StoreError("the database went away")


@pytest.mark.parametrize("name", NAMES)
def test_a_failing_export_changes_nothing(hostile: Store, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    for before in (False, True):
        if before:
            export(all_of(hostile), path)
        with pytest.raises(StoreError):
            export(_breaking(), path)
        assert os.listdir(tmp_path) == ([name] if before else [])
    report = import_file(open_store("sqlite://"), path)
    assert report.added == len(HOSTILE)


def test_export_replaces_only_what_it_wrote(tmp_path: Path) -> None:
    made = [correction()]
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    (tmp_path / "real.csv").write_text("old")
    export(made, tmp_path / "link.csv")
    assert (tmp_path / "link.csv").is_symlink() and "Please" in (tmp_path / "real.csv").read_text(encoding="utf-8")
    export(made, tmp_path / "folder")  # was empty
    export(made * 2, tmp_path / "folder")
    assert pq.read_table(tmp_path / "folder" / DATA_FILE).num_rows == 2
    (tmp_path / "folder" / "thesis.txt").write_text("mine")
    for path, format in (("folder", ""), ("folder", "csv"), ("real.csv", "dataset"), ("none/x.csv", ""), ("x.doc", "")):
        with pytest.raises(ExportError):
            export(made, tmp_path / path, format)
    assert (tmp_path / "folder" / "thesis.txt").read_text() == "mine"
    with pytest.raises(ExportError):
        export(made, Path("/dev/null"), "csv")


@pytest.mark.parametrize(
    ("licences", "line", "says"),
    [
        (("CC-BY-4.0", "CC-BY-4.0"), "license: cc-by-4.0\n", "Each was contributed by its annotator"),
        (("CC-BY-4.0", "CC0-1.0"), "license: other\n", "Each was contributed by its annotator"),
        (("CC-BY-4.0", ""), "license: cc-by-4.0\n", "1 of them was never contributed by its annotator"),
        (("", ""), "", "2 of them were never contributed by their annotators"),
    ],
)
def test_the_card_says_what_people_agreed_to(tmp_path: Path, licences: tuple[str, ...], line: str, says: str) -> None:
    export([correction(licence=licence) for licence in licences], tmp_path / "set")
    card = (tmp_path / "set" / CARD_FILE).read_text(encoding="utf-8")
    assert says in card and (f"\n{line}task_categories" in card if line else "\nlicense:" not in card)
