"""The store of corrections and votes. All SQL of the project is in this package.

How the tables came about is in migrations.py.

Every method of `Store` is one transaction. Those that write run one at a time and return only after the commit: what
they return is saved, and survives a kill. What is read comes back as plain dataclasses, never as rows.

>>> store = open_store("sqlite://")  # in memory; without an argument: $DIFFUMASK_DATABASE_URL or the data folder
>>> store.stats().prompts
0
"""

from __future__ import annotations

from sqlalchemy import Engine

from annotations.store.checkpoints import Checkpoints
from annotations.store.corrections import Corrections, Key
from annotations.store.engine import connect
from annotations.store.figures import Figures
from annotations.store.migrations import migrate
from annotations.store.queue import Queue
from annotations.store.votes import Votes

__all__ = ["Key", "Store", "open_store"]


class Store(Corrections, Figures, Queue, Checkpoints, Votes):
    """Corrections, figures about them, the queue of prompts, checkpoints, and votes, over one migrated engine.

    Give each process an engine of its own; threads may share a store.
    """

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)


def open_store(url: str | None = None) -> Store:
    """Connect (default: as the environment says), migrate, and return the store. StoreError when that fails."""
    engine = connect(url)
    migrate(engine)
    return Store(engine)
