"""`diffumask push` and `diffumask pull`: checkpoints to the Hugging Face Hub and from it."""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from ..errors import InputError
from .tools import Commands, command, write_out

_TOKEN = "the token of HF_TOKEN, or of `hf auth login`, says whose it is."


def add(commands: Commands) -> None:
    _add_push(commands)
    _add_pull(commands)


def _add_push(commands: Commands) -> None:
    parser = command(
        commands,
        "push",
        "put a checkpoint on the Hugging Face Hub, with a card",
        "  %(prog)s checkpoints/mine ann/short-prompts\n"
        f"  %(prog)s checkpoints/mine ann/short-prompts --public --results report.json\n{_TOKEN}",
    )
    flag = parser.add_argument
    flag("folder", type=Path, metavar="DIR", help="folder of the checkpoint")
    flag("name", metavar="OWNER/NAME", help="of the repository; it is made if it is not there")
    flag("--public", action="store_true", help="where the repository is new, let everybody see it")
    flag("--results", type=Path, metavar="FILE", help="what evaluate --json or report wrote about it, for the card")
    parser.set_defaults(run=push)


def _add_pull(commands: Commands) -> None:
    parser = command(
        commands,
        "pull",
        "fetch a checkpoint from the Hugging Face Hub into a folder",
        f"  %(prog)s ann/short-prompts checkpoints/hers\n  %(prog)s ann/short-prompts@v2 checkpoints/hers\n{_TOKEN}",
    )
    parser.add_argument("name", metavar="OWNER/NAME[@REVISION]", help="of the repository")
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder to make")
    parser.set_defaults(run=pull)


def push(arguments: argparse.Namespace) -> None:
    from ..denoiser.sharing import push_to_hub

    results = None if arguments.results is None else _results(arguments.results)
    commit = push_to_hub(arguments.folder, arguments.name, private=not arguments.public, results=results)
    write_out(f"{arguments.name} is now {arguments.folder}: commit {commit[:12]}")


def pull(arguments: argparse.Namespace) -> None:
    from ..denoiser.checkpoint import load_checkpoint
    from ..denoiser.sharing import fetch_checkpoint

    folder = arguments.folder
    if folder.exists() or folder.is_symlink():
        raise InputError(f"{folder} exists already, and a checkpoint is never overwritten: choose a new folder")
    source = fetch_checkpoint(arguments.name)
    id = load_checkpoint(source).id
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as scratch:
        shutil.copytree(source, Path(scratch) / "ready").rename(folder)
    write_out(f"{folder}: checkpoint {id}")


def _results(file: Path) -> dict[str, Any]:
    try:
        read = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(read, dict) and ("runs" in read or {"config", "rows"} <= set(read)):
            return read
    except (OSError, ValueError, RecursionError):
        pass
    raise InputError(f"{file} holds no results: give what `evaluate --json` or `report` wrote")
