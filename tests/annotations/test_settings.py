"""Where the data lies: the environment decides, and data from before is still found."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from platformdirs import user_data_path

from annotations.errors import StoreError
from annotations.store import open_store
from annotations.store.settings import data_dir, database_url
from tests.support.saving import fields

linux = pytest.mark.skipif(sys.platform != "linux", reason="folders as on Linux")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, and an environment that says nothing."""
    for name in ("DIFFUMASK_DATA", "DIFFUMASK_DATABASE_URL", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@linux
def test_the_users_data_folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert data_dir() == home / ".local" / "share" / "diffumask"
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "xdg"))
    assert data_dir() == home / "xdg" / "diffumask"
    for name in ("DIFFUMASK_DATA", "DIFFUMASK_DATABASE_URL"):
        monkeypatch.setenv(name, "  ")
    assert database_url().database == str(home / "xdg" / "diffumask" / "corrections.sqlite3")


@linux
def test_data_of_an_earlier_version_is_still_used(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On macOS earlier versions did not read XDG_DATA_HOME."""
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "xdg"))
    former = home / "Library" / "Application Support" / "diffumask"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert data_dir() == user_data_path("diffumask", appauthor=False) == home / "xdg" / "diffumask"
    former.mkdir(parents=True)
    assert data_dir() == former


def test_a_folder_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = tmp_path / "odd ?%#name"
    monkeypatch.setenv("DIFFUMASK_DATA", str(odd))
    store = open_store()
    store.submit(fields())
    assert (odd / "corrections.sqlite3").is_file() and odd.stat().st_mode & 0o077 == 0
    monkeypatch.setenv("DIFFUMASK_DATA", "~/mine")
    assert data_dir() == Path.home() / "mine"


@linux
def test_a_folder_whose_name_is_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFUMASK_DATA", os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    assert os.fsencode(data_dir()).endswith(b"/\xff")


def test_the_url_of_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFUMASK_DATABASE_URL", "postgres://user:secret@nowhere:1/x?connect_timeout=1")
    assert database_url().drivername == "postgresql+psycopg"
    for bad in ("nonsense", "mysql://x/y", "sqlite:////proc/nowhere/x.sqlite3"):
        with pytest.raises(StoreError) as error:
            open_store(bad)
        assert "\n" not in str(error.value)
