"""A corpus cut into shards: stretches of files that are read, compressed and written one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError, needs

FORMATS = (".jsonl", ".parquet")
MOST_SHARDS = 20_000  # of a corpus: beyond, shards are larger


@dataclass(frozen=True)
class Shard:
    """A stretch of one file.

    Attributes:
        number: its place in the corpus; shards are written under it.
        file: what it is cut from.
        start, end: of JSON Lines: the bytes in which its lines begin. Of Parquet: rows of the row group.
        group: the row group; -1 of JSON Lines.
    """

    number: int
    file: str
    start: int
    end: int
    group: int = -1


def files_of(source: Path) -> tuple[Path, ...]:
    """The files of a corpus: one, or all of a folder, of one format, in the order of their names.

    Raises InputError when there is none, or they are mixed.
    """
    if source.is_dir():
        files = tuple(sorted(file for file in source.iterdir() if file.suffix in FORMATS))
    else:
        files = (source,)
        if not source.is_file():
            raise InputError(f"there is no file or folder {source}: correct IN")
    kinds = {file.suffix for file in files}
    if len(kinds) != 1 or not kinds <= set(FORMATS):
        raise InputError(f"{source} must be a file or folder of {' or '.join(FORMATS)} files, and of one kind")
    return files


def shards_of(files: Sequence[Path], size: int) -> list[Shard]:
    """Cut files into shards of about so many bytes; more where there would be too many shards.

    Raises InputError when a Parquet file is none.
    """
    total = sum(file.stat().st_size for file in files)
    size = max(size, total // MOST_SHARDS)
    cut = _groups if files[0].suffix == ".parquet" else _bytes
    stretches = (stretch for file in files for stretch in cut(file, size))
    return [Shard(number, *stretch) for number, stretch in enumerate(stretches)]


def _bytes(file: Path, size: int) -> Iterator[tuple[str, int, int]]:
    length = file.stat().st_size
    for start in range(0, length, size):
        yield str(file), start, min(start + size, length)


def _groups(file: Path, size: int) -> Iterator[tuple[str, int, int, int]]:
    metadata = opened(file).metadata
    for group in range(metadata.num_row_groups):
        rows, weight = metadata.row_group(group).num_rows, metadata.row_group(group).total_byte_size
        step = max(rows * size // max(weight, 1), 1)
        for start in range(0, rows, step):
            yield str(file), start, min(start + step, rows), group


def opened(file: str | Path) -> Any:
    """A `pyarrow.parquet.ParquetFile`. InputError when it is none."""
    with needs("corpus"):
        from pyarrow import ArrowInvalid  # type: ignore[import-untyped]
        from pyarrow.parquet import ParquetFile  # type: ignore[import-untyped]
    try:
        return ParquetFile(file)
    except (ArrowInvalid, OSError) as error:
        raise InputError(f"{file} is not a Parquet file ({str(error).splitlines()[0]}): correct or remove it") from None
