"""What the denoising steps are for: how broken are the texts that a mask leaves, by number of steps?

    python -m benchmarks.holes --data DATA

Prompts of 4 demonstrations from the training tasks, as many tokens kept each time. A hole is a dropped token with kept
ones close by on both sides, in one demonstration; an island is a kept token between two dropped ones. Prints means.
"""

from __future__ import annotations

import argparse
import random
import statistics
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from model.compress import Compressor
from model.data.fewshot import draw, load_dataset
from model.prompt import Prompt
from model.teacher.score import Case

NEAR = 3  # tokens
TASKS = (("gsm8k", 0.25), ("dbpedia", 0.35), ("subj", 0.2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--prompts", type=int, default=8)
    parser.add_argument("--steps", type=int, nargs="+", default=[1, 4, 8, 16, 32])
    flags = parser.parse_args()
    compressor = Compressor.load(flags.checkpoint)
    print(f"{'task':8} {'kept':>6} {'steps':>6} {'holes':>6} {'islands':>8}")
    for task, retention in TASKS:
        data = load_dataset(flags.data, task)
        shots = [draw(data, random.Random(f"holes:{i}"), shots=4) for i in range(flags.prompts)]
        prompts = [Case.of(replace(shot, max_words=45), data).prompt for shot in shots]
        for steps in flags.steps:
            masks = [compressor.compress(p, retention, steps, keep_task=False).trace.keep for p in prompts]
            found = [broken(p, mask) for p, mask in zip(prompts, masks, strict=True)]
            holes, islands = (statistics.mean(column) for column in zip(*found, strict=True))
            kept = statistics.mean(map(sum, masks))
            print(f"{task:8} {kept:6.1f} {steps:6} {holes:6.1f} {islands:8.1f}", flush=True)


def broken(prompt: Prompt, keep: Sequence[bool]) -> tuple[int, int]:
    """Holes and islands of a mask."""
    holes = 0
    for shot in prompt.parts:
        inside = keep[shot.first : shot.last]
        for i, kept in enumerate(inside):
            holes += not kept and any(inside[max(0, i - NEAR) : i]) and any(inside[i + 1 : i + 1 + NEAR])
    around = zip(keep, keep[1:], keep[2:], strict=False)
    return holes, sum(kept and not left and not right for left, kept, right in around)


if __name__ == "__main__":
    main()
