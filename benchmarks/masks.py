"""Which kinds of masks target LLMs make most of, on the training tasks: where `model.teacher.proposals` gets its rule
from,
and how far the shipped denoiser has learnt it.

    python -m benchmarks.masks --data DATA --tasks dbpedia,trec,subj --target smollm2 --prompts 20

Every prompt has 4 demonstrations. A kind is a number of demonstrations and an order inside them, at most --retention of
the prompt's tokens; the demonstrations are the first ones (DiffuMask chooses its own). Prints, per kind, the mean of
s(z) less that of the full prompt, and of the paired difference to cutting the prompt off, with its standard error,
all in nats.
"""

from __future__ import annotations

import argparse
import random
import statistics
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import torch
from tqdm import tqdm

from model.compress import Compressor
from model.data.fewshot import draw, load_dataset
from model.llm.load import load_target
from model.teacher.proposals import choose, head_first, roles, self_information
from model.teacher.score import Case
from model.teacher.search import Scorer, TeacherConfig, held_out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tasks", default="dbpedia,trec,subj,sst-5,mr")
    parser.add_argument("--target", default="smollm2")
    parser.add_argument("--prompts", type=int, default=20)
    parser.add_argument("--queries", type=int, default=16)
    parser.add_argument("--words", type=int, default=30, help="the most that a demonstration's text may have")
    parser.add_argument("--steps", type=int, nargs="+", default=[1, 8], help="of DiffuMask")
    parser.add_argument("--retention", type=float, nargs="+", default=[0.22, 0.35])
    flags = parser.parse_args()
    sets = [load_dataset(flags.data, name) for name in flags.tasks.split(",")]
    information = self_information(sets)
    target = load_target(flags.target, fast=True)
    compressor = Compressor.load()
    found: dict[tuple[float, str], list[tuple[float, float]]] = defaultdict(list)
    gains = []
    for i in tqdm(range(flags.prompts), unit="prompt"):
        rng = random.Random(f"masks:{i}")
        data = sets[i % len(sets)]
        shot = replace(draw(data, rng, shots=4), max_words=flags.words)
        case = Case.of(shot, data)
        scorer = Scorer([target], case, held_out(shot, data), TeacherConfig(queries=flags.queries), rng)
        n = len(case.prompt)
        full = scorer([True] * n)
        gains.append(full - scorer([False] * n))
        for retention in flags.retention:
            budget = max(1, round(retention * n))
            cut = scorer([j < budget for j in range(n)])
            found[retention, "cut off"].append((cut - full, 0.0))
            masks = kinds(case, information, budget)
            for steps in flags.steps:
                trace = compressor.compress(case.prompt, retention, steps, keep_task=False).trace
                masks[f"DiffuMask, steps: {steps}"] = list(trace.keep)
            for name, keep in masks.items():
                value = scorer(keep)
                found[retention, name].append((value - full, value - cut))
    print(f"full prompt less no demonstrations: {statistics.mean(gains):+.3f}")
    for (retention, name), values in found.items():
        to_full, to_cut = (statistics.mean(column) for column in zip(*values, strict=True))
        error = statistics.pstdev(gain for _, gain in values) / len(values) ** 0.5
        print(f"{retention:4.0%}  {name:28} vs full {to_full:+.3f}   vs cutting off {to_cut:+.3f} ± {error:.3f}")


def kinds(case: Case, information: dict[str, float], budget: int) -> dict[str, list[bool]]:
    """Kind -> mask of exactly `budget` tokens."""
    frame, text_place, answer_place = roles(case)
    bits = torch.tensor([information.get(token.text.lower(), 20.0) for token in case.prompt.tokens]).clamp_max(20)
    framed = 3 * frame + 2 * (answer_place >= 0).float()
    orders = {
        "whole, from the front": -torch.arange(len(frame)) / len(frame),
        "template, answers, heads": head_first(case),
        "template, answers, rare words": framed + bits / 20,
    }
    shots = list(range(len(case.prompt.parts)))
    masks = {}
    for count in range(1, len(shots) + 1):
        for name, order in orders.items():
            if count == 1 or not name.startswith("whole"):
                masks[f"{count}: {name}"] = choose(case, shots, count, order, budget)
    return masks


if __name__ == "__main__":
    main()
