"""Quotations as documents, what asks behind them, and lines that head a paragraph."""

from __future__ import annotations

import pytest

from model.prompt import parse
from model.relevance.prompt_reading import UnitsOf


def test_what_somebody_says_behind_sections_of_instructions_is_the_question() -> None:
    agent = "You are an agent.\n\n# Rules\n- Never promise a date.\n\n# Background\nThe shop is old. It has a cat.\n\n"
    roles = [part.role for part in parse(agent + "Customer: The shade is broken, I want my money back. Now!").parts]
    assert roles == ["instruction", "instruction", "document", "question"]
    plain = parse("# Intro\nThe pump is old.\n\n# Notes\nIt was mended.\n\nNote: it is blue.").parts
    assert [part.role for part in plain] == ["document", "document"]


@pytest.mark.parametrize("marks", ['"', "“”", "«»"])
def test_a_long_quotation_is_a_document_of_sentences(marks: str) -> None:
    said = "The pump was mended on Monday. " * 8 + "It is blue."
    text = (
        f"Given the following passage\n\n{marks[0]}{said}{marks[-1]}\n\nanswer the question.\n\nQuestion: What is blue?"
    )
    prompt = parse(text)
    assert [part.role for part in prompt.parts] == ["instruction", "document", "instruction", "question"]
    inside = [prompt.text[unit.start : unit.end] for unit in prompt.units if unit.part == 1 and unit.leaf]
    assert inside == said.replace(". ", ".|").split("|")
    last = prompt.text.index("It is blue")
    short = prompt.render([token.part != 1 or token.start >= last for token in prompt.tokens])
    assert f"{said[-11:]}{marks[-1]}" in short


@pytest.mark.parametrize("mark", ['"""', "'''"])
def test_triple_quotes_hold_a_document(mark: str) -> None:
    text = f"Summarise:\n{mark}The pump is off. Nobody knows why.\n\nIt rains.{mark}"
    prompt = parse(text)
    assert [part.role for part in prompt.parts] == ["instruction", "document"]
    assert prompt.render([True] * len(prompt)) == text


def test_a_label_that_waits_is_no_question_of_its_own() -> None:
    asked = 'Question: "Who came?"\n\nContext: Ann came on Monday. Ben was ill.\n\nAnswer:'
    assert UnitsOf.of(parse(asked)).questions == ['"Who came?"']


@pytest.mark.parametrize("title", ["§ 2 Rent", "Article 4", "Miete", "第二条 租金"])
def test_a_line_that_heads_a_paragraph_stays_with_what_is_below_it(title: str) -> None:
    rules = f"{title}\n(1) It is paid on the first. (2) It may rise."
    text = f"Which rule counts?\n\n{rules}\n\nPets\nDogs bark. Cats do not."
    prompt = parse(text)
    leaves = [text[unit.start : unit.end] for unit in prompt.units if unit.leaf]
    assert title not in leaves and "Pets" not in leaves and "Dogs bark." in leaves
    plain = parse("She sang:\n\nthe rain is over\nthe road is long").units
    assert [unit.leaf for unit in plain if unit.kind == "sentence"].count(True) >= 2
