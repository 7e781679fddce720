"""The examples of Explore, as the shipped model shortens them: each result is one that answers its question."""

from __future__ import annotations

import pytest

from app.components.verdict import verdict_panel
from app.examples import example_prompts
from model.compress import Compressor

NEEDED = {
    "Documents + question": ["8 metres costs 22 euros", "3 euros are added", "pay for six nights", "boat of 10 metres"],
    "Notes of a meeting": ["9 March, the workshop two weeks after", "not pay before they stand", "Question: When"],
    "Orders as JSON": ['"L. Tanaka"', '"coffee table"', '"PX-55172"', '"waiting at customs"', "Where is the coffee"],
    "Maths, few-shot": ["#### ", "Jonas reads 18 pages"],
    "News labels": ["Answer: ", "the furniture chain says"],
    "Log of a shop": ["payment 88213 not saved", "newsletter holds 40 connections", "which job should be stopped"],
}


@pytest.fixture(scope="module")
def compressor() -> Compressor:
    return Compressor.load(device="cpu")


@pytest.mark.parametrize("title", example_prompts())
def test_an_example_is_shown_at_a_length_at_which_one_would_send_it(compressor: Compressor, title: str) -> None:
    example = example_prompts()[title]
    result = compressor.compress(example.text, example.percent / 100)
    assert [needed for needed in NEEDED[title] if needed not in result.text] == []
    assert verdict_panel(result)["level"] != "bad" and not result.verdict.over_budget
