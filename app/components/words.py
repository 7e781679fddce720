"""Numbers, times and long texts in few words."""

from __future__ import annotations


def moment(utc: str) -> str:
    """A time to the minute.

    >>> moment("2026-11-22T03:05:00.000000Z")
    '2026-11-22 03:05'
    """
    return utc[:16].replace("T", " ")


def shorten(text: str, limit: int = 160) -> str:
    """The beginning of a text, in one line.

    >>> shorten("one\\n two three", 8)
    'one two…'
    """
    line = " ".join(text[: 4 * limit].split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def plural(count: int, singular: str, many: str = "") -> str:
    """A count with its noun.

    >>> plural(1, "prompt"), plural(2000, "person", "people")
    ('1 prompt', '2,000 people')
    """
    return f"{count:,} {singular if count == 1 else many or singular + 's'}"
