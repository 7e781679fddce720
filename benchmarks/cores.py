"""What this machine's cores are worth together: python -m benchmarks.cores

Layers of the encoder that one process computes in a second, and that one for each core computes at the same time, each
held to a core of its own. They share no memory and no lock, so whatever runs here with several workers or callers gains
at most as much. Virtual cores are often two threads of one real core, and gain little.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from multiprocessing.synchronize import Barrier

import torch

from model.devices import cores
from model.layers import one_bert_layer


@torch.inference_mode()
def layers_a_second(core: int, dtype: torch.dtype, seconds: float, ready: Barrier) -> float:
    """Of 256 subwords, on one core, once all are ready."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[core]})
    torch.set_num_threads(1)
    run = one_bert_layer(torch.device("cpu"), dtype)
    run()
    ready.wait()
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        run()
        count += 1
    return count / (time.perf_counter() - began)


def together(processes: int, dtype: torch.dtype, seconds: float) -> float:
    """Layers a second of all."""
    with multiprocessing.Manager() as manager, multiprocessing.get_context("spawn").Pool(processes) as pool:
        ready = manager.Barrier(processes)
        return sum(pool.starmap(layers_a_second, [(i, dtype, seconds, ready) for i in range(processes)], 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    for dtype in (torch.float32, torch.bfloat16):
        for _ in range(arguments.rounds):
            one, all_ = (together(count, dtype, arguments.seconds) for count in (1, cores()))
            print(
                f"{str(dtype).removeprefix('torch.')}: {one:.0f} layers/s by one process, {all_:.0f} by {cores()}: "
                f"x {all_ / one:.2f}; load average {os.getloadavg()[0]:.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
