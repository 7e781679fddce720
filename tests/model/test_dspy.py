"""DSPy's adapter, in real predictors with its own stand-in for a language model."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from model.errors import InputError
from model.prompt import parse
from tests.support.retrieved import COMPRESSOR

pytest.importorskip("dspy", reason="dspy is not installed")
import dspy
from dspy.utils import DummyLM

from model.integrations.dspy import ShortDemonstrations

SOLVED = [
    (
        "Ann has 3 apples and buys 4 more. Each costs 2 euros. It is a sunny day. How much did she pay?",
        "She buys 4 apples. Each costs 2 euros. So she pays 4 * 2 = 8 euros.",
        8,
    ),
    (
        "Tom reads 10 pages a day. The book has 50 pages. His sister reads, too. How many days does he need?",
        "The book has 50 pages. He reads 10 a day. 50 / 10 = 5.",
        5,
    ),
    (
        "A train runs 60 km in one hour. It leaves at noon. How far does it get in 3 hours?",
        "It runs 60 km an hour. 3 * 60 = 180.",
        180,
    ),
]
DEMOS = [dspy.Example(question=q, reasoning=r, answer=a).with_inputs("question") for q, r, a in SOLVED]
QUESTION = "A shop sells 7 pens a day. How many in 6 days?"


def program() -> Any:
    made = dspy.ChainOfThought("question -> answer: int")
    made.predict.demos = list(DEMOS)
    return made


def sent(retention: float, **options: Any) -> list[dict[str, str]]:
    lm = DummyLM([{"reasoning": "7 * 6 = 42", "answer": "42"}])
    with dspy.context(lm=lm, adapter=ShortDemonstrations(COMPRESSOR, retention, options)):
        assert program()(question=QUESTION).answer == 42
    return list(lm.history[-1]["messages"])


def test_the_model_is_sent_less_in_dspys_own_format() -> None:
    full, short = sent(1), sent(0.5)
    assert len(full) == 8 and short[0] == full[0] and short[-1] == full[-1]
    assert [message["role"] for message in short[1:-1]] == ["user", "assistant"] * ((len(short) - 2) // 2)
    size = [sum(len(message["content"]) for message in messages[1:-1]) for messages in (full, short)]
    assert 0 < size[1] < 0.8 * size[0]


@pytest.mark.parametrize("granularity", ["unit", "token", "part"])
def test_a_demonstration_keeps_its_answer_and_loses_words_only(granularity: str) -> None:
    signature = program().predict.signature
    adapter = ShortDemonstrations(COMPRESSOR, 0.6, {"granularity": granularity})
    short = adapter.shortened(signature, DEMOS, {"question": QUESTION})
    assert 0 < len(short) <= 3
    answers = {example.answer: example for example in DEMOS}
    for demo in short:
        original = answers[demo["answer"]]
        for name in ("question", "reasoning"):
            words = iter(token.text for token in parse(original[name]).tokens)
            assert all(token.text in words for token in parse(demo.get(name, original[name])).tokens)
    assert [example.question for example in DEMOS] == [question for question, _, _ in SOLVED]


def test_a_field_that_is_no_text_stays_whole() -> None:
    signature = dspy.Signature("passages: list[str], question -> answer")
    demo = dspy.Example(passages=["One. Two. Three.", "Four."], question="What? Who is it?", answer="Nobody. Never.")
    for demos in ([demo] * 3, [demo.toDict()] * 3):
        short = ShortDemonstrations(COMPRESSOR, 0.5).shortened(signature, demos, {"question": "Why?"})
        assert short and all(each.get("passages", demo.passages) == demo.passages for each in short)
        assert all(each["answer"] == demo.answer for each in short)


def test_async_and_mistakes() -> None:
    lm = DummyLM([{"reasoning": "7 * 6 = 42", "answer": "42"}])
    with dspy.context(lm=lm, adapter=ShortDemonstrations(COMPRESSOR, 0.5)):
        assert asyncio.run(program().acall(question=QUESTION)).answer == 42
    assert lm.history[-1]["messages"] == sent(0.5)
    with pytest.raises(InputError, match="retention 0 must be above 0"):
        ShortDemonstrations(COMPRESSOR, 0)
    with pytest.raises(InputError, match="no option 'grain'"):
        sent(0.5, grain=1)
    assert ShortDemonstrations(COMPRESSOR, 0.5).shortened(program().predict.signature, [], {"question": "?"}) == []
