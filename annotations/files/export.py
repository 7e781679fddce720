"""Export corrections to JSONL, CSV, Parquet, or a folder that `datasets.load_dataset(FOLDER)` reads.

Votes are exported to JSONL or CSV. Whatever is exported, the file or folder is written whole or not at all.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from annotations.errors import ExportError
from annotations.files.card import dataset_card
from annotations.files.formats import write_csv, write_jsonl, write_parquet, write_vote_csv, write_vote_jsonl
from annotations.votes import Vote
from model.record import CorrectionRecord

CORRECTION_FORMATS = ("jsonl", "csv", "parquet", "dataset")
VOTE_FORMATS = ("jsonl", "csv")
DATA_FILE = Path("data", "train-00000-of-00001.parquet")
CARD_FILE = "README.md"

_SUFFIXES = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".parquet": "parquet", "": "dataset"}
_WRITERS: Mapping[str, Callable[[Path, Iterable[CorrectionRecord]], int]] = {
    "jsonl": write_jsonl,
    "csv": write_csv,
    "parquet": write_parquet,
}


def format_of(path: Path, format: str = "") -> str:
    """The format asked for, or else the one of the name's suffix; a folder or a name without suffix is a data set.

    Raises ExportError when there is no such format.
    """
    if format in CORRECTION_FORMATS:
        return format
    by_name = "dataset" if path.is_dir() else _SUFFIXES.get(path.suffix.lower())
    if format or by_name is None:
        raise ExportError(f"the format {ascii(format or path.suffix)} is not one of {', '.join(CORRECTION_FORMATS)}")
    return by_name


def export(corrections: Iterable[CorrectionRecord], path: Path, format: str = "") -> int:
    """Write corrections to a file (or folder, for "dataset"); returns how many.

    What is there is replaced at once: a regular file, or a folder that holds nothing but an earlier export. Raises
    ExportError, and leaves everything as it was, when that is impossible.
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
    """The file or folder that a path leads to. An OSError in the block becomes an ExportError of one line."""
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


def _export_folder(corrections: Iterable[CorrectionRecord], target: Path) -> int:
    """Write a new folder beside the target and rename it; an old export is moved out of the way and removed."""
    _check_replaceable(target)
    temporary, old = _beside(target), _beside(target)
    try:
        (temporary / DATA_FILE).parent.mkdir(parents=True)
        statuses, licences = Counter[str](), Counter[str]()
        count = write_parquet(temporary / DATA_FILE, _counted(corrections, statuses, licences))
        (temporary / CARD_FILE).write_text(dataset_card(statuses, licences), encoding="utf-8")
        for path in (temporary / DATA_FILE, temporary / CARD_FILE, temporary / DATA_FILE.parent, temporary):
            _sync(path)
        if target.exists():
            os.rename(target, old)
        os.rename(temporary, target)
        _sync(target.parent)
    finally:
        if old.exists() and not target.exists():
            os.rename(old, target)
        for folder in (temporary, old):
            shutil.rmtree(folder, ignore_errors=True)
    return count


def _check_replaceable(target: Path) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise ExportError(f"{ascii(str(target))} is there and is not a folder")
    ours = {Path(CARD_FILE), DATA_FILE.parent, DATA_FILE}
    if any(path.relative_to(target) not in ours for path in target.rglob("*")):
        raise ExportError(f"the folder {ascii(str(target))} holds other files: choose a new or empty one")


def _counted(
    corrections: Iterable[CorrectionRecord], statuses: Counter[str], licences: Counter[str]
) -> Iterator[CorrectionRecord]:
    for correction in corrections:
        statuses[correction.status] += 1
        licences[correction.licence] += 1
        yield correction


def _beside(target: Path) -> Path:
    return target.parent / f".{target.name[:100]}.{uuid.uuid4().hex}.part"


def _sync(path: Path) -> None:
    """Flush a file, or the names in a folder, to the disk (Windows cannot do so for a folder)."""
    if path.is_dir() and os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() or os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
