"""Whether "as long as the model is sure" means something: python -m benchmarks.sure --data DATA [--kinds nq8,xquad-de].

For prompts that nothing was learnt from: how long the results of `retention="auto"` are, in how many of them an answer
is kept whole, and a reliability diagram of the units' keep probabilities before anything is decided, through the same
parser and model that answer requests.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import torch
from tqdm import tqdm

from model.compress import AUTO, Compressor, CompressRequest
from model.data.asked import AskedData
from model.data.asked_prompt import AskedPrompt
from model.prompt import Prompt, parse

KINDS = ("nq8", "nq20", "xquad-en", "xquad-de", "xquad-zh", "reading")
SURE = (0.8, 0.9, 0.95, 0.98)
EDGES = (0.01, 0.05, 0.1, 0.3, 0.6)  # of the bins of the diagram: most units are at the low end


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.sure", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with qa/ and prompts/")
    parser.add_argument("--kinds", default=",".join(KINDS), help="comma-separated kinds of prompts")
    parser.add_argument("--prompts", type=int, default=100, help="of each kind (default 100)")
    asked = parser.parse_args(arguments)
    compressor, data = Compressor.load(), AskedData(asked.data)
    bins = [[0.0, 0.0, 0.0] for _ in range(len(EDGES) + 1)]  # probability, answers, units
    print("kind        n    " + "   ".join(f"sure {sure:.2f}: length, kept" for sure in SURE))
    for kind in asked.kinds.split(","):
        rows = []
        for example in tqdm(islice(data.prompts(kind, "test"), asked.prompts), desc=kind, file=sys.stderr):
            prompt = parse(example.text)
            rows.append([lengths_of(compressor, prompt, example, sure) for sure in SURE])
            for probability, answers in outcomes(compressor, prompt, example):
                one = bins[sum(probability >= edge for edge in EDGES)]
                one[0], one[1], one[2] = one[0] + probability, one[1] + answers, one[2] + 1
        means = [torch.tensor(column).mean(0).tolist() for column in zip(*rows, strict=True)]
        print(f"{kind:10} {len(rows):4}    " + "   ".join(f"{a:17.2f}, {b:.2f}" for a, b in means), flush=True)
    print("\nprobability   of these units answer   units")
    for probability, answers, count in bins:
        if count:
            print(f"{probability / count:11.3f}   {answers / count:21.3f}   {count:5.0f}")


def lengths_of(compressor: Compressor, prompt: Prompt, example: AskedPrompt, sure: float) -> tuple[float, float]:
    """The share that is kept, and whether something that answers is kept, of each question."""
    short = compressor.compress(prompt, AUTO, sure=sure)
    keep = short.trace.keep
    held = [any(_kept(prompt, keep, span) for span in spans) for spans in example.answers]
    return short.retention, float(all(held))


def outcomes(compressor: Compressor, prompt: Prompt, example: AskedPrompt) -> Iterator[tuple[float, float]]:
    """Of every unit that may go: its keep probability in the first step, and whether it answers."""
    step = next(compressor.run(CompressRequest(prompt, AUTO, steps=1)))
    spans = [span for column in example.answers for span in column]
    for unit, probability in zip(prompt.units, step.units, strict=False):
        role = prompt.parts[unit.part].role if unit.part >= 0 else "question"
        if unit.leaf and not unit.frame and role not in ("question", "instruction"):
            yield probability, float(any(unit.start <= start and end <= unit.end for start, end in spans))


def _kept(prompt: Prompt, keep: Sequence[bool], span: tuple[int, int]) -> bool:
    inside = [
        kept for token, kept in zip(prompt.tokens, keep, strict=True) if token.start < span[1] and span[0] < token.end
    ]
    return bool(inside) and all(inside)


if __name__ == "__main__":
    main()
