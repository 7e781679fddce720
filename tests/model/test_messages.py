"""Chat messages: valid ones come out, and nothing of them but their texts is touched."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.compress import Compressor
from model.errors import InputError
from model.messages import GONE, Conversation
from model.prompt import parse
from model.relevance.prompt_reading import UnitsOf
from tests.support.tiny import tiny_checkpoint

COMPRESSOR = Compressor(tiny_checkpoint())
BEDS = [{"city": "Lund", "beds": 120}, {"city": "Ystad", "beds": 80}, {"city": "Kalmar", "beds": 60}]
CALL = {"id": "c1", "type": "function", "function": {"name": "beds", "arguments": '{"near": "sea"}'}}
OPENAI: list[dict[str, Any]] = [
    {"role": "system", "content": "Answer in one sentence. Never guess."},
    {
        "role": "user",
        "name": "ann",
        "content": [
            {"type": "text", "text": "Hello there. I like old mills. It must not cost more than 400 EUR."},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            {"type": "text", "text": "This is the place. It is by the sea."},
        ],
    },
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c1", "content": json.dumps(BEDS)},
    {"role": "assistant", "content": "There are three cities. Kalmar is the smallest. The weather is fine."},
    {"role": "user", "content": "How many beds has Lund?"},
]
ANTHROPIC: list[dict[str, Any]] = [
    {"role": "user", "content": [{"type": "text", "text": "Look it up. I will wait here. Take your time."}]},
    {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "The user wants beds. I call the tool.", "signature": "abc"},
            {"type": "tool_use", "id": "t1", "name": "beds", "input": {"near": "sea"}},
        ],
    },
    {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": json.dumps(BEDS)}]},
            {
                "type": "tool_result",
                "tool_use_id": "t2",
                "content": "It rained. It was cold. Nobody came.",
                "is_error": True,
            },
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
        ],
    },
]


def texts_of(messages: Any) -> list[str]:
    """The texts, in order; every other value as it is has to stay."""
    found = []
    for message in messages:
        content = message["content"]
        for part in [{"type": "text", "text": content}] if isinstance(content, str) else content or ():
            if part["type"] == "text":
                found.append(part["text"])
            elif part["type"] == "tool_result":
                found += [part["content"]] if isinstance(part["content"], str) else [p["text"] for p in part["content"]]
    return found


@pytest.mark.parametrize("messages", [OPENAI, ANTHROPIC], ids=["openai", "anthropic"])
@pytest.mark.parametrize("retention", [0.01, 0.3, 0.6, 1])
def test_only_texts_change(messages: list[dict[str, Any]], retention: float) -> None:
    before = copy.deepcopy(messages)
    short = COMPRESSOR.compress_messages(messages, retention)
    assert messages == before
    assert json.loads(json.dumps(short)) == short and len(short) == len(messages)
    for old, new in zip(messages, short, strict=True):
        assert list(old) == list(new)
        assert {key: value for key, value in old.items() if key != "content"} == {
            key: value for key, value in new.items() if key != "content"
        }
        if isinstance(old["content"], list):
            for part, made in zip(old["content"], new["content"], strict=True):
                assert part.keys() == made.keys()
                assert all(part[key] == made[key] for key in part if key not in ("text", "content"))
    for old_text, new_text in zip(texts_of(messages), texts_of(short), strict=True):
        assert new_text.strip() and (
            new_text == GONE or set(new_text.split()) <= set(old_text.split()) or "[" in old_text
        )
    if retention == 1:
        assert short == messages


@pytest.mark.parametrize("retention", [0.2, 0.4, 0.6, 0.8])
def test_results_of_tools_keep_their_structure(retention: float) -> None:
    for messages in (OPENAI, ANTHROPIC):
        for text in texts_of(COMPRESSOR.compress_messages(messages, retention)):
            if text.startswith("["):
                assert all(any(record.items() <= whole.items() for whole in BEDS) for record in json.loads(text))


@settings(max_examples=40, deadline=None)
@given(
    st.floats(0.01, 1), st.sampled_from([(), ("system",), ("system", "last_user"), ("assistant", "tool"), ("user",)])
)
def test_one_ceiling_over_all_messages(retention: float, protect: tuple[str, ...]) -> None:
    whole = {0: "system", 1: "user", 2: "user", 3: "tool", 4: "assistant", 5: "last_user"}
    short = COMPRESSOR.compress_messages(OPENAI, retention, protect=protect)
    before, after = texts_of(OPENAI), texts_of(short)
    sizes = [len(parse(text)) for text in before]
    stays = [name in protect or (i == 5 and "user" in protect) for i, name in whole.items()]
    assert all(new == old for new, old, keep in zip(after, before, stays, strict=True) if keep)
    protected = sum(size for size, keep in zip(sizes, stays, strict=True) if keep)
    asked_is_kept = 0 if "last_user" in protect or "user" in protect else sizes[5]
    kept = sum(len(parse(text)) for text in after)
    assert kept <= max(retention * sum(sizes), protected + asked_is_kept + 6)
    assert short.retention <= max(retention, (protected + asked_is_kept) / sum(sizes)) + 1e-9


def test_the_readers_tokens_count_where_one_is_named() -> None:
    class Letters:
        def encode(self, text: str) -> list[int]:
            return list(map(ord, text))

    total = sum(map(len, texts_of(OPENAI)))
    for target in (total // 3, total // 2, total):
        short = COMPRESSOR.compress_messages(OPENAI, target_tokens=target, tokenizer=Letters())
        assert sum(map(len, texts_of(short))) <= target
        assert short.verdict.reader == ("Letters", total, sum(map(len, texts_of(short))))
    assert short == OPENAI


def test_the_verdict_names_messages() -> None:
    short = COMPRESSOR.compress_messages(OPENAI, 0.3)
    names = [part.name for part in short.verdict.parts]
    assert names[0] == "message 0 (system)" and names[-1] == "message 5 (user)"
    assert any("400 EUR" in line for line in short.warnings) or "400 EUR" in texts_of(short)[1]
    assert short.verdict.question_whole and short.verdict.instruction_whole


def test_an_unprotected_last_message_is_read_by_its_structure() -> None:
    documents = "\n\n".join(f"Document {i}: The mill number {i} is old. It stands by the sea." for i in range(5))
    asked = f"Answer from the documents.\n\n{documents}\n\nQuestion: Where does mill number 3 stand?"
    messages = [{"role": "user", "content": asked}]
    (short,) = COMPRESSOR.compress_messages(messages, 0.5, protect=())
    assert short["content"].startswith("Answer from the documents.") and len(short["content"]) < len(asked)
    assert short["content"].endswith("Question: Where does mill number 3 stand?")
    assert COMPRESSOR.compress_messages(messages, 0.5) == messages


def test_a_last_message_that_holds_only_a_tools_result_is_not_the_question() -> None:
    short = COMPRESSOR.compress_messages(ANTHROPIC, 0.3)
    assert texts_of(short)[0] == texts_of(ANTHROPIC)[0] and texts_of(short)[1:] != texts_of(ANTHROPIC)[1:]


@pytest.mark.parametrize(
    ("messages", "options", "message"),
    [
        ("hello", {}, "messages must be a list"),
        ({"role": "user"}, {}, "messages must be a list"),
        ([], {}, "hold no text"),
        ([{"role": "user", "content": None}], {}, "hold no text"),
        ([{"role": "user", "content": " \n"}], {}, "hold no text"),
        (["hello"], {}, "message 0 is not an object"),
        ([{"content": "a"}], {}, "message 0 has no role"),
        ([{"role": "boss", "content": "a"}], {}, "message 0 has no role that is known"),
        ([{"role": ["user"], "content": "a"}], {}, "message 0 has no role that is known"),
        ([{"role": "user", "content": 5}], {}, "content of message 0 must be"),
        ([{"role": "user", "content": {"type": "text"}}], {}, "content of message 0 must be"),
        ([{"role": "user", "content": ["a"]}], {}, "a part of message 0"),
        ([{"role": "user", "content": [{"text": "a"}]}], {}, "a part of message 0"),
        ([{"role": "user", "content": [{"type": "text", "text": None}]}], {}, "a part of message 0"),
        ([{"role": "user", "content": [{"type": "tool_result", "content": 5}]}], {}, "a part of message 0"),
        (
            [{"role": "user", "content": "a"}, {"role": "user", "content": "\ud800"}],
            {},
            "message 1: .*half a character",
        ),
        ([{"role": "user", "content": "a " * 100_001}], {}, "characters"),
        (OPENAI, {"protect": ("boss",)}, "protect must be"),
        (OPENAI, {"protect": "system"}, "protect must be"),
        (OPENAI, {"retention": 0}, "retention 0 must be"),
        (OPENAI, {"retention": 1.5}, "retention 1.5 must be"),
        (OPENAI, {"target_tokens": 0}, "target_tokens 0 must be"),
        (OPENAI, {"target_tokens": 1.5}, "target_tokens 1.5 must be"),
        (OPENAI, {"pins": {0: True}}, "takes no pins"),
        (OPENAI, {"tempo": 1}, "no option 'tempo'"),
    ],
)
def test_mistakes(messages: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        COMPRESSOR.compress_messages(messages, **options)
    assert "\n" not in str(error.value) and len(str(error.value)) < 250


def nested(depth: int) -> Any:
    value: Any = "a"
    for _ in range(depth):
        value = [{"type": "tool_result", "content": value}]
    return value


@pytest.mark.parametrize("content", [nested(2), nested(100_000)])
def test_results_inside_of_results_are_refused(content: Any) -> None:
    with pytest.raises(InputError, match="a part of message 0"):
        COMPRESSOR.compress_messages([{"role": "user", "content": content}])


def test_many_messages_and_what_is_deep_in_them() -> None:
    deep: Any = {}
    for _ in range(100_000):
        deep = {"inner": deep}
    messages = [{"role": "user", "content": f"Number {i} is old.", "meta": deep} for i in range(2000)]
    short = COMPRESSOR.compress_messages(messages, 0.3)
    assert len(short) == 2000 and short[0]["meta"] is deep
    assert sum(message["content"] != GONE for message in short) > 100


def test_who_speaks_is_known_by_the_role() -> None:
    said = [("user", "I have a dog."), ("assistant", "How old is it?"), ("user", "Write its name.")]
    talk = Conversation.of([{"role": role, "content": text} for role, text in said], ("last_user",))
    units = UnitsOf.of(talk.joined.prompt)
    assert units.by_asker == [True, False] and units.is_talk
