"""Words of a text in any script: runs of letters and digits; where words are not spaced, each character."""

from __future__ import annotations

import regex

from ...prompt.phrases import UNSPACED

WORD = regex.compile(rf"[{UNSPACED}]|[[\p{{L}}\p{{M}}\p{{N}}]--[{UNSPACED}]]+", regex.V1)


def words(text: str) -> list[str]:
    """
    >>> words("The 2 cats sat."), words("北京is大")
    (['the', '2', 'cats', 'sat'], ['北', '京', 'is', '大'])
    """
    return [match.group() for match in WORD.finditer(text.lower())]
