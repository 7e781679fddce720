"""Corrections for tests, and, run as a program, a process that saves them through the store.

python -m tests.support.saving URL ANNOTATOR COUNT: each id is printed when, and only when, `submit` has returned.
"""

from __future__ import annotations

import os
import re
import sys
import uuid
from typing import Any

from model.record import CorrectionRecord

HOSTILE = (
    "${1+1}",
    "`rm -rf /` ``` ```",
    "</script><img src=x onerror=alert(1)>",
    "\\u0041 \\ud800 \\n \\",
    "=1+1",
    "+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(A1)",
    "\tTab",
    "\rReturn",
    "\n=Line",
    "'=1",
    "''=1",
    "'tis",
    "\uff1d1+1",
    'a,b;c"d""e\'f',
    "one\r\ntwo\rthree\nfour\u2028five\u2029six\x85seven\x1ceight",
    "\u202eright to left \u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627\u202c",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 \U0001f1ea\U0001f1fa e\u0301",
    "\ufeffmark",
    "\x01\x1b[31m\x7f",
    "1e999 NaN null true",
    "   spaces   ",
    "%s %(x)s :name ? $1 --",
)


def fields(prompt: str = "Please be very brief.", **given: Any) -> dict[str, Any]:
    """What a client sends: words of the prompt as tokens, the first dropped by the model and kept by the person."""
    offsets = [list(match.span()) for match in re.finditer(r"\S+", prompt)] or [[0, len(prompt)]]
    mask = "1" * len(offsets)
    return {
        "id": uuid.uuid4().hex,
        "prompt": prompt,
        "offsets": offsets,
        "shot_starts": [0],
        "model_mask": "0" + mask[1:],
        "human_mask": mask,
        "pins": {"0": True},
        "retention": 0.5,
        "steps": 8,
        "threshold": 0.1,
        "seed": 7,
        "granularity": "unit",
        "guards": True,
        "least": 0.7,
        "least_demonstration": 0.5,
        "checkpoint": "base",
        "annotator": "Ann",
        "seconds": 1.5,
        "note": "",
        **given,
    }


def record(prompt: str = "Please be very brief.", **given: Any) -> dict[str, Any]:
    """A whole record."""
    own = {"revision": 1, "status": "submitted", "created_at": "2026-11-22T03:05:00Z"}
    return {**fields(prompt), **own, **given}


def correction(prompt: str = "Please be very brief.", **given: Any) -> CorrectionRecord:
    """The same, checked."""
    return CorrectionRecord.from_fields(record(prompt, **given))


def main(url: str, annotator: str, count: int) -> None:
    from annotations.store import open_store

    store = open_store(url)
    for i in range(count):
        sent = fields(f"Prompt {i} of {annotator} with {HOSTILE[i % len(HOSTILE)]}", annotator=annotator)
        store.save_draft(sent)
        store.submit(sent)
        os.write(1, f"{sent['id']}\n".encode())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
