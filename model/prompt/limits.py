"""How much text is compressed at once, and what is said of more. Said here, and nowhere else."""

from __future__ import annotations

from ..errors import InputError

MAX_CHARACTERS = 200_000


def check_length(characters: int) -> None:
    """Raises InputError when a prompt of so many characters is too long."""
    if characters > MAX_CHARACTERS:
        raise InputError(
            f"The prompt has {characters:,} characters; at most {MAX_CHARACTERS:,} are compressed at once: split it."
        )
