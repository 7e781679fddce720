"""`diffumask compress`: drop tokens of one prompt."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import nullcontext
from pathlib import Path

from ..errors import InputError
from .tools import Commands, add_device, command, write_out

BYTES_PER_CHARACTER = 4  # at most, in UTF-8


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "compress",
        "drop tokens of a prompt until a share of them is left",
        "  %(prog)s prompt.txt --retention 0.35\n"
        "  cat prompt.txt | %(prog)s - --keep '\\d+' > short.txt\n"
        "  %(prog)s prompt.txt --json | jq .kept_tokens",
    )
    flag = parser.add_argument
    flag("file", metavar="FILE", help="UTF-8 text file with the prompt; - reads standard input")
    flag("--retention", type=float, default=0.5, metavar="R", help="share of tokens to keep, in (0, 1] (default 0.5)")
    flag("--steps", type=int, default=8, metavar="N", help="denoising steps, 1-64 (default 8)")
    flag(
        "--threshold",
        type=float,
        default=0.0,
        metavar="C",
        help="confidence in [0, 1) that a token needs to be decided before the last step (default 0)",
    )
    flag(
        "--temperature",
        type=float,
        default=0.0,
        metavar="T",
        help="of the noise that varies the mask, 0-10 (default 0: none)",
    )
    flag("--seed", type=int, default=0, metavar="N", help="of that noise (default 0)")
    flag("--keep", metavar="REGEX", help="keep every token that a match touches")
    flag("--exact", action="store_true", help="compute all while there is a choice: slower, nearly the same mask")
    flag("--drop-task", action="store_true", help="do not keep the instruction and an open question whole")
    flag("--json", action="store_true", help="print a JSON record with every token and its decision")
    flag("--checkpoint", type=Path, metavar="DIR", help="folder of a checkpoint (default: the shipped one)")
    add_device(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    from ..compress import Compressor
    from ..prompt.limits import MAX_CHARACTERS

    text = read_prompt(arguments.file, MAX_CHARACTERS)
    compressed = Compressor.load(arguments.checkpoint, arguments.device).compress(
        text,
        arguments.retention,
        arguments.steps,
        threshold=arguments.threshold,
        temperature=arguments.temperature,
        seed=arguments.seed,
        keep=arguments.keep,
        keep_task=not arguments.drop_task,
        exact=arguments.exact,
    )
    write_out(json.dumps(compressed.to_json(), ensure_ascii=False) if arguments.json else compressed.text)


# --- the prompt


def read_prompt(name: str, limit: int) -> str:
    """The text of a file or of standard input ("-"), with its line breaks as they are.

    Raises InputError when it cannot be read, has more than `limit` characters for certain, or is not UTF-8 text.
    """
    what = "standard input" if name == "-" else name
    most = limit * BYTES_PER_CHARACTER
    if name == "-" and sys.stdin is None:
        raise InputError("standard input is closed; give a text file")
    try:
        with open(name, "rb") if name != "-" else nullcontext(sys.stdin.buffer) as file:
            data = file.read(most + 1)
    except OSError as error:
        raise InputError(f"cannot read {what}: {error.strerror}; give a text file, or - for standard input") from None
    if b"\0" in data:
        raise InputError(f"{what} holds NUL bytes, so it is no text; give UTF-8 text")
    if len(data) > most:
        raise InputError(f"{what} has more than the {limit:,} characters that are compressed at once: split it")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        byte = data[error.start]
        raise InputError(f"{what} is not UTF-8 text (byte 0x{byte:02x} at offset {error.start}); convert it") from None
