"""A program: the rows of a Parquet file as lines of JSON, one at a time.

A file of some kilobytes can say that it is small and unpack to gigabytes (dictionary pages, runs of one value), so
`annotations.files.formats` runs this with limits of time and memory. It prints {"columns": [...]}, then a line for each
row, and after a mistake {"wrong": "..."} and nothing more.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]


def main(path: str) -> None:
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    try:
        with pq.ParquetFile(path, pre_buffer=False) as file:
            _print({"columns": list(file.schema_arrow.names)})
            for batch in file.iter_batches(batch_size=1, use_threads=False):
                for row in batch.to_pylist():
                    _print(row)
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, MemoryError):
            raise
        _print({"wrong": " ".join(str(error).split())[:300]})


def _print(value: dict[str, Any]) -> None:
    """One line; whatever JSON does not know becomes a text, which no record takes in its place."""
    sys.stdout.write(json.dumps(value, default=repr) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
