"""`diffumask finetune`: learn from people's corrections."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ..errors import program
from .tools import Commands, command, count, write_out


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "finetune",
        "learn from people's corrections and write a new checkpoint",
        "  python -m annotations export corrections.jsonl\n"
        "  %(prog)s --corrections corrections.jsonl --out checkpoints/corrected\n"
        f"  {program()} compress prompt.txt --checkpoint checkpoints/corrected\n"
        "the same command again goes on where it was interrupted.",
    )
    flag = parser.add_argument
    flag("--corrections", type=Path, required=True, metavar="FILE", help="JSONL file that `annotations export` wrote")
    flag("--out", type=Path, required=True, metavar="DIR", help="folder for the checkpoint; must not exist yet")
    flag("--parent", "--checkpoint", type=Path, metavar="DIR", help="what to go on from (default: the shipped one)")
    flag("--epochs", type=count, metavar="N", help="passes over the corrections at the most")
    flag("--rate", type=float, metavar="R", help="peak learning rate")
    flag("--validation", type=float, default=0.2, metavar="R",
         help="share of the prompts, told by their text, to measure with (default 0.2, at least one)")  # fmt: skip
    flag("--seed", type=int, default=0, metavar="N", help="of the noise (default 0)")
    flag("--json", action="store_true", help="print the result as a JSON record")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    from dataclasses import replace

    from tqdm import tqdm

    from ..training.finetune import FinetuneConfig, finetune

    config = FinetuneConfig(
        arguments.corrections, arguments.out, arguments.parent, arguments.validation, arguments.seed, resumable=True
    )
    given = {"epochs": arguments.epochs, "rate": arguments.rate}
    fit = replace(config.fit, **{name: value for name, value in given.items() if value is not None})
    with tqdm(unit="step", desc="learning") as bar:

        def progress(step: int, total: int, loss: float) -> None:
            bar.total, bar.n = total, step
            bar.set_postfix(loss=f"{loss:.3f}")

        made = finetune(replace(config, fit=fit), progress)
    write_out(json.dumps(made.to_json()) if arguments.json else made.summary())
