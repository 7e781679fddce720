"""A prompt that asks, with the stretches of it that answer; where an answer stands in a text; rows of data sets."""

from __future__ import annotations

import gzip
import json
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import regex

from ..errors import InputError
from ..prompt.phrases import UNSPACED
from ..relevance.encoder import Span

_SPACE = regex.compile(r"[\s\p{P}]+")
_INNER = regex.compile(rf"(?<=[{UNSPACED}])\s+|\s+(?=[{UNSPACED}])")


@dataclass(frozen=True)
class AskedPrompt:
    """A prompt and what answers it.

    Attributes:
        kind, index: by which it is drawn again.
        text: documents, then what is asked.
        answers: for each question, character spans of what answers it.
        every: all spans are wanted (a meeting's turns); otherwise one for each question is enough.
        strings: the wordings of the answer, of a prompt with one question that has a short one.
    """

    kind: str
    index: int
    text: str
    answers: tuple[tuple[Span, ...], ...]
    every: bool = False
    strings: tuple[str, ...] = ()


def places(text: str, answers: Sequence[str]) -> list[Span]:
    """Where the answers stand in the text, as they are written there, whatever their case."""
    lowered = text.lower()
    if len(lowered) != len(text):
        lowered = text
    found = []
    for answer in filter(None, (answer.lower().strip() for answer in answers)):
        start = lowered.find(answer)
        while start >= 0:
            found.append((start, start + len(answer)))
            start = lowered.find(answer, start + len(answer))
    return found


def holds(text: str, answers: Sequence[str]) -> bool:
    """Whether any of the answers is in the text, whatever its case, punctuation and spaces.

    >>> holds("It was W. C. Röntgen.", ["Curie", "W C röntgen"])
    True
    """
    return answered_in(plain(text), [plain(answer) for answer in answers])


def answered_in(text: str, answers: Sequence[str]) -> bool:
    """`holds` for a text and answers that are `plain` already."""
    return any(each in text and (_unspaced(each) or f" {each} " in f" {text} ") for each in answers if each)


def plain(text: str) -> str:
    """Without case, punctuation and, in unspaced scripts, spaces."""
    return str(_INNER.sub("", _SPACE.sub(" ", unicodedata.normalize("NFKC", text).lower()).strip()))


def _unspaced(text: str) -> bool:
    return regex.search(f"[{UNSPACED}]", text) is not None


def compressed_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a compressed JSONL file. Raises InputError where it is missing or damaged."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            return [json.loads(line) for line in file]
    except FileNotFoundError as error:
        raise InputError(f"{path} is not there; --data must name the folder that holds {path.parent.name}/") from error
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {error}") from error
