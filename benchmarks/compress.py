"""What compressing costs: loading, the model part of `compress` for prompts of several lengths and steps, peak memory.

    python -m benchmarks.compress [--checkpoint DIR] [--device cpu]

Medians over --repeat runs after one warm-up.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from pathlib import Path

DEMONSTRATION = (
    "Question: A bakery sells {a} loaves in the morning and {b} in the afternoon. Each loaf costs 3 dollars. "
    "How much does it earn in a day?\nAnswer: It sells {a} + {b} = {c} loaves. At 3 dollars each it earns "
    "{c} * 3 = {d} dollars.\n\n"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--device")
    parser.add_argument("--words", type=int, nargs="+", default=[100, 300, 1000, 4000])
    parser.add_argument("--steps", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--repeat", type=int, default=5)
    flags = parser.parse_args()
    start = time.perf_counter()
    from model import Compressor

    compressor = Compressor.load(flags.checkpoint, flags.device)
    print(f"import and load: {time.perf_counter() - start:.2f} s on {compressor.device}")
    print(f"{'words':>6} {'tokens':>7} {'steps':>6} {'seconds':>8}")
    for words in flags.words:
        text = few_shot(words)
        for steps in flags.steps:
            runs = [compressor.compress(text, 0.35, steps) for _ in range(flags.repeat + 1)][1:]
            seconds = statistics.median(run.seconds for run in runs)
            print(f"{words:6} {len(runs[0].prompt):7} {steps:6} {seconds:8.2f}", flush=True)
    print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def few_shot(words: int) -> str:
    """A few-shot prompt of about so many words."""
    text, i = "", 0
    while len(text.split()) < words:
        a, b = 12 + i, 7 + 3 * i
        text += DEMONSTRATION.format(a=a, b=b, c=a + b, d=3 * (a + b))
        i += 1
    return text.strip()


if __name__ == "__main__":
    main()
