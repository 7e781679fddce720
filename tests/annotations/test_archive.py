"""A data set in a zip file: it comes back as it was, and nothing but its data is ever unpacked."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from annotations.errors import ExportError
from annotations.files import archive
from annotations.files.archive import unzipped, zip_folder
from annotations.files.export import CARD_FILE, DATA_FILE, export
from annotations.files.importing import import_file
from annotations.store import Store, open_store
from tests.support.exported import all_of


@pytest.fixture
def packed(hostile: Store, tmp_path: Path) -> Path:
    """The zip of an exported data set."""
    export(all_of(hostile), tmp_path / "set")
    zip_folder(tmp_path / "set", tmp_path / "set.zip")
    return tmp_path / "set.zip"


def zipped(path: Path, **files: str) -> Path:
    with zipfile.ZipFile(path, "w") as made:
        for name, content in files.items():
            made.writestr(name, content)
    return path


def test_a_data_set_comes_back(hostile: Store, packed: Path) -> None:
    with zipfile.ZipFile(packed) as made:
        assert set(made.namelist()) == {CARD_FILE, DATA_FILE.as_posix()}
    store = open_store("sqlite://")
    with unzipped(packed) as folder:
        assert import_file(store, folder).added == len(all_of(hostile))
    assert all_of(store) == all_of(hostile) and not folder.exists()


def test_a_zip_made_by_hand_has_a_folder_around_it(tmp_path: Path) -> None:
    names = {"my set/data/a.parquet": "1", "my set/data/b.parquet": "2", "my set/README.md": "3"}
    with unzipped(zipped(tmp_path / "x.zip", **names)) as folder:
        assert [path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()] == ["1", "2"]


def test_other_files_are_handed_on(tmp_path: Path) -> None:
    with unzipped(tmp_path / "x.jsonl") as path:
        assert path == tmp_path / "x.jsonl"


def test_nothing_is_written_elsewhere(tmp_path: Path) -> None:
    names = {
        "../../data/evil.parquet": "1",
        "/data/root.parquet": "2",
        "data/../../up.parquet": "3",
        "data/x.parquet": "",
    }
    with unzipped(zipped(tmp_path / "x.zip", **names)) as folder:
        files = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
        assert {path.parent for path in files} == {Path("data")} and len(files) <= len(names)
    assert [path.name for path in tmp_path.iterdir()] == ["x.zip"]


def test_what_is_no_data_set_is_refused(packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = packed.read_bytes()
    (tmp_path / "text.zip").write_text("PK nonsense")
    (tmp_path / "cut.zip").write_bytes(whole[: len(whole) // 2])
    at = whole.index(b"PAR1") + 10
    (tmp_path / "damaged.zip").write_bytes(whole[:at] + b"?" + whole[at + 1 :])
    zipped(tmp_path / "empty.zip", **{"README.md": "", "other/x.parquet": ""})
    zipped(tmp_path / "many.zip", **{f"data/{i}.parquet": "" for i in range(archive.ENTRY_LIMIT + 1)})
    for name, message in (
        *((f"{name}.zip", "not a zip file that can be read") for name in ("text", "cut", "damaged", "missing")),
        ("empty.zip", "holds no data"),
        ("many.zip", "at most 100 are read"),
    ):
        with pytest.raises(ExportError, match=message), unzipped(tmp_path / name):
            pass
    monkeypatch.setattr(archive, "SIZE_LIMIT", 100)
    with pytest.raises(ExportError, match="unpacks to more than 100 bytes"), unzipped(packed):
        pass
