"""Corrections into files and back: JSONL, CSV, Parquet, or a folder that `datasets.load_dataset(FOLDER)` reads.
Votes into JSONL or CSV.

A file or folder is written whole or not at all. Importing what was exported changes nothing: every row says whether it
was added, was there already, or was refused and why.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from annotations.errors import ExportError, RecordError
from annotations.files.card import card
from annotations.files.formats import (
    Row,
    read_csv,
    read_jsonl,
    read_parquet,
    write_csv,
    write_jsonl,
    write_parquet,
    write_vote_csv,
    write_vote_jsonl,
)
from annotations.record import Correction
from annotations.store import Store
from annotations.votes import Vote

FORMATS = ("jsonl", "csv", "parquet", "dataset")
VOTE_FORMATS = ("jsonl", "csv")
KEPT_OUTCOMES = 10_000  # rows that a ImportReport names
DATA_FILE = Path("data", "train-00000-of-00001.parquet")
CARD = "README.md"

_BATCH_ROWS, _BATCH_CHARACTERS = 200, 4_000_000  # imported in one transaction
_SUFFIXES = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".parquet": "parquet", "": "dataset"}
_WRITERS: Mapping[str, Callable[[Path, Iterable[Correction]], int]] = {
    "jsonl": write_jsonl,
    "csv": write_csv,
    "parquet": write_parquet,
}
_READERS: Mapping[str, Callable[[Path], Iterator[Row]]] = {
    "jsonl": read_jsonl,
    "csv": read_csv,
    "parquet": read_parquet,
}


def format_of(path: Path, format: str = "") -> str:
    """The format asked for, or else what the name says; a folder, or a name without a suffix, is a data set."""
    if format in FORMATS:
        return format
    found = "dataset" if path.is_dir() else _SUFFIXES.get(path.suffix.lower())
    if format or found is None:
        raise ExportError(f"the format {ascii(format or path.suffix)} is not one of {', '.join(FORMATS)}")
    return found


def export(corrections: Iterable[Correction], path: Path, format: str = "") -> int:
    """Write corrections to a file (or folder, for "dataset"); returns how many.

    What is there is replaced in one go: a regular file, or a folder that an earlier export wrote and nothing was added
    to. Raises ExportError, and leaves everything as it was, when that is impossible.
    """
    format = format_of(path, format)
    with _target(path) as target:
        if format == "dataset":
            return _export_folder(corrections, target)
        with _whole_file(target) as temporary:
            return _WRITERS[format](temporary, corrections)


def export_votes(votes: Iterable[Vote], path: Path, format: str = "") -> int:
    """Write votes to a JSONL or CSV file; returns how many. Replaces what is there, and raises, as `export` does."""
    format = format_of(path, format)
    if format not in VOTE_FORMATS:
        raise ExportError("votes are written as JSONL or CSV: give the file a name that ends in .jsonl or .csv")
    write = write_vote_csv if format == "csv" else write_vote_jsonl
    with _target(path) as target, _whole_file(target) as temporary:
        return write(temporary, votes)


@contextmanager
def _target(path: Path) -> Iterator[Path]:
    """Where a path leads to; what the system says when it cannot be written is said in one line."""
    try:
        yield Path(os.path.realpath(path))
    except OSError as error:
        raise ExportError(f"cannot write {ascii(str(path))}: {error.strerror or error}") from error


@contextmanager
def _whole_file(target: Path) -> Iterator[Path]:
    """A temporary file beside the target that takes its place when the block ends without an error."""
    if target.exists() and not target.is_file():
        raise ExportError(f"{ascii(str(target))} is there and is not a file")
    temporary = _beside(target)
    try:
        yield temporary
        _sync(temporary)
        os.replace(temporary, target)
        _sync(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _export_folder(corrections: Iterable[Correction], target: Path) -> int:
    """A new folder beside the target takes its place; an old export steps aside and is removed."""
    _check_replaceable(target)
    temporary, old = _beside(target), _beside(target)
    try:
        (temporary / DATA_FILE).parent.mkdir(parents=True)
        statuses: Counter[str] = Counter()
        count = write_parquet(temporary / DATA_FILE, _counted(corrections, statuses))
        (temporary / CARD).write_text(card(statuses), encoding="utf-8")
        for path in (temporary / DATA_FILE, temporary / CARD, temporary / DATA_FILE.parent, temporary):
            _sync(path)
        if target.exists():
            os.rename(target, old)
        os.rename(temporary, target)
        _sync(target.parent)
    finally:
        if old.exists() and not target.exists():
            os.rename(old, target)
        for left in (temporary, old):
            shutil.rmtree(left, ignore_errors=True)
    return count


def _check_replaceable(target: Path) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise ExportError(f"{ascii(str(target))} is there and is not a folder")
    ours = {Path(CARD), DATA_FILE.parent, DATA_FILE}
    if any(path.relative_to(target) not in ours for path in target.rglob("*")):
        raise ExportError(f"the folder {ascii(str(target))} holds other files: choose a new or empty one")


def _counted(corrections: Iterable[Correction], statuses: Counter[str]) -> Iterator[Correction]:
    for correction in corrections:
        statuses[correction.status] += 1
        yield correction


def _beside(target: Path) -> Path:
    return target.parent / f".{target.name[:100]}.{uuid.uuid4().hex}.part"


def _sync(path: Path) -> None:
    """Have the disk keep a file, or the names in a folder (where the system can)."""
    if path.is_dir() and os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() or os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# --- import ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """What became of one row: result is "added", "already there" or "refused", with the reason.

    line: of the file (of a JSONL or CSV file the line that the row begins on, of Parquet the row), from 1.
    """

    line: int
    id: str
    result: str
    reason: str = ""


@dataclass(frozen=True)
class ImportReport:
    """An import: how many rows had each result, and the first 10,000 outcomes."""

    added: int
    already: int
    refused: int
    outcomes: tuple[Outcome, ...]


def import_file(store: Store, path: Path, format: str = "") -> ImportReport:
    """Import a file or a data set folder, and report row by row. Raises as `import_rows`."""
    counts: Counter[str] = Counter()
    kept: list[Outcome] = []
    for outcome in import_rows(store, path, format):
        counts[outcome.result] += 1
        if len(kept) < KEPT_OUTCOMES:
            kept.append(outcome)
    return ImportReport(counts["added"], counts["already there"], counts["refused"], tuple(kept))


def import_rows(store: Store, path: Path, format: str = "") -> Iterator[Outcome]:
    """Import row by row; an outcome is yielded when it is in the database.

    Raises ExportError when the file cannot be read or is of another kind, StoreError when the database fails; rows
    that were yielded before stay imported, and importing the file again is safe.
    """
    if not path.exists():
        raise ExportError(f"{ascii(str(path))} is not there")
    format = format_of(path, format)
    if format == "dataset":
        files = sorted(path.glob("data/*.parquet"))
        if not files:
            raise ExportError(f"{ascii(str(path))} holds no data/*.parquet")
    elif not path.is_file():
        raise ExportError(f"{ascii(str(path))} is not a file")
    else:
        files = [path]
    reader = _READERS["parquet" if format == "dataset" else format]
    try:
        for file in files:
            yield from _import_batches(store, reader(file))
    except OSError as error:
        raise ExportError(f"cannot read {ascii(str(path))}: {error.strerror or error}") from error


def _import_batches(store: Store, rows: Iterator[Row]) -> Iterator[Outcome]:
    batch: list[tuple[int, Correction]] = []
    characters = 0
    for line, found in rows:
        if isinstance(found, RecordError):
            yield from _import_batch(store, batch)
            batch, characters = [], 0
            yield Outcome(line, "", "refused", str(found))
            continue
        batch.append((line, found))
        characters += len(found.prompt)
        if len(batch) >= _BATCH_ROWS or characters >= _BATCH_CHARACTERS:
            yield from _import_batch(store, batch)
            batch, characters = [], 0
    yield from _import_batch(store, batch)


def _import_batch(store: Store, batch: list[tuple[int, Correction]]) -> Iterator[Outcome]:
    if not batch:
        return
    results = store.import_many([correction for _, correction in batch])
    for (line, correction), (result, reason) in zip(batch, results, strict=True):
        yield Outcome(line, correction.id, result, reason)
