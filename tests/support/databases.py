"""Empty databases for tests: SQLite always, PostgreSQL where DIFFUMASK_TEST_POSTGRES names one to make schemas in."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from annotations.store.engine import connect

POSTGRES = os.environ.get("DIFFUMASK_TEST_POSTGRES", "")
KINDS = ("sqlite", "postgresql")


@contextmanager
def database(kind: str, folder: Path) -> Iterator[str]:
    """The URL of an empty database that is gone afterwards; without a PostgreSQL the test is skipped."""
    if kind == "sqlite":
        yield f"sqlite:///{folder}/new folder/store.sqlite3"
        return
    if not POSTGRES:
        pytest.skip("DIFFUMASK_TEST_POSTGRES is not set")
    schema = f"test_{uuid.uuid4().hex}"
    admin = connect(POSTGRES)
    with admin.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    try:
        yield f"{POSTGRES}{'&' if '?' in POSTGRES else '?'}options=-csearch_path%3D{schema}"
    finally:
        with admin.begin() as connection:
            connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
        admin.dispose()
