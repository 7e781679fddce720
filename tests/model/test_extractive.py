"""Budgets that hold for every method, and baselines that keep whole sentences."""

from __future__ import annotations

import doctest
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import model.evaluation.bm25
import model.evaluation.metrics.answers
import model.evaluation.metrics.words
from model.evaluation.bm25 import BM25
from model.evaluation.methods import extractive
from model.evaluation.methods.budget import (
    Counter,
    reader_counter,
    share_within,
    tokens_counter,
    words_counter,
)
from model.evaluation.methods.extractive import all_sentences, keep_best, whole_parts
from model.evaluation.metrics.answers import contains, normalised, same_answer, token_f1
from model.evaluation.tasks.layouts import LAYOUTS, arrange
from model.evaluation.tasks.load import load_task
from model.evaluation.tasks.request import TaskOptions
from model.evaluation.tasks.task import EvaluationPrompt
from model.llm.causal import Target
from tests.support.questions import write_questions

DOCUMENTS = (
    ("Rome", "Rome is a town. It lies in Italy! Is it old? Yes, it is very old."),
    ("Oslo", "Oslo is far north. Snow falls there."),
    ("", "No title here. The mayor of Lund is Ann Berg."),
)


def prompt_of(layout: str = "numbered", question: str = "Who is the mayor of Lund?") -> EvaluationPrompt:
    context, documents = arrange(DOCUMENTS, layout)
    return EvaluationPrompt(0, context, question=question, documents=documents)


def question_of(prompt: EvaluationPrompt) -> str:
    return prompt.question


def test_examples() -> None:
    for module in (
        model.evaluation.bm25,
        model.evaluation.metrics.answers,
        model.evaluation.metrics.words,
    ):
        assert doctest.testmod(module).failed == 0


# --- sentences ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", LAYOUTS)
def test_sentences_of_the_documents_without_their_headings(layout: str) -> None:
    prompt = prompt_of(layout)
    found = all_sentences(prompt)
    assert [prompt.context[slice(*unit.span)] for unit in found] == [
        *("Rome is a town.", "It lies in Italy!", "Is it old?", "Yes, it is very old."),
        *("Oslo is far north.", "Snow falls there."),
        *("No title here.", "The mayor of Lund is Ann Berg."),
    ]
    assert [unit.part for unit in found] == [0, 0, 0, 0, 1, 1, 2, 2]


def test_a_sentence_with_a_rule_in_it_is_one() -> None:
    context = "You may pay by card, but not by cheque, unless the clerk agrees. Keep the receipt."
    found = all_sentences(EvaluationPrompt(0, context, question="How may I pay?"))
    assert [context[slice(*unit.span)][-7:] for unit in found] == ["agrees.", "eceipt."]


# --- budgets -----------------------------------------------------------------------------------------------


@given(
    st.lists(st.text("abc", min_size=1, max_size=8), min_size=4, max_size=60),
    st.floats(0.01, 0.99),
    st.floats(0.6, 2),
)
def test_a_share_is_found_that_stays_below_and_comes_close(texts: list[str], share: float, power: float) -> None:
    """For a method that counts in something else: characters, and not evenly."""
    text = " ".join(texts)
    counter = words_counter()
    asked = share_within(lambda each: text[: round(len(text) * min(each, 1) ** power)], counter, text, share)
    left = counter.count(text[: round(len(text) * asked**power)])
    most = counter.most(text, share)
    assert left <= most or most == 0
    assert left >= most - max(2, 0.1 * most)


def test_a_method_that_cannot_give_so_little_gives_its_least() -> None:
    text = "a b c d e f g h i j"
    assert share_within(lambda share: text if share > 0.05 else "a b c", words_counter(), text, 0.2) < 0.05


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("unit", ["words", "tokens", "reader"])
@pytest.mark.parametrize("chosen", [all_sentences, whole_parts])
def test_never_more_than_asked(layout: str, unit: str, chosen: object, tiny_target: Target) -> None:
    counters = {"words": words_counter(), "tokens": tokens_counter(), "reader": reader_counter(tiny_target)}
    counter, prompt = counters[unit], prompt_of(layout)
    run = keep_best(extractive.by_chance(0), counter, all_sentences if chosen is all_sentences else whole_parts)
    shares = (0.1, 0.25, 0.5, 0.8)
    made = run(prompt, shares)
    for share in shares:
        assert counter.count(made[share].text) <= counter.most(prompt.context, share)
        assert made[share].keep is not None and made[share].seconds > 0
    assert counter.count(made[0.8].text) > 0.3 * counter.count(prompt.context)


def test_the_readers_own_subwords_are_counted(tiny_target: Target) -> None:
    counter: Counter = reader_counter(tiny_target)
    assert counter.count("Rome is old.") == len(tiny_target.encode("Rome is old."))
    whole = "Rome is old. Oslo too."
    costs = counter.costs(whole, [(0, 12), (12, len(whole))])
    assert sum(costs) == counter.count(whole)


# --- what is kept ------------------------------------------------------------------------------------------


def test_the_best_sentences_come_with_their_headings_in_order() -> None:
    prompt = prompt_of()
    made = keep_best(extractive.by_bm25(question_of), words_counter())(prompt, (0.25,))[0.25]
    assert made.text == "[3] The mayor of Lund is Ann Berg."
    assert made.keep is not None and prompt.parsed.render(made.keep) == made.text
    two = extractive.extract(
        prompt, [extractive.Candidate(*unit.span, unit.part) for unit in all_sentences(prompt)[1:5]]
    )
    assert two.text == "[1] Rome\nIt lies in Italy! Is it old? Yes, it is very old.\n\n[2] Oslo\nOslo is far north."


def test_everything_fits_into_everything() -> None:
    for layout in LAYOUTS:
        prompt = prompt_of(layout)
        made = extractive.extract(prompt, all_sentences(prompt))
        bare = "".join(made.text.split()).replace("---", "")
        assert bare == "".join(prompt.context.split()).replace("---", "")


class Alike:
    """A stand-in for the sentence encoder: likeness is the share of letters in common."""

    def embed(self, texts: Sequence[str], kind: str) -> torch.Tensor:
        counts = torch.tensor([[float(text.lower().count(chr(97 + i))) for i in range(26)] for text in texts])
        return torch.nn.functional.normalize(counts, dim=-1)


def test_likeness_of_the_sentence_and_its_part() -> None:
    prompt = prompt_of(question="Snow Oslo north")
    encoder, units = Alike(), all_sentences(prompt)
    scores = extractive.by_likeness(question_of, encoder)(prompt, units)
    texts = [prompt.context[slice(*unit.span)] for unit in units]
    parts = [prompt.context[part.start : part.end] for part in prompt.parts]
    asked = encoder.embed([prompt.question], "query")[0]
    for unit, text, score in zip(units, texts, scores, strict=True):
        wanted = (encoder.embed([text, parts[unit.part]], "passage") @ asked).sum()
        assert score == pytest.approx(float(wanted), abs=1e-6)


def test_smoothing_over_neighbouring_parts() -> None:
    context, documents = arrange([("", f"Turn {i}. Yes.") for i in range(20)], "numbered")
    prompt = EvaluationPrompt(0, context, question="q", documents=documents)
    units = all_sentences(prompt)
    raw = np.array([float(unit.part == 10) for unit in units])
    smooth = extractive.over_neighbours(lambda *_: raw, width=9)(prompt, units)
    assert [i for i, score in enumerate(smooth) if score] == [i for i, u in enumerate(units) if abs(u.part - 10) <= 4]
    edges = extractive.over_neighbours(lambda *_: np.ones(len(units)), width=9)(prompt, units)
    assert np.allclose(edges, 1)


def test_bm25_prefers_rare_words_and_short_texts() -> None:
    scores = BM25(["the cat", "the the the dog", "the cat that sat in the long grass"]).scores("the cat")
    assert scores[0] > scores[2] > scores[1] > 0
    assert BM25(["这座塔很高", "那条河很长"]).scores("塔有多高？").argmax() == 0
    assert BM25([]).scores("x").shape == (0,)


# --- answers -----------------------------------------------------------------------------------------------


def test_answers_as_squad_compares_them() -> None:
    assert normalised("The  Battle, of (the) Bulge!") == "battle of bulge"
    assert same_answer("a Battle of Bulge.", ["x", "the battle of bulge"])
    assert contains("In 1944 the battle-of-Bulge", ["Battle of Bulge"]) is False
    assert contains("nothing", ["the", "?"]) is False, "an answer of nothing but articles and marks is in no text"
    assert token_f1("Ann Berg of Lund", ["Ann Berg"]) == pytest.approx(2 * 2 / 6)
    assert token_f1("", ["Ann"]) == 0
    assert same_answer("300 尺。", ["300尺"]) and contains("塔高 300 尺", ["高300尺"])
    assert token_f1("北京市", ["北京"]) == pytest.approx(4 / 5)


def test_demonstrations_have_parts_too(tmp_path: Path) -> None:
    prompt = load_task("bbh", write_questions(tmp_path) / "prompts", 1, 2, options=TaskOptions()).prompts[0]
    made = keep_best(extractive.by_chance(1), words_counter(), whole_parts)(prompt, (0.7,))[0.7]
    assert made.text.count("So the answer is") == 2 and made.text.count("Q: ") == 2
