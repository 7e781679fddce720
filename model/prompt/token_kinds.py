"""Kinds of prompt tokens: number, name, negation, ... told from the token itself, its neighbours and short word lists.

There is no tagger, and the lists are English. "name" is what is capitalised inside a sentence: it misses a name that
begins one, and takes in titles and, in German, every noun. Numbers are digits, not number words.
"""

from __future__ import annotations

from collections.abc import Sequence

import regex

from .lines import layout_of
from .parse import Prompt

KINDS = (
    *("number", "name", "negation", "operator", "connective", "frame", "label"),
    *("punctuation", "line break", "function word", "content word"),
)
NEGATIONS = frozenset("not no never none nobody nothing neither nor nowhere without cannot".split())
CONNECTIVES = frozenset(
    """because since therefore thus hence so but however although though yet if then else unless otherwise while
    whereas whether despite instead until""".split()
)
FUNCTION_WORDS = frozenset(
    """a an the this that these those i you he she it we they me him her us them my your his its our their and or as at
    by for from in into of off on onto out over to up with about after against before between down during through under
    am is are was were be been being do does did have has had can could may might must shall should will would who whom
    whose which what when where why how there here than too also very just only each every all any some both such own
    same other another more most""".split()
)
_NUMBER = regex.compile(r"[+\-−]?\.?\d")
_OPERATOR = regex.compile(r"[+\-−*/=<>^%×÷±≤≥≠≈√·&|~]+")
_UNSURE = regex.compile(r"[\-−*/&|~]+")  # a hyphen, a slash, a bullet: an operator between numbers only
_BEFORE_OPERATOR = regex.compile(r"[+\-−]?\.?\d|[)\]}%]")
_AFTER_OPERATOR = regex.compile(r"[+\-−]?\.?\d|[(\[{\p{Sc}]")
_SENTENCE_END = regex.compile(r"[.!?:;…。！？]+")
_OPENING = regex.compile(r"[\p{Ps}\p{Pi}\"'`*_#\-–—]+")


def is_break(text: str) -> bool:
    """Whether a token is a run of line breaks; no other one is white space."""
    return text.isspace()


def kinds_of_tokens(prompt: Prompt, labels: Sequence[str] = ()) -> list[str]:
    """The kind of each prompt token, one of KINDS.

    labels: the task's label words; where one ends a line or the prompt it is a label.

    >>> kinds_of_tokens(parse("Q: Is Ann not 3?\\nA: yes"), ["yes"])[2:]
    ['function word', 'name', 'negation', 'number', 'punctuation', 'line break', 'frame', 'frame', 'label']
    """
    frame = _frame(prompt)
    return [frame.get(i) or _kind(prompt, i, labels) for i in range(len(prompt))]


def _frame(prompt: Prompt) -> dict[int, str]:
    """Tokens of "Answer:", "### Input" and the like at the head of a line, colon included, and of "####"."""
    markers = layout_of(prompt.text).markers
    found, at = {i: "frame" for i, t in enumerate(prompt.tokens) if t.text.strip("#") == ""}, 0
    for marker in markers:
        while at < len(prompt) and prompt.tokens[at].start < marker.start:
            at += 1
        while at < len(prompt) and prompt.tokens[at].end <= marker.end:
            if not is_break(prompt.tokens[at].text):
                found[at] = "frame"
            at += 1
    return found


def _kind(prompt: Prompt, i: int, labels: Sequence[str]) -> str:
    text = prompt.tokens[i].text
    word = text.casefold().replace("’", "'")
    if is_break(text):
        return "line break"
    if text in labels and (i + 1 == len(prompt) or is_break(prompt.tokens[i + 1].text)):
        return "label"
    if _NUMBER.match(text):
        return "number"
    if not any(c.isalnum() for c in text):
        return "operator" if _is_operator(prompt, i) else "punctuation"
    for kind, listed in (("negation", NEGATIONS), ("connective", CONNECTIVES), ("function word", FUNCTION_WORDS)):
        if word in listed or (kind == "negation" and word.endswith("n't")):
            return kind
    return "name" if text[0].isupper() and not _begins_sentence(prompt, i) else "content word"


def _is_operator(prompt: Prompt, i: int) -> bool:
    text = prompt.tokens[i].text
    if not _OPERATOR.fullmatch(text):
        return False
    if not _UNSURE.fullmatch(text):
        return True
    if not 0 < i < len(prompt) - 1:
        return False
    before, after = prompt.tokens[i - 1].text, prompt.tokens[i + 1].text
    return bool(_BEFORE_OPERATOR.match(before) and _AFTER_OPERATOR.match(after))


def _begins_sentence(prompt: Prompt, i: int) -> bool:
    while i and _OPENING.fullmatch(prompt.tokens[i - 1].text):
        i -= 1
    before = prompt.tokens[i - 1].text if i else "\n"
    return is_break(before) or bool(_SENTENCE_END.fullmatch(before))
