"""What is exported and imported in tests: a store of hostile texts, and a file name of each format."""

from __future__ import annotations

import pytest

from annotations.store import Store, open_store
from model.record import CorrectionRecord
from tests.support.saving import HOSTILE, fields

NAMES = ("out.jsonl", "out.csv", "out.parquet", "out")


def filled(texts: tuple[str, ...] = HOSTILE) -> Store:
    """A store in memory with a correction of each text, which is its note, too."""
    store = open_store("sqlite://")
    for text in texts:
        store.submit(fields(text, note=text))
    return store


def all_of(store: Store) -> list[CorrectionRecord]:
    return list(store.fetch(store.keys()))


@pytest.fixture(scope="module")
def hostile() -> Store:
    return filled()
