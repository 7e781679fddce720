"""LLMLingua's interface: its keys, its options, and ceilings that hold for the whole prompt."""

from __future__ import annotations

import inspect
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.compress import Compressor
from model.errors import InputError
from model.integrations.lingua_options import RANKING, REFUSED, LinguaOptions
from model.prompt import parse
from tests.support.tiny import PROMPT, tiny_checkpoint

COMPRESSOR = Compressor(tiny_checkpoint())
DOCUMENTS = ["The cat sat on the mat. It slept.\n", "Dogs bark 12 times, and 13.", "Rain fell in May, in 1987."]
LONG = [
    "Ann came early. She sat down. It rained a lot.",
    "Bob came late. He ran home. It was dark by then.",
    "Cem stayed away. Nobody saw him. It was cold there.",
]


def compress(context: Any = DOCUMENTS, **options: Any) -> dict[str, Any]:
    return COMPRESSOR.compress_prompt(context, **options)


def count(text: str) -> int:
    return len(parse(text)) if text.strip() else 0


def test_keys_and_formats() -> None:
    result = compress(rate=0.5)
    keys = "compressed_prompt compressed_prompt_list origin_tokens compressed_tokens ratio rate saving"
    assert list(result) == keys.split()
    assert result["origin_tokens"] == sum(map(count, DOCUMENTS)) == 27
    left = result["compressed_tokens"]
    assert 0 < left <= 13 and left == sum(map(count, result["compressed_prompt_list"]))
    assert (result["ratio"], result["rate"]) == (f"{27 / left:.1f}x", f"{left / 27:.1%}")
    assert result["saving"] == ", Saving $0.0 in GPT-4."
    assert len(result["compressed_prompt_list"]) == 3
    assert result["compressed_prompt"] == "\n\n".join(text for text in result["compressed_prompt_list"] if text)


def test_instruction_and_question_are_kept_whole() -> None:
    result = compress(instruction="Be very brief.\n", question="Who  slept?\n", rate=0.8)
    joined = "\n\n".join(["Be very brief.\n", *filter(None, result["compressed_prompt_list"]), "Who  slept?\n"])
    assert result["compressed_prompt"] == joined
    assert 9 < result["compressed_tokens"] <= 0.8 * result["origin_tokens"]
    little = compress(instruction="Be very brief.\n", question="Who  slept?\n", rate=0.01)
    assert little["compressed_prompt"] == "Be very brief.\n\n\nWho  slept?\n"


def test_positional_like_the_original() -> None:
    llmlingua = pytest.importorskip("llmlingua.prompt_compressor")
    theirs = inspect.signature(llmlingua.PromptCompressor.compress_prompt).parameters
    ours = inspect.signature(Compressor.compress_prompt).parameters
    assert list(ours)[:6] == list(theirs)[:6]
    known = {*LinguaOptions.__dataclass_fields__, *RANKING, *REFUSED}
    assert set(theirs) - known == {"self", "context", "instruction", "question"}
    assert COMPRESSOR.compress_prompt(DOCUMENTS, "Brief.", "Who?", 0.7, 12) == compress(
        instruction="Brief.", question="Who?", rate=0.7, target_token=12
    )


@settings(max_examples=50)
@given(
    st.lists(st.text(st.sampled_from("ab 1.,\n"), max_size=30), max_size=5),
    st.sampled_from(["", "Do it.", "\n Well: \n"]),
    st.sampled_from(["", "Why?", "\n\n?\n"]),
    st.floats(0, 1, exclude_min=True),
    st.sampled_from([None, True, False]),
)
def test_the_rate_is_a_ceiling_and_the_count_is_what_is_there(
    contexts: list[str], instruction: str, question: str, rate: float, finer: bool | None
) -> None:
    if not "".join([instruction, question, *contexts]).strip():
        return
    result = compress(
        contexts,
        instruction=instruction,
        question=question,
        rate=rate,
        return_word_label=True,
        use_token_level_filter=finer,
    )
    labels = [line.rsplit(" ", 1) for line in result["fn_labeled_original_prompt"].split("\t\t|\t\t") if line]
    whole = result["origin_tokens"] - len(labels)  # tokens of instruction and question
    kept = sum(int(label) for _, label in labels)
    assert 0 < result["compressed_tokens"] == whole + kept
    if result["compressed_tokens"] > rate * result["origin_tokens"] + 1e-6:  # only what cannot be less
        task = not (instruction.strip() or question.strip()) and sum(bool(text.strip()) for text in contexts) == 1
        assert task or kept <= (0 if whole else max(map(count, contexts)))
        assert task or sum(map(bool, result["compressed_prompt_list"])) <= 1
    words = [word for word, label in labels if label == "1"]
    assert "".join("".join(words).split()) == "".join("".join(result["compressed_prompt_list"]).split())
    if rate == 1:
        assert result["compressed_prompt_list"] == [text if text.strip() else "" for text in contexts]


@pytest.mark.parametrize("target", [1, 4, 7, 7.4, 15, 10**9, math.inf])
def test_target_token_overrides_the_rate(target: float) -> None:
    left = compress(rate=0.01, target_token=target)["compressed_tokens"]
    shortest = min(unit.last - unit.first for text in DOCUMENTS for unit in parse(text).units if unit.leaf)
    assert 0 < left <= (27 if target >= 27 else max(target, 9 if target < shortest else 0, shortest))
    assert (left == 27) == (target >= 27)


@pytest.mark.parametrize("target", [None, -1, 0])
def test_no_target_token_leaves_the_rate(target: float | None) -> None:
    assert compress(rate=0.5, target_token=target) == compress(rate=0.5)


def test_none_stands_for_the_default_of_every_option() -> None:
    names = [*LinguaOptions.__dataclass_fields__, *RANKING, *REFUSED]
    assert compress(instruction=None, question=None, **dict.fromkeys(names)) == compress()


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


# --- what stays --------------------------------------------------------------------------------------------------


def test_force_tokens() -> None:
    text = "one.\ntwo.\nthree four five six"
    result = compress([text], rate=0.1, force_tokens=["\n", "."], use_token_level_filter=True)
    assert result["compressed_prompt"].count("\n") == 2 and result["compressed_prompt"].count(".") == 2
    forced = compress(["one! two! three! four! five."], target_token=4, force_tokens=["!"])
    once = compress(["one! two! three! four! five."], target_token=4, force_tokens=["!"], drop_consecutive=True)
    assert forced["compressed_prompt"].count("!") == 4
    assert once["compressed_prompt"].count("!") < 4 and "!!" not in once["compressed_prompt"].replace(" ", "")


def test_force_reserve_digit() -> None:
    kept = compress(rate=0.2, force_reserve_digit=True)["compressed_prompt"]
    assert all(number in kept for number in ("12", "13", "1987"))


@pytest.mark.parametrize("forced", [[0], [2, 1], [0, 1, 2]])
def test_something_of_a_forced_context_stays(forced: list[int]) -> None:
    left = compress(LONG, rate=0.1, force_context_ids=forced)["compressed_prompt_list"]
    assert all(left[c] for c in forced)
    assert all(piece in LONG[c] for c in range(3) for piece in [left[c]])


def test_as_many_contexts_stay_as_are_forced() -> None:
    for number in range(4):
        left = compress(LONG, rate=0.1, force_context_number=number)["compressed_prompt_list"]
        assert sum(map(bool, left)) == max(number, 1)
    assert all(compress(LONG, rate=0.1, use_context_level_filter=False)["compressed_prompt_list"])


def test_first_and_last_sentences() -> None:
    left = compress(LONG, rate=0.1, keep_first_sentence=1)["compressed_prompt_list"]
    assert left == ["Ann came early.", "Bob came late.", "Cem stayed away."]
    left = compress(LONG, rate=0.1, keep_last_sentence=2)["compressed_prompt_list"]
    assert left[0] == "She sat down. It rained a lot."


def test_keep_split() -> None:
    text = "Ann came early. She sat down.\n\nBob came late. He ran home."
    assert compress([text, "And so on."], rate=0.1, keep_split=True)["compressed_prompt_list"][0].count("\n\n") == 1


# --- how it is written -------------------------------------------------------------------------------------------


def test_contexts_may_come_in_the_order_of_their_relevance() -> None:
    def lines(how: str) -> list[str]:
        written: str = compress(LONG, question="Who?", rate=1, reorder_context=how)["compressed_prompt"]
        return written.split("\n\n")[:-1]

    assert lines("original") == LONG
    best = lines("sort")
    assert sorted(best) == LONG and lines("two_stage") == [best[0], best[2], best[1]]


def test_a_question_may_be_read_and_not_written() -> None:
    asked = compress(question="Who slept?", rate=0.9)
    silent = compress(question="Who slept?", rate=0.9, concate_question=False)
    assert silent["compressed_prompt_list"] == asked["compressed_prompt_list"]
    assert asked["compressed_prompt"] == silent["compressed_prompt"] + "\n\nWho slept?"
    assert silent["compressed_tokens"] == asked["compressed_tokens"] - 3


def test_the_finest_filter_says_how_fine_pieces_are() -> None:
    assert (
        LinguaOptions.of({}).granularity == LinguaOptions.of({"use_sentence_level_filter": True}).granularity == "unit"
    )
    assert LinguaOptions.of({"use_token_level_filter": True}).granularity == "token"
    assert LinguaOptions.of({"use_token_level_filter": False}).granularity == "part"
    whole = compress(LONG, rate=0.5, use_token_level_filter=False)["compressed_prompt_list"]
    assert all(left in ("", text) for left, text in zip(whole, LONG, strict=True)) and any(whole)


def test_marks_around_a_context_stay_with_it() -> None:
    marked = [f"\n\n<#ref{i}#> {text} <#ref{i}#>\n\n" for i, text in enumerate(LONG)]
    left = compress(marked, rate=0.3)["compressed_prompt_list"]
    assert any(left) and not all(left)
    for i, text in enumerate(left):
        assert not text or (text.strip().startswith(f"<#ref{i}#> ") and text.strip().endswith(f" <#ref{i}#>"))


def test_many_contexts_and_long_white_space_take_linear_time() -> None:
    assert compress([f"Number {i}. It is old." for i in range(3000)], rate=0.2, use_context_level_filter=False)
    assert compress(["<#a#>" + " " * 90_000 + "x" + " " * 90_000 + "<#b#>", "y"], rate=0.9)


def test_word_labels() -> None:
    result = compress(["a b c", "d"], rate=1, return_word_label=True, word_sep="|", label_sep="=")
    assert result["fn_labeled_original_prompt"] == "a=1|b=1|c=1|d=1"


# --- segments ----------------------------------------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(LONG), st.floats(0.05, 1), st.booleans()), min_size=1, max_size=4))
def test_each_segment_has_its_own_rate(segments: list[tuple[str, float, bool]]) -> None:
    texts = [f"{text}\n" for text, _, _ in segments]
    result = compress(
        ["".join(texts)],
        question="Who?",
        rate=0.5,
        context_segs=[texts],
        context_segs_rate=[[rate for _, rate, _ in segments]],
        context_segs_compress=[[may for _, _, may in segments]],
        return_word_label=True,
    )
    labels = [int(line.rsplit(" ", 1)[1]) for line in result["fn_labeled_original_prompt"].split("\t\t|\t\t")]
    at = 0
    for text, (_, rate, may) in zip(texts, segments, strict=True):
        kept = sum(labels[at : at + count(text) - 1])  # but for the line break, which belongs to the context
        assert kept <= rate * count(text) if may else kept == count(text) - 1
        at += count(text)


def test_what_has_no_rate_of_its_own_has_that_of_all() -> None:
    tagged = [f"<llmlingua, rate=0.4>{LONG[0]}</llmlingua>", LONG[1]]
    result = compress(tagged, rate=0.9, tagged=True)
    assert count(result["compressed_prompt_list"][0]) <= 0.4 * count(LONG[0])
    assert 0.4 < count(result["compressed_prompt_list"][1]) / count(LONG[1]) <= 0.9


# --- mistakes ----------------------------------------------------------------------------------------------------


def test_options_that_only_rank_change_nothing() -> None:
    plain = compress()
    assert compress(**dict.fromkeys(RANKING, "anything")) == plain
    assert compress(**{name: values[0] for name, values in REFUSED.items()}) == plain
    assert not {*RANKING} & {*REFUSED} and not {*RANKING, *REFUSED} & {*LinguaOptions.__dataclass_fields__}


@pytest.mark.parametrize(
    ("context", "options", "message"),
    [
        (DOCUMENTS, {"forced_tokens": ["."]}, "no option 'forced_tokens'"),
        (DOCUMENTS, {"keep_sentence_number": 2}, "keep_sentence_number=2 is not offered"),
        (DOCUMENTS, {"context_level_rate": 0.5}, "context_level_rate=0.5 is not offered"),
        (DOCUMENTS, {"target_context": 2}, "target_context=2 is not offered"),
        (DOCUMENTS, {"context_segs": [["a"]]}, "context_segs must hold"),
        (DOCUMENTS, {"force_context_ids": [3]}, "context 3, but there are 3"),
        (DOCUMENTS, {"force_context_ids": [-1]}, "force_context_ids must be"),
        (DOCUMENTS, {"force_context_ids": 1}, "force_context_ids must be"),
        (DOCUMENTS, {"keep_first_sentence": -1}, "keep_first_sentence=-1 must be"),
        (DOCUMENTS, {"keep_last_sentence": 1.5}, "keep_last_sentence=1.5 must be"),
        (DOCUMENTS, {"force_tokens": "."}, "force_tokens must be"),
        (DOCUMENTS, {"reorder_context": "random"}, "reorder_context='random' must be"),
        (DOCUMENTS, {"word_sep": 3}, "word_sep and label_sep"),
        (DOCUMENTS, {"rate": 0}, "rate 0 must be"),
        (DOCUMENTS, {"rate": 1.2}, "rate 1.2 must be"),
        (DOCUMENTS, {"rate": math.nan}, "rate nan must be"),
        (DOCUMENTS, {"rate": "0.5"}, "rate '0.5' must be"),
        (DOCUMENTS, {"target_token": math.nan}, "target_token nan must be"),
        ("", {}, "empty"),
        ([], {}, "empty"),
        (["", " \n"], {}, "empty"),
        (7, {}, "context must be a text or a list"),
        (None, {}, "context must be a text or a list"),
        (["a", 7], {}, "context must be a text or a list"),
        ("a", {"question": 7}, "must be texts"),
        ("word " * 50_000, {}, "characters"),
        (["\ud800"], {}, "lone surrogate"),
    ],
)
def test_mistakes(context: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        compress(context, **options)
