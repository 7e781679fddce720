"""Models in this process as writers: the greedy answer of transformers, in pieces, and stopped where it must be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from model.diffusion.schedule import KEEP
from model.errors import InputError
from model.llm.causal import Target
from model.llm.diffusion_writer import DiffusionWriter
from model.llm.load import KEPT_TARGETS, LoadedTargets, load_target, local_writer
from model.llm.writers import BREAK, READ_AT_ONCE, LocalWriter, Usage, end_ids, greedy
from tests.support.tiny_diffusion import trained_weights, write_dream, write_llada
from tests.support.tiny_target import make_target

PROMPT = "Article: The team won the final game.\nAnswer:"
TEMPLATE = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}{{ '[a]' if add_generation_prompt }}"


def answer(writer: LocalWriter, prompt: str, limit: int = 12, system: str = "") -> tuple[list[str], Usage]:
    pieces, writing = [], writer.write(prompt, limit, system)
    while True:
        try:
            pieces.append(next(writing))
        except StopIteration as end:
            return pieces, end.value


def generated(target: Target, ids: list[int], limit: int) -> list[int]:
    """What transformers itself generates."""
    tokens = torch.tensor([ids])
    made = target.model.generate(
        tokens, attention_mask=torch.ones_like(tokens), max_new_tokens=limit, do_sample=False, use_cache=True
    )
    return [token for token in made[0, len(ids) :].tolist() if token not in end_ids(target)]


@pytest.mark.parametrize("length", [5, READ_AT_ONCE, 2 * READ_AT_ONCE + 7])
def test_the_answer_is_transformers_own_however_long_the_prompt(any_target: Target, length: int) -> None:
    ids = [*any_target.bos, *(any_target.encode(PROMPT) * 60)[:length]]
    got = list(greedy(any_target, ids, 12))
    assert [token for token in got if token is not None] == generated(any_target, ids, 12)
    assert got.count(None) == (len(ids) - 1) // READ_AT_ONCE, "it can be stopped while it reads"


def test_pieces_are_the_text_and_tokens_are_counted(any_target: Target) -> None:
    writer = LocalWriter(any_target)
    pieces, usage = answer(writer, PROMPT, limit=40)
    ids = [*any_target.bos, *any_target.encode(PROMPT)]
    text = any_target.tokenizer.decode(generated(any_target, ids, 40), skip_special_tokens=True)
    start = len(text) - len(text.lstrip())
    expected = text[: text.find(BREAK, start)] if BREAK in text[start:] else text
    assert "".join(pieces) == expected
    assert usage.prompt == len(ids) and 0 < (usage.answer or 0) <= 40
    assert len([piece for piece in pieces if piece]) > 1, "it comes in pieces"


def scripted(target: Target, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model says this text, subword by subword."""
    ids = target.encode(text)
    monkeypatch.setattr("model.llm.writers.greedy", lambda *_: iter(ids))


def test_a_character_of_many_bytes_comes_whole(tiny_target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(tiny_target, "né 👩‍👩‍👧 日本", monkeypatch)
    pieces, _ = answer(LocalWriter(tiny_target), "Hi")
    assert "".join(pieces) == "né 👩‍👩‍👧 日本" and not any("\ufffd" in piece for piece in pieces)


def test_a_continuation_ends_at_a_blank_line(tiny_target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(tiny_target, "\n\nOne.\nTwo.\n\nArticle: three", monkeypatch)
    pieces, usage = answer(LocalWriter(tiny_target), "Hi")
    assert "".join(pieces) == "\n\nOne.\nTwo."
    assert (usage.answer or 0) < len(tiny_target.encode("\n\nOne.\nTwo.\n\nArticle: three"))


def test_a_chat_is_put_into_the_template_and_may_have_blank_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    target = make_target("llama-bos")
    assert not LocalWriter(target, chat=True).chat, "without a template there is no chat"
    target.tokenizer.chat_template = TEMPLATE
    writer = LocalWriter(target, chat=True)
    assert target.tokenizer.decode(writer.encode("Hi", "Be kind.")) == "[system]Be kind.[user]Hi[a]"
    plain = LocalWriter(target, chat=False)
    assert target.tokenizer.decode(plain.encode("Hi", "Be kind.")) == "<s>Be kind.\n\nHi"
    scripted(target, "One.\n\nTwo.", monkeypatch)
    assert "".join(answer(writer, "Hi")[0]) == "One.\n\nTwo."


def test_closing_stops_the_work(tiny_target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []

    def endless(*_: Any) -> Any:
        try:
            while True:
                steps.append(1)
                yield tiny_target.encode("a")[0]
        finally:
            steps.append(-1)

    monkeypatch.setattr("model.llm.writers.greedy", endless)
    writing = LocalWriter(tiny_target).write("Hi", 1000)
    next(writing), next(writing)
    writing.close()
    assert steps == [1, 1, -1]


def test_too_long_or_empty_is_said_in_one_line(tiny_target: Target) -> None:
    with pytest.raises(InputError, match="2,048 together at the most: shorten"):
        next(LocalWriter(tiny_target).write("word " * 2048, 8))
    with pytest.raises(InputError, match="the prompt is empty"):
        next(LocalWriter(tiny_target).write("", 8))


def test_targets_are_loaded_once_and_the_oldest_goes(tiny_target: Target) -> None:
    loaded: list[str] = []

    def load(name: str) -> Target:
        loaded.append(name)
        return tiny_target

    targets, names = LoadedTargets(load), [f"model {i}" for i in range(KEPT_TARGETS + 1)]
    for name in (names[0], names[0], *names, names[-1]):
        assert targets.get(name) is tiny_target
    assert loaded == names
    targets.get(names[0])
    assert loaded == [*names, names[0]]


def test_a_diffusion_llm_writes_and_its_steps_can_be_played(tmp_path: Path) -> None:
    """Trained for some seconds to go on with the alphabet."""
    target = load_target(str(write_llada(tmp_path / "llada", trained_weights(), n_layers=1, n_kv_heads=4)))
    writer = local_writer(target, chat=False)
    assert isinstance(writer, DiffusionWriter)
    pieces, usage = answer(writer, " c d", limit=16)
    assert "".join(pieces).split() == "e f g h i j k l".split()
    assert usage.prompt == 2 and usage.answer == 8 and usage.trace is not None
    prompt, trace = usage.trace
    assert prompt.text.split() == "".join(pieces).split()
    assert all(state == KEEP for state in trace.steps[-1].states)
    assert sorted(i for step in trace.steps for i in step.decided) == list(range(len(prompt)))


def test_a_diffusion_llm_stops_when_it_is_told_to(tmp_path: Path) -> None:
    writer = local_writer(load_target(str(write_dream(tmp_path))))
    writing = writer.write("word", 32)
    next(writing)
    writing.close()
    with pytest.raises(StopIteration):
        next(writing)
