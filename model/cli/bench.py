"""`diffumask bench`: time the compressor and its peers."""

from __future__ import annotations

import argparse
from pathlib import Path

from .tools import Commands, add_device, command, count, names, write_out


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "bench",
        "time the compressor and its peers side by side, on prompts of many lengths",
        "  %(prog)s --json bench.json\n"
        "  %(prog)s --tokens 128 512 --methods diffumask,exact --repeat 3\n"
        "what would take longer than --limit in one run is extrapolated from a shorter prompt, and marked with ~.",
        extra="eval",
    )
    flag = parser.add_argument
    flag("--tokens", type=count, nargs="+", metavar="N",
         help="lengths of the prompts, in prompt tokens (default 128 512 2048 8192 32768)")  # fmt: skip
    flag("--steps", type=count, nargs="+", metavar="N",
         help="of DiffuMask (default 1 4 8 16 64)")  # fmt: skip
    flag("--methods", type=names, metavar="LIST",
         help="comma-separated, any of diffumask, exact, llmlingua, ta-pruning, bert-base, xlm-roberta-large "
         "(default: all)")  # fmt: skip
    flag("--retention", type=float, metavar="R", help="share of tokens to keep (default 0.35)")
    flag("--repeat", type=count, metavar="N", help="rounds to take the median of (default 5)")
    flag("--limit", type=float, metavar="S",
         help="seconds that one method may take at one length (default 120)")  # fmt: skip
    flag("--checkpoint", type=Path, metavar="DIR", help="folder of a checkpoint (default: the shipped one)")
    flag("--json", type=Path, metavar="OUT", help="write the report here, after each length")
    add_device(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    from ..evaluation.timing.bench import BenchConfig, bench

    given = {
        name: value
        for name, value in vars(arguments).items()
        if name in BenchConfig.__dataclass_fields__ and value is not None
    }
    given |= {name: tuple(given[name]) for name in ("tokens", "steps") if name in given}
    write_out(bench(BenchConfig(**given)).table())
