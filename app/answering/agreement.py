"""Whether two answers say the same, and how far many of them do. Pure.

Two answers agree where one says all words of the other, or most words are the same (F1 of 0.6), and no number of one
contradicts the other.
"""

from __future__ import annotations

from annotations.standings import wilson
from model.evaluation.metrics.answers import normalised, token_f1
from model.evaluation.metrics.words import words

LEAST_ANSWERS = 5  # answers before anything is said about all of them
_ALIKE = 0.6  # F1 from which on two answers are the same


def agree(full: str, short: str) -> bool:
    """Whether two answers say the same, as far as words can tell.

    >>> agree("It is 30 euros.", "30 euros"), agree("It is 30 euros.", "It is 40 euros.")
    (True, False)
    """
    first, second = (set(words(normalised(text))) for text in (full, short))
    if not (first and second):
        return first == second
    numbers, others = ({word for word in said if any(map(str.isdigit, word))} for said in (first, second))
    if not (numbers <= others or others <= numbers):
        return False
    return first <= second or second <= first or token_f1(short, [full]) >= _ALIKE


def share_with_interval(agreed: int, answers: int) -> str:
    """How many agree, as a share with its 95 % interval, or that there are too few.

    >>> share_with_interval(2, 3), share_with_interval(8, 10)
    ('too few to tell', '80%, 95 % interval 49% to 94%')
    """
    if answers < LEAST_ANSWERS:
        return "too few to tell"
    low, high = wilson(agreed, answers)
    return f"{agreed / answers:.0%}, 95 % interval {low:.0%} to {high:.0%}"
