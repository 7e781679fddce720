"""`diffumask compress`: drop tokens of one prompt."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from .messages import as_json, is_messages, messages_of, read_messages, with_messages
from .tools import Commands, add_device, command, count, share_or_auto, write_out

if TYPE_CHECKING:
    from ..compress import Compressor

MESSAGES_CHARACTERS = 5_000_000  # of a file with messages, images in it included
BYTES_PER_CHARACTER = 4  # at most, in UTF-8


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "compress",
        "drop tokens of a prompt until a share of them is left",
        "  %(prog)s prompt.txt --retention 0.35\n"
        "  cat prompt.txt | %(prog)s - --keep '\\d+' > short.txt\n"
        "  %(prog)s prompt.txt --json | jq .kept_tokens\n"
        "  %(prog)s prompt.txt --target-tokens 500 --tokenizer tiktoken:gpt-4o\n"
        "  %(prog)s chat.json --retention 0.4 > short.json",
    )
    flag = parser.add_argument
    flag("file", metavar="FILE", help="UTF-8 text file with the prompt, or chat messages; - reads standard input")
    length = parser.add_mutually_exclusive_group()
    length.add_argument(
        "--retention",
        type=share_or_auto,
        default=0.5,
        metavar="R",
        help="share of tokens to keep at most, in (0, 1] (0.5); auto: as few as hold what is needed",
    )
    flag("--sure", type=float, default=0.95, metavar="P", help="with auto: how much of that is expected to stay (0.95)")
    length.add_argument("--target-tokens", type=count, metavar="N", help="how many tokens to keep at most, instead")
    flag("--tokenizer", metavar="NAME", help="count tokens of this reader: a folder, hub model or tiktoken:ENCODING")
    fineness = parser.add_mutually_exclusive_group()
    fineness.add_argument(
        "--granularity",
        choices=("token", "unit", "part"),
        default="unit",
        help="what is kept or dropped: words, sentences and lines, or whole parts (default unit)",
    )
    fineness.add_argument(
        "--paper", action="store_true", help="single words, whatever they belong to: the method of DiffuMask's paper"
    )
    flag(
        "--messages",
        action="store_true",
        help="the file is JSON, a list of chat messages or a request with one; found out for names in .json",
    )
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
    flag("--verdict", action="store_true", help="say all that was lost on standard error, not only two lines")
    flag("--json", action="store_true", help="print a JSON record with every token and its decision")
    flag(
        "--checkpoint", metavar="DIR", help="folder of a checkpoint, or its name on the Hub (default: the shipped one)"
    )
    flag(
        "--backend",
        choices=("torch", "onnx"),
        default="torch",
        help="what computes: torch (the default), or onnxruntime with weights of 8 bits, on the CPU",
    )
    add_device(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    from ..prompt.limits import MAX_CHARACTERS

    may_be_chat = arguments.messages or arguments.file.endswith(".json")
    text = read_prompt(arguments.file, MESSAGES_CHARACTERS if may_be_chat else MAX_CHARACTERS)
    chat = read_messages(text, arguments.file) if arguments.messages or (may_be_chat and is_messages(text)) else None
    compressor = _loads(arguments.backend)(arguments.checkpoint, arguments.device)
    if chat is None:
        compressed = compressor.compress(text, arguments.retention, **_options(arguments))
        record, plain, verdict = compressed.to_json(), compressed.text, compressed.verdict
    else:
        protect = () if arguments.drop_task else ("system", "last_user")
        short = compressor.compress_messages(
            messages_of(chat), arguments.retention, protect=protect, **_options(arguments)
        )
        made, verdict = with_messages(chat, short), short.verdict
        record, plain = {"messages": made, "retention": short.retention, "verdict": verdict.to_json()}, as_json(made)
    write_out(as_json(record, None) if arguments.json else plain)
    _say(verdict.lines() if arguments.verdict else verdict.summary())


def _loads(backend: str) -> Callable[..., Compressor]:
    if backend == "onnx":
        from ..onnx.compressor import OnnxCompressor

        return OnnxCompressor.load
    from ..compress import Compressor

    return Compressor.load


def _options(arguments: argparse.Namespace) -> dict[str, Any]:
    from ..compress import PAPER

    same = (
        "sure",
        "steps",
        "threshold",
        "temperature",
        "seed",
        "keep",
        "exact",
        "target_tokens",
        "tokenizer",
        "granularity",
    )
    options = {name: getattr(arguments, name) for name in same} | {"keep_task": not arguments.drop_task}
    return options | dict(PAPER) if arguments.paper else options


def _say(lines: Sequence[str]) -> None:
    """Write lines to standard error, without anything of the prompt that could steer a terminal."""
    if sys.stderr is not None:
        for line in lines:
            print("".join(c if c.isprintable() else "\ufffd" for c in line), file=sys.stderr)


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
