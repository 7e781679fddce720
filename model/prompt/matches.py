"""A program: where a person's regular expression matches a text. `model.prompt.pins` runs it with limits.

Reads {"pattern": ..., "text": ..., "seconds": ...} and prints one line: [[start, end], ...], or the reason why not as
"invalid: ..." or "slow".
"""

from __future__ import annotations

import json
import sys
import time

import regex


def spans_of(pattern: str, text: str, seconds: float) -> list[tuple[int, int]] | str:
    """The matches that are not empty, or what is wrong."""
    try:
        compiled = regex.compile(pattern)
    except (regex.error, ValueError, OverflowError, RecursionError) as error:
        return f"invalid: {error}"
    deadline, spans = time.monotonic() + seconds, []
    try:
        for match in compiled.finditer(text, timeout=seconds):
            if match.end() > match.start():
                spans.append(match.span())
            if time.monotonic() > deadline:
                return "slow"
    except TimeoutError:
        return "slow"
    return spans


if __name__ == "__main__":
    print(json.dumps(spans_of(**json.loads(sys.stdin.buffer.read()))))
