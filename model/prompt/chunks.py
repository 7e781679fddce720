"""A sentence as chunks that may go on their own: words with the marks beside them, brackets and quotes in pairs.

>>> from model.prompt import parse
>>> prompt = parse('He said (at noon), "no".')
>>> [[prompt.tokens[i].text for i in chunk.tokens] for chunk in word_chunks(prompt, 0, len(prompt)).inner]
[['He'], ['said'], ['(', ')', ','], ['"', '"']]
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from .parse import Prompt, Token
from .tokens import is_line_break, word_edges

_OPEN = dict(zip("([{（［｛「『【《〈“‘«„‚", ")]}）］｝」』】》〉”’»“‘", strict=True))
_CLOSE = frozenset(_OPEN.values()) - frozenset(_OPEN)
_SAME = frozenset(('"', "`", "``", "*", "**", "***", "__", "~~"))
_TIGHT = frozenset("-/*+=^<>~&|.:,'\\%")  # between two words without a space these make one chunk: 60/4
_DEEP = 8  # pairs in pairs


@dataclass
class Chunk:
    """Tokens that are kept or dropped together. With chunks inside, they are a pair of marks around those."""

    tokens: list[int] = field(default_factory=list)
    inner: list[Chunk] = field(default_factory=list)


def word_chunks(prompt: Prompt, first: int, last: int) -> Chunk:
    """The chunks of tokens [first, last), inside of one that holds the marks at their ends.

    It has no chunks inside where they cannot be told apart safely: brackets that do not match, or lie too deep.
    """
    tokens = prompt.tokens
    mates = _mates(tokens, first, last)
    if mates is None:
        return Chunk(list(range(first, last)))
    whole = Chunk()
    stack = [whole]
    waiting: list[int] = []  # marks that belong to what follows
    for i in range(first, last):
        level = stack[-1]
        mate = mates.get(i, -1)
        if mate > i:
            pair = Chunk([*waiting, i])
            level.inner.append(pair)
            stack.append(pair)
            waiting = []
        elif mate >= 0:
            pair = stack.pop()
            pair.tokens += [*waiting, i]
            waiting = []
        elif _is_word(tokens[i]):
            if level.inner and not waiting and _is_tight(tokens, level.inner[-1], i):
                level.inner[-1].tokens.append(i)
            else:
                level.inner.append(Chunk([*waiting, i]))
            waiting = []
        elif level.inner and tokens[i - 1].end == tokens[i].start and not waiting and not is_line_break(tokens[i].text):
            level.inner[-1].tokens.append(i)
        else:
            waiting.append(i)
    whole.tokens += waiting
    _ends_to_frame(tokens, whole, mates)
    return whole


def _ends_to_frame(tokens: tuple[Token, ...], whole: Chunk, mates: dict[int, int]) -> None:
    """The marks before the first and behind the last word stay as long as the sentence does."""
    if not whole.inner:
        return
    for chunk, ends in ((whole.inner[-1], True), (whole.inner[0], False)):
        at = -1 if ends else 0
        while len(chunk.tokens) > 1 and chunk.tokens[at] not in mates and not _is_word(tokens[chunk.tokens[at]]):
            whole.tokens.append(chunk.tokens.pop(at))


def _is_word(token: Token) -> bool:
    return any(word_edges(token.text)) or any(map(str.isalnum, token.text))


def _is_tight(tokens: tuple[Token, ...], before: Chunk, i: int) -> bool:
    """Whether a mark without spaces binds token i to the chunk in front of it."""
    j = i - 1
    if before.inner or not before.tokens or before.tokens[-1] != j or tokens[j].end != tokens[i].start:
        return False
    return tokens[j].text[0] in _TIGHT and len(before.tokens) > 1 and tokens[j - 1].end == tokens[j].start


def _mates(tokens: tuple[Token, ...], first: int, last: int) -> dict[int, int] | None:
    """The other end of each bracket and quote that has one; None where they cross, are runs, or lie too deep."""
    mates: dict[int, int] = {}
    stack: list[tuple[str, int]] = []
    for i in range(first, last):
        text = tokens[i].text
        closes = next((k for k in range(len(stack) - 1, -1, -1) if stack[k][0] == text), -1) if _may_close(text) else -1
        if closes >= 0:
            if closes < len(stack) - 1 and any(wanted not in _SAME for wanted, _ in stack[closes + 1 :]):
                return None
            del stack[closes + 1 :]
            mates[i] = stack.pop()[1]
            mates[mates[i]] = i
        elif text in _SAME:
            stack.append((text, i))
        elif text[0] in _OPEN:
            if len(text) > 1:
                return None
            stack.append((_OPEN[text], i))
        elif text[0] in _CLOSE and text[0] != "’":
            return None
        if len(stack) > _DEEP:
            return None
    return mates if all(wanted in _SAME for wanted, _ in stack) else None


def _may_close(text: str) -> bool:
    return text in _SAME or text[0] in _CLOSE or text in _OPEN.values()


def walk(chunk: Chunk) -> Iterator[Chunk]:
    """A chunk and all inside it."""
    yield chunk
    for each in chunk.inner:
        yield from walk(each)
