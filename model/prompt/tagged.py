"""Parts that the caller marks in the text, with LLMLingua's tags (llmlingua 0.2.2, `structured_compress_prompt`).

>>> tagged = "<llmlingua, compress=False>Sort.</llmlingua>\\n<llmlingua, rate=0.4>One. Two.</llmlingua>"
>>> prompt, wishes = parse_tagged(tagged)
>>> prompt.text, [(wish.rate, wish.whole) for wish in wishes]
('Sort.\\nOne. Two.', [(None, True), (0.4, False)])
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import regex

from ..errors import InputError
from .parse import Prompt, parse

_TAG = regex.compile(r"<(/?)llmlingua\b([^<>]{0,200})>?")
_OPTION = regex.compile(r"\s*,\s*(rate|compress)\s*=\s*([\w.]{1,20})\s*")


@dataclass(frozen=True, slots=True)
class Wish:
    """What a caller asked of a part: the share of it to keep, or all of it. Neither where nothing was said."""

    rate: float | None = None
    whole: bool = False


@dataclass(frozen=True, slots=True)
class _Segment:
    """Characters [start, end) of the text without tags."""

    start: int
    end: int
    wish: Wish


def parse_tagged(text: str) -> tuple[Prompt, tuple[Wish, ...]]:
    """A text with <llmlingua, rate=0.4> ... </llmlingua> and <llmlingua, compress=False> tags, and one wish per part.

    The tags are no part of the prompt's text. A tag's edges are edges of parts; inside and between them the prompt is
    read as ever. `compress=False` outweighs a rate, as it does there.

    Raises InputError for a tag that is not closed, nested or stray, an option that is not known, or a rate outside
    (0, 1].
    """
    plain, segments = _split(text)
    prompt = parse(plain)
    starts = sorted(
        {part.start for part in prompt.parts} | {s.start for s in segments if plain[s.start : s.end].strip()}
    )
    ends = [*starts[1:], len(plain)]
    roles = [next(part.role for part in reversed(prompt.parts) if part.start <= start) for start in starts]
    named = [(a, b, role) for a, b, role in zip(starts, ends, roles, strict=True)]
    if len(named) > len(prompt.parts):
        prompt = parse(plain, parts=named)
    return prompt, tuple(_wishes(prompt, segments))


def _wishes(prompt: Prompt, segments: Sequence[_Segment]) -> Iterator[Wish]:
    """The wish of each part: that of the segment in which its first token lies."""
    i = 0
    for part in prompt.parts:
        at = prompt.tokens[part.first].start
        while segments[i].end <= at:
            i += 1
        yield segments[i].wish


def _split(text: str) -> tuple[str, list[_Segment]]:
    """The text without tags, and its segments end to end."""
    plain: list[str] = []
    segments: list[_Segment] = []
    at = size = 0
    wish, opened = Wish(), -1
    for tag in _TAG.finditer(text):
        if not tag[0].endswith(">"):
            raise InputError(f"The llmlingua tag at character {tag.start()} has no '>': close it.")
        if tag[1] and opened < 0:
            raise InputError(
                f"</llmlingua> at character {tag.start()} closes nothing: remove it or add the opening tag."
            )
        if not tag[1] and opened >= 0:
            raise InputError(
                f"The llmlingua tag at character {tag.start()} lies inside another one: close that one first."
            )
        plain.append(text[at : tag.start()])
        segments.append(_Segment(size, size + len(plain[-1]), wish))
        size, at = segments[-1].end, tag.end()
        wish, opened = (Wish(), -1) if tag[1] else (_wish(tag[2], tag.start()), tag.start())
    if opened >= 0:
        raise InputError(f"The llmlingua tag at character {opened} is never closed: add </llmlingua>.")
    plain.append(text[at:])
    segments.append(_Segment(size, size + len(plain[-1]) + 1, wish))
    return "".join(plain), segments


def _wish(options: str, at: int) -> Wish:
    """The wish that stands in an opening tag: ", rate=0.4", ", compress=False" or both."""
    found: dict[str, str] = {}
    end = 0
    while match := _OPTION.match(options, end):
        found[match[1]] = match[2]
        end = match.end()
    if options[end:].strip():
        raise InputError(
            f"The llmlingua tag at character {at} knows only rate and compress, not {options[end:].strip()!r}."
        )
    if found.get("compress", "True") not in ("True", "False"):
        raise InputError(f"compress={found['compress']} in the llmlingua tag at character {at}: write True or False.")
    return Wish(None, True) if found.get("compress") == "False" else Wish(_rate(found.get("rate"), at))


def _rate(value: str | None, at: int) -> float | None:
    try:
        rate = None if value is None else float(value)
    except ValueError:
        rate = 0.0
    if rate is not None and not 0 < rate <= 1:
        raise InputError(f"rate={value} in the llmlingua tag at character {at}: write a share above 0 and at most 1.")
    return rate
