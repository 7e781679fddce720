"""Errors meant for the person who uses the program, and how to name the program to that person."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PACKAGE = __name__.partition(".")[0]  # "model" in a checkout, "diffumask" where it is installed


class InputError(ValueError):
    """A user's mistake; its message is one clear line that says what is wrong and what to do.

    The command line prints the message on stderr and exits with status 2; the app shows it beside the prompt.
    """


class RecordError(InputError):
    """A record of what a person said is not valid; the message begins with the field's name: "pins: ..."."""


def program() -> str:
    """How the command line is called here: `diffumask`, if that is how it was, else `python -m` and the package."""
    return "diffumask" if Path(sys.argv[0]).stem == "diffumask" else f"python -m {PACKAGE}"


def install(extra: str = "") -> str:
    """The command that installs what an extra of pyproject.toml names; none: what everything needs.

    >>> install("eval")
    'pip install -e ".[eval]"'
    """
    if PACKAGE == "diffumask":
        return f'pip install "diffumask[{extra}]"' if extra else "pip install diffumask"
    return f'pip install -e ".[{extra}]"' if extra else "pip install -r requirements.txt"


def not_installed(error: ModuleNotFoundError, extra: str = "") -> str:
    """What to do about a package that is missing, and that this extra brings."""
    return f"{error.name} is not installed here: activate the environment, or run `{install(extra)}`"


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Around imports of what an extra brings. InputError says what to do where it is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise InputError(not_installed(error, extra)) from None
