"""Where the log of corrections lies: a folder (a mounted bucket, say), or a private data set on the Hub."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from annotations.errors import ExportError
from model.errors import InputError
from model.hub import HubRepo, MovedError

try:
    import fcntl
except ImportError:  # Windows: there only one process may write a folder's log
    fcntl = None  # type: ignore[assignment]

HUB_DATASETS = "hf://datasets/"
_LOCK = ".lock"
_PART = ".part"
_LEFT = 3600.0  # seconds after which a half-written file is one that a killed process has left


class LogPlace(Protocol):
    """A place that holds files, each written once, whole or not at all. Raises ExportError when it cannot be used."""

    def names(self) -> frozenset[str]:
        """The files that are there now; `change` is about these."""

    def read(self, name: str) -> bytes:
        """The content of one of them."""

    def change(self, add: Mapping[str, bytes], remove: Collection[str]) -> None:
        """Write new files, then remove old ones. Raises MovedError when others are there now than `names` said."""

    def forget(self) -> None:
        """Let what was removed be gone for good."""


def log_place(address: str) -> LogPlace:
    """The place at "hf://datasets/owner/name", or the folder. Raises ExportError when it is neither."""
    if not address.startswith("hf://"):
        return Folder(Path(address).expanduser())
    if not address.startswith(HUB_DATASETS):
        raise ExportError(f"{address!a}: give a data set as {HUB_DATASETS}owner/name, or a folder")
    try:
        return HubDataset(HubRepo(address[len(HUB_DATASETS) :], "dataset"))
    except InputError as error:
        raise ExportError(str(error)) from error


class Folder:
    """A folder of files. Several processes may write to it, where the file system can lock."""

    def __init__(self, path: Path):
        self.path = path
        self._seen: frozenset[str] = frozenset()

    def names(self) -> frozenset[str]:
        with _as_export_error(self.path):
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._remove_left()
            self._seen = self._there()
            return self._seen

    def read(self, name: str) -> bytes:
        with _as_export_error(self.path):
            return (self.path / name).read_bytes()

    def change(self, add: Mapping[str, bytes], remove: Collection[str]) -> None:
        with _as_export_error(self.path), self._locked():
            if self._there() != self._seen:
                raise MovedError(f"{self.path} was changed by another server meanwhile")
            for name, data in add.items():
                _write(self.path / name, data)
            for name in remove:
                (self.path / name).unlink(missing_ok=True)

    def forget(self) -> None:
        pass  # a file that is removed is gone

    def _there(self) -> frozenset[str]:
        return frozenset(file.relative_to(self.path).as_posix() for file in self.path.glob("*/*.jsonl"))

    def _remove_left(self) -> None:
        for file in self.path.glob(f"*/*{_PART}"):
            if time.time() - file.stat().st_mtime > _LEFT:
                file.unlink(missing_ok=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with open(self.path / _LOCK, "a") as lock:
            if fcntl is not None:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX)
                except OSError:
                    pass  # a mount without locks: what is written twice is read once
            yield


class HubDataset:
    """A private data set on the Hub; it is made when it is missing."""

    def __init__(self, repo: HubRepo):
        self.repo = repo
        self._commit = ""
        self._made = False

    def names(self) -> frozenset[str]:
        with _as_export_error(self.repo.name):
            if not self._made:
                self.repo.create(private=True)
                self._made = True
            contents = self.repo.contents()
            if not contents.private:
                raise ExportError(f"{self.repo.name} on the Hub is public: corrections go to a private data set only")
            self._commit = contents.commit
            return frozenset(name for name in contents.sizes if name.endswith(".jsonl") and name.count("/") == 1)

    def read(self, name: str) -> bytes:
        with _as_export_error(self.repo.name):
            return self.repo.read(name, self._commit)

    def change(self, add: Mapping[str, bytes], remove: Collection[str]) -> None:
        with _as_export_error(self.repo.name):
            self.repo.commit(add, f"{len(add)} files", remove, self._commit)

    def forget(self) -> None:
        with _as_export_error(self.repo.name):
            self.repo.forget_history()


@contextmanager
def _as_export_error(what: object) -> Iterator[None]:
    try:
        yield
    except MovedError:
        raise
    except InputError as error:
        raise ExportError(str(error)) from error
    except OSError as error:
        raise ExportError(f"cannot use {ascii(str(what))}: {error.strerror or error}") from error


def _write(path: Path, data: bytes) -> None:
    """The file, whole or not at all, and on the disk when this returns."""
    path.parent.mkdir(exist_ok=True, mode=0o700)
    part = path.with_name(f".{hashlib.sha256(data).hexdigest()[:16]}{_PART}")
    with open(part, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
