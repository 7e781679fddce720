"""The database engine: opened so that what was saved survives when the process is killed or the power fails.

One process may use one engine from many threads. SQLite, or PostgreSQL (`pip install "psycopg[binary]"`).
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import QueuePool
from sqlmodel import create_engine

from annotations.errors import StoreError
from annotations.store.settings import database_url, parsed_url

BUSY_SECONDS = 30  # how long a writer waits for another before it gives up
_WRITES = "diffumask_writes"
_LOCK = 0x646D61736B  # PostgreSQL's advisory lock for writers, an arbitrary number


def connect(url: str | None = None) -> Engine:
    """An engine for a SQLAlchemy URL (default: `database_url()`); a SQLite file's folder is made when it is missing.

    Raises StoreError when the URL cannot be used.
    """
    parsed = parsed_url(url) if url else database_url()
    try:
        if parsed.get_backend_name() != "sqlite":
            return _with_transactions(create_engine(parsed, pool_pre_ping=True, pool_size=10, max_overflow=30))
        return _with_transactions(_sqlite(parsed))
    except ModuleNotFoundError as error:
        raise StoreError(f'the database driver {error.name} is missing: pip install "psycopg[binary]"') from None
    except (OSError, ArgumentError, SQLAlchemyError) as error:
        raise StoreError(f"cannot open the database {parsed.render_as_string()}: {first_line(error)}") from error


def for_writing(engine: Engine) -> Engine:
    """The same engine (and pool) for transactions that write: they run one at a time, whatever the database."""
    return engine.execution_options(**{_WRITES: True})


def for_reading(engine: Engine) -> Engine:
    """The same engine for transactions that only read: each sees one state of the database."""
    if engine.dialect.name == "sqlite":
        return engine  # SQLite always reads so
    return engine.execution_options(isolation_level="REPEATABLE READ")


def first_line(error: BaseException) -> str:
    """What a database error says, without the SQL and its values."""
    lines = str(getattr(error, "orig", None) or error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _sqlite(url: URL) -> Engine:
    """SQLite: a file with many connections, or, for tests, a database in memory with a single one."""
    in_memory = not url.database or url.database == ":memory:"
    if in_memory:
        engine = create_engine(url, poolclass=QueuePool, pool_size=1, max_overflow=0, connect_args=_ANY_THREAD)
    else:
        if not str(url.database).startswith("file:"):
            Path(str(url.database)).expanduser().absolute().parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        engine = create_engine(url, pool_size=10, max_overflow=30, connect_args=_ANY_THREAD)
    event.listen(engine, "connect", _set_pragmas)
    return engine


_ANY_THREAD = {"check_same_thread": False, "timeout": BUSY_SECONDS}  # the pool lends a connection to one at a time


def _set_pragmas(connection: Any, _record: object) -> None:
    """WAL lets people read while one writes; FULL syncs every commit, which then survives a power failure."""
    connection.isolation_level = None  # BEGIN is sent by _begin, not guessed by the driver
    cursor = connection.cursor()
    for pragma in (f"busy_timeout={BUSY_SECONDS * 1000}", "foreign_keys=ON", "synchronous=FULL", "secure_delete=ON"):
        cursor.execute(f"PRAGMA {pragma}").fetchall()
    _use_wal(cursor)
    cursor.close()


def _use_wal(cursor: sqlite3.Cursor) -> None:
    """Switch the file to WAL, again and again while SQLite refuses: of several processes that do so on a new file at
    the same time it turns some away without waiting."""
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL").fetchall()
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:  # Python 3.10 has no error code
                raise
            time.sleep(0.02)


def _with_transactions(engine: Engine) -> Engine:
    event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: Connection) -> None:
    """Open the transaction; one that writes takes the write lock at its start, so that it need never be repeated."""
    writes = connection.get_execution_options().get(_WRITES, False)
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
    elif writes:
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{BUSY_SECONDS}s'")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
