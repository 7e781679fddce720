"""Pins by rule: token index -> keep (True). The sampler never changes a pinned token."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import regex

from ..bounded import BoundedError, Bounds, bounded_lines
from ..errors import InputError
from . import Prompt
from .occurrences import occurrences

_VARIABLE = regex.compile(r"\$?\{[^{}]{1,200}\}|\{\{\{?[^{}]{1,200}\}\}\}?")
PATTERN_LIMIT = 1000  # characters in a user's regular expression
PATTERN_SECONDS = 2.0
PATTERN_MEMORY = 256 * 2**20  # bytes
WORDS_LIMIT = 100_000  # characters of all words that are to be kept
_MATCHES = Path(__file__).with_name("matches.py")


def pins_from_regex(prompt: Prompt, pattern: str) -> dict[int, bool]:
    r"""Pin every token that any match overlaps.

    >>> from model.prompt import parse
    >>> pins_from_regex(parse("call 555-0199 or 12 now"), r"\d+")
    {1: True, 3: True}

    Raises InputError when the pattern is longer than 1000 characters, not valid, or takes over 2 seconds or 256 MB.
    """
    if len(pattern) > PATTERN_LIMIT:
        raise InputError(f"The pattern has {len(pattern)} characters: shorten it to {PATTERN_LIMIT} at most.")
    return _pin_spans(prompt, _matches(prompt.text, pattern))


def _matches(text: str, pattern: str) -> list[tuple[int, int]]:
    asked = json.dumps({"pattern": pattern, "text": text, "seconds": PATTERN_SECONDS}).encode()
    bounds = Bounds(2 * PATTERN_SECONDS, PATTERN_MEMORY, line=40 * len(text) + 10_000)
    try:
        answer = json.loads(next(bounded_lines(_MATCHES, bounds, given=asked), "null"))
    except BoundedError:
        answer = "slow"
    if isinstance(answer, list):
        return [(start, end) for start, end in answer]
    if answer.startswith("invalid: "):
        raise InputError(f"The pattern is not a valid regular expression ({answer[9:]}): correct it.")
    raise InputError(
        f"The pattern takes over {PATTERN_SECONDS:g} seconds or {PATTERN_MEMORY // 2**20} MB: make it simpler."
    )


def pins_for_words(prompt: Prompt, words: Sequence[str]) -> dict[int, bool]:
    """Pin every token that an occurrence of any of the literal strings overlaps; case counts.

    >>> from model.prompt import parse
    >>> pins_for_words(parse("New York City"), ["New York", "York City"])
    {0: True, 1: True, 2: True}

    Raises InputError when the words have more than 100,000 characters together.
    """
    if (size := sum(map(len, words))) > WORDS_LIMIT:
        raise InputError(f"The words to keep have {size:,} characters: give at most {WORDS_LIMIT:,}.")
    return _pin_spans(prompt, occurrences(prompt.text, words))


def pins_for_digits(prompt: Prompt) -> dict[int, bool]:
    """Pin every token with a digit in it: numbers, "13th", "B2"."""
    return {i: True for i, token in enumerate(prompt.tokens) if any(map(str.isdigit, token.text))}


def pins_for_breaks(prompt: Prompt) -> dict[int, bool]:
    """Pin every run of line breaks."""
    return {i: True for i, token in enumerate(prompt.tokens) if token.text[0].isspace()}


def pins_for_task(prompt: Prompt, breaks: bool = False) -> dict[int, bool]:
    """Pin what says what is to be done: the instruction, the open question, and sentences with a template's variable.

    breaks: pin the line breaks at the end of these parts, too. Otherwise they stay where something follows.

    Where a prompt is nothing else, only the first sentence of the instruction, or there would be nothing to compress.

    >>> from model.prompt import parse
    >>> sorted(pins_for_task(parse("Add.\\n\\nQ: 1\\nA: 1\\n\\nQ: 2\\nA:")))
    [0, 1, 2, 11, 12, 13, 14, 15, 16]
    """
    told = [(part.first, part.last) for part in prompt.parts if part.role in ("instruction", "question")]
    asked = [(part.first, part.last) for part in prompt.parts if part.role == "question"]
    if prompt.units and len(asked) < len(told) == len(prompt.parts):
        first = next(unit for unit in prompt.units if unit.leaf and prompt.parts[unit.part].role == "instruction")
        told = [(first.first, first.last), *asked]
    told += _templates(prompt)
    spans = [(first, last if breaks else _before_breaks(prompt, last)) for first, last in told]
    return {i: True for first, last in spans for i in range(first, last)}


def _before_breaks(prompt: Prompt, last: int) -> int:
    while last and prompt.tokens[last - 1].text.isspace():
        last -= 1
    return last


def _templates(prompt: Prompt) -> Iterator[tuple[int, int]]:
    """The tokens of the units that hold {context} or {{history}}; code and data have such marks of their own."""
    for i, token in enumerate(prompt.tokens):
        if token.text[0] in "{$" and _VARIABLE.fullmatch(token.text) and prompt.units:
            unit = prompt.units[prompt.unit_of[i]]
            if prompt.parts[token.part].role not in ("code", "data") and unit.leaf:
                yield unit.first, unit.last


def _pin_spans(prompt: Prompt, spans: Iterable[tuple[int, int]]) -> dict[int, bool]:
    """Pins for all tokens that share a character with a span; one pass over both."""
    pins: dict[int, bool] = {}
    i, tokens = 0, prompt.tokens
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        while i < len(tokens) and tokens[i].end <= start:
            i += 1
        while i < len(tokens) and tokens[i].start < end:
            pins[i] = True
            i += 1
    return pins
