"""Export and import: every text comes back as it was, nothing runs as a formula, nothing is written by halves."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from saving import HOSTILE, fields, record

from annotations import formats
from annotations.cli import main
from annotations.errors import ExportError, StoreError
from annotations.export import CARD, DATA_FILE, export, import_file
from annotations.formats import guarded, unguarded
from annotations.record import Correction, checked, to_line
from annotations.results import Filter
from annotations.store import Store, open_store

ROOT = Path(__file__).resolve().parent.parent
NAMES = ("out.jsonl", "out.csv", "out.parquet", "out")
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
HOSTILE_TEXT = st.lists(st.one_of(st.sampled_from(HOSTILE), TEXT), max_size=4).map("".join)


@st.composite
def corrections(draw: st.DrawFn) -> Correction:
    """Any valid correction."""
    prompt = draw(HOSTILE_TEXT.filter(str.strip))
    ends = sorted(draw(st.sets(st.integers(0, len(prompt)), min_size=2, max_size=12)))
    bits = st.text("01", min_size=len(ends) - 1, max_size=len(ends) - 1)
    human_mask = draw(bits)
    pinned = draw(st.sets(st.integers(0, len(ends) - 2)))
    status = draw(st.sampled_from(("draft", "submitted", "accepted", "rejected")))
    return checked(
        record(
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
    )


def _filled(texts: tuple[str, ...] = HOSTILE) -> Store:
    """A store in memory with a correction of each text, which is its note, too."""
    store = open_store("sqlite://")
    for text in texts:
        store.submit(fields(text, note=text))
    return store


def _all(store: Store) -> list[Correction]:
    return list(store.fetch(store.keys()))


@pytest.fixture(scope="module")
def hostile() -> Store:
    return _filled()


# --- round trips -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_hostile_texts_come_back(hostile: Store, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    assert export(_all(hostile), path) == len(HOSTILE)
    other = open_store("sqlite://")
    report = import_file(other, path)
    assert (report.added, report.already, report.refused) == (len(HOSTILE), 0, 0)
    assert _all(other) == _all(hostile)
    assert import_file(other, path).already == len(HOSTILE) == other.find().total
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=st.lists(corrections(), max_size=4, unique_by=lambda c: c.id))
def test_any_correction_comes_back(tmp_path: Path, name: str, made: list[Correction]) -> None:
    path = tmp_path / name
    export(made, path)
    reader = {"out.jsonl": formats.read_jsonl, "out.csv": formats.read_csv}.get(name, formats.read_parquet)
    file = path / DATA_FILE if name == "out" else path
    assert [found for _, found in reader(file)] == made


@settings(max_examples=15, deadline=None)
@given(made=corrections())
def test_any_correction_is_stored(made: Correction) -> None:
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
    export(_all(hostile), path)
    content = path.read_bytes().decode("utf-8")
    assert content.startswith("\ufeff")
    rows = list(csv.DictReader(io.StringIO(content[1:], newline="")))
    assert len(rows) == len(HOSTILE)
    for row in rows:
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) for cell in row.values())
    assert {"'=1+1", "''=1", "'tis", "</script><img src=x onerror=alert(1)>"} <= {row["note"] for row in rows}


def test_jsonl_is_one_ascii_line_each(hostile: Store, tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    export(_all(hostile), path)
    lines = path.read_text(encoding="ascii").splitlines()
    assert [json.loads(line)["prompt"] for line in lines] == [c.prompt for c in _all(hostile)]


def test_data_set_folder(hostile: Store, tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml")
    export(_all(hostile), tmp_path / "set")
    header = (tmp_path / "set" / CARD).read_text(encoding="utf-8").split("---\n")[1]
    described = yaml.safe_load(header)
    [pattern] = [file["path"] for file in described["configs"][0]["data_files"]]
    assert list((tmp_path / "set").glob(pattern)) == [tmp_path / "set" / DATA_FILE]
    assert described["size_categories"] == ["n<1K"]
    table = pq.read_table(tmp_path / "set" / DATA_FILE)
    assert table.schema.equals(formats.SCHEMA) and table.num_rows == len(HOSTILE)
    assert table["offsets"][0].as_py() == [list(span) for span in _all(hostile)[0].offsets]


def test_load_dataset(hostile: Store, tmp_path: Path) -> None:
    datasets: Any = pytest.importorskip("datasets")
    export(_all(hostile), tmp_path / "set")
    rows = datasets.load_dataset(str(tmp_path / "set"), split="train", cache_dir=str(tmp_path / "cache"))
    assert [row["prompt"] for row in rows] == [c.prompt for c in _all(hostile)]
    assert rows[0]["pins"] == [{"token": 0, "keep": True}]
    rows.to_parquet(str(tmp_path / "again.parquet"))  # other integer and list types, perhaps
    assert import_file(hostile, tmp_path / "again.parquet").already == len(HOSTILE)


def test_parquet_of_other_types(tmp_path: Path) -> None:
    """As other programs write it: large strings, 64-bit integers."""
    path = tmp_path / "x.parquet"
    made = checked(record())
    row = {**made.to_fields(), "pins": [{"token": 0, "keep": True}]}
    columns = {name: pa.array([value]) for name, value in row.items()}
    columns["prompt"] = columns["prompt"].cast(pa.large_string())
    pq.write_table(pa.table(columns), path)
    assert [found for _, found in formats.read_parquet(path)] == [made]


# --- whole or not at all -----------------------------------------------------------------------------------


def _breaking() -> Iterator[Correction]:
    yield checked(record())
    raise StoreError("the database went away")


@pytest.mark.parametrize("name", NAMES)
def test_a_failing_export_changes_nothing(hostile: Store, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    for before in (False, True):
        if before:
            export(_all(hostile), path)
        with pytest.raises(StoreError):
            export(_breaking(), path)
        assert os.listdir(tmp_path) == ([name] if before else [])
    report = import_file(open_store("sqlite://"), path)
    assert report.added == len(HOSTILE)


def test_export_replaces_only_what_it_wrote(tmp_path: Path) -> None:
    made = [checked(record())]
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


# --- import ------------------------------------------------------------------------------------------------


def test_jsonl_report(tmp_path: Path) -> None:
    store = open_store("sqlite://")
    good, other = checked(record()), checked(record("Another prompt"))
    lines = [
        to_line(good),
        "",
        to_line(good),
        to_line(other).replace('"seconds":1.5', '"seconds":2.5'),
        to_line(other),
        to_line(checked(record("Stolen id", id=good.id, revision=2))),
        "{]",
        '"text"',
        to_line(good).replace('"human_mask":"1111"', '"human_mask":"111"'),
        to_line(good).replace("brief", "brief\\u0000"),
        to_line(checked(record(revision=7, status="accepted", reviewer="Bob"))),
    ]
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode() + b"\n\xff\xfe{}\n" + to_line(other).encode()[:50])
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
    theirs = checked(record(status="draft", revision=0))
    export([theirs, mine], tmp_path / "x.jsonl")
    report = import_file(store, tmp_path / "x.jsonl")
    assert (report.refused, report.already) == (1, 1) and store.draft("Ann", mine.prompt_sha256) == mine


def test_csv_report(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    store = open_store("sqlite://")
    export([checked(record("two\nlines")), checked(record()), checked(record("last one"))], path)
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
    small, large = checked(record()), checked(record("Please be brief. " * 300))
    for name in ("x.jsonl", "x.csv", "x.parquet"):
        export([small, large, small], tmp_path / name)
    monkeypatch.setattr(formats, "LINE_LIMIT", 2000)
    results = [outcome.result for outcome in import_file(open_store("sqlite://"), tmp_path / "x.jsonl").outcomes]
    assert results == ["added", "refused", "already there"]
    results = [outcome.result for outcome in import_file(open_store("sqlite://"), tmp_path / "x.csv").outcomes]
    assert results == ["added", "refused"]  # a CSV file is not read on after that
    fields_of_a_record = [field.name for field in dataclasses.fields(Correction)]
    (tmp_path / "many.csv").write_text(",".join(fields_of_a_record) + "\n" + '"a\n",' * 2000)
    [outcome] = import_file(open_store("sqlite://"), tmp_path / "many.csv").outcomes
    assert "a row is longer" in outcome.reason
    monkeypatch.setattr(formats, "GROUP_VALUES", 100)
    with pytest.raises(ExportError, match="too large"):
        import_file(open_store("sqlite://"), tmp_path / "x.parquet")


@pytest.mark.parametrize("name", NAMES[:3])
def test_damaged_files(hostile: Store, tmp_path: Path, name: str) -> None:
    """Cut off or with bytes changed: what can be read is, everything else is refused, and nothing else happens."""
    path = tmp_path / name
    export(_all(hostile), path)
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


# --- the command line --------------------------------------------------------------------------------------


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    url = f"sqlite:///{tmp_path}/store.sqlite3"
    monkeypatch.setenv("DIFFUMASK_DATABASE_URL", url)
    return url


def test_command_line(database: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    store = open_store()
    store.submit(fields(annotator="Ann\x1b[31m"))
    store.submit(fields(annotator="Bob", human_mask="1010", pins={}))
    store.save_draft(fields("A draft"))
    for name in NAMES:
        assert main(["export", str(tmp_path / name)]) == 0
        assert main(["import", str(tmp_path / name), "--verbose"]) == 0
        assert main(["import", str(tmp_path / name), "--database", f"sqlite:///{tmp_path}/{name}.db"]) == 0
    out = capfd.readouterr().out
    assert out.count("2 corrections written to") == 4 and out.count("0 added, 2 already there, 0 refused") == 4
    assert out.count("2 added, 0 already there, 0 refused") == 4 and out.count("line 2: already there") == 4
    assert main(["export", "-", "--format", "jsonl", "--annotator", "Bob"]) == 0
    [line] = capfd.readouterr().out.splitlines()
    assert json.loads(line)["human_mask"] == "1010"
    assert main(["export", "-", "--format=csv", "--status=draft", "--status=accepted"]) == 0
    assert len(capfd.readouterr().out.splitlines()) == 2
    assert main(["stats"]) == 0
    out = capfd.readouterr().out
    assert "2 submitted" in out and "alpha" in out and "\x1b" not in out
    assert main(["stats", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["all"]["corrections"] == 2
    (tmp_path / "bad.jsonl").write_text("{}\n")
    assert main(["import", str(tmp_path / "bad.jsonl")]) == 1
    assert capfd.readouterr().out.splitlines()[0].startswith("line 1: refused: id: is missing")


@pytest.mark.parametrize(
    "arguments",
    [
        ["export", "x.doc"],
        ["export", "nowhere/x.csv"],
        ["export", "-"],
        ["export", "x.csv", "--since", "soon"],
        ["export", "x.csv", "--status", "good"],
        ["export", "x.csv", "--unused-by", "nobody"],
        ["import", "none.csv"],
        ["stats", "--database", "nonsense"],
        ["delete"],
        [],
    ],
)
def test_mistakes_are_one_line(database: str, arguments: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    try:
        status = main(arguments)
    except SystemExit as end:
        status = int(end.code or 0)
    captured = capfd.readouterr()
    assert status == 2 and captured.out == "" and len(captured.err.splitlines()) == 1


def test_help_and_a_reader_that_goes_away(database: str) -> None:
    _filled(("one",))
    store = open_store(database)
    for i in range(200):
        store.submit(fields(f"Prompt {i} " + "x" * 900))
    command = f"{sys.executable} -m annotations"
    script = f"{command} --help | grep -c DIFFUMASK_DATA; {command} export - --format jsonl | head -c 100 | wc -c"
    result = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert result.stdout.split()[-1] == "100" and result.stderr == ""


def test_export_filters(database: str, tmp_path: Path) -> None:
    store = open_store()
    sent = fields()
    store.submit(sent)
    store.submit({**sent, "note": "second"})
    store.add_checkpoint("base", "/base", used=[(sent["id"], 2)])
    assert main(["export", str(tmp_path / "x.jsonl"), "--unused-by", "base"]) == 0
    assert (tmp_path / "x.jsonl").read_text() == ""
    assert main(["export", str(tmp_path / "x.jsonl"), "--history"]) == 0
    assert len((tmp_path / "x.jsonl").read_text().splitlines()) == 2
    assert store.keys(Filter(text="second")) == [(sent["id"], 2)]
