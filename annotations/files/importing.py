"""Import corrections from JSONL, CSV, Parquet or a data set folder.

Each row is added, is there already, or is refused with a reason; importing what was exported changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from annotations.errors import ExportError, RecordError
from annotations.files.export import format_of
from annotations.files.formats import (
    ReadCorrection,
    corrections_in_csv,
    corrections_in_jsonl,
    corrections_in_parquet,
)
from annotations.store import Store
from model.record import CorrectionRecord

_KEPT_OUTCOMES = 10_000  # in an ImportReport
_BATCH_ROWS, _BATCH_CHARACTERS = 200, 4_000_000  # imported in one transaction
_READERS: Mapping[str, Callable[[Path], Iterator[ReadCorrection]]] = {
    "jsonl": corrections_in_jsonl,
    "csv": corrections_in_csv,
    "parquet": corrections_in_parquet,
}


@dataclass(frozen=True)
class ImportOutcome:
    """What became of one row: result is "added", "already there" or "refused", with the reason.

    line: where the row begins, from 1: in JSONL and CSV a line of the file, in Parquet the number of the row.
    """

    line: int
    id: str
    result: str
    reason: str = ""


@dataclass(frozen=True)
class ImportReport:
    """An import: how many rows had each result, and the first outcomes, at most 10,000."""

    added: int
    already: int
    refused: int
    outcomes: tuple[ImportOutcome, ...]


def import_file(store: Store, path: Path, format: str = "") -> ImportReport:
    """Import a file or a data set folder, and report row by row. Raises as `import_rows`."""
    counts: Counter[str] = Counter()
    kept: list[ImportOutcome] = []
    for outcome in import_rows(store, path, format):
        counts[outcome.result] += 1
        if len(kept) < _KEPT_OUTCOMES:
            kept.append(outcome)
    return ImportReport(counts["added"], counts["already there"], counts["refused"], tuple(kept))


def import_rows(store: Store, path: Path, format: str = "") -> Iterator[ImportOutcome]:
    """Import row by row; an outcome is yielded when its row is in the database.

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


def _import_batches(store: Store, rows: Iterator[ReadCorrection]) -> Iterator[ImportOutcome]:
    batch: list[tuple[int, CorrectionRecord]] = []
    characters = 0
    for line, correction in rows:
        if isinstance(correction, RecordError):
            yield from _import_batch(store, batch)
            batch, characters = [], 0
            yield ImportOutcome(line, "", "refused", str(correction))
            continue
        batch.append((line, correction))
        characters += len(correction.prompt)
        if len(batch) >= _BATCH_ROWS or characters >= _BATCH_CHARACTERS:
            yield from _import_batch(store, batch)
            batch, characters = [], 0
    yield from _import_batch(store, batch)


def _import_batch(store: Store, batch: list[tuple[int, CorrectionRecord]]) -> Iterator[ImportOutcome]:
    if not batch:
        return
    results = store.import_many([correction for _, correction in batch])
    for (line, correction), (result, reason) in zip(batch, results, strict=True):
        yield ImportOutcome(line, correction.id, result, reason)
