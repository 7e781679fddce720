"""Where the sentences of a text are, told from its marks: simple, and in one place."""

from __future__ import annotations

from collections.abc import Iterator

import regex

_ABBREVIATION = r"(?<!\b(?:[A-Z]|Mr|Mrs|Ms|Dr|Prof|St|vs|Jr|Sr|Gen|Col|Lt|Sgt|Mt|e\.g|i\.e|cf|ca|Nr|bzw|z\.B)\.)"
_BREAK = regex.compile(
    rf"""
    {_ABBREVIATION}(?<=[.!?…؟۔।॥]['"’”»)\]]{{0,2}})\s+  # after a full stop and what closes with it
  | (?<=[。！？][」』”’）]?)\s*                              # Chinese and Japanese need no space
  | \s*[\n\r\u2028\u2029]\s*                               # at the end of a line
  | (?<=\p{{Thai}})\ +(?=\p{{Thai}})                        # Thai has no full stop: between phrases
    """,
    regex.VERBOSE,
)


def sentences_of(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """(start, end) of each sentence in text[start:end], without the white space between them.

    >>> [ "Dr. No left. He is back!"[a:b] for a, b in sentences_of("Dr. No left. He is back!", 0, 24)]
    ['Dr. No left.', 'He is back!']
    """
    at = start
    for found in _BREAK.finditer(text, start, end):
        if text[at : found.start()].strip():
            yield at, found.start()
            at = found.end()
    if text[at:end].strip():
        yield at, at + len(text[at:end].rstrip())
