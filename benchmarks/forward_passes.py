"""What a fast trace is spent on: every forward pass of the model, and the kinds of work in it.

    python -m benchmarks.forward_passes --tokens 512 --steps 8 64

Prints, per pass: subwords computed, milliseconds, and the ratio to one plain pass of the encoder; then the share of
attention, of matrix products and of everything else in one trace. Medians over the repeats.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from model.compress import Compressor
from model.denoiser.cached import CachedPredictor
from model.diffusion.sampler import denoise
from model.diffusion.trace import SamplerConfig
from model.evaluation.timing.bench import few_shot, plain_pass
from model.prompt import Prompt

RETENTION = 0.35
KINDS = {
    "attention": ("scaled_dot_product", "softmax", "bmm", "exp_", "clamp_"),
    "matrix products": ("linear", "addmm", "aten::mm"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, default=512)
    parser.add_argument("--steps", type=int, nargs="+", default=[8, 64])
    parser.add_argument("--repeat", type=int, default=7)
    flags = parser.parse_args()
    compressor = Compressor.load()
    if compressor.layers is None:
        parser.error("this encoder is run whole in every step; there is nothing to tell apart")
    prompt = few_shot(flags.tokens)
    once = plain_pass(compressor, prompt)
    plain = 1e3 * statistics.median(timed(once) for _ in range(flags.repeat + 1))
    print(f"{len(prompt):,} tokens, {torch.get_num_threads()} threads; one plain pass: {plain:.0f} ms")
    for steps in flags.steps:
        runs = [forward_passes(compressor, prompt, steps) for _ in range(flags.repeat + 1)][1:]
        print(f"\n{steps} steps: {len(runs[0])} forward passes\n{'subwords':>10} {'ms':>6} {'passes':>7}")
        for times in zip(*runs, strict=True):
            middle = statistics.median(ms for _, ms in times)
            print(f"{times[0][0]:10} {middle:6.0f} {middle / plain:7.2f}")
        for kind, share in shares(partial(forward_passes, compressor, prompt, steps)).items():
            print(f"{kind:>16}: {share:.0%}")


def timed(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def forward_passes(compressor: Compressor, prompt: Prompt, steps: int) -> list[tuple[int, float]]:
    """(subwords computed, milliseconds) of every forward pass in one run."""
    found: list[tuple[int, float]] = []
    predict = compressor.predictor(prompt, RETENTION)
    assert isinstance(predict, CachedPredictor)

    def watched(states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        before, start = predict.computed, time.perf_counter()
        out = predict(states)
        found.append((predict.computed - before, 1e3 * (time.perf_counter() - start)))
        return out

    config = SamplerConfig(RETENTION, steps)
    list(denoise(watched, prompt.part_of, config, patience=compressor.window))
    return found


def shares(run: Callable[[], Any]) -> dict[str, float]:
    """kind of work -> its share of the time that torch's operations take."""
    with profile(activities=[ProfilerActivity.CPU]) as found:
        run()
    spent: Counter[str] = Counter()
    for event in found.key_averages():
        kind = next((kind for kind, names in KINDS.items() if any(name in event.key for name in names)), "the rest")
        spent[kind] += event.self_cpu_time_total
    return {kind: spent[kind] / spent.total() for kind in [*KINDS, "the rest"]}


if __name__ == "__main__":
    main()
