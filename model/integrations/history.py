"""Texts of a conversation, each shortened for itself: what was sent once stays the same whatever is said later.

Providers keep what they have computed for a beginning that they have seen. So a text's short form depends on nothing
but the text and the question that it answered, never on a budget shared with messages that come later.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from ..diffusion.trace import SamplerConfig
from ..errors import InputError
from ..prompt import parse
from ..prompt.join import JOINT
from ..prompt.limits import check_length
from . import Ranks

REMEMBERED = 256  # short forms that are kept, so that a text is not compressed again with every call
GONE = "…"  # of a text of which nothing is left: interfaces take no empty one
_TEXT_TYPES = ("text", "input_text", "output_text")


class HistoryShortener:
    """Shortens texts one by one, and remembers the last ones.

    Args:
        retention: share of each text's tokens to keep at most, in (0, 1].
        options: as of `Compressor.compress`.
    Raises InputError for a retention that is out of range; a wrong option is told with the first text.
    """

    def __init__(self, compressor: Ranks, retention: float, **options: Any) -> None:
        self.compressor, self.retention, self.options = compressor, SamplerConfig(retention).retention, options
        self._remembered = lru_cache(maxsize=REMEMBERED)(self._shorten)

    def __call__(self, text: str, question: str = "") -> str:
        """What is left of a text that answers a question; without one, of a prompt, whose own question stays.

        A text that cannot be read (empty, too long, half a character) comes back as it is: nothing is lost.
        """
        return self._remembered(text, question)

    def _shorten(self, text: str, question: str) -> str:
        if not _readable(text, *([question] if question else [])):
            return text
        if not question:
            short: str = self.compressor.compress(text, self.retention, **self.options).text
            return short
        (place,) = self.compressor.rank(question, [text], self.retention, **self.options)
        return place.text or GONE


def _readable(*texts: str) -> bool:
    try:
        check_length(sum(len(text) + len(JOINT) for text in texts))
        return all(map(parse, texts))
    except InputError:
        return False


def with_texts(content: Any, change: Callable[[str], str], of_result: Callable[[str], str] | None = None) -> Any:
    """A message's content with other texts: a text, or parts of which some have one; all else is copied as it is.

    Args:
        of_result: changes the texts that tools gave (parts of type tool_result); None = as the others.
    """
    if isinstance(content, str):
        return change(content)
    if not isinstance(content, Sequence):
        return content
    return [_with_text(part, change, of_result or change) for part in content]


def _with_text(part: Any, change: Callable[[str], str], of_result: Callable[[str], str]) -> Any:
    if isinstance(part, str):
        return change(part)
    if not isinstance(part, Mapping):
        return part
    made = dict(copy.copy(part))
    if part.get("type") in _TEXT_TYPES and isinstance(part.get("text"), str):
        made["text"] = change(part["text"])
    elif part.get("type") == "tool_result" and "content" in part:
        made["content"] = with_texts(part["content"], of_result)
    return made


def question_of(content: Any) -> str:
    """What a person asks in a message: all texts of its content but those that tools gave, a line each."""
    texts: list[str] = []

    def read(text: str) -> str:
        texts.append(text)
        return text

    with_texts(content, read, lambda text: text)
    return "\n".join(texts)
