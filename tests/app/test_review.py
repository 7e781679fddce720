"""The Review tab over HTTP: what an export says when there is nothing to export, or it fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from annotations.errors import ExportError
from annotations.store import Store, open_store
from app.review import events
from tests.support.hosted import Stranger, hosted_studio, names_of, served
from tests.support.saving import fields

HANDLERS = ("ExportEvents.export", "CompareEvents.export")


def exports(url: str, studio: Any) -> list[tuple[str, bool, str]]:
    """Each export's name, whether it was answered, and what was answered, by somebody who has filtered nothing."""
    ann, said = Stranger(url, "ann"), []
    for index, name in names_of(studio).items():
        if name in HANDLERS:
            done, answer = ann.ask(index, ann.blank(index))
            said.append((name, done, json.dumps(answer)))
    return said


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(f"sqlite:///{tmp_path}/store.sqlite3")


def test_an_export_of_nothing_says_so_and_offers_no_file(store: Store, tmp_path: Path) -> None:
    studio = hosted_studio(store, tmp_path)
    with served(studio) as url:
        said = exports(url, studio)
    assert len(said) >= 5
    for name, done, answer in said:
        assert done and "nothing" in answer and '"path"' not in answer, (name, answer)


@pytest.mark.parametrize("error", [ExportError("the database went away"), OSError(28, "No space left on device")])
def test_an_export_that_fails_says_why(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def failing(*_: Any) -> int:
        raise error

    store.submit(fields(annotator="proxy:ann"))
    monkeypatch.setattr(events, "export", failing)
    studio = hosted_studio(store, tmp_path)
    with served(studio) as url:
        said = [one for one in exports(url, studio) if one[0] == HANDLERS[0]]
    assert said and all(str(error.args[-1]) in answer for _, _, answer in said), said
