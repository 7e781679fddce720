"""Compress a whole corpus: what is done already is passed over, and every shard is written exactly once.

Parts are read by pyarrow and the standard library, not by `datasets`: its map ends when a worker dies, and it copies
the whole corpus before it begins.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from .. import __version__
from ..devices import fastest_dtype, pick_device
from ..diffusion.trace import SamplerConfig
from ..errors import InputError
from ..layers import one_bert_layer
from ..prompt.pieces import Rules
from .engines import run_tasks
from .shards import Shard, files_of, opened, shards_of
from .work import Columns, CompressedShard, ShardWork, shard_file

SHARD = 256_000  # bytes of input in a shard: about half a minute of one core
JOB = "job.json"
DTYPES = ("bfloat16", "float32")


@dataclass(frozen=True)
class CorpusConfig:
    """What is asked for.

    Attributes:
        source: a .jsonl or .parquet file, or a folder of them.
        out: folder of the shards that are written, in the same format and order.
        columns: which hold what.
        retention, granularity: as of `CompressRequest`.
        engine, workers, address: as of `run_tasks`. Every worker of a cluster must see both folders.
        checkpoint, device: as of `Compressor.load`, of every worker.
        shard: bytes of input in a shard.
    Raises InputError when a number is out of range.
    """

    source: Path
    out: Path
    columns: Columns = field(default_factory=Columns)
    retention: float = 0.5
    granularity: str = "unit"
    engine: str = "processes"
    workers: int = 1
    address: str | None = None
    checkpoint: Path | None = None
    device: str | None = None
    shard: int = SHARD

    def __post_init__(self) -> None:
        assert SamplerConfig(self.retention) and Rules(self.granularity)
        if self.workers < 1 or self.shard < 1:
            raise InputError("workers and shard must be at least 1")

    @property
    def work(self) -> ShardWork:
        """What a worker does."""
        checkpoint = None if self.checkpoint is None else str(self.checkpoint.resolve())
        out = str(self.out.resolve())
        return ShardWork(out, self.columns, self.retention, self.granularity, checkpoint, self.device)


@dataclass(frozen=True)
class CorpusJob:
    """A corpus and what is still to be done.

    Attributes:
        work: what a worker does.
        shards: all of them.
        left: those that are not written yet.
    """

    config: CorpusConfig
    work: ShardWork
    shards: tuple[Shard, ...]
    left: tuple[Shard, ...]

    @classmethod
    def of(cls, config: CorpusConfig) -> CorpusJob:
        """Cut the corpus into shards, and see which are there.

        Raises InputError when the corpus cannot be read, a column is missing or no text, or the folder holds something
        else.
        """
        files = files_of(config.source)
        if files[0].suffix == ".parquet":
            _check_columns(files, config.columns)
        shards = tuple(shards_of([file.resolve() for file in files], config.shard))
        work = replace(config.work, dtype=_claim(config, files))
        left = tuple(shard for shard in shards if not shard_file(config.out, shard).exists())
        return cls(config, work, shards, left)

    def run(self) -> Iterator[CompressedShard]:
        """Do what is left; each shard as it is done."""
        config = self.config
        yield from run_tasks(self.work, self.left, engine=config.engine, workers=config.workers, address=config.address)
        for unfinished in config.out.rglob("*.unfinished"):  # of workers that were killed
            unfinished.unlink(missing_ok=True)


def _check_columns(files: Sequence[Path], columns: Columns) -> None:
    wanted = [columns.text, *([columns.question] if columns.question else [])]
    for file in files:
        schema = opened(file).schema_arrow
        for name in wanted:
            if name not in schema.names:
                raise InputError(f"{file.name} has no column {name!r}, only {', '.join(schema.names)}: name another")
            if str(schema.field(name).type) not in ("string", "large_string"):
                raise InputError(f"column {name!r} of {file.name} is {schema.field(name).type}, not text: name another")


def _claim(config: CorpusConfig, files: Sequence[Path]) -> str:
    """Say in the folder what it holds, and in which dtype it is computed; that one, or the one of the first run.

    InputError when it holds something else already.
    """
    job = {"version": __version__, "files": {file.name: file.stat().st_size for file in files}, "shard": config.shard}
    work: dict[str, Any] = asdict(config.work)
    job |= {name: work[name] for name in ("columns", "retention", "granularity", "checkpoint")}
    path = config.out / JOB
    try:
        held = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
    except (OSError, ValueError):
        held = {}
    dtype = held.pop("dtype", "") if isinstance(held, dict) else ""
    if held not in (None, job) or (held and dtype not in DTYPES):
        raise InputError(f"{config.out} holds another corpus, or other settings made it: give an empty folder")
    if held is None:
        if config.out.exists() and (not config.out.is_dir() or any(config.out.iterdir())):
            raise InputError(f"{config.out} is not an empty folder: give another")
        config.out.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{JOB}.{os.getpid()}")
        dtype = str(fastest_dtype(pick_device(config.device), one_bert_layer)).removeprefix("torch.")
        temporary.write_text(json.dumps({**job, "dtype": dtype}, indent=1), encoding="utf-8")
        os.replace(temporary, path)
    return str(dtype)
