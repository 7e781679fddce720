"""How long one training pair takes and how good it is: the hierarchical teacher against classic TA-Pruning.

    python -m benchmarks.teacher --data DATA --task dbpedia --prompts 2 --tokens 250

All methods label the same prompts; their masks are scored on the same held-out queries that none has seen. spans is the
hierarchical teacher with spans of 8 tokens pruned left to right as further candidates. Prints, per prompt, seconds,
masks scored and s(z) in nats at each retention, and the median ratio of the seconds.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from model.data.fewshot import FewShot, draw, load_dataset
from model.llm.load import load_target
from model.teacher.score import Case
from model.teacher.search import Scorer, TeacherConfig, held_out, label, left_to_right_pruning, random_pruning

Masks = dict[float, list[bool]]
SPAN = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--task", default="dbpedia")
    parser.add_argument("--targets", default="smollm2")
    parser.add_argument("--prompts", type=int, default=2)
    parser.add_argument("--tokens", type=int, default=250, help="length of the prompts, within 15 %%")
    parser.add_argument("--methods", default="hierarchical,spans,random,classic")
    parser.add_argument("--held-out", type=int, default=48, help="queries that the masks are compared on")
    flags = parser.parse_args()
    targets = [load_target(name, fast=True) for name in flags.targets.split(",")]
    data = load_dataset(flags.data, flags.task)
    ratios = []
    for i in range(flags.prompts):
        shot = drawn(data, flags.tokens, random.Random(f"benchmark:{i}"))
        case = Case.of(shot, data)
        pool = random.Random(i).sample(held_out(shot, data), len(held_out(shot, data)))
        seen, unseen = pool[: len(pool) // 2], pool[len(pool) // 2 :]
        judge = Scorer(targets, case, unseen, TeacherConfig(queries=flags.held_out), random.Random(i))
        n = len(case.prompt)
        print(f"\nprompt {i}: {n} tokens; full {judge([True] * n):.3f}, no demonstrations {judge([False] * n):.3f}")
        seconds = {}
        for method in flags.methods.split(","):
            config = TeacherConfig()
            scorer = Scorer(targets, case, seen, config, random.Random(i))
            start = time.perf_counter()
            masks = METHODS[method](scorer, config)
            seconds[method] = time.perf_counter() - start
            scores = "  ".join(f"{r:.0%}: {judge(keep):.3f}" for r, keep in sorted(masks.items()))
            print(f"  {method:13} {seconds[method]:7.1f} s  {scorer.calls:5} masks scored   s(z) {scores}", flush=True)
        if {"classic", "hierarchical"} <= seconds.keys():
            ratios.append(seconds["classic"] / seconds["hierarchical"])
    if ratios:
        print(f"\nclassic / hierarchical, seconds: median {statistics.median(ratios):.1f} x")


def drawn(data, tokens: int, rng: random.Random) -> FewShot:
    """A prompt with about `tokens` tokens and 4 demonstrations."""
    while True:
        shot = draw(data, rng, shots=4)
        if abs(len(Case.of(shot, data).prompt) - tokens) <= 0.15 * tokens:
            return shot


METHODS: dict[str, Callable[[Scorer, TeacherConfig], Masks]] = {
    "spans": lambda s, c: label(s, replace(c, span=SPAN), random.Random(0)).masks,
    "hierarchical": lambda s, c: label(s, c, random.Random(0)).masks,
    "classic": lambda s, c: left_to_right_pruning(s, c.retentions),
    "random": lambda s, c: random_pruning(len(s.case.prompt), c.retentions, random.Random(0)),
}

if __name__ == "__main__":
    main()
