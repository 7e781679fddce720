"""Prompt text -> tokens, shots, pins, and back: properties on any text, then cases."""

from __future__ import annotations

import doctest
from itertools import groupby

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import model.prompt.pins
from model.errors import InputError
from model.prompt import WORD_LIMIT, Prompt, parse
from model.prompt.pins import pins_for_digits, pins_for_task, pins_for_words, pins_from_regex

PIECES = [
    "Question: ", "Answer:", "Q1: ", "### Note 2:\n", "1. ", "2) ", "(3) ", "问题：", "don't", "l’été",
    "\n", "\n\n", "\r\n", "\r", " ", "\t", "\u2028", "\x85", "\x1f", "\x00", "\u200d", "\u200b", "\ufeff",
    "-3.5", "1,234.50", "+7", "3-4", "13th", ".5", "####", "...", "<<", "x" * 70,
    "👩‍👩‍👧", "👍🏽", "🇫🇷🇩🇪🇫", "1️⃣", "#️⃣", "שלום", "مرحبا", "می‌خواهم", "e\u0301", "\u0301", "\u0600",
    "日本語", "カタカナ", "ひら", "한국어", "สวัสดี", "ကမ္ဘာ", "क्षि",
    "```\n", "<doc>\n", "</doc>\n", "<|im_start|>user\n", "<|im_end|>", "# Head\n", "---\n", "- item\n",
    "| a | b |\n", '{"a": 1}', "Ann: hi\n", "[Document 1] x\n", "95 °C", "10,000 EUR", "14 March 2024", "https://a.b/c",
    "{x}", "Do not go. ", "(", ")", "“", "”", '"',
]  # fmt: skip
texts = st.one_of(st.text(min_size=1), st.lists(st.sampled_from(PIECES), min_size=1).map("".join))
prompts = texts.filter(lambda text: text.strip("\ufeff") and not text.strip("\ufeff").isspace())
fast = settings(max_examples=150, deadline=None)


def tokens(text: str) -> list[str]:
    return [token.text for token in parse(text).tokens]


def shots(prompt: Prompt) -> list[tuple[str, str]]:
    return [(shot.role, prompt.text[shot.start : shot.end]) for shot in prompt.parts]


def assert_sound(prompt: Prompt) -> None:
    """Offsets are exact, tokens hold all that is not white space, shots partition text and tokens."""
    at = 0
    for token in prompt.tokens:
        assert at <= token.start < token.end and token.text == prompt.text[token.start : token.end]
        gap = prompt.text[at : token.start].removeprefix("" if at else "\ufeff" * (token.start - at))
        gap = gap.replace("\ufeff", "")  # a byte order mark is no token
        assert not gap or (gap.isspace() and len(gap.splitlines()) == 1)
        assert token.text.isspace() or not (token.text[0].isspace() or token.text[-1].isspace())
        assert token.text.isspace() or len(token.text.splitlines()) == 1
        at = token.end
    assert not prompt.text[at:].strip()
    char = first = 0
    for i, shot in enumerate(prompt.parts):
        assert (shot.start, shot.first) == (char, first) and shot.first < shot.last
        for token in prompt.tokens[shot.first : shot.last]:
            assert token.part == i and shot.start <= token.start and token.end <= shot.end
        char, first = shot.end, shot.last
    assert (char, first) == (len(prompt.text), len(prompt))


# --- properties ---


@fast
@given(prompts)
def test_any_text_is_parsed_soundly_and_comes_back_whole(text: str) -> None:
    prompt = parse(text)
    assert_sound(prompt)
    assert prompt.render([True] * len(prompt)) == text.lstrip("\ufeff")
    assert prompt.render([False] * len(prompt)) == ""


@fast
@given(prompts, st.data())
def test_rendering_keeps_the_kept_and_adds_only_spaces(text: str, data: st.DataObject) -> None:
    prompt = parse(text)
    keep = data.draw(st.lists(st.booleans(), min_size=len(prompt), max_size=len(prompt)))
    kept = "".join(token.text for token, k in zip(prompt.tokens, keep, strict=True) if k)
    out = prompt.render(keep)
    assert "".join(out.split()) == "".join(kept.split())
    assert len(out) <= len(text) + sum(keep)
    first = keep.index(True) if any(keep) else 0
    begins_line = first == 0 or prompt.tokens[first - 1].text.isspace()
    assert begins_line or not out[:1].isspace() or prompt.tokens[first].text.isspace()


@fast
@given(
    st.lists(st.sampled_from(["cat", "don't", "-3.5", "1,234.50", "13th", "+7", "\n", "\r\n"]), min_size=1),
    st.data(),
)
def test_words_numbers_and_breaks_survive_a_second_parse(words: list[str], data: st.DataObject) -> None:
    """Holds for ASCII set apart by spaces, except that line breaks that come to touch become one token."""
    text = " ".join(words) + " end"
    prompt = parse(text)
    keep = data.draw(st.lists(st.booleans(), min_size=len(prompt), max_size=len(prompt)))
    kept = [token.text for token, k in zip(prompt.tokens, keep, strict=True) if k]
    out = prompt.render(keep)
    if out.strip():
        assert join_breaks(tokens(out)) == join_breaks(kept)


def join_breaks(parts: list[str]) -> list[str]:
    joined = [(space, list(group)) for space, group in groupby(parts, str.isspace)]
    return [part for space, group in joined for part in (["".join(group)] if space else group)]


@fast
@given(prompts, st.data())
def test_given_shot_starts_hold_for_any_offsets(text: str, data: st.DataObject) -> None:
    starts = data.draw(st.lists(st.integers(0, len(text) - 1)))
    prompt = parse(text, starts)
    assert_sound(prompt)
    plain = parse(text)
    assert [(t.start, t.end) for t in prompt.tokens] == [(t.start, t.end) for t in plain.tokens]
    assert parse(text, [s.start for s in plain.parts]).parts[-1].start == plain.parts[-1].start


@fast
@given(prompts, prompts)
def test_word_pins_are_the_tokens_that_touch_an_occurrence(text: str, word: str) -> None:
    text = text + word + text
    prompt = parse(text)
    inside = {i for at in range(len(text)) if text.startswith(word, at) for i in range(at, at + len(word))}
    expected = {i for i, t in enumerate(prompt.tokens) if inside & set(range(t.start, t.end))}
    assert pins_for_words(prompt, [word, ""]) == dict.fromkeys(expected, True)


# --- tokens ---


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("don't l'été rock'n'roll 'tis", ["don't", "l'été", "rock'n'roll", "'", "tis"]),
        ("-3.5 1,234.50 +7 .5 2e-4 1.", ["-3.5", "1,234.50", "+7", ".5", "2e-4", "1", "."]),
        ("3-4 x-3 (a)-3 (-3) =-2 --5", ["3", "-", "4", "x", "-", "3", "(", "a", ")", "-", "3"]
         + ["(", "-3", ")", "=", "-2", "--", "5"]),
        ("13th 24hrs 3.5kg $5 50% snake_case", ["13th", "24hrs", "3.5kg", "$5", "50%", "snake_case"]),
        ("#### ... << !? ==>", ["####", "...", "<<", "!", "?", "==", ">"]),
        ("a\n\nb\r\n\r\nc\n \nd", ["a", "\n\n", "b", "\r\n\r\n", "c", "\n", "\n", "d"]),
        ("a\u2028b\x85c", ["a", "\u2028", "b", "\x85", "c"]),
        ("👩‍👩‍👧👍🏽🇫🇷🇩🇪😀😀1️⃣", ["👩‍👩‍👧", "👍🏽", "🇫🇷", "🇩🇪", "😀", "😀", "1️⃣"]),
        ("日本語 ひら カタカナ 한국어", ["日本", "語", "ひら", "カタカナ", "한국어"]),
        ("สวัสดี", ["สวัสดี"]),
        ("שלום مرحبا می‌خواهم e\u0301t", ["שלום", "مرحبا", "می‌خواهم", "e\u0301t"]),
        ("a\x00b\tc", ["a", "\x00", "b", "c"]),
    ],
)  # fmt: skip
def test_tokens(text: str, expected: list[str]) -> None:
    assert tokens(text) == expected


def test_long_words_are_cut_but_letters_keep_their_accents() -> None:
    assert [len(t) for t in tokens("x" * (2 * WORD_LIMIT + 1))] == [WORD_LIMIT, WORD_LIMIT, 1]
    assert tokens("x" * (WORD_LIMIT - 1) + "e\u0301") == ["x" * (WORD_LIMIT - 1), "e\u0301"]


# --- rendering ---


@pytest.mark.parametrize(
    ("text", "dropped", "expected"),
    [
        ("  a  b\tc  ", [], "  a  b\tc  "),
        ("  a  b\tc  ", [0], "b\tc  "),
        ("  a  b\tc  ", [1], "  a c  "),
        ("  a  b\tc  ", [2], "  a  b"),
        ("a+b", [1], "a b"),  # would fuse into one word
        ("(a)", [1], "()"),
        ("日本で、犬は", [1], "日本で犬は"),
        ("a b. c", [1], "a. c"),  # no space in front of a mark that stood close to a word
        ("a (b c)", [2], "a (c)"),
        ("a\n  b\n    c", [0, 1, 2, 3], "    c"),  # the first line that stays keeps its indentation
        ("a:\n  b\n    c", [3, 4], "a:\n    c"),  # and so does one behind a line break
        ("\ufeffa b", [], "a b"),
        ("a\nb", [1], "a b"),  # a dropped line break becomes a space
        ("a b\nc d", [1], "a\nc d"),
        ("a b\nc d", [3], "a b\nd"),
        ("a b\n  c d", [1], "a\n  c d"),
        ("a, b", [1], "a b"),
    ],
)
def test_render(text: str, dropped: list[int], expected: str) -> None:
    prompt = parse(text)
    assert prompt.render([i not in dropped for i in range(len(prompt))]) == expected


def test_render_wants_one_entry_per_token() -> None:
    with pytest.raises(ValueError, match="2 entries.*3 tokens"):
        parse("a b c").render([True, False])


# --- shots ---

HEAD, D, C, Q, T = "instruction", "demonstration", "document", "question", "text"
SHOT_CASES: dict[str, list[tuple[str, str]]] = {
    "question and answer": [(D, "Question: a\nAnswer: b\n\n"), (Q, "Question: c\nAnswer:")],
    "no blank lines": [(D, "Q: a\nA: b\n"), (D, "Q: c\nA: d\n"), (Q, "Q: e\nA: ")],
    "instruction first": [(HEAD, "Sort it.\n\n"), (D, "Input: a\nOutput: b\n\n"), (Q, "Input: c\nOutput:\n")],
    "query without its answer field": [(D, "User: a\nAssistant: b\n\n"), (Q, "User: c")],
    "all answered": [(D, "Review: a\nSentiment: b\n\n"), (D, "Review: c\nSentiment: d")],
    "instruction field once": [(HEAD, "Task: sort\n"), (D, "Text: a\nLabel: b\n"), (Q, "Text: c\nLabel:")],
    "blank lines preferred": [(HEAD, "Sort.\nNote: x\nNote: y\n\n"), (D, "Q: a\nA: b\n\n"), (Q, "Q: c\nA:")],
    "fields set off by blank lines": [(D, "Q: a\n\nA: b\n\n"), (Q, "Q: c\n\nA:")],
    "numbered with fields": [(D, "Example 1:\nQ: a\nA: b\n\n"), (Q, "Example 2:\nQ: c\nA:")],
    "answer on the next line": [(D, "### Q:\na\n### A:\nb\n\n"), (Q, "### Q:\nc\n### A:\n")],
    "bold, Windows lines": [(D, "**Q:** a\r\n**A:** b\r\n\r\n"), (Q, "**Q:** c\r\n**A:**")],
    "headings without a colon": [(D, "## Example 1\na\n\n"), (D, "## Example 2\nb")],
    "full-width colon": [(D, "问题：一\n答案：二\n\n"), (Q, "问题：三\n答案：")],
    "brackets": [(C, "[Document 1]: a\n"), (C, "[Document 2]: b")],
    "documents, then a question": [(C, "Doc 1: a\n\n"), (C, "Doc 2: b\n\n"), (Q, "Question: c\nAnswer:")],
    "a remark after the last example": [(D, "Q: a\nA: b\n\n"), (Q, "Q: c\n\nHint: d\nA:")],
    "leading blank lines": [(D, "\n\nQ: a\nA: b\n\n"), (D, "Q: c\nA: d")],
    "trailing paragraph": [(D, "Q: a\nA: b\n\n"), (D, "Q: c\nA: d\n\n"), (Q, "Now sort e.")],
    "lead-in": [(D, "Q: a\nA: Think aloud. It is 3.\n\n"), (Q, "Q: b\nA: Think aloud.")],
    "lists in answers": [(D, "Q: a\nA:\n1. x\n2. y\n\n"), (D, "Q: c\nA: d")],
    "numbered items": [(HEAD, "Sort:\n"), (D, "1. a\n"), (D, "2. b\n"), (D, "3. c")],
    "two lists": [(D, "1. a\n"), (D, "2. b\n\n"), (D, "Rules:\n1. c\n"), (D, "2. d\n\n"), (Q, "Now sort.")],
    "nested list": [(D, "1. a\n\n  1. b\n\n"), (D, "2. c")],
    "numbered items, last open": [(D, "(1) a\n"), (D, "(3) b\n"), (Q, "(4)")],
    "paragraphs": [(T, "One: a\nb\n\n"), (T, "Two.\n \n"), (T, "Three.\n")],
    "one paragraph": [(T, "Just a line\nand one more.")],
    "addresses and times": [(T, "https://a.example\nhttps://b.example\nat 12:30 a\nat 13:30 b")],
    "falling numbers": [(T, "2024. a\n1. b")],
}


@pytest.mark.parametrize("expected", SHOT_CASES.values(), ids=SHOT_CASES.keys())
def test_shots(expected: list[tuple[str, str]]) -> None:
    text = "".join(part for _, part in expected)
    assert shots(parse(text)) == expected
    starts = [shot.start for shot in parse(text).parts]
    assert [part for _, part in shots(parse(text, starts))] == [part for _, part in expected]


def test_given_shot_starts() -> None:
    text = "Hello there.\nQ: a\nA: b\nQ: c\nA:"
    assert shots(parse(text, [23, 13])) == [(HEAD, "Hello there.\n"), (D, "Q: a\nA: b\n"), (Q, "Q: c\nA:")]
    assert shots(parse("one two three", [5])) == [(T, "one "), (T, "two three")]  # back to the token's start
    assert shots(parse("one two  ", [4, 8])) == [(T, "one "), (T, "two  ")]  # no shot without a token
    assert shots(parse(text, [])) == [(T, text)]


# --- pins ---


def pinned_text(prompt: Prompt) -> str:
    pins = pins_for_task(prompt)
    return prompt.render([i in pins for i in range(len(prompt))])


def test_pins() -> None:
    prompt = parse("Q: 12 cats\nA: 13th\n\nQ: New York\nA:")
    texts = [token.text for token in prompt.tokens]

    def pinned(pins: dict[int, bool]) -> list[str]:
        assert all(pins.values())
        return [texts[i] for i in sorted(pins)]

    assert pinned(pins_for_digits(prompt)) == ["12", "13th"]
    assert pinned(pins_for_task(prompt)) == ["Q", ":", "New", "York", "\n", "A", ":"]
    assert pins_for_task(parse("plain text")) == {}
    form = parse("Use the context.\n\nContext: {context}\n\nNotes: It rains.\n\nWhat is it?")
    assert "Notes" not in pinned_text(form) and "{context}" in pinned_text(form)
    rules = parse("You are a bot. Never guess.\n\n# Rules\n- Be brief.\n- Do not lie.")
    assert pinned_text(rules) == "You are a bot."
    assert pinned(pins_for_words(prompt, ["New York", "at", "(", ""])) == ["cats", "New", "York"]
    assert pinned(pins_from_regex(prompt, r"\d+(?= c)|(?i)new")) == ["12", "New"]
    assert pinned(pins_from_regex(prompt, r"(?r)A:")) == ["A", ":", "A", ":"]
    assert pins_from_regex(prompt, r"x*") == {}


@pytest.mark.parametrize("pattern", ["(", r"\L<names>", "a" * 1001, "(" * 490 + ")" * 490])
def test_bad_patterns_are_the_users_mistake(pattern: str) -> None:
    with pytest.raises(InputError, match="pattern"):
        pins_from_regex(parse("a b"), pattern)


def test_a_pattern_that_takes_too_long_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model.prompt.pins, "PATTERN_SECONDS", 0.1)
    with pytest.raises(InputError, match="simpler"):
        pins_from_regex(parse("a" * 60 + "!"), "(a|aa)+$")


# --- errors and size ---


@pytest.mark.parametrize("text", ["", " ", "\n\n", "\t\u2028\u3000"])
def test_empty_text(text: str) -> None:
    with pytest.raises(InputError, match="empty"):
        parse(text)


def test_lone_surrogate_is_located() -> None:
    with pytest.raises(InputError, match="U[+]D800.*character 4,"):
        parse("abc \ud800")


@pytest.mark.parametrize("starts", [[-1], [3], [1, 99], [True], ["1"]])
def test_shot_starts_out_of_range(starts: list[int]) -> None:
    with pytest.raises(InputError, match="Part start"):
        parse("a b", starts)


MEGABYTES = {
    "letters": "a",
    "digits": "1",
    "hashes": "#",
    "commas": "1,",
    "apostrophes": "a'",
    "accents": "\u0301",
    "joiners": "😀\u200d",
    "line breaks": "x" + "\n" * 9999,
    "spaces": "x" + " " * 9999,
    "labels": "a:\n" * 99 + "b" * 9703,
    "no colon": "a b c d " * 50 + "\n" * 9600,
    "signs": "(((" + "-" * 997,
    "brackets": "[{(" * 10,
    "fences": "```\n" * 10,
    "open tags": "<doc>\na\n",
    "turns": "<|im_start|>user\n",
    "groups of digits": "100 ",
    "a word": "x1" * 5000,
}


@pytest.mark.parametrize("unit", MEGABYTES.values(), ids=MEGABYTES.keys())
def test_a_megabyte_finishes(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    prompt = parse(text)
    assert prompt.render([True] * len(prompt)) == text


@pytest.mark.parametrize(("unit", "times"), [("a:\n", 333_333), ("q:", 150_000), ("日。", 150_000), ("a\n\n", 80_000)])
def test_many_tokens_and_shots_finish(unit: str, times: int) -> None:
    prompt = parse(unit * times)
    assert len(prompt) >= times
    assert len(pins_for_words(prompt, ["a", "q", "日"])) == times


def test_the_examples_in_the_docstrings_are_true() -> None:
    assert doctest.testmod(model.prompt).failed == 0
