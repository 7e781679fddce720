r"""Text -> prompt tokens: words, numbers, marks, and what must not be cut.

>>> text = "Pay $3.50 by 14 March 2024, 08:45 (see https://a.example/x?y=1)."
>>> [text[a:b] for a, b in token_spans(text)]
['Pay', '$3.50', 'by', '14 March 2024', ',', '08:45', '(', 'see', 'https://a.example/x?y=1', ')', '.']
"""

from __future__ import annotations

from collections.abc import Iterator

import regex

from .measures import CODE, COUNTER, MONTH, MONTH_ABBREVIATION, UNIT
from .phrases import UNSPACED, is_traditional, phrases

WORD_LIMIT = 64  # characters in one word token; longer runs of letters are cut
LONG_LIMIT = 2000  # characters in one address, path or hash; longer ones are cut

_V = regex.V1 | regex.VERBOSE
_BREAK = r"[\r\n\x0b\x0c\x1c-\x1e\x85\u2028\u2029]"  # what str.splitlines breaks on
_WORD = r"[\p{L}\p{M}\p{N}_]"
_SPACED = rf"[{_WORD}--[{UNSPACED}]]"  # of a script that has spaces between words
_INNER = rf"(?:['’](?=\p{{L}})|[\u00ad\u00b7\u200c\u200d]){_SPACED}++"  # don't, l'été, Persian half spaces
_HEAD = rf"{_SPACED}++(?:{_INNER})*+"
_START, _END = rf"(?<!{_SPACED})", rf"(?!{_SPACED})"
_FREE = rf"(?<![{_WORD})\]}}])"  # a sign here belongs to the number that follows
_GAP = r"[\x20\u00a0\u202f]"
_ARITHMETIC = rf"{_GAP}?[=+*×÷<>]"  # behind 60/4 it is a division, not a fraction
_VARIABLE = rf"(?<!(?<!{_WORD})\p{{Ll}})"  # not behind a letter that stands alone: x-3, n/2

# Every pattern is bounded or takes what it can without giving back, and looks a bounded number of characters ahead and
# back: one pass over the text is linear.
_TEMPLATES = rf"""
    \{{\{{\{{?+[^{{}}\r\n]{{0,200}}\}}\}}\}}?+ | \{{%[^{{}}\r\n]{{0,200}}%\}} | \$\{{[^{{}}\r\n]{{0,200}}\}}
    | {_START}\$[A-Za-z_]\w{{0,63}}+
  | \{{(?:[\p{{L}}_][{_WORD}.\-\[\]:!]{{0,80}}+|\d{{0,3}})\}}
  | (?<![\d)]\x20?)(?<!{_WORD})%(?:\(\w{{1,64}}\))?+[\-+\#0]{{0,3}}+\d{{0,4}}+(?:\.\d{{1,3}})?+[sdifgexXrcu]{_END}
"""
_ATTRIBUTE = r"""\x20{1,4}+[\p{L}_:@][\p{L}\p{N}_:.@\-]{0,63}+
    (?:\x20?=\x20?(?:"[^"\r\n]{0,500}"|'[^'\r\n]{0,500}'|[^\s"'<>=]{1,200}+))?+"""
_TAGS = rf"""
    <\|[^|<>\r\n]{{1,64}}\|> | <</?SYS>> | \[/?[A-Z][A-Z_]{{2,31}}\]
  | </?[\p{{L}}_][\p{{L}}\p{{N}}_:.\-]{{0,63}}+(?:{_ATTRIBUTE}){{0,20}}+\x20?/?>
  | <!--[^\r\n]{{0,200}}?--> | <[!?]\p{{L}}[^<>\r\n]{{0,200}}+>
"""
_IN_URL = rf"[[{_WORD}/\#&=%~$@*\-\\|{{}}^]--[{UNSPACED}]]"
_URLS = rf"""
    {_START}(?:[A-Za-z][A-Za-z0-9+.\-]{{1,15}}+://|www\.(?=\w)|(?:mailto|tel|urn|doi|data):(?=\w))
        (?:{_IN_URL}++|\([\w.\-/]{{0,99}}+\)|[.,;:!?'()\[\]+]{{1,9}}+(?={_IN_URL}))++
"""

_CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?+)?+(?![\d:])"
_ZONE = rf"(?:{_GAP}?(?:[ap]\.?m\b\.?|[AP]\.?M\b\.?|Uhr|UTC|GMT|[CEMPW]E?[SD]?T|Z){_END})?+"
_TIME = rf"{_CLOCK}{_ZONE}(?:{_GAP}?[\-–]{_GAP}?{_CLOCK}{_ZONE})?+"
_YEAR = r"(?:,?\x20(?:del?\x20)?+(?:1\d|20)\d{2}(?!\d))?+"
_DATES = rf"""
    (?<!\d)\d{{4}}-\d{{2}}-\d{{2}}(?!\d)(?:[T\x20]{_CLOCK}(?:[+\-]\d{{2}}:?\d{{2}}(?!\d)|{_ZONE}))?+
  | (?<!\d)(?:\d{{1,2}}(?P<m>[./\-])\d{{1,2}}(?P=m)(?:\d{{4}}|\d{{2}})|\d{{4}}(?P<n>[./])\d{{1,2}}(?P=n)\d{{1,2}})
        (?![./]?\d|{_ARITHMETIC})
  | (?<!\d)\d{{1,2}}(?:\.|st|nd|rd|th|er|º)?+{_GAP}(?:de\x20|of\x20)?+(?:{MONTH}){_END}{_YEAR}
  | {_START}(?:{MONTH}|{MONTH_ABBREVIATION}){_END}\.?+\x20{{1,2}}+
        (?:\d{{1,2}}(?!\d)(?:st|nd|rd|th)?+(?:\x20{_TIME}|{_YEAR})|(?:1\d|20)\d{{2}}(?!\d))
  | (?<!\d){_TIME}
"""
_HEX = "[0-9A-Fa-f]{1,4}"
_NUMBERED = rf"""
    {_START}[0-9A-Fa-f]{{8}}(?:-[0-9A-Fa-f]{{4}}){{3}}-[0-9A-Fa-f]{{12}}{_END}
  | {_START}(?:[0-9A-Fa-f]{{2}}[:\-]){{5}}[0-9A-Fa-f]{{2}}{_END}
  | {_START}(?:(?:{_HEX}:){{3,7}}{_HEX}|(?:{_HEX}:){{1,6}}(?::{_HEX}){{1,6}}){_END}
  | (?<![\d.])\d{{1,3}}(?:\.\d{{1,3}}){{3}}(?:/\d{{1,2}}|:\d{{1,5}})?+(?!\.?\d)
  | {_FREE}\+\d{{1,3}}(?:{_GAP}?\(\d{{1,4}}\))?+(?:[\x20.\-/]?\d{{2,4}}){{2,6}}(?!\d)
  | {_FREE}(?:\(\d{{3}}\)\x20?|\d{{3}}[\-.])\d{{3}}[\-.]\d{{4}}(?!\d)
  | {_FREE}(?:\(0\d{{1,4}}\)|0\d{{1,4}})[\x20/\-](?:\d{{6,8}}|\d{{3,5}}(?:[\x20\-]\d{{2,5}}){{0,3}})(?!\d)
  | {_FREE}(?:\d{{4}}(?:[\x20\-]\d{{4}}){{2,3}}|\d{{3}}-\d{{4}}|\d{{1,9}}(?:-\d{{1,9}}){{2,7}})(?![\-\d]|{_ARITHMETIC})
  | {_START}[A-Z]{{2}}\d{{2}}(?:\x20[A-Z0-9]{{4}}){{2,7}}(?:\x20[A-Z0-9]{{1,3}})?+{_END}
  | {_START}[A-Z]{{2,4}}\x20\d{{1,9}}(?:\x20[A-Z]{{1,2}}(?![{_WORD}&'’\-]))?+(?![{_WORD}%]|[.,:/\-]\d|{_ARITHMETIC})
"""

_NUMBER = rf"""(?:
    \d{{1,3}}(?:\x20\d{{3}}){{1,6}}+(?!\d)(?:[.,]\d++)?+(?={_GAP}?(?:{UNIT}))
  | \d{{1,3}}(?:[\u00a0\u202f\u2009]\d{{3}})++(?!\d)(?:[.,]\d++)?+
  | \d++(?:[.,]\d++)*+)"""
_SECOND = rf"""(?:
    –\p{{Sc}}?+\d++(?:[.,]\d++)*+(?!{_ARITHMETIC})
  | -\p{{Sc}}?+\d++(?:[.,]\d++)*+(?={_GAP}?(?:{UNIT}))
  | (?<=(?<![\d.,])\d{{3,4}})-\d{{3,4}}(?!\d|{_ARITHMETIC})
  | (?<=(?<![\d.,/])\d{{1,3}})/\d{{1,3}}(?![\d/]|{_ARITHMETIC}))"""  # 3–5, 2019-2024, 3/4
_QUANTITIES = rf"""
    (?:{_FREE}[+\-−](?=[.\p{{Sc}}]?\d))?+
    (?:\p{{Lu}}{{0,3}}+\p{{Sc}}{_GAP}?+[+\-−]?+(?=\.?\d)|{_START}(?:{CODE}){_GAP}(?=\d))?+
    (?:(?<![{_WORD})\]}}.])\.)?+{_NUMBER}(?:[eE][+\-]?\d++)?+{_SECOND}?+
    (?: {_GAP}?+(?:{UNIT}) | {COUNTER}++(?:\d++{COUNTER}++)*+
      | {_SPACED}*+(?:{_INNER})*+(?:[\-.](?=\p{{L}}{{2}}){_HEAD})*+ )
"""
_NAMES = rf"""
    (?:(?<![{_WORD})\]}}>.~/\\])(?:~/|(?:\.{{1,2}}/){{1,9}}+|/|\.)(?=[\p{{L}}\d_.])\.?+|{_START}[A-Za-z]:\\(?=\p{{L}})
      |(?<![{_WORD}\-)\]}}])(?:--(?=[A-Za-z])|-(?=[A-Za-z]{_END}))|(?<![{_WORD}@\#])[@\#](?=[\p{{L}}\d]))?+
    {_HEAD}
    (?:(?:\.(?={_SPACED})|-(?=\p{{L}})|{_VARIABLE}[\-/](?=\d)|[/\\](?=[\p{{L}}_.])|&(?=\p{{Lu}})|::(?=\p{{L}})
    |@(?=[\p{{L}}\d])
        |\+(?=[\w.+\-]{{1,64}}+@|[A-Za-z0-9+/]{{20}}))\.?+{_HEAD})*+
    (?::(?<=[.\-/]\w{{1,64}}:|localhost:)\d{{1,5}}(?!\d)|(?<=\p{{Ll}}):\d{{4,5}}{_END}
    |:(?=[0-9a-f]{{7,128}}{_END})[0-9a-f]++)?+
    (?:/(?<=[/\\.\-]\w{{1,64}}/)(?=[\s)\]"'`,;:]|$))?+
"""

_TOKEN = regex.compile(
    rf"""
    {_BREAK}++
  | [a-z]{{2,{WORD_LIMIT}}}+(?=\x20[^\d]|[,;\r\n])  # most words; all else that may begin so is tried below
  | {_TEMPLATES} | {_TAGS} | {_URLS} | {_DATES} | {_NUMBERED}
  | (?P<word> {_QUANTITIES} | (?:{_START}\p{{L}}\.){{2,8}}+(?:\p{{L}}{_END})?+ | {_START}(?:C\+\+|[CF]\#){_END}
  | {_NAMES} )
  | (?P<run> [{UNSPACED}][{UNSPACED}\p{{M}}]*+ )
  | [\U0001F1E6-\U0001F1FF]{{2}}  # flags, because \X counts back through all of them
  | [()\[\]{{}}]
  | (?P<mark>[\p{{P}}$+<=>^`|~\u2500-\u257f])(?P=mark)*(?![\p{{M}}\u200d])
  | \p{{Grapheme_Cluster_Break=Prepend}}++(?=[\s\x1c-\x1f])  # \X would take the space, too
  | (?![\s\x1f])\X
    """,
    _V,
)
_FUSES = regex.compile(r"[[\p{L}\p{M}\p{N}_]--[\p{Han}\p{Hiragana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]]", _V)
_PLAIN = regex.compile(r"[\p{L}\p{M}_'’\u00ad\u00b7\u200c\u200d]*+|[^\p{L}]*+", _V)
_ACCENT = regex.compile(r"[\p{M}\u200d]")


def token_spans(text: str) -> Iterator[tuple[int, int]]:
    """Character spans of all tokens in order; a byte-order mark at the start belongs to none."""
    traditional = None
    for match in _TOKEN.finditer(text, len(text) - len(text.lstrip("\ufeff"))):
        start, end = match.span()
        if match.lastgroup == "run":
            traditional = is_traditional(text) if traditional is None else traditional
            for phrase in phrases(match[0], traditional):
                yield from _cut(text, start, start + len(phrase), WORD_LIMIT)
                start += len(phrase)
        elif end - start <= WORD_LIMIT or match[0].isspace():
            yield start, end
        else:
            yield from _cut(text, start, end, _limit(match))


def _limit(match: regex.Match[str]) -> int:
    """Only what is no plain word, number or mark may be long: an address, a path, a hash."""
    return WORD_LIMIT if match.lastgroup == "word" and _PLAIN.fullmatch(match[0]) else LONG_LIMIT


def _cut(text: str, start: int, end: int, limit: int) -> Iterator[tuple[int, int]]:
    """The span in pieces of at most `limit` characters; a letter keeps its accents."""
    while end - start > limit:
        cut = start + limit
        while cut > start + 1 and _ACCENT.match(text, cut):
            cut -= 1
        cut = cut if cut > start + 1 else start + limit
        yield start, cut
        start = cut
    yield start, end


def word_edges(token: str) -> tuple[bool, bool]:
    """Whether the first and the last character of a token would fuse with a word written right beside it.

    >>> word_edges("3rd"), word_edges("+4"), word_edges("日")
    ((True, True), (False, True), (False, False))
    """
    return bool(_FUSES.match(token[0])), bool(_FUSES.match(token[-1]))


def is_line_break(token: str) -> bool:
    """Whether a token is a run of line breaks; no other one begins with white space."""
    return token[0].isspace()
