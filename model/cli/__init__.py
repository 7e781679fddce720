"""The command line: `diffumask compress|corpus|serve|proxy|teach|train|finetune|evaluate|report|bench|push|pull`; in
a checkout `python -m model`.

Exit status: 0 done, 2 a mistake in the input (one line on stderr), 130 interrupted, 141 the reader of the
output went away. Only the sub-commands import torch, so that --help comes at once.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from .. import __version__
from ..errors import InputError, not_installed, program
from . import bench, compress, corpus, evaluate, finetune, hub, proxy, report, serve, teach, train


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit status."""
    arguments = build_parser().parse_args(argv)
    try:
        arguments.run(arguments)
        return 0
    except InputError as error:
        return _complain(str(error), 2)
    except ModuleNotFoundError as error:
        return _complain(not_installed(error, arguments.extra), 2)
    except BrokenPipeError:
        return _hang_up()
    except OSError as error:  # no space, no permission, ...
        return _complain(f"{error.filename or 'cannot write the result'}: {error.strerror or error}", 2)
    except KeyboardInterrupt:
        return _complain("interrupted", 130)


class _Parser(argparse.ArgumentParser):
    """Reports a mistake in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(_complain(f"{message}; see `{self.prog} --help`", 2))


def _complain(message: str, status: int) -> int:
    print("diffumask:", " ".join(message.split()), file=sys.stderr)
    return status


def _hang_up() -> int:
    """End quietly when whoever read the output has closed it, as `| head` does."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that the flush at exit does not fail, too
    return 141


def build_parser() -> argparse.ArgumentParser:
    """The parser; parsed arguments carry their sub-command's function as `run`, and the `extra` that it needs."""
    parser = _Parser(
        prog=program(),
        allow_abbrev=False,
        description="DiffuMask: compress prompts by denoising a keep/drop mask over their tokens.",
        epilog="`%(prog)s COMMAND --help` shows a command's options and examples.",
    )
    parser.add_argument("--version", action="version", version=f"diffumask {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for module in (compress, corpus, serve, proxy, teach, train, finetune, evaluate, report, bench, hub):
        module.add(commands)
    return parser
