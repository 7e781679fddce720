"""Words and phrases of scripts that are written without spaces, by BudouX (Apache-2.0,
https://github.com/google/budoux).

BudouX is a small linear classifier: it decides between any two characters from the three on either side, so it is
linear and bounded. It knows Japanese, Chinese (both scripts) and Thai. Of Lao, Khmer and Burmese it has no model:
there a phrase is what stands between two spaces.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import budoux
import regex

UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}ー々〆\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_KANA = regex.compile(r"\p{Hiragana}")
_HAN = regex.compile(r"\p{Han}")
_ONE_WORD = regex.compile(r"[\p{Katakana}ー]++|[\p{Lao}\p{Khmer}\p{Myanmar}\p{M}]++")
_THAI = regex.compile(r"\p{Thai}")
_SAMPLE = 2000  # Chinese characters that say which of the two scripts a text is in
_WINDOW = 500  # characters that are segmented at once


def phrases(run: str, traditional: bool = False) -> Iterator[str]:
    """The words or phrases of a run of unspaced characters, in order; joined they are the run.

    Hiragana in the run makes it Japanese, for Chinese has none.

    >>> list(phrases("以下の議事録を読んで")), list(phrases("请根据以下资料")), list(phrases("カタカナ"))
    (['以下の', '議事録を', '読んで'], ['请', '根据', '以下', '资料'], ['カタカナ'])
    """
    if len(run) == 1 or _ONE_WORD.fullmatch(run):
        yield run
        return
    name = "th" if _THAI.match(run) else "ja" if _KANA.search(run) else "zh-hant" if traditional else "zh-hans"
    for start in range(0, len(run), _WINDOW):
        yield from _parser(name).parse(run[start : start + _WINDOW])


def is_traditional(text: str) -> bool:
    """Whether most of the Chinese characters that only one of the two scripts has are traditional.

    >>> is_traditional("國家圖書館"), is_traditional("国家图书馆"), is_traditional("x")
    (True, False, False)
    """
    han = "".join(match[0] for match, _ in zip(_HAN.finditer(text), range(_SAMPLE), strict=False))
    return len(han.encode("gb2312", "ignore")) < len(han.encode("big5", "ignore"))


@cache
def _parser(name: str) -> budoux.Parser:
    load = {
        "ja": budoux.load_default_japanese_parser,
        "th": budoux.load_default_thai_parser,
        "zh-hans": budoux.load_default_simplified_chinese_parser,
        "zh-hant": budoux.load_default_traditional_chinese_parser,
    }
    return load[name]()
