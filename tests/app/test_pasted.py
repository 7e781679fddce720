"""What is pasted or dropped on Explore: messages come out as messages, files as their text, mistakes as one line."""

from __future__ import annotations

import io
import json
import random
from pathlib import Path
from typing import Any

import pytest

from app.explore.files import PDF_BYTES, TEXT_BYTES, read_file
from app.explore.pasted import Pasted, read_chat
from app.explore.permalink import packed, unpacked
from app.explore.structure import with_role
from model.errors import InputError
from model.messages import compress_messages
from model.prompt import parse
from tests.support.scripted import ScriptedCompressor

MESSAGES: list[dict[str, Any]] = [
    {"role": "system", "content": "Answer in one sentence. Never guess."},
    {"role": "user", "content": [{"type": "text", "text": "I like old mills. It rained."}, {"type": "image_url"}]},
    {"role": "assistant", "content": None, "tool_calls": [{"id": "c1"}]},
    {"role": "tool", "tool_call_id": "c1", "content": '[{"city": "Lund", "beds": 120}, {"city": "Ystad", "beds": 8}]'},
    {"role": "user", "content": "How many beds has Lund?"},
]
REQUEST = {"model": "claude", "system": "Never guess.", "max_tokens": 9, "messages": MESSAGES[1:]}


def test_messages_come_out_as_messages() -> None:
    chat = Pasted.read(json.dumps(MESSAGES)).chat
    assert chat is not None
    run = ScriptedCompressor().compress(chat.talk.joined.prompt, chat.talk.share(0.6))
    assert chat.written(run.trace.keep) == compress_messages(ScriptedCompressor(), MESSAGES, 0.6)
    everything = [True] * len(chat.talk.joined.prompt)
    assert chat.written(everything) == MESSAGES
    assert chat.names()[0] == "Message 1, system" and len(chat.names()) == len(chat.talk.joined.prompt.parts)


def test_a_request_for_anthropic_stays_one() -> None:
    chat = Pasted.read(json.dumps(REQUEST)).chat
    assert chat is not None
    assert chat.written([True] * len(chat.talk.joined.prompt)) == REQUEST
    gone = chat.written([False] * len(chat.talk.joined.prompt))
    assert gone["system"] == "…" and gone["messages"][1] == MESSAGES[2] and gone["max_tokens"] == 9
    for path, _, _ in chat.places():
        value = chat.template
        for key in path:
            value = value[key]
        assert value == "", "the browser writes into the template's holes"


@pytest.mark.parametrize(
    "text", ["[1, 2]", '{"role": "cook"}', '[{"role": "cook", "name": "Ann"}]', "[Note] Hi.", '{"messages": ["a"]}']
)
def test_what_only_looks_a_little_like_messages_is_text(text: str) -> None:
    assert read_chat(text) is None and Pasted.read(text).prompt.text == text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (json.dumps(MESSAGES)[:-20], "not whole JSON"),
        (json.dumps([*MESSAGES, {"content": "?"}]), "message 5 has no role"),
        (json.dumps([{"role": "user", "content": 5}]), "content of message 0"),
        (json.dumps([{"role": "user", "content": ""}]), "no text"),
    ],
)
def test_messages_of_a_wrong_shape_are_refused(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        Pasted.read(text)


def test_a_stretch_becomes_a_part_of_its_own() -> None:
    text = "Sort the news.\n\nArticle: The team won. Who won?\n\nThe end."
    prompt = parse(text)
    first = next(i for i, token in enumerate(prompt.tokens) if token.text == "Who")
    named = parse(text, parts=with_role(prompt, first, first + 3, "question"))
    assert [text[p.start : p.end].strip() for p in named.parts if p.role == "question"] == ["Who won?"]
    with pytest.raises(InputError, match="press Run"):
        with_role(prompt, 0, 999, "question")
    with pytest.raises(InputError, match="press Run"):
        with_role(prompt, 0, 1, "cook")


def test_a_single_message_is_no_conversation_and_other_objects_are_text() -> None:
    with pytest.raises(InputError, match="a single chat message"):
        read_chat('{"role": "user", "content": "How many beds?"}')
    assert read_chat('{"role": "captain", "content": "fish"}') is None


# --- files -------------------------------------------------------------------------------------------------


def pdf_of(text: str) -> bytes:
    """A page with a line of text."""
    stream = f"BT /F1 12 Tf 72 700 Td ({text}) Tj ET".encode()
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>/MediaBox[0 0 612 792]>>",
        b"<</Length %d>>stream\n%b\nendstream" % (len(stream), stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    out, places = io.BytesIO(b"%PDF-1.4\n"), []
    out.seek(0, io.SEEK_END)
    for number, body in enumerate(objects, 1):
        places.append(out.tell())
        out.write(b"%d 0 obj%bendobj\n" % (number, body))
    start = out.tell()
    out.write(b"xref\n0 6\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % place for place in places))
    out.write(b"trailer<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % start)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "text"),
    [
        ("a.txt", "Grüße\r\n".encode(), "Grüße\r\n"),
        ("a.md", "\ufeff# Hi".encode(), "# Hi"),
        ("a.txt", "Grüße".encode("utf-16"), "Grüße"),
        ("a.jsonl", b'{"a": 1}\n{"a": 2}\n', '{"a": 1}\n{"a": 2}\n'),
        ("a.pdf", pdf_of("Tides turn twice."), "Tides turn twice."),
    ],
)
def test_a_file_gives_its_text(tmp_path: Path, name: str, data: bytes, text: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    assert read_file(path) == text


def test_lines_with_a_message_each_are_messages(tmp_path: Path) -> None:
    path = tmp_path / "chat.jsonl"
    path.write_text("\n".join(map(json.dumps, MESSAGES)), encoding="utf-8")
    chat = read_chat(read_file(path))
    assert chat is not None and list(chat.talk.messages) == MESSAGES


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("a.txt", b"fine\ncaf\xe9", "line 2 is in another encoding"),
        ("a.png", b"\x89PNG\0\0", "is no text"),
        ("a.txt", b" \n", "holds no text"),
        ("a.pdf", b"%PDF-1.4 and nothing else", "cannot be read"),
        ("a.pdf", pdf_of(""), "may be pictures"),
        ("a.txt", b"x" * (TEXT_BYTES + 1), "at most 0.8 MB"),
        ("a.pdf", b"%PDF-" + b"x" * PDF_BYTES, "at most 21.0 MB"),
    ],
)
def test_a_file_without_text_is_refused_in_one_line(tmp_path: Path, name: str, data: bytes, says: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(InputError, match=says) as error:
        read_file(path)
    assert "\n" not in str(error.value) and str(tmp_path) not in str(error.value)


# --- links -------------------------------------------------------------------------------------------------


def test_a_link_carries_its_values_and_says_when_it_was_cut() -> None:
    values = {"retention": 35, "words": "not, Ann", "text": "Grüße ☂ " * 40}
    link = packed(values)
    assert unpacked(link) == values and link.startswith("#try=")
    for cut in (link[:-1], link[:-9], link[:12], "#try=", link[:20] + "A" + link[21:], link + "Ä", link + "AAAA"):
        with pytest.raises(InputError, match="not whole"):
            unpacked(cut)


def test_a_text_that_is_too_long_for_a_link_gives_none() -> None:
    noise = random.Random(0).randbytes(8000).hex()
    assert packed({"text": noise}) == ""
    bomb = packed({"text": "a" * 1_300_000})
    with pytest.raises(InputError, match="not whole"):
        unpacked(bomb)
