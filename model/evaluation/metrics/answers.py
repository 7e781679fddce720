"""Whether an answer is right: exact match, F1 over words, and whether a text contains it, as SQuAD and NaturalQuestions
are scored (Rajpurkar et al. 2016; "contains": Liu et al. 2023, arXiv 2307.03172); unspaced scripts by characters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import regex

from ...llm.answers import same_final_number
from ...prompt.phrases import UNSPACED
from .words import WORD

_MARKS = regex.compile(r"[\p{P}$+<=>^`|~]")
_ARTICLES = regex.compile(r"\b(?:a|an|the)\b")
_INNER_SPACE = regex.compile(rf"(?<=[{UNSPACED}])\s+|\s+(?=[{UNSPACED}])")
_FINAL = regex.compile(r"(?i)answer is:?\s*([^\n]*)")


def normalised(text: str) -> str:
    """Lower case, without punctuation, English articles, and spaces that say nothing.

    >>> normalised("The  U.S. Navy!"), normalised("北京 。")
    ('us navy', '北京')
    """
    bare = _ARTICLES.sub(" ", _MARKS.sub("", text.lower()))
    return str(_INNER_SPACE.sub("", " ".join(bare.split())))


def contains(text: str, answers: Sequence[str]) -> bool:
    """Whether the text has any of the answers in it, both normalised.

    >>> contains("It was W.C. Röntgen, in 1901.", ["Marie Curie", "WC Röntgen"])
    True
    """
    within = normalised(text)
    return any(wanted in within for wanted in map(normalised, answers) if wanted)


def same_answer(answer: str, answers: Sequence[str]) -> bool:
    """Whether the answer is any of them, normalised."""
    return normalised(answer) in [normalised(each) for each in answers]


def token_f1(answer: str, answers: Sequence[str]) -> float:
    """F1 of the words in common, 0-1; with the answer that it is nearest to.

    >>> token_f1("in Warsaw, Poland", ["the city of Warsaw", "Warsaw"])
    0.5
    """
    return max(_f1(WORD.findall(normalised(answer)), WORD.findall(normalised(each))) for each in answers)


def _f1(said: Sequence[str], wanted: Sequence[str]) -> float:
    common = sum((Counter(said) & Counter(wanted)).values())
    return 2 * common / (len(said) + len(wanted)) if common else float(not said and not wanted)


def final_answer(text: str) -> str:
    """What a chain of thought comes to: what follows the last "answer is" on its line, else the last line.

    >>> final_answer("2 + 2 is 4. So the answer is: (B).\\n\\n"), final_answer("It is 4")
    ('(B)', 'It is 4')
    """
    found = _FINAL.findall(text)
    lines = [*filter(str.strip, text.splitlines())] or [""]
    return (found[-1] if found else lines[-1]).strip().rstrip(".")


def right_or_wrong(answer: str, gold: str) -> bool:
    """The same final number where the gold answer marks one with ####, else the same text but for case and spaces; what
    a target goes on with after as many lines does not count.

    >>> right_or_wrong("it is 7", "3 + 4 = 7\\n#### 7"), right_or_wrong("paris.\\nMore:", "Paris")
    (True, True)
    >>> right_or_wrong("Paris, France", "Paris")
    False
    """
    if "####" in gold:
        return same_final_number(answer, gold)
    answer = "\n".join(answer.split("\n")[: gold.count("\n") + 1])
    said, wanted = (" ".join(text.casefold().split()).rstrip(".") for text in (answer, gold))
    return said == wanted
