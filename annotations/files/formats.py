"""Corrections as JSONL, CSV and Parquet, and back; votes as JSONL and CSV.

Readers yield rows one by one. They read hostile files in bounded memory, and refuse a bad row without stopping.

CSV. Every field of the record is a column; offsets, shot_starts and pins are JSON in their cells; UTF-8 with a byte
order mark, every cell quoted. A spreadsheet takes a cell for a formula when it begins with = + - @ (or their full-width
forms), tab or a line break. Such a cell is written with an apostrophe in front, also when apostrophes come before the
sign, and reading removes exactly that one. Tell a spreadsheet that the masks are text: it may take them for numbers,
and what it then saves is refused on import.

Parquet. Columns as in JSON, but offsets are lists of two integers and pins a list of {token, keep}.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from annotations.errors import ExportError, RecordError
from annotations.votes import VOTE_COLUMNS, Vote
from model.bounded import BoundedError, Bounds, bounded_lines
from model.fields import from_json
from model.record import CORRECTION_FIELDS, CorrectionRecord

LINE_BYTES = 32 * 2**20  # of a JSONL or CSV line, characters of a CSV row; the largest valid record is smaller
PARQUET_MEMORY, PARQUET_SECONDS = 384 * 2**20, 300.0  # bytes and seconds that reading a Parquet file may take
ROWS_PER_GROUP, TOKENS_PER_GROUP = 1000, 1_000_000  # a Parquet row group is written when it has so many of either

# Line (of JSONL and CSV) or row (of Parquet), from 1, and what is there
ReadCorrection = tuple[int, CorrectionRecord | RecordError]

_PARQUET_ROWS = Path(__file__).with_name("parquet_rows.py")
_FORMULA = re.compile(r"'*[=+\-@\uff1d\uff0b\uff0d\uff20\t\r\n]")
_JSON_CELLS = ("offsets", "shot_starts", "pins")
_INTEGERS = ("revision", "steps", "seed")
_NUMBERS = ("retention", "threshold", "seconds", "least", "least_demonstration")
_FLAGS = {"True": True, "False": False, "true": True, "false": False, "TRUE": True, "FALSE": False}  # spreadsheets'
_INTEGER = re.compile(r"[0-9]{1,20}")
_NUMBER = re.compile(r"[0-9]{1,20}(\.[0-9]{1,30})?([eE][+\-]?[0-9]{1,3})?")

_TYPES = {
    "revision": pa.int32(),
    "offsets": pa.list_(pa.list_(pa.int32())),
    "shot_starts": pa.list_(pa.int32()),
    "pins": pa.list_(pa.struct([("token", pa.int32()), ("keep", pa.bool_())])),
    "retention": pa.float64(),
    "steps": pa.int32(),
    "threshold": pa.float64(),
    "seed": pa.int64(),
    "guards": pa.bool_(),
    "least": pa.float64(),
    "least_demonstration": pa.float64(),
    "seconds": pa.float64(),
}
SCHEMA = pa.schema([(name, _TYPES.get(name, pa.string())) for name in CORRECTION_FIELDS])


# --- JSONL -------------------------------------------------------------------------------------------------


def write_jsonl(path: Path, corrections: Iterable[CorrectionRecord]) -> int:
    """Write one line of ASCII JSON per correction; returns how many."""
    return _write_lines(path, (correction.to_line() for correction in corrections))


def write_vote_jsonl(path: Path, votes: Iterable[Vote]) -> int:
    """Write one line of ASCII JSON per vote; returns how many."""
    return _write_lines(path, (vote.to_line() for vote in votes))


def _write_lines(path: Path, lines: Iterable[str]) -> int:
    count = 0
    with open(path, "w", encoding="ascii", newline="\n") as file:
        for count, line in enumerate(lines, start=1):  # noqa: B007
            file.write(line + "\n")
    return count


def corrections_in_jsonl(path: Path) -> Iterator[ReadCorrection]:
    """The corrections in a JSONL file; blank lines are skipped. Only a line feed ends a line."""
    with open(path, "rb") as file:
        for number, line in enumerate(_lines(file), start=1):
            if isinstance(line, RecordError):
                yield number, line
            elif line.strip():
                yield number, _try(CorrectionRecord.from_line, line)


def _lines(file: BinaryIO) -> Iterator[str | RecordError]:
    """The lines of a file; bytes that are not UTF-8 become lone surrogates, which no record may hold."""
    first = True
    while line := file.readline(LINE_BYTES + 1):
        if len(line) > LINE_BYTES and not line.endswith(b"\n"):
            while (rest := file.readline(LINE_BYTES)) and not rest.endswith(b"\n"):
                pass
            yield RecordError(f"record: the line is longer than {LINE_BYTES:,} bytes")
        else:
            yield line.decode("utf-8-sig" if first else "utf-8", errors="surrogateescape")
        first = False


# --- CSV ---------------------------------------------------------------------------------------------------


def write_csv(path: Path, corrections: Iterable[CorrectionRecord]) -> int:
    """Write a header and one row per correction; returns how many."""
    return _write_table(path, CORRECTION_FIELDS, map(_cells, corrections))


def write_vote_csv(path: Path, votes: Iterable[Vote]) -> int:
    """Write a header and one row per vote, with left and right as left_name and so on; returns how many."""
    return _write_table(path, VOTE_COLUMNS, (map(_cell, vote.to_columns().values()) for vote in votes))


def _write_table(path: Path, header: Iterable[str], rows: Iterable[Iterable[str]]) -> int:
    count = 0
    with open(path, "w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow(header)
        for count, cells in enumerate(rows, start=1):  # noqa: B007
            writer.writerow(map(guarded, cells))
    return count


def guarded(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula; `unguarded` turns it back into the same text.

    >>> [guarded(cell) for cell in ("=1+1", "'=1+1", "'tis", "a=b", "-5")]
    ["'=1+1", "''=1+1", "'tis", 'a=b', "'-5"]
    """
    return "'" + cell if _FORMULA.match(cell) else cell


def unguarded(cell: str) -> str:
    """The text that `guarded` was given."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def corrections_in_csv(path: Path) -> Iterator[ReadCorrection]:
    """The corrections in a CSV file, each with the line that it begins on.

    Raises ExportError when the header is not that of corrections. Where a file stops being CSV, one refused row is the
    last.
    """
    csv.field_size_limit(max(csv.field_size_limit(), LINE_BYTES))  # of the whole process; only ever raised
    with open(path, "rb") as file:
        lines = _Lines(file)
        reader = csv.reader(lines, strict=True)
        try:
            header = next(reader, [])
        except (csv.Error, RecordError) as error:
            raise ExportError(f"this is not CSV: {error}") from None
        _check_columns(header)
        while True:
            line, lines.left = reader.line_num + 1, LINE_BYTES
            try:
                cells = next(reader)
            except StopIteration:
                return
            except (csv.Error, RecordError) as error:
                yield line, RecordError(f"record: from here on this is not CSV ({error}); the rest was not read")
                return
            if cells:
                yield line, _try(lambda cells: CorrectionRecord.from_fields(_fields(header, cells)), cells)


class _Lines:
    """The lines of a CSV file; a row may span several, of at most `left` characters together."""

    def __init__(self, file: BinaryIO) -> None:
        self.left = LINE_BYTES
        self._lines = _lines(file)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        if isinstance(line, RecordError):
            raise line
        self.left -= len(line)
        if self.left < 0:
            raise RecordError(f"a row is longer than {LINE_BYTES:,} characters")
        return line


def _cells(correction: CorrectionRecord) -> Iterator[str]:
    for name, value in correction.to_fields().items():
        if name in _JSON_CELLS:
            yield json.dumps(value, separators=(",", ":"))
        else:
            yield _cell(value)


def _cell(value: object) -> str:
    return value if isinstance(value, str) else repr(value)


def _fields(header: list[str], cells: list[str]) -> dict[str, Any]:
    """The fields in a row of cells. RecordError when their number is wrong, or a cell that must be JSON is not."""
    if len(cells) != len(header):
        raise RecordError(f"record: has {len(cells)} cells under {len(header)} column names")
    fields: dict[str, Any] = {}
    for name, guarded_cell in zip(header, cells, strict=True):
        cell = unguarded(guarded_cell)
        if name in _JSON_CELLS:
            fields[name] = from_json(name, cell)
        elif name in _INTEGERS and _INTEGER.fullmatch(cell):
            fields[name] = int(cell)
        elif name in _NUMBERS and _NUMBER.fullmatch(cell):
            fields[name] = float(cell)
        elif name == "guards" and cell in _FLAGS:
            fields[name] = _FLAGS[cell]
        else:
            fields[name] = cell
    return fields


# --- Parquet -----------------------------------------------------------------------------------------------


def write_parquet(path: Path, corrections: Iterable[CorrectionRecord]) -> int:
    """Write all corrections; returns how many."""
    count, tokens = 0, 0
    rows: list[dict[str, Any]] = []
    with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        for correction in corrections:
            rows.append(_parquet_row(correction))
            count, tokens = count + 1, tokens + len(correction.offsets)
            if len(rows) >= ROWS_PER_GROUP or tokens >= TOKENS_PER_GROUP:
                writer.write_table(pa.Table.from_pylist(rows, schema=SCHEMA))
                rows, tokens = [], 0
        writer.write_table(pa.Table.from_pylist(rows, schema=SCHEMA))
    return count


def corrections_in_parquet(path: Path) -> Iterator[ReadCorrection]:
    """The corrections in a Parquet file, a few at a time, unpacked in a process of its own with limits.

    Raises ExportError when it is not Parquet, has other columns, or would unpack to more than fits.
    """
    number = 0
    bounds = Bounds(PARQUET_SECONDS, PARQUET_MEMORY, LINE_BYTES)
    try:
        for line in bounded_lines(_PARQUET_ROWS, bounds, [str(path)]):
            row = from_json("record", line.decode("ascii"))
            if "columns" in row:
                _check_columns(row["columns"])
            elif "wrong" in row:
                wrong = ascii(row["wrong"])[1:-1][:200]
                raise ExportError(f"row {number + 1}: this is not Parquet that can be read ({wrong})")
            else:
                number += 1
                yield number, _try(_from_parquet, row)
    except (BoundedError, RecordError):
        raise ExportError(
            f"row {number + 1}: the file unpacks to more than {PARQUET_MEMORY // 2**20} MB at a time or takes over "
            f"{PARQUET_SECONDS:g} seconds: too large, write it in smaller parts"
        ) from None


def _parquet_row(correction: CorrectionRecord) -> dict[str, Any]:
    fields = correction.to_fields()
    fields["pins"] = [{"token": i, "keep": keep} for i, keep in correction.pins.items()]
    return fields


def _from_parquet(row: Mapping[str, Any]) -> CorrectionRecord:
    pins = row.get("pins")
    if not isinstance(pins, list) or not all(isinstance(pin, dict) and set(pin) == {"token", "keep"} for pin in pins):
        raise RecordError("pins: is not a list of {token, keep}")
    by_token = {pin["token"]: pin["keep"] for pin in pins}
    if len(by_token) < len(pins):
        raise RecordError("pins: has a token twice")
    return CorrectionRecord.from_fields({**row, "pins": by_token})


# --- all ---------------------------------------------------------------------------------------------------


def _try(make: Callable[[Any], CorrectionRecord], given: object) -> CorrectionRecord | RecordError:
    try:
        return make(given)
    except RecordError as error:
        return error


def _check_columns(names: list[str]) -> None:
    """Raise ExportError unless the columns are fields of a record, each once, and the most important are there."""
    unknown = [name for name in names if name not in CORRECTION_FIELDS]
    if unknown or len(set(names)) < len(names):
        raise ExportError(
            f"the columns are not those of corrections: {ascii((unknown or names)[0])[:60]} is not expected"
        )
    if missing := [name for name in ("id", "prompt", "human_mask") if name not in names]:
        raise ExportError(f"the columns are not those of corrections: {', '.join(missing)} missing")
