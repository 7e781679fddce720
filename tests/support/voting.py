"""Votes for tests, and, run as a program, a process that saves them through the store.

python -m tests.support.voting URL ANNOTATOR COUNT [ID ...]: each id is printed when, and only when, `vote` has
returned; first come votes with the ids given, which are the same whoever saves them.
"""

from __future__ import annotations

import os
import sys
import uuid
from typing import Any

from tests.support.saving import HOSTILE


def ballot(left: str = "Full prompt", right: str = "DiffuMask 35 %", /, **given: Any) -> dict[str, Any]:
    """What a client sends: a blind vote for the left one of two arms with these names."""
    return {
        "id": uuid.uuid4().hex,
        "prompt": "Answer in one word. 1 + 1?",
        "question": "1 + 1?",
        "target": "tiny",
        "left": {"name": left, "text": "Answer in one word. 1 + 1?", "answer": "Two"},
        "right": {"name": right, "text": "one word. 1 + 1?", "answer": "2"},
        "winner": "left",
        "blind": True,
        "annotator": "Ann",
        "seconds": 1.5,
        **given,
    }


def main(url: str, annotator: str, count: int, shared: list[str]) -> None:
    from annotations.store import open_store

    store = open_store(url)
    ballots = [ballot(id=id) for id in shared]
    ballots += [ballot(annotator=annotator, note=HOSTILE[i % len(HOSTILE)]) for i in range(count)]
    for sent in ballots:
        store.vote(sent)
        os.write(1, f"{sent['id']}\n".encode())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:])
