"""How much faster several workers are: rows a second of `diffumask corpus` with one and with two, by each engine.

    python -m benchmarks.corpus --rows 400

Rows are of the example prompts, each with other numbers, so that no cache knows them. What counts is the time between
the first and the last shard, since workers load their model once, however large the corpus.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import time
from pathlib import Path

from model.corpus.job import CorpusConfig, CorpusJob

EXAMPLES = Path(__file__).parents[1] / "examples"


def rows(count: int) -> list[dict[str, str]]:
    texts = [file.read_text(encoding="utf-8") for file in sorted(EXAMPLES.glob("*.txt"))]
    return [{"text": re.sub(r"\d", str(i % 10), texts[i % len(texts)]) + f"\nNumber {i}."} for i in range(count)]


def rows_a_second(source: Path, engine: str, workers: int) -> float:
    """Of the shards after each worker's first."""
    with tempfile.TemporaryDirectory() as out:
        ends = []
        for shard in CorpusJob.of(CorpusConfig(source, Path(out), engine=engine, workers=workers, shard=20_000)).run():
            ends.append((time.perf_counter(), shard.rows))
    warm = ends[workers:]
    return sum(count for _, count in warm) / (warm[-1][0] - ends[workers - 1][0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--engines", nargs="+", default=["processes", "ray"])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "in.jsonl"
        source.write_text("".join(json.dumps(row) + "\n" for row in rows(arguments.rows)), encoding="utf-8")
        for engine in arguments.engines:
            one, two = (rows_a_second(source, engine, workers) for workers in (1, 2))
            print(f"{engine}: {one:.2f} rows/s by one worker, {two:.2f} by two: x {two / one:.2f}", flush=True)


if __name__ == "__main__":
    main()
