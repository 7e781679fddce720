"""Do the fast masks equal the exact ones? By how readily the model is asked again, and all is computed anew
(`CacheConfig`).

    python -m benchmarks.agreement --data DATA --unsure 0.2 0.3 --tolerance 0.01 --refresh 1 1.1 1.3

Prompts of 150 to 430 tokens from the training tasks, at 20 to 50 %. Prints, over prompts: the mean share of tokens that
are as 64 exact steps decide them, the median, the smallest, how often the model was asked, and seconds.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice, product
from pathlib import Path

from model.compress import Compressor
from model.data.fewshot import draw, load_dataset
from model.denoiser.cached import CacheConfig
from model.diffusion.trace import MAX_STEPS
from model.prompt import Prompt
from model.teacher.score import Case

TASKS = ("gsm8k", "dbpedia", "subj", "trec")
RETENTIONS = (0.2, 0.35, 0.5, 0.3, 0.35)
LENGTHS = range(151, 430)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--prompts", type=int, default=14)
    parser.add_argument("--steps", type=int, nargs="+", default=[8, 64])
    parser.add_argument("--skip", type=int, default=0, help="how many prompts to leave out first")
    parser.add_argument("--unsure", type=float, nargs="+", default=[CacheConfig.unsure])
    parser.add_argument("--tolerance", type=float, nargs="+", default=[CacheConfig.tolerance])
    parser.add_argument("--refresh", type=float, nargs="+", default=[CacheConfig.refresh])
    flags = parser.parse_args()
    compressor = Compressor.load()
    window = compressor.window
    drawn = enumerate(islice(prompts(flags.data), flags.skip, flags.skip + flags.prompts))
    cases = [(p, RETENTIONS[i % len(RETENTIONS)]) for i, p in drawn]
    exact = [compressor.compress(p, r, MAX_STEPS, keep_task=False, exact=True).trace.keep for p, r in cases]
    print("steps  unsure  tolerance  refresh  equal  median  least  asked  seconds")
    for steps, unsure, tolerance, refresh in product(flags.steps, flags.unsure, flags.tolerance, flags.refresh):
        compressor.window = replace(window, unsure=unsure, tolerance=tolerance, refresh=refresh)
        start = time.perf_counter()
        traces = [compressor.compress(p, r, steps, keep_task=False).trace for p, r in cases]
        seconds = time.perf_counter() - start
        pairs = [list(zip(t.keep, keep, strict=True)) for t, keep in zip(traces, exact, strict=True)]
        equal = [statistics.mean(a == b for a, b in pair) for pair in pairs]
        asked = statistics.mean(sum(step.predicted for step in t.steps) for t in traces)
        agreed = f"{statistics.mean(equal):6.3f} {statistics.median(equal):7.3f} {min(equal):6.3f}"
        print(f"{steps:5} {unsure:7} {tolerance:10} {refresh:8} {agreed} {asked:6.1f} {seconds:8.1f}", flush=True)


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
