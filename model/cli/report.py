"""`diffumask report`: run a whole study and write its folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from .tools import Commands, add_device, command, write_out


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "report",
        "run a whole study: tasks, targets and methods, as tables, curves and a matrix",
        "  %(prog)s --config small --data data --out report\n"
        "  %(prog)s --config my-study.toml --out report\n"
        "the same command again goes on where the last one ended.",
        extra="eval",
    )
    flag = parser.add_argument
    flag("--config", default="small", metavar="NAME", help="a .toml file, or a preset: small, full (default small)")
    flag("--out", type=Path, required=True, metavar="DIR", help="folder for report.json, report.md and curves.html")
    flag("--data", type=Path, metavar="DIR", help="folder that holds the tasks' folders")
    add_device(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    from tqdm import tqdm

    from ..evaluation.report.study import read_study, study

    config = read_study(arguments.config, arguments.out, arguments.data, arguments.device)
    study(config, tqdm)
    write_out(f"{arguments.out}: report.md, curves.html and report.json")
