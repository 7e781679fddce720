"""What a generated answer is worth to its query, by measure: the `Grade` of a task."""

from __future__ import annotations

from collections.abc import Mapping

from ..metrics.answers import contains, final_answer, same_answer, token_f1
from ..metrics.words import WORD
from .task import Query


def short_answer(answer: str, query: Query) -> Mapping[str, float]:
    """Exact match, F1 and contains, of the answer's first line: more lines could name everything."""
    return _short(answer.strip().split("\n")[0], query)


def after_thought(answer: str, query: Query) -> Mapping[str, float]:
    """The same of what a chain of thought comes to."""
    wanted = Query(query.text, final_answer(query.answer), None, answers=query.answers)
    return _short(final_answer(answer), wanted)


def _short(answer: str, query: Query) -> Mapping[str, float]:
    return {
        "exact match": float(same_answer(answer, query.accepted)),
        "F1": token_f1(answer, query.accepted),
        "contains": float(contains(answer, query.accepted)),
    }


def f1(answer: str, query: Query) -> Mapping[str, float]:
    """F1 alone, of the whole answer."""
    return {"F1": token_f1(answer, query.accepted)}


def named_label(answer: str, query: Query) -> Mapping[str, float]:
    """Whether the answer begins with the right label word."""
    said = WORD.findall(answer.lower())
    return {"accuracy": float(said[:1] == WORD.findall(query.answer.lower())[:1])}


def summary(answer: str, query: Query) -> Mapping[str, float]:
    """ROUGE-L F1 with the nearest reference."""
    from ..metrics.text_metrics import rouge_l  # here, since its package is optional

    return {"ROUGE-L": max(rouge_l(answer, reference) for reference in query.accepted)}


def rouges(answer: str, query: Query) -> Mapping[str, float]:
    """ROUGE-1, ROUGE-2 and ROUGE-L F1 with the reference, and their geometric mean (as ZeroSCROLLS takes it)."""
    from ..metrics.text_metrics import rouge

    found = rouge(answer, query.answer)
    values = found.rouge1, found.rouge2, found.rouge_l
    mean = (values[0] * values[1] * values[2]) ** (1 / 3)
    return {**dict(zip(("ROUGE-1", "ROUGE-2", "ROUGE-L"), values, strict=True)), "ROUGE mean": mean}


def one_of_the_classes(answer: str, query: Query) -> Mapping[str, float]:
    """1 where the answer names the right class alone, a share where it names more (LongBench's classification)."""
    named = [name for name in query.classes if name in answer]
    named = [name for name in named if name == query.answer or name not in query.answer]
    return {"accuracy": 1 / len(named) if query.answer in named else 0.0}


def number(answer: str, query: Query) -> Mapping[str, float]:
    """The share of the answer's numbers that are the gold one (LongBench's retrieval and count)."""
    wanted = _digits(query.answer)
    said = _digits(answer)
    return {"accuracy": said.count(wanted[0]) / len(said) if said and wanted else 0.0}


def choice(answer: str, query: Query) -> Mapping[str, float]:
    """Whether the first letter of A, B, C, D that stands alone is the right one (ZeroSCROLLS' QuALITY)."""
    letters = [word for word in WORD.findall(answer) if word in "ABCD"]
    return {"accuracy": float(letters[:1] == [word for word in WORD.findall(query.answer) if word in "ABCD"][:1])}


def _digits(text: str) -> list[str]:
    return [word for word in WORD.findall(text) if word.isdecimal()]
