"""Small corpora, for the tests of `diffumask corpus`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from model.denoiser.checkpoint import save_checkpoint
from tests.support.tiny import tiny_checkpoint

ROWS: list[dict[str, Any]] = [
    {
        "id": i,
        "text": f"Row {i} is here. It is blue – really. Nobody lives in house {i}.",
        "question": "Who lives there?",
    }
    for i in range(40)
]


def tiny_folder(folder: Path) -> Path:
    """A checkpoint that workers can load."""
    tiny = tiny_checkpoint()
    save_checkpoint(folder, tiny.denoiser, tiny.collator.tokenizer, {})
    return folder


def write_jsonl(path: Path, rows: list[Any]) -> Path:
    """Rows as lines; a text is written as it is."""
    lines = (row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="")
    return path


def write_parquet(path: Path, rows: list[dict[str, Any]], group: int = 10) -> Path:
    """Rows in groups."""
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=group)
    return path


def read_all(out: Path) -> list[dict[str, Any]]:
    """The rows of all shards."""
    rows: list[dict[str, Any]] = []
    for file in sorted(out.glob("shard-*")):
        if file.suffix == ".parquet":
            rows += pq.read_table(file).to_pylist()
        else:
            rows += [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return rows


def read_broken(out: Path) -> list[dict[str, Any]]:
    """What stands in the side files."""
    files = sorted((out / "broken").glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]


def contents(out: Path) -> dict[str, bytes]:
    """Every file of a folder, with its bytes."""
    return {str(file.relative_to(out)): file.read_bytes() for file in sorted(out.rglob("*")) if file.is_file()}
