"""Features of the units: what they say of simple prompts, for any prompt, and in linear memory."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from model.relevance.features import DYNAMIC, STATIC, Relevance, nearest, smoothed, standardised
from model.relevance.lexical import overlap, share_of_names, terms
from model.relevance.reading import read_units
from tests.support.tiny_encoder import tiny_encoder

ENCODER = tiny_encoder()
PARTS = [["The tower is 330 m high.", "It is in Paris."], ["Cats sleep."], ["Dogs bark.", "They run.", "So do cats."]]
WORDS = st.lists(st.sampled_from(["ab", "cat.", "天气", "3", "Née", "", " "]), max_size=4).map(" ".join)


def relevance(parts: list[list[str]], questions: list[str], instructions: list[str] | None = None) -> Relevance:
    units = [unit for part in parts for unit in part]
    part_of = [i for i, part in enumerate(parts) for _ in part]
    texts = [f"Document {i}: " + " ".join(part) for i, part in enumerate(parts)]
    return Relevance.of(ENCODER, units, part_of, texts, questions, instructions or [])


def column(found: Relevance, name: str) -> list[float]:
    return [round(value, 4) for value in found.static[:, STATIC.index(name)].tolist()]


def test_every_unit_gets_every_feature() -> None:
    found = relevance(PARTS, ["How high is the tower?"], ["Answer."])
    assert found.static.shape == (6, len(STATIC)) and found.static.dtype == torch.float32
    assert found.vectors.shape == (6, ENCODER.width)
    assert len(set(STATIC)) == len(STATIC) and len(set(DYNAMIC)) == len(DYNAMIC)
    assert found.dynamic(torch.zeros(6) > 0, torch.zeros(6) > 0).shape == (6, len(DYNAMIC))


def test_places_in_part_and_prompt() -> None:
    found = relevance(PARTS, ["?"])
    assert column(found, "first of its part") == [1, 0, 1, 1, 0, 0]
    assert column(found, "last of its part") == [0, 1, 1, 0, 0, 1]
    assert column(found, "place in the part") == [0, 0.5, 0, 0, 0.3333, 0.6667]
    assert column(found, "place in the prompt") == [0, 0.1667, 0.3333, 0.5, 0.6667, 0.8333]


def test_the_unit_that_repeats_rare_words_of_the_question_comes_first() -> None:
    found = relevance(PARTS, ["How high is the tower?"])
    assert column(found, "words, rank")[0] == 0
    shared = column(found, "rarest word shared")
    assert shared[0] == 1 > shared[1] > 0 and shared[2:] == [0] * 4


def test_of_many_questions_the_likest_counts() -> None:
    questions = ["How high is the tower?", "Where do dogs run?"]
    both = relevance(PARTS, questions)
    alone = [relevance(PARTS, [question]) for question in questions]
    for name in ("likeness, alone", "words"):
        singles = [column(one, name) for one in alone]
        expected = torch.tensor(singles).amax(0)
        torch.testing.assert_close(both.static[:, STATIC.index(name)], expected, atol=1e-3, rtol=0)


def test_without_a_question_the_instruction_is_asked() -> None:
    asked = relevance(PARTS, [], ["Say how high the tower is."])
    assert column(asked, "a question is asked") == [0] * 6
    assert column(asked, "words") == column(relevance(PARTS, ["Say how high the tower is."]), "words")
    nothing = relevance(PARTS, [], [])
    assert column(nothing, "likeness, alone") == [0] * 6
    assert nothing.static.isfinite().all() and any(column(nothing, "centrality, standardised"))


@given(
    st.lists(st.lists(WORDS, min_size=1, max_size=4), max_size=5),
    st.lists(WORDS, max_size=3),
    st.lists(WORDS, max_size=2),
)
def test_any_prompt_gives_finite_features(parts: list[list[str]], questions: list[str], asked: list[str]) -> None:
    found = relevance(parts, questions, asked)
    assert found.static.isfinite().all() and len(found.static) == sum(map(len, parts))
    kept = torch.arange(len(found.static)) % 3 == 0
    assert found.dynamic(kept, ~kept, 0.5).isfinite().all()


def test_a_unit_is_read_alone_and_in_its_part() -> None:
    parts = ["Title: " + "long. " * 60 + "cats run.", "x" * 300]
    found = read_units(ENCODER, ["cats run.", "dogs"], [0, 1], parts)
    torch.testing.assert_close(found.alone, ENCODER.embed(["cats run.", "dogs"]))
    start = parts[0].index("cats run.")
    text, spans = ENCODER.read(parts, [[(start, start + 9)], []])
    torch.testing.assert_close(found.context, torch.stack([spans[0], found.alone[1]]))  # dogs are not in their part
    torch.testing.assert_close(found.parts, text)


def test_short_parts_are_read_among_their_neighbours() -> None:
    parts = ["Ann: yes.", "Bob: no.", "Cid: " + "long " * 80, "Dan: maybe."]
    found = read_units(ENCODER, ["yes.", "no.", "maybe."], [0, 1, 3], parts)
    _, together = ENCODER.read(["Ann: yes.\nBob: no."], [[(5, 9), (15, 18)]])
    torch.testing.assert_close(found.context[:2], together)
    assert found.parts.norm(dim=1).tolist() == pytest.approx([1] * 4, abs=1e-4)


def test_what_is_said_already_is_like_what_is_kept() -> None:
    found = relevance([["A cat sleeps."], ["Dogs bark at 3 trees."], ["A cat sleeps."]], ["cat?"])
    kept = torch.tensor([True, False, False])
    state = found.dynamic(kept, torch.tensor([False, True, False]), 0.25)
    likeness = state[:, DYNAMIC.index("likeness to the likest kept")]
    assert likeness[0] == 0  # nothing but itself is kept
    assert likeness[2] > likeness[1]
    assert state[:, DYNAMIC.index("something of its part is kept")].tolist() == [1, 0, 0]
    assert state[:, DYNAMIC.index("budget left")].tolist() == [0.25] * 3


def test_a_question_that_is_answered_asks_for_no_more() -> None:
    questions = ["How high is the tower?", "Where do dogs run?"]
    found = relevance(PARTS, questions)
    first, second = (int(column.argmax()) for column in found.likeness.T)
    asked = ENCODER.embed(questions, "query")
    torch.testing.assert_close(found.asked, asked[found.likeness.argmax(1)])
    nothing = torch.zeros(6) > 0
    assert found.dynamic(nothing, nothing)[:, DYNAMIC.index("its question is answered so far")].tolist() == [0] * 6
    state = found.dynamic(torch.arange(6) == first, nothing)
    added = state[:, DYNAMIC.index("beyond what answers the questions so far")]
    assert added[first] == pytest.approx(0, abs=1e-5)  # it adds nothing to itself
    if first != second:
        assert added[second] > 0
    both = found.dynamic((torch.arange(6) == first) | (torch.arange(6) == second), nothing)
    assert both[:, DYNAMIC.index("beyond what answers the questions so far")].max() == pytest.approx(0, abs=1e-5)


def test_neighbours_count_within_a_part_only() -> None:
    found = relevance([["a.", "b.", "c."], ["d."]], ["e?"])
    state = found.dynamic(torch.tensor([False, True, False, False]), torch.zeros(4) > 0)
    assert state[:, DYNAMIC.index("the unit before is kept")].tolist() == [0, 0, 1, 0]
    assert state[:, DYNAMIC.index("the unit after is kept")].tolist() == [1, 0, 0, 0]


@given(st.integers(0, 40), st.integers(0, 2**20))
def test_nearest_is_the_largest_product_with_another(count: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    vectors = torch.rand(count, 4, generator=generator)
    chosen = torch.rand(count, generator=generator) < 0.4
    found = nearest(vectors, chosen)
    for i in range(count):
        others = [float(vectors[i] @ vectors[j]) for j in range(count) if chosen[j] and j != i]
        assert float(found[i]) == pytest.approx(max(others, default=0.0), abs=1e-5)


@given(st.lists(st.floats(-10, 10), max_size=50), st.sampled_from([1.5, 5.0, 15.0]))
def test_smoothing_keeps_length_and_bounds(values: list[float], scale: float) -> None:
    tensor = torch.tensor(values)
    found = smoothed(tensor, scale)
    assert found.shape == tensor.shape
    if values:
        assert min(values) - 1e-4 <= found.min() and found.max() <= max(values) + 1e-4


def test_standardised() -> None:
    assert standardised(torch.tensor([2.0, 2.0, 2.0])).tolist() == [0, 0, 0]
    assert standardised(torch.tensor([5.0])).tolist() == [0]
    z = standardised(torch.tensor([1.0, 2.0, 6.0]))
    assert float(z.mean()) == pytest.approx(0, abs=1e-6) and z[2] > z[1] > z[0]


# --- words -------------------------------------------------------------------------------------------------


def test_terms_of_many_scripts() -> None:
    assert terms("Die TÜRME, iPhone手机!") == ["die", "türme", "iphone", "手机"]
    assert terms("天气好") == ["天气", "气好"]
    assert terms("information informatics") == ["inform", "inform"]
    assert terms("हिन्दी में") == ["हिन्दी"[:6], "में"]
    assert terms("...") == []


def test_rare_words_weigh_more() -> None:
    texts = [terms(text) for text in ("the tower", "the cat", "the dog", "a bird")]
    shares, rarest = overlap(texts, [terms("the tower"), []])
    assert rarest[0, 0] == 1 and rarest[3].tolist() == [0, 0]
    assert shares.shape == (4, 2) and shares[:, 1].tolist() == [0, 0, 0, 0]
    first, second, third, fourth = shares[:, 0].tolist()
    assert first > second == third > fourth == 0


@given(st.lists(WORDS, max_size=6), st.lists(WORDS, max_size=3))
def test_overlap_does_not_depend_on_order(texts: list[str], questions: list[str]) -> None:
    split, asked = [terms(text) for text in texts], [terms(question) for question in questions]
    for forth, back, aside in zip(
        overlap(split, asked), overlap(split[::-1], asked), overlap(split, asked[::-1]), strict=True
    ):
        torch.testing.assert_close(back, forth.flip(0))
        torch.testing.assert_close(aside, forth.flip(1))
        assert forth.min() >= 0 if forth.numel() else True


def test_names_and_numbers() -> None:
    assert share_of_names("In 1903 Marie won two") == pytest.approx(3 / 5)
    assert share_of_names("") == 0


def test_thousands_of_units_take_linear_memory() -> None:
    units = [f"Line {i} about {word}." for i, word in zip(range(3000), itertools.cycle("abc"), strict=False)]
    parts = [" ".join(units[i : i + 10]) for i in range(0, 3000, 10)]
    found = Relevance.of(tiny_encoder(512), units, [i // 10 for i in range(3000)], parts, ["a?"])
    with torch.autograd.profiler.profile(profile_memory=True) as profile:
        found.dynamic(torch.arange(3000) % 2 == 0, torch.arange(3000) % 2 == 1)
    largest = max(event.cpu_memory_usage for event in profile.function_events)
    assert largest < 3000 * 3000 * 4 / 2  # no units x units matrix
