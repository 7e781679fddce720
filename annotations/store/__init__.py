"""The store of corrections and votes. All SQL of the project is in this package.

migrations.py has the history of the tables, tables.py their present state.

Every method of `Store` is one transaction. Those that write run one at a time and return only after the commit: what
they return is on disk, and there to stay if the process is killed. What is read comes back as records or plain
dataclasses, never as rows.

>>> store = open_store("sqlite://")  # in memory; without an argument: $DIFFUMASK_DATABASE_URL or the data folder
>>> store.stats().prompts
0
"""

from __future__ import annotations

from annotations.store.checkpoints import Checkpoints
from annotations.store.consent import Consent
from annotations.store.corrections import Corrections, RevisionKey
from annotations.store.engine import connect
from annotations.store.migrations import migrate
from annotations.store.queue import Queue
from annotations.store.statistics import Statistics
from annotations.store.viewers import Viewer
from annotations.store.votes import Votes

__all__ = ["RevisionKey", "Store", "Viewer", "open_store"]


class Store(Corrections, Statistics, Queue, Checkpoints, Votes, Consent):
    """Corrections, statistics about them, the queue of prompts, checkpoints, votes and consent, over one migrated
    engine.

    Threads may share a store; each process needs one of its own.
    """


def open_store(url: str | None = None) -> Store:
    """Connect (default: as the environment says), migrate, and return the store. StoreError when that fails."""
    engine = connect(url)
    migrate(engine)
    return Store(engine)
