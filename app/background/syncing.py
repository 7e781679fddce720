"""The log of corrections outside of the server, kept up to date in the background, see `annotations.sync.log`."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from annotations.errors import ExportError, StoreError
from annotations.store import Store
from annotations.sync.log import Sync
from annotations.sync.places import HUB_DATASETS, log_place

FOLDER_EVERY, HUB_EVERY = 5.0, 60.0  # seconds; the Hub takes about a hundred commits an hour
_LAST = 20.0  # seconds that the last synchronisation may take when the server is stopped


class Syncing:
    """Synchronises a store with the log at an address, from `start` to `stop`. address: "": there is none.

    Raises ExportError when the address makes no sense.
    """

    def __init__(self, open_store: Callable[[], Store], address: str):
        self._open_store, self._address = open_store, address
        self._place = log_place(address) if address else None
        self._every = HUB_EVERY if address.startswith(HUB_DATASETS) else FOLDER_EVERY
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._sync: Sync | None = None
        self.trouble = ""  # what went wrong last, one line; "" = nothing

    def start(self) -> None:
        """Fill the store from the log now, which may take a while, and go on in the background."""
        if self._place is None:
            return
        self._once()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Synchronise once more, and end."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_LAST)

    def _work(self) -> None:
        while not self._stop.wait(self._every):
            self._once()
        self._once()

    def _once(self) -> None:
        assert self._place is not None
        try:
            self._sync = self._sync or Sync(self._open_store(), self._place)
            self._sync.once()
            self.trouble = ""
        except (ExportError, StoreError) as error:
            if str(error) != self.trouble:
                logging.getLogger(__name__).warning("the log of corrections is behind: %s", error)
            self.trouble = str(error)
