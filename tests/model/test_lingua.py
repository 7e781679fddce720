"""LLMLingua's interface: its keys, its options, and budgets that hold for the whole prompt."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.compress import Compressor
from model.errors import InputError
from model.integrations.lingua import DEFAULT_ONLY, NO_EFFECT
from model.prompt import parse
from tests.support.tiny import PROMPT, tiny_checkpoint

COMPRESSOR = Compressor(tiny_checkpoint())
DOCUMENTS = ["The cat sat on the mat. It slept.\n", "Dogs bark 12 times, and 13.", "Rain fell in May, in 1987."]


def compress(context: Any = DOCUMENTS, **options: Any) -> dict[str, Any]:
    return COMPRESSOR.compress_prompt(context, **options)


def count(text: str) -> int:
    return len(parse(text)) if text.strip() else 0


def test_keys_and_formats() -> None:
    result = compress(rate=0.5)
    keys = "compressed_prompt compressed_prompt_list origin_tokens compressed_tokens ratio rate saving"
    assert list(result) == keys.split()
    assert result["origin_tokens"] == sum(count(text.strip()) for text in DOCUMENTS) == 26
    assert result["compressed_tokens"] == 13
    assert (result["ratio"], result["rate"]) == ("2.0x", "50.0%")
    assert result["saving"] == ", Saving $0.0 in GPT-4."
    assert len(result["compressed_prompt_list"]) == 3
    assert result["compressed_prompt"] == "\n\n".join(text for text in result["compressed_prompt_list"] if text)


def test_instruction_and_question_are_kept_whole() -> None:
    result = compress(instruction="Be very brief.\n", question="Who  slept?\n", rate=0.4)
    assert result["compressed_prompt"].startswith("Be very brief.\n\n\n")
    assert result["compressed_prompt"].endswith("\n\nWho  slept?\n")
    joined = "\n\n".join(["Be very brief.\n", *filter(None, result["compressed_prompt_list"]), "Who  slept?\n"])
    assert result["compressed_prompt"] == joined
    assert result["compressed_tokens"] == round(0.4 * result["origin_tokens"])


def test_positional_like_the_original() -> None:
    assert COMPRESSOR.compress_prompt(DOCUMENTS, "Brief.", "Who?") == compress(instruction="Brief.", question="Who?")


@settings(max_examples=50)
@given(
    st.lists(st.text(st.sampled_from("ab 1.,\n"), max_size=30), max_size=5),
    st.sampled_from(["", "Do it.", "\n Well: \n"]),
    st.sampled_from(["", "Why?", "\n\n?\n"]),
    st.floats(0, 1, exclude_min=True),
)
def test_the_count_is_what_is_there(contexts: list[str], instruction: str, question: str, rate: float) -> None:
    if not "".join([instruction, question, *contexts]).strip():
        return
    result = compress(contexts, instruction=instruction, question=question, rate=rate, return_word_label=True)
    labels = [line.rsplit(" ", 1) for line in result["fn_labeled_original_prompt"].split("\t\t|\t\t") if line]
    whole = result["origin_tokens"] - len(labels)  # tokens of instruction and question
    kept = sum(int(label) for _, label in labels)
    assert result["compressed_tokens"] == whole + kept
    assert kept == max(max(round(rate * result["origin_tokens"]), 1) - whole, 0)
    words = [word for word, label in labels if label == "1"]
    assert "".join("".join(words).split()) == "".join("".join(result["compressed_prompt_list"]).split())
    if rate == 1:
        assert result["compressed_prompt_list"] == [text if text.strip() else "" for text in contexts]


@pytest.mark.parametrize(("target", "left"), [(7, 7), (1, 1), (7.4, 7), (10**9, 26), (math.inf, 26), (-1, 13), (0, 13)])
def test_target_token_overrides_the_rate(target: float, left: int) -> None:
    assert compress(rate=0.5, target_token=target)["compressed_tokens"] == left


def test_budget_goes_where_it_matters() -> None:
    """Contexts share one budget, so they are not cut evenly, and one may vanish without leaving blank lines."""
    both = compress([DOCUMENTS[0] * 3, DOCUMENTS[1] * 3], rate=0.4)["compressed_prompt_list"]
    assert count(both[0]) != count(both[1])
    few = compress(["one", "two", "three", "four"], target_token=1)
    assert sorted(few["compressed_prompt_list"])[:3] == ["", "", ""]
    assert few["compressed_prompt"] in {"one", "two", "three", "four"}


def test_single_context_has_its_own_shots_and_query() -> None:
    result = compress(PROMPT, rate=0.4)
    assert result["compressed_prompt"].endswith("Q: 3+4?\nA:")
    assert result["compressed_prompt"] == COMPRESSOR.compress(PROMPT, 0.4).text


def test_force_tokens() -> None:
    result = compress(["one.\ntwo.\nthree four five six"], rate=0.1, force_tokens=["\n", "."])
    assert result["compressed_prompt"].count("\n") == 2 and result["compressed_prompt"].count(".") == 2
    once = compress(["one! two! three! four! five."], target_token=4, force_tokens=["!"], drop_consecutive=True)
    assert once["compressed_prompt"].count("!") == 1 and once["compressed_tokens"] == 1


def test_force_reserve_digit() -> None:
    kept = compress(rate=0.2, force_reserve_digit=True)["compressed_prompt"]
    assert all(number in kept for number in ("12", "13", "1987"))


def test_word_labels() -> None:
    result = compress(["a b c", "d"], rate=1, return_word_label=True, word_sep="|", label_sep="=")
    assert result["fn_labeled_original_prompt"] == "a=1|b=1|c=1|d=1"


def test_options_of_llmlingua_are_known() -> None:
    plain = compress()
    assert compress(**dict.fromkeys(NO_EFFECT, "anything")) == plain
    assert compress(**DEFAULT_ONLY) == plain
    assert not set(NO_EFFECT) & set(DEFAULT_ONLY)


@pytest.mark.parametrize(
    ("context", "options", "message"),
    [
        (DOCUMENTS, {"forced_tokens": ["."]}, "no option 'forced_tokens'"),
        (DOCUMENTS, {"use_token_level_filter": False}, "use_token_level_filter=False is not supported"),
        (DOCUMENTS, {"context_segs": [["a"]]}, "context_segs"),
        (DOCUMENTS, {"rate": 0}, "rate 0 must be"),
        (DOCUMENTS, {"rate": 1.2}, "rate 1.2 must be"),
        (DOCUMENTS, {"rate": math.nan}, "rate nan must be"),
        ("", {}, "empty"),
        ([], {}, "empty"),
        (["", " \n"], {}, "empty"),
        (7, {}, "context must be a text or a list"),
        (["a", 7], {}, "context must be a text or a list"),
        ("a", {"question": None}, "must be texts"),
        ("word " * 50_000, {}, "characters"),
        (["\ud800"], {}, "lone surrogate"),
    ],
)
def test_mistakes(context: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        compress(context, **options)
