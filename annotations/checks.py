"""Checks of single values that records of corrections and votes are made of.

Each returns the value in canonical form, or raises RecordError: one line that begins with the field's name.
"""

from __future__ import annotations

import re
from datetime import datetime, timezone

from annotations.errors import RecordError

TEXT_LIMIT = 1_000_000  # characters of a prompt
NOTE_LIMIT = 10_000
NAME_LIMIT = 200  # characters of an annotator, reviewer or checkpoint
SECONDS_LIMIT = 366 * 24 * 3600.0

_ID = re.compile(r"[0-9a-f]{32}")


def now() -> str:
    """The time in the form of created_at, which sorts as text: "2026-11-22T03:05:00.000000Z"."""
    return _utc(datetime.now(timezone.utc))


def text_field(name: str, value: object, limit: int, blank: bool = True) -> str:
    """A text that every database and file can hold. RecordError when it is too long, has NUL or half a character."""
    if not isinstance(value, str):
        raise RecordError(f"{name}: {shown(value)} is not a text")
    if len(value) > limit:
        raise RecordError(f"{name}: has {len(value):,} characters; at most {limit:,} are allowed")
    if not blank and not value.strip():
        raise RecordError(f"{name}: is empty")
    if (at := value.find("\0")) >= 0:
        raise RecordError(f"{name}: holds a NUL character at position {at:,}; remove it")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        half = f"half a character (lone surrogate U+{ord(value[error.start]):04X} at position {error.start:,})"
        raise RecordError(f"{name}: holds {half} or is not UTF-8; remove it") from None
    return value


def utc_field(name: str, value: object) -> str:
    """An ISO 8601 time with a zone, as UTC with microseconds and Z."""
    try:
        if not isinstance(value, str) or len(value) > 40:
            raise ValueError
        moment = datetime.fromisoformat(value[:-1] + "+00:00" if value.endswith("Z") else value)
        if moment.tzinfo is None:
            raise ValueError
        return _utc(moment)
    except (ValueError, OverflowError):
        raise RecordError(f"{name}: {shown(value)} is not a time such as 2026-11-22T03:05:00Z") from None


def _utc(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")


def shown(value: object) -> str:
    """A value in a message: short, and nothing that could write to a terminal."""
    plain = isinstance(value, (str, float, type(None))) or (isinstance(value, int) and abs(value) < 2**70)
    text = ascii(value) if plain else f"a {type(value).__name__}"
    return text if len(text) <= 40 else text[:40] + "..."


def id_field(name: str, value: object) -> str:
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise RecordError(f"{name}: {shown(value)} is not 32 hexadecimal digits, small letters, as uuid4().hex gives")
    return value


def choice_field(name: str, value: object, choices: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in choices:
        raise RecordError(f"{name}: {shown(value)} is not one of {', '.join(choices)}")
    return value


def integer_field(name: str, value: object, least: int, most: int) -> int:
    if type(value) is not int:
        raise RecordError(f"{name}: {shown(value)} is not a whole number")
    if not least <= value <= most:
        raise RecordError(f"{name}: {shown(value)} is not from {least} to {most}")
    return value


def number_field(name: str, value: object, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise RecordError(f"{name}: {shown(value)} is not a number")
    if not 0 <= value <= most:
        raise RecordError(f"{name}: {shown(value)} is not from 0 to {most:g}")
    return float(value)
