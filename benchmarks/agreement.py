"""Do the fast masks equal the exact ones? By how readily the model is asked again (`Window.tolerance`).

    python -m benchmarks.agreement --data DATA --tolerance 0.001 0.002

Prompts of 150 to 430 tokens from the training tasks, at 20 to 50 %. Prints, over prompts: the mean share of tokens that
are as 64 exact steps decide them, the smallest, and how often the model was asked.
"""

from __future__ import annotations

import argparse
import random
import statistics
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from model.compress import Compressor
from model.data import draw, load_dataset
from model.prompt import Prompt
from model.sampler import MAX_STEPS
from model.score import Case

TASKS = ("gsm8k", "dbpedia", "subj", "trec")
RETENTIONS = (0.2, 0.35, 0.5, 0.3, 0.35)
LENGTHS = range(151, 430)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--prompts", type=int, default=14)
    parser.add_argument("--steps", type=int, nargs="+", default=[8, 64])
    parser.add_argument("--tolerance", type=float, nargs="+", default=[0.001, 0.002])
    flags = parser.parse_args()
    compressor = Compressor.load()
    window = compressor.window
    drawn = enumerate(islice(prompts(flags.data), flags.prompts))
    cases = [(p, RETENTIONS[i % len(RETENTIONS)]) for i, p in drawn]
    exact = [compressor.compress(p, r, MAX_STEPS, keep_task=False, exact=True).trace.keep for p, r in cases]
    print(f"{'steps':>6} {'tolerance':>10} {'equal':>6} {'least':>6} {'asked':>6}")
    for steps in flags.steps:
        for tolerance in flags.tolerance:
            compressor.window = replace(window, tolerance=tolerance)
            traces = [compressor.compress(p, r, steps, keep_task=False).trace for p, r in cases]
            pairs = [list(zip(t.keep, keep, strict=True)) for t, keep in zip(traces, exact, strict=True)]
            equal = [statistics.mean(a == b for a, b in pair) for pair in pairs]
            asked = statistics.mean(sum(step.asked for step in t.steps) for t in traces)
            print(f"{steps:6} {tolerance:10} {statistics.mean(equal):6.3f} {min(equal):6.3f} {asked:6.1f}", flush=True)


def prompts(data: Path) -> Iterator[Prompt]:
    sets = [load_dataset(data, name) for name in TASKS]
    i = 0
    while True:
        rows = sets[i % len(sets)]
        shot = draw(rows, random.Random(f"tol:{i}"), shots=5 if rows.labels else 3)
        prompt = Case.of(replace(shot, max_words=60) if rows.labels else shot, rows).prompt
        i += 1
        if len(prompt) in LENGTHS:
            yield prompt


if __name__ == "__main__":
    main()
