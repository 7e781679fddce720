"""Rows of a shard in, rows out: JSON Lines and Parquet, a few at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from .shards import Shard, opened

LINE = 16_000_000  # bytes of a line that are read
BATCH = 64  # rows of Parquet that are held at once


@dataclass(frozen=True)
class CorpusRow:
    """A row of a corpus.

    Attributes:
        place: where it stands: a byte of a file of JSON Lines, a row of a row group of Parquet.
        values: of its columns.
        record: of Parquet, the row as a `pyarrow.RecordBatch`.
    """

    place: Mapping[str, Any]
    values: Mapping[str, Any]
    record: Any = None


@dataclass(frozen=True)
class BrokenRow:
    """A row that could not be compressed.

    Attributes:
        place: as of a row.
        reason: what is wrong, in one line.
        row: as it was; a text where it is not JSON, None where it is too long.
    """

    place: Mapping[str, Any]
    reason: str
    row: Any

    def line(self) -> str:
        """The line that the side file gets."""
        return json.dumps({**self.place, "reason": self.reason, "row": self.row}, default=str) + "\n"


def rows_of(shard: Shard) -> Iterator[CorpusRow | BrokenRow]:
    """The rows of a shard, and what is no row."""
    return _lines(shard) if shard.group < 0 else _records(shard)


def _lines(shard: Shard) -> Iterator[CorpusRow | BrokenRow]:
    """The lines that begin in [start, end)."""
    with open(shard.file, "rb") as file:
        at = max(shard.start - 1, 0)
        file.seek(at)
        at += _skip_line(file) if shard.start else 0
        while at < shard.end and (line := file.readline(LINE)):
            place = {"file": Path(shard.file).name, "byte": at}
            at += len(line)
            if len(line) == LINE and not line.endswith(b"\n"):
                at += _skip_line(file)
                yield BrokenRow(place, f"the line has more than {LINE:,} bytes", None)
            elif line.strip():
                yield _parsed(line, place)


def _skip_line(file: IO[bytes]) -> int:
    """Read on to the next line; how many bytes that were."""
    skipped = 0
    while line := file.readline(LINE):
        skipped += len(line)
        if line.endswith(b"\n"):
            break
    return skipped


def _parsed(line: bytes, place: Mapping[str, Any]) -> CorpusRow | BrokenRow:
    try:
        values = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        text = line.decode("utf-8", "replace").strip()
        return BrokenRow(place, f"not JSON: {' '.join(str(error).split())}", text)
    return CorpusRow(place, values) if isinstance(values, dict) else BrokenRow(place, "not a JSON object", values)


def _records(shard: Shard) -> Iterator[CorpusRow]:
    at = 0
    for batch in opened(shard.file).iter_batches(BATCH, row_groups=[shard.group]):
        for i in range(max(shard.start - at, 0), min(shard.end - at, batch.num_rows)):
            record = batch.slice(i, 1)
            place = {"file": Path(shard.file).name, "row_group": shard.group, "row_number": at + i}
            yield CorpusRow(place, record.to_pylist()[0], record)
        at += batch.num_rows
        if at >= shard.end:
            return


class LinesWriter:
    """Writes rows of JSON Lines, with a text in one column."""

    def __init__(self, path: Path, shard: Shard, column: str) -> None:
        self._file, self._column = open(path, "w", encoding="utf-8", newline="\n"), column

    def write(self, row: CorpusRow, text: str) -> None:
        """ValueError for numbers that JSON cannot hold."""
        self._file.write(as_line({**row.values, self._column: text}))

    def close(self) -> None:
        self._file.close()


class ParquetWriter:
    """Writes rows of Parquet under the schema that they had, with a text in one column."""

    def __init__(self, path: Path, shard: Shard, column: str) -> None:
        import pyarrow  # type: ignore[import-untyped]
        from pyarrow import parquet

        self._arrow, self._column = pyarrow, column
        schema = opened(shard.file).schema_arrow
        self._schema = schema if column in schema.names else schema.append(pyarrow.field(column, pyarrow.string()))
        self._writer = parquet.ParquetWriter(path, self._schema)
        self._records: list[Any] = []
        self._texts: list[str] = []

    def write(self, row: CorpusRow, text: str) -> None:
        self._records.append(row.record)
        self._texts.append(text)
        if len(self._texts) == BATCH:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if not self._texts:
            return
        table = self._arrow.Table.from_batches(self._records)
        field = self._schema.field(self._column)
        texts = self._arrow.array(self._texts, field.type)
        if self._column in table.column_names:
            table = table.set_column(table.column_names.index(self._column), field, texts)
        else:
            table = table.append_column(field, texts)
        self._writer.write_table(table)
        self._records, self._texts = [], []


def writer_of(path: Path, shard: Shard, column: str) -> LinesWriter | ParquetWriter:
    """What writes a shard in the format that it had."""
    return (LinesWriter if shard.group < 0 else ParquetWriter)(path, shard, column)


def as_line(value: Any) -> str:
    """JSON in one line, with characters as they are where UTF-8 can hold them.

    Raises ValueError for numbers that JSON cannot hold.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        text = json.dumps(value, allow_nan=False)
    return text + "\n"
