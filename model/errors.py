"""Errors meant for the person who uses the program."""


class InputError(ValueError):
    """A user's mistake; its message is one clear line that says what is wrong and what to do.

    The command line prints the message on stderr and exits with status 2; the app shows it beside the prompt.
    """


class RecordError(InputError):
    """A record of what a person said is not valid; the message begins with the field's name: "pins: ..."."""


def not_installed(error: ModuleNotFoundError) -> str:
    """What to do about a package that is missing."""
    return f"{error.name} is not installed here: activate the environment, or run `pip install -r requirements.txt`"
