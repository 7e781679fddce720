"""Which checkpoint is served: the one that was promoted last, kept in memory, replaced in one step.

A run that has begun keeps the model that it began with. The store remembers what was promoted, so that a restart
serves it again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import ParamSpec, TypeVar

from annotations.errors import NotFoundError, RecordError, StoreError
from annotations.results import CheckpointEntry
from annotations.store import Store
from app.background.lane import Lane
from app.hosting.learning import check_promotion
from app.settings import Settings
from model.compress import Compressor
from model.errors import InputError

P = ParamSpec("P")
R = TypeVar("R")
FOLLOW = 10.0  # seconds after which another server's promotion is noticed, at the latest by the next visitor
SHIPPED_PATH = "shipped"  # instead of a path in the store: the shipped weights lie wherever the program does


class Served:
    """The model in use. Safe to share between threads.

    load: makes a model from a checkpoint's folder (None: the shipped one).
    open_store: the store of the studio; a store that cannot be used stops nobody from compressing.
    """

    def __init__(self, settings: Settings, load: Callable[..., Compressor], open_store: Callable[[], Store]):
        self.settings, self._make, self._open_store = settings, load, open_store
        self._lane = Lane()
        self._compressor: Compressor | None = None
        self._note = ""
        self._seen, self._look_at = "", time.monotonic() + FOLLOW  # what the store said last; when to ask it again
        self._lock = threading.Lock()  # held while the first model is loaded, and while it is replaced
        self._changing = threading.Lock()  # one change at a time

    def run(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call `work` on the model's own thread, see `Lane.run`."""
        return self._lane.run(work, *args, **kwargs)

    def load(self, folder: Path | None) -> Compressor:
        """The model in a folder (None: the shipped one), beside the one in use. Raises InputError."""
        return self.run(self._make, folder)

    @property
    def compressor(self) -> Compressor:
        """The model, loaded on first use. Raises InputError when there is none that can be loaded."""
        with self._lock:
            if self._compressor is None:
                self._compressor = self._first()
            elif self.settings.checkpoint is None and time.monotonic() > self._look_at:
                self._compressor = self._followed(self._compressor)
            return self._compressor

    @property
    def note(self) -> str:
        """What people should know about the choice of the model, or ""."""
        return self._note

    def promote(self, id: str) -> str:
        """Serve a registered checkpoint, now and after a restart; returns its id.

        Raises StoreError when it is not registered, InputError when its folder is gone or the choice is not free.
        """
        with self._changing:
            self._check_free()
            entry = self._open_store().checkpoint(id)
            if self.settings.hosting.hosted and entry.path != SHIPPED_PATH:
                check_promotion(entry.metrics)
            compressor = self._open(entry)
            self._open_store().serve(compressor.checkpoint.id)
            return self._replace(compressor)

    def roll_back(self) -> str:
        """Serve the checkpoint that was served before; returns its id. Raises as `promote`, or when there is none."""
        with self._changing:
            self._check_free()
            store = self._open_store()
            before = store.served()
            back = store.roll_back()
            try:
                return self._replace(self._open(back))
            except InputError:
                if before is not None:
                    store.serve(before.id)
                raise

    def folder(self, path: str) -> Path | None:
        """Where a checkpoint of the store lies; None = the shipped one."""
        return None if path == SHIPPED_PATH else self.settings.data_folder / path

    def _check_free(self) -> None:
        if self.settings.checkpoint is not None:
            raise InputError(
                "DIFFUMASK_CHECKPOINT says which model is served: start the studio without it to choose here."
            )

    def _followed(self, compressor: Compressor) -> Compressor:
        """The model that another server on the same store has promoted meanwhile, or else this one."""
        self._look_at = time.monotonic() + FOLLOW
        promoted = None
        with suppress(StoreError):
            promoted = self._open_store().served()
        if promoted is None or promoted.id in (self._seen, compressor.checkpoint.id):
            return compressor
        self._seen = promoted.id
        try:
            compressor, self._note = self._open(promoted), ""
        except InputError as error:
            self._note = f"Checkpoint {promoted.id} was promoted elsewhere and cannot be used here: {error}"
        return compressor

    def _replace(self, compressor: Compressor) -> str:
        with self._lock:
            self._compressor, self._note = compressor, ""
            self._seen = compressor.checkpoint.id
        return compressor.checkpoint.id

    def _open(self, checkpoint: CheckpointEntry) -> Compressor:
        compressor = self.load(self.folder(checkpoint.path))
        if checkpoint.path == SHIPPED_PATH:  # another version of the program ships other weights
            self._register(compressor, SHIPPED_PATH)
        elif compressor.checkpoint.id != checkpoint.id:
            raise InputError(f"{self.folder(checkpoint.path)} holds another model than checkpoint {checkpoint.id}")
        return compressor

    def _first(self) -> Compressor:
        if self.settings.checkpoint is not None:
            self._note = "DIFFUMASK_CHECKPOINT says which model is served; nothing can be promoted meanwhile."
            compressor = self.load(self.settings.checkpoint)
            self._register(compressor, str(self.settings.checkpoint.absolute()))
            return compressor
        promoted = None
        with suppress(StoreError):
            promoted = self._open_store().served()
        self._seen = promoted.id if promoted is not None else ""
        if promoted is not None and promoted.path != SHIPPED_PATH:
            try:
                return self._open(promoted)
            except InputError as error:
                self._note = f"The promoted checkpoint {promoted.id} cannot be used, the shipped one is served: {error}"
        compressor = self.load(None)
        self._register(compressor, SHIPPED_PATH)
        if promoted is None or promoted.path == SHIPPED_PATH:
            with suppress(StoreError):
                self._open_store().serve(compressor.checkpoint.id)
        return compressor

    def _register(self, compressor: Compressor, path: str) -> None:
        """Make the store know the model; one that it knows under another path stays as it is."""
        meta = compressor.checkpoint.meta
        with suppress(StoreError, RecordError):
            store = self._open_store()
            try:
                store.add_checkpoint(compressor.checkpoint.id, path, meta.get("parent"), meta.get("metrics"))
            except NotFoundError:  # the parent was never here
                store.add_checkpoint(compressor.checkpoint.id, path, None, meta.get("metrics"))
