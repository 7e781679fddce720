"""What a compressed prompt must still say: rules that a case names, and what of them a result breaks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

LETTERS = r"[^\W_]"


@dataclass(frozen=True)
class Case:
    """A prompt with its rules.

    Attributes:
        text: the prompt; or `contexts` and `question`, as LLMLingua's interface takes them.
        retentions: at which it is compressed.
        keep: what must be there. whole: what is there whole or not at all, judged by the words that only it has.
        guards: (a, b): where the result matches a, it matches b, too.
        lines: every line is one of the prompt's. records: JSON, or JSON lines, that parse and whose objects are parts
            of the prompt's. rows: every table row has all of its cells.
    """

    name: str
    text: str = ""
    contexts: tuple[str, ...] = ()
    question: str = ""
    retentions: tuple[float, ...] = (0.35, 0.6)
    keep: tuple[str, ...] = ()
    whole: tuple[str, ...] = ()
    guards: tuple[tuple[str, str], ...] = ()
    lines: bool = False
    records: bool = False
    rows: bool = False

    @classmethod
    def of(cls, line: str) -> Case:
        """A line of a file of cases: these attributes as JSON."""
        row = json.loads(line)
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in row.items()})


def faults(case: Case, source: str, result: str) -> Iterator[str]:
    """What is wrong with a result, in words."""
    said = flat(result)
    yield from (f"lost {text!r}" for text in case.keep if flat(text) not in said)
    for text in case.whole:
        if flat(text) not in said and (left := [word for word in own_words(source, text) if has_word(result, word)]):
            yield f"of {text!r} only {left[0]!r} is left"
    for a, b in case.guards:
        if re.search(a, result) and not re.search(b, result):
            yield f"says {a!r} without {b!r}"
    if case.lines:
        lines = {flat(line) for line in source.splitlines()}
        yield from (
            f"made the line {line!r}" for line in result.splitlines() if line.strip() and flat(line) not in lines
        )
    if case.records:
        yield from wrong_records(source, result)
    if case.rows:
        bars = max(line.count("|") for line in source.splitlines())
        yield from (f"cut the row {line!r}" for line in result.splitlines() if 1 < line.count("|") != bars)


def flat(text: str) -> str:
    return " ".join(text.split())


def has_word(text: str, word: str) -> bool:
    return bool(re.search(rf"(?<!{LETTERS}){re.escape(word)}(?!{LETTERS})", text))


def own_words(source: str, text: str) -> list[str]:
    """The runs of letters and digits that a prompt has once, and in this text."""
    words = re.findall(rf"{LETTERS}{{3,}}", text)
    return [w for w in words if len(re.findall(rf"(?<!{LETTERS}){re.escape(w)}(?!{LETTERS})", source)) == 1]


def wrong_records(source: str, result: str) -> Iterator[str]:
    values, known = list(json_values(result)), [each for value in json_values(source) for each in objects(value)]
    if not values and re.search(r"[\[{]", result):
        yield "JSON that does not parse"
    made = (each for value in values for each in objects(value))
    yield from (f"an object of its own: {each}" for each in made if not any(is_part(each, k) for k in known))


def json_values(text: str) -> Iterator[Any]:
    """The JSON arrays and objects in a text, one after the other."""
    at = 0
    while start := re.compile(r"[\[{]").search(text, at):
        try:
            value, size = json.JSONDecoder().raw_decode(text[start.start() :])
            yield value
            at = start.start() + size
        except ValueError:
            at = start.end()


def objects(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from objects(each)


def is_part(small: Any, large: Any) -> bool:
    if isinstance(small, dict) and isinstance(large, dict):
        return all(key in large and is_part(value, large[key]) for key, value in small.items())
    if isinstance(small, list) and isinstance(large, list):
        return all(any(is_part(a, b) for b in large) for a in small)
    return bool(small == large)
