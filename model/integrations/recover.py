"""LLMLingua's `recover`: what an answer quotes of a compressed prompt, as the full prompt says it.

>>> recover("Ann, who is ill, went home early.", "Ann went home.", "It was Ann went home, I think.")
'It was Ann, who is ill, went home, I think.'
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import takewhile

from ..errors import InputError
from ..prompt import parse
from ..prompt.limits import check_length

RUN = 64  # tokens of a quotation that are looked up at once
PLACES = 100  # where in a text a quotation may begin that are tried
GAP = 40  # tokens that may have been dropped between two that are quoted


def recover(original_prompt: str, compressed_prompt: str, response: str) -> str:
    """Replace each stretch of at least two tokens that the answer shares with the compressed prompt by the shortest
    stretch of the original that holds its tokens in their order. Linear time, since all three limits above are fixed.

    Raises InputError when something is not a text or too long.
    """
    if not all(isinstance(text, str) for text in (original_prompt, compressed_prompt, response)):
        raise InputError("original_prompt, compressed_prompt and response must be texts")
    for text in (original_prompt, compressed_prompt, response):
        check_length(len(text))
    if not (original_prompt.strip() and compressed_prompt.strip() and response.strip()):
        return response
    original, said = parse(original_prompt), parse(response)
    words = [token.text for token in said.tokens]
    short, long = [[token.text for token in parse(text).tokens] for text in (compressed_prompt, original_prompt)]
    in_short, in_long = _places(short), _places(long)
    out: list[str] = []
    at = written = 0
    while at < len(words):
        size = _shared(words, at, short, in_short)
        place = _shortest(words[at : at + size], in_long) if size > 1 else None
        if place:
            out.append(response[written : said.tokens[at].start])
            out.append(original_prompt[original.tokens[place[0]].start : original.tokens[place[1]].end])
            written = said.tokens[at + size - 1].end
        at += max(size, 1)
    return "".join(out) + response[written:]


def _places(words: Sequence[str]) -> dict[str, list[int]]:
    places: dict[str, list[int]] = {}
    for i, word in enumerate(words):
        places.setdefault(word, []).append(i)
    return places


def _shared(words: Sequence[str], at: int, text: Sequence[str], places: Mapping[str, list[int]]) -> int:
    """How many words from `at` on stand in a text like this, at most RUN."""
    most = 0
    for start in places.get(words[at], ())[:PLACES]:
        pairs = zip(words[at : at + RUN], text[start : start + RUN], strict=False)
        most = max(most, sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs)))
    return most


def _shortest(words: Sequence[str], places: Mapping[str, list[int]]) -> tuple[int, int] | None:
    """The first and last token of the shortest stretch that holds some words in their order; None = there is none."""
    best: tuple[int, int] | None = None
    for start in places.get(words[0], ())[:PLACES]:
        end = start
        for word in words[1:]:
            after = places.get(word, ())
            i = bisect_right(after, end)
            if i == len(after) or after[i] - end > GAP:
                break
            end = after[i]
        else:
            if best is None or end - start < best[1] - best[0]:
                best = (start, end)
    return best
