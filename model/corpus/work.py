"""One shard of a corpus: read, compressed, and written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from ..compress import Compressor
from ..devices import settle_dtype
from ..errors import InputError
from .rows import BrokenRow, CorpusRow, rows_of, writer_of
from .shards import Shard


@dataclass(frozen=True)
class Columns:
    """Which columns hold what.

    Attributes:
        text: what is compressed.
        question: what it is compressed by; None = by the question in the text, if there is one.
        into: where the short text is written; the same as text = in its place.
    """

    text: str = "text"
    question: str | None = None
    into: str = "text"


@dataclass(frozen=True)
class CompressedShard:
    """What came of a shard.

    Attributes:
        rows, broken: how many were written, and put aside.
        before, after: characters of the texts that were written.
    """

    number: int
    rows: int = 0
    broken: int = 0
    before: int = 0
    after: int = 0


@dataclass(frozen=True)
class ShardWork:
    """How shards are compressed; called in a worker, it loads the model and returns what does so.

    Attributes:
        out: folder of what is written.
        retention, granularity: as of `CompressRequest`.
        checkpoint, device: as of `Compressor.load`.
        dtype: that all workers compute in, "bfloat16" or "float32".
    """

    out: str
    columns: Columns
    retention: float
    granularity: str
    checkpoint: str | None = None
    device: str | None = None
    dtype: str = "float32"

    def __call__(self) -> Callable[[Shard], CompressedShard]:
        torch.set_num_threads(1)  # workers share the cores
        settle_dtype(getattr(torch, self.dtype))
        compressor = Compressor.load(self.checkpoint, self.device)
        return lambda shard: self.compress_shard(compressor, shard)

    def compress_shard(self, compressor: Compressor, shard: Shard) -> CompressedShard:
        """Write a shard's rows, and the broken ones to a side file; the shard's own file comes last, and whole."""
        path = shard_file(Path(self.out), shard)
        temporary = path.with_name(f"{path.name}.{os.getpid()}.unfinished")
        writer = writer_of(temporary, shard, self.columns.into)
        counts = [0, 0, 0]
        broken: list[str] = []
        try:
            for row in rows_of(shard):
                try:
                    text, short = self._shortened(compressor, row)
                    assert isinstance(row, CorpusRow)
                    writer.write(row, short)
                except ValueError as error:  # an InputError, or a number that JSON cannot hold
                    broken.append(_put_aside(row, str(error)).line())
                    continue
                counts = [counts[0] + 1, counts[1] + len(text), counts[2] + len(short)]
            writer.close()
            if broken:
                _write_whole(broken_file(Path(self.out), shard), "".join(broken))
            _settle(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        return CompressedShard(shard.number, counts[0], len(broken), counts[1], counts[2])

    def _shortened(self, compressor: Compressor, row: CorpusRow | BrokenRow) -> tuple[str, str]:
        """The text of a row, and what is left of it. InputError says what is wrong with the row."""
        if isinstance(row, BrokenRow):
            raise InputError(row.reason)
        text = _text_in(row, self.columns.text)
        if self.columns.question is None:
            return text, compressor.compress(text, self.retention, granularity=self.granularity).text
        question = _text_in(row, self.columns.question)
        (place,) = compressor.rank(question, [text], self.retention, granularity=self.granularity)
        return text, place.text


def shard_file(out: Path, shard: Shard) -> Path:
    """Where the rows of a shard are written; it is there if the shard is done."""
    return out / f"shard-{shard.number:05}{Path(shard.file).suffix}"


def broken_file(out: Path, shard: Shard) -> Path:
    """Where the broken rows of a shard are written, if it has any."""
    return out / "broken" / f"shard-{shard.number:05}.jsonl"


def _text_in(row: CorpusRow, column: str) -> str:
    if column not in row.values:
        raise InputError(f"there is no column {column!r}")
    value = row.values[column]
    if not isinstance(value, str):
        raise InputError(f"column {column!r} holds no text but {'nothing' if value is None else type(value).__name__}")
    if not value.strip("\ufeff").strip():
        raise InputError(f"column {column!r} is empty")
    return value


def _put_aside(row: CorpusRow | BrokenRow, reason: str) -> BrokenRow:
    return row if isinstance(row, BrokenRow) else BrokenRow(row.place, reason, dict(row.values))


def _write_whole(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.unfinished")
    temporary.write_text(text, encoding="utf-8")
    _settle(temporary, path)


def _settle(temporary: Path, path: Path) -> None:
    """Give a file its name once the disk has it."""
    with open(temporary, "rb+") as file:
        os.fsync(file.fileno())
    os.replace(temporary, path)
