"""What the sub-commands share: a parser of their own, flags of several of them, standard output."""

from __future__ import annotations

import argparse
import sys
from typing import TypeAlias

from ..errors import InputError

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def command(commands: Commands, name: str, about: str, examples: str, extra: str = "") -> argparse.ArgumentParser:
    """The parser of a new sub-command.

    Args:
        about: what it does, in half a sentence.
        examples: lines to try; argparse puts in how the command is called for %(prog)s.
        extra: of pyproject.toml, that installs what the command needs.
    """
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=about,
        description=f"{about[0].upper()}{about[1:]}.",
        epilog=f"examples:\n{examples}",
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(extra=extra)
    return parser


def add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", metavar="NAME", help="cpu, cuda, cuda:N or mps (default: the best there is)")


def add_workers(parser: argparse.ArgumentParser, of: str = "") -> None:
    """The flags that say where work is done; of: what they are for."""
    flag = parser.add_argument
    flag("--processes", type=count, metavar="N", help=f"{of}how many work at once (default: one for each core)")
    flag(
        "--engine",
        choices=("processes", "ray"),
        default="processes",
        help=f"{of}processes of this machine (the default), or Ray, whose machines must see the same folders",
    )
    flag("--address", metavar="URL", help=f"{of}of a Ray cluster, such as auto (default: one on this machine)")


def names(text: str) -> tuple[str, ...]:
    """ "a, b" -> ("a", "b")"""
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise argparse.ArgumentTypeError("name at least one")
    return names


def count(text: str) -> int:
    if (count := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {count}")
    return count


def share_or_auto(text: str) -> float | str:
    try:
        return text if text == "auto" else float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a share such as 0.35, or auto, not {text!r}") from None


def write_out(text: str) -> None:
    """Write the text as UTF-8, whatever the locale; a line break only if it ends without one."""
    if sys.stdout is None:
        raise InputError("standard output is closed, so there is nowhere to print the result")
    sys.stdout.buffer.write(text.encode("utf-8") + (b"" if text.endswith("\n") else b"\n"))
    sys.stdout.buffer.flush()
