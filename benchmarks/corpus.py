"""How much faster several workers are: rows a second of `diffumask corpus` with one and with two, by each engine.

    python -m benchmarks.corpus --rows 300

Rows are of the example prompts, each with other numbers, so that no cache knows them. Every worker computes with one
thread, the only one of "one worker", too. What counts is the time in which all are at work: from when each has done
its first shard (starting a worker and loading its model takes the same, however large the corpus) until the first finds
nothing left to do.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import tempfile
import time
from pathlib import Path

from model.corpus.job import CorpusConfig, CorpusJob

EXAMPLES = Path(__file__).parents[1] / "examples"
SHARD = 4_000  # bytes


def rows(count: int) -> list[dict[str, str]]:
    texts = [file.read_text(encoding="utf-8") for file in sorted(EXAMPLES.glob("*.txt"))]
    return [{"text": re.sub(r"\d", str(i % 10), texts[i % len(texts)]) + f"\nNumber {i}."} for i in range(count)]


def rows_a_second(source: Path, engine: str, workers: int) -> float:
    """While all workers are at work."""
    with tempfile.TemporaryDirectory() as out:
        config = CorpusConfig(source, Path(out), engine=engine, workers=workers, shard=SHARD)
        ends = [(time.perf_counter(), shard.rows) for shard in CorpusJob.of(config).run()]
    (begin, _), *counted = ends[workers - 1 : len(ends) - workers + 1]
    return sum(rows for _, rows in counted) / (counted[-1][0] - begin)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--engines", nargs="+", default=["processes", "ray"])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "in.jsonl"
        source.write_text("".join(json.dumps(row) + "\n" for row in rows(arguments.rows)), encoding="utf-8")
        for engine in arguments.engines:
            one, two = (rows_a_second(source, engine, workers) for workers in (1, 2))
            ratio = f"{one:.2f} rows/s by one worker, {two:.2f} by two: x {two / one:.2f}"
            print(f"{engine}: {ratio}; load average {os.getloadavg()[0]:.1f}", flush=True)


if __name__ == "__main__":
    main()
