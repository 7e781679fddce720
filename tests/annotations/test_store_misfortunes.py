"""A clock that jumps, a full disk, a folder that nothing may be written in: one clear line, and nothing is lost."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from annotations.errors import StoreError
from annotations.store import Store, open_store, queue
from annotations.sync.log import Sync
from annotations.sync.places import Folder
from model import fields as times
from tests.support.saving import fields


class Clock:
    """What the time is said to be, so many days away from the right one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.days = 0
        for module in (times, queue):
            monkeypatch.setattr(module, "datetime", self)

    def now(self, zone: tzinfo) -> datetime:
        return datetime.now(zone) + timedelta(days=self.days)

    fromisoformat = staticmethod(datetime.fromisoformat)


@pytest.mark.parametrize("days", [-400, 400])
def test_a_clock_that_jumps_loses_nothing(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    clock = Clock(monkeypatch)
    for id, parent in (("base", None), ("one", "base"), ("two", "one")):
        store.add_checkpoint(id, f"/{id}", parent)
    first = store.submit(fields(note="one")).correction
    store.serve("base")
    clock.days = days
    second = store.submit(fields(id=first.id, note="two")).correction
    store.add_prompts([("left lying", 1.0)])
    assert store.next_prompt("Ann") is not None
    store.serve("one")
    clock.days = 0
    third = store.submit(fields(id=first.id, note="three")).correction
    store.serve("two")
    assert [each.note for each in store.history(first.id)] == ["one", "two", "three"]
    assert [one.note for one in store.fetch(store.keys())] == ["three"] and third.revision == second.revision + 1
    assert [store.roll_back().id for _ in range(2)] == ["one", "base"], "in the order in which they were served"
    assert store.next_prompt("Bob") is not None, "what was taken in another year is not held for ever"
    Sync(store, Folder(tmp_path / "log")).once()
    filled = open_store("sqlite://")
    Sync(filled, Folder(tmp_path / "log")).once()
    assert [each.note for each in filled.history(first.id)] == ["one", "two", "three"]


def test_a_full_disk_is_said_and_what_was_saved_is_there(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/store.sqlite3")
    saved = store.submit(fields()).correction
    store.close()

    @event.listens_for(store._writer, "connect")
    def fill(connection: Any, _: object) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}").fetchall()

    with pytest.raises(StoreError, match="full") as error:
        store.submit(fields("A long prompt. " * 5_000, annotator="Bob"))
    assert "\n" not in str(error.value) and "long prompt" not in str(error.value)
    assert list(store.fetch(store.keys())) == [saved]


def test_a_database_that_may_only_be_read_can_be_read(tmp_path: Path) -> None:
    saved = open_store(f"sqlite:///{tmp_path}/store.sqlite3").submit(fields()).correction
    store = open_store(f"sqlite:///file:{tmp_path}/store.sqlite3?mode=ro&uri=true")
    assert list(store.fetch(store.keys())) == [saved]
    with pytest.raises(StoreError, match="readonly") as error:
        store.submit(fields(annotator="Bob"))
    assert "\n" not in str(error.value)


def test_a_folder_that_cannot_be_made_is_said() -> None:
    with pytest.raises(StoreError, match="cannot open the database") as error:
        open_store("sqlite:////proc/nowhere/store.sqlite3").keys()
    assert "\n" not in str(error.value)
