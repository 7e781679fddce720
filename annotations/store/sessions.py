"""Sessions, one for each transaction, and database errors as StoreError."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from typing_extensions import Self

from annotations.errors import StoreError
from annotations.store.engine import first_line, for_reading, for_writing
from annotations.store.viewers import Viewer

# What the database or its driver raises, also for a value that it cannot hold
_ERRORS = (SQLAlchemyError, UnicodeError, OverflowError)


class Sessions:
    """The base of every part of the store: it opens the sessions."""

    def __init__(self, engine: Engine) -> None:
        self._reader, self._writer = for_reading(engine), for_writing(engine)
        self._viewer: Viewer | None = None
        self._may_write: Callable[[], None] = lambda: None

    def seen_by(self, viewer: Viewer) -> Self:
        """The same store as one person of a hosted studio sees it; whatever they save is their own."""
        seen = copy.copy(self)
        seen._viewer = viewer
        return seen

    def guarded(self, may_write: Callable[[], None]) -> Self:
        """The same store, which asks before it writes; `may_write` raises StoreError when it must not."""
        guarded = copy.copy(self)
        guarded._may_write = may_write
        return guarded

    def close(self) -> None:
        """Close the connections; the next use opens new ones."""
        self._reader.dispose()

    @contextmanager
    def _read(self) -> Iterator[Session]:
        """A session that sees one state of the database."""
        try:
            with Session(self._reader) as session, session.begin():
                yield session
        except _ERRORS as error:
            raise StoreError(f"the database cannot be read: {first_line(error)}") from error

    @contextmanager
    def _write(self) -> Iterator[Session]:
        """A session that is alone in writing; everything in it is committed when the block ends, or nothing is."""
        self._may_write()
        try:
            with Session(self._writer, expire_on_commit=False) as session, session.begin():
                yield session
        except _ERRORS as error:
            raise StoreError(f"not saved, try again: {first_line(error)}") from error
