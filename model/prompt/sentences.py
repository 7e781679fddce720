"""Where sentences end, by sentencex (MIT, https://github.com/wikimedia/sentencex), and where a new line ends one.

sentencex is written in Rust, reads a text once, and knows the abbreviations of 300 languages. It was chosen over
pysbd (150 times slower and quadratic, last released in 2021) and nupunkt (English only). What it gets wrong is mended
by rules that only ever join: too long a sentence is safe, too short a one is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import regex
from sentencex import get_sentence_boundaries

Span = tuple[int, int]

_V = regex.V1 | regex.VERBOSE
_NUMBERED = regex.compile(r"\W*(?:\p{L}|[\dIVXivx]{1,5})[.)]\s*$", _V)  # only a list's number, or an initial
_ABBREVIATED = regex.compile(
    r"(?<!\p{L})(?:\p{Lu}|\p{L}\.\s?\p{L}|\p{Lu}[\p{Ll}]{1,3}|[\p{Ll}]{1,4}|\d{1,3})\.\s*$", _V
)
_SHORT = regex.compile(
    r"(?<![\p{L}\p{N}\-])(?:\p{Lu}|\p{L}\.\s?\p{L}|M|Mme|Mr|Mrs|Ms|Dr|Dra|Dott|Sr|Sra|Sig|Prof|Dhr|Mgr|St|av|ul"
    r"|ул|[дгр]|стр|рис|No|Nr|núm|pág|Pág"
    r"|p|pp|cf|Cf|vs|ca|approx|Fig|Eq|Art|art|Abs|bzw|bijv|Bijv|np|tzn|Örn|örn|ecc|Ecc|etc|incl|ext|zzgl|inkl"
    r"|evtl|ggf|vgl|Str|Tel|tel|ggü|max|min|Min|Max)\.\s*$",
    _V,
)
_ORDINAL = regex.compile(r"(?<![\w.,])\d{1,2}\.\s*$")  # "3. OG", "14. März": where ordinals are written so
_ORDINALS = frozenset(("de", "pl", "tr", "nl", "cs", "da", "no", "fi", "hu"))
_LABELLED = regex.compile(r"[^\s:：]{1,30}(?:\s[^\s:：]{1,20}){0,2}[:：](?:\s|$)")
_GOES_ON = regex.compile(r"[\p{Ll}\p{Pe}\p{Pf},;:.!?%…—–]", _V)
_LETTER = regex.compile(r"[\p{L}\p{N}]")
_NO_CASE = regex.compile(r"[\p{Lo}]")
_UNIT_END = regex.compile(r"/\p{L}{1,3}\.\s+(?=\p{Lu})")  # "at 50 km/h. It ..."
_CJK_END = regex.compile(r"[。！？｡!?]++[」』”’）)》】]*+(?=[^\s。！？」』”’）)》】])")
_AFTER_QUOTE = regex.compile(r"[」』”’）)》】»]$")
_QUOTATION = regex.compile(r'(?:"(?P<said>[^"]{200,})"|“(?P<said>[^“”]{200,})”|«(?P<said>[^«»]{200,})»)[.,:;]{0,2}')
_THAI_GAP = regex.compile(r"(?<=\p{Thai})[ ]+(?=\p{Thai})")
_THAI_LEAST = 50  # characters of a Thai sentence, as far as spaces tell
_WINDOW, _EDGE = 4000, 200  # characters that sentencex reads at once, and at their end those it may not have understood
TITLE = 40  # characters of a list item's title
ENTRIES = 4  # so many lines that all begin with a capital or a number are entries, not wrapped
_WRAP_LEAST = 50  # characters of the shortest width that lines are wrapped at
_BULLET = regex.compile(r"\s*(?:[-*+•‣◦·・–—✓✔✗☐☑▪►]|[\[(]?\d{1,4}[.)\]]|\p{L}[.)])\s")
_ENDS = regex.compile(r"[.!?。！？…:：;]['\"”’»)\]]*$")


def quotation(text: str, start: int, end: int) -> Span | None:
    """What stands between the quotation marks of text[start:end], where that is one long quotation and nothing else.

    >>> text = '"' + 20 * "The pump is off. " + '".'
    >>> quotation(text, 0, len(text)) == (1, len(text) - 2)
    True
    """
    match = _QUOTATION.fullmatch(text, start, end)
    return match.span("said") if match else None


def sentences(text: str, start: int, end: int, language: str) -> Iterator[Span]:
    """The sentences of text[start:end], which is on one line or wrapped, without the white space around them."""
    at = start
    for cut in [*_boundaries(text, start, end, language), end]:
        if span := trimmed(text, at, cut):
            yield span
        at = cut


def trimmed(text: str, start: int, end: int) -> Span | None:
    """The span without the white space at its ends; None where nothing is left."""
    body = text[start:end]
    left = len(body) - len(body.lstrip())
    return (start + left, start + len(body.rstrip())) if left < len(body) else None


def _boundaries(text: str, start: int, end: int, language: str) -> list[int]:
    """Where the second and later sentences begin."""
    body = text[start:end]
    if "\n" not in body and len(body) < 12:
        return []
    cuts = {start + cut for cut in _found(body, language)}
    cuts |= {start + match.end() for ends in (_CJK_END, _UNIT_END) for match in ends.finditer(body)}
    cuts |= set(_thai(text, start, end)) if language == "th" else set()
    kept: list[int] = []
    letter = _next_letter(text, start, end)
    for cut in sorted(cuts - {end}):
        ordinal = language in _ORDINALS and _ORDINAL.search(text, max(start, cut - 8), cut)
        if letter < cut and not ordinal and _is_boundary(text, kept[-1] if kept else start, cut, end):
            kept.append(cut)
            letter = _next_letter(text, cut, end)
    return kept


def _next_letter(text: str, start: int, end: int) -> int:
    match = _LETTER.search(text, start, end)
    return match.start() if match else end


def _found(body: str, language: str) -> Iterator[int]:
    """What sentencex says, window by window, for on Chinese it takes the square of the length."""
    at = 0
    while at < len(body):
        window = body[at : at + _WINDOW]
        ends = [found["end_index"] for found in get_sentence_boundaries(language, window)]
        if at + _WINDOW < len(body):
            ends = [end for end in ends if end <= _WINDOW - _EDGE]
        yield from (at + end for end in ends)
        at += ends[-1] if ends and at + _WINDOW < len(body) else _WINDOW


def _is_boundary(text: str, begin: int, cut: int, end: int) -> bool:
    before = text[max(begin, cut - 40) : cut]
    after = text[cut : min(end, cut + 40)].lstrip()
    if not after:
        return False
    spaced = text[cut - 1].isspace() or text[cut].isspace()
    mark = before.rstrip()[-1:]
    if not spaced:
        return (mark in "。！？｡।॥؟۔" and after[0] not in "\"'") or (mark in "!?" and bool(_NO_CASE.match(after)))
    if _AFTER_QUOTE.search(before.rstrip()) and _NO_CASE.match(after) and text[cut - 1] not in " \n":
        return False
    if mark == "." and (_NUMBERED.fullmatch(text, begin, cut) or _SHORT.search(before)):
        return False
    if mark == "." and after[0].isdigit() and _ABBREVIATED.search(before):
        return False
    return not (mark in ".…,:" and _GOES_ON.match(after))


def _thai(text: str, start: int, end: int) -> Iterator[int]:
    """Thai has no full stop: a space ends a sentence that is long enough, if what follows is, too."""
    at = start
    for match in _THAI_GAP.finditer(text, start, end):
        if match.start() - at >= _THAI_LEAST and end - match.end() >= _THAI_LEAST // 2:
            yield match.end()
            at = match.end()


def paragraph_lines(text: str, start: int, end: int) -> Iterator[Span]:
    """The lines of a paragraph, wrapped ones joined.

    A line is wrapped if the next one's first word would not have fitted in at the paragraph's width; but of several
    lines that all begin with a capital or a number none is: they are entries.

    >>> text = "Dear Ann,\\nthank you.\\n- one\\n- two"
    >>> [text[a:b] for a, b in paragraph_lines(text, 0, len(text))]
    ['Dear Ann,', 'thank you.', '- one', '- two']
    """
    spans = [span for a, b in _lines(text, start, end) if (span := trimmed(text, a, b))]
    width = max((b - a for a, b in spans), default=0)
    if len(spans) >= ENTRIES and all(_begins_entry(text[a:b]) for a, b in spans):
        width = 0  # nothing is wrapped
    begin = -1
    for i, (a, b) in enumerate(spans):
        begin = a if begin < 0 else begin
        if i + 1 < len(spans) and _is_wrapped(text, (a, b), spans[i + 1], width):
            continue
        yield begin, b
        begin = -1


def _begins_entry(line: str) -> bool:
    """Whether a line begins with a capital letter, or a number or hash."""
    word = line.split(maxsplit=1)[0]
    return word[0].isupper() or any(character.isdecimal() for character in word)


def _lines(text: str, start: int, end: int) -> Iterator[Span]:
    at = start
    for line in text[start:end].splitlines(keepends=True):
        yield at, at + len(line)
        at += len(line)


def _is_wrapped(text: str, line: Span, after: Span, width: int) -> bool:
    head = text[after[0] : min(after[1], after[0] + 60)]
    if width < _WRAP_LEAST or _BULLET.match(head + " ") or _LABELLED.match(head):
        return False
    room = width - (line[1] - line[0])
    word = len(head.split(maxsplit=1)[0])
    tail = text[max(line[0], line[1] - 3) : line[1]]
    return room <= word + (0 if _ENDS.search(tail) else 6)


def is_title(text: str, spans: Sequence[tuple[int, int]]) -> bool:
    """Whether the first of several sentences of a list item is its title: a few words with a full stop.

    >>> text = "Rent. The tenant pays on the third working day."
    >>> is_title(text, [(0, 5), (6, 47)]), is_title(text, [(6, 47)])
    (True, False)
    """
    if len(spans) < 2:
        return False
    first = text[slice(*spans[0])]
    if "\n" in text[spans[0][1] : spans[1][0]]:
        return False
    spaced = any(character.isspace() for character in text[slice(*spans[1])])
    short = len(first) <= TITLE and len(first.split()) <= 3 if spaced else len(first) <= TITLE // 5
    return short and first[-1:] in ".。।．"
