"""Where any of many words occurs in a text, in one pass (Aho and Corasick 1975, Efficient string matching)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator


def occurrences(text: str, words: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Spans that cover exactly what occurrences of the words cover; of those that end together, the longest.

    Linear in the text and in the words together, however they overlap.

    >>> list(occurrences("New York City", ["York", "New York", "York City"]))
    [(0, 8), (4, 13)]
    """
    step, back, longest = _automaton({word for word in words if word})
    state = 0
    for i, character in enumerate(text):
        while state and character not in step[state]:
            state = back[state]
        state = step[state].get(character, 0)
        if longest[state]:
            yield i + 1 - longest[state], i + 1


def _automaton(words: set[str]) -> tuple[list[dict[str, int]], list[int], list[int]]:
    """For each state: where a character leads, the state of its longest proper suffix, the longest word that ends."""
    step: list[dict[str, int]] = [{}]
    longest = [0]
    for word in words:
        state = 0
        for character in word:
            if character not in step[state]:
                step[state][character] = len(step)
                step.append({})
                longest.append(0)
            state = step[state][character]
        longest[state] = len(word)
    back = [0] * len(step)
    waiting = deque(step[0].values())
    while waiting:
        state = waiting.popleft()
        for character, below in step[state].items():
            at = back[state]
            while at and character not in step[at]:
                at = back[at]
            back[below] = step[at].get(character, 0)
            longest[below] = longest[below] or longest[back[below]]
            waiting.append(below)
    return step, back, longest
