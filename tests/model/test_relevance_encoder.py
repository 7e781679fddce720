"""The sentence encoder: what it reads, in which windows, and what it remembers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import BertConfig, BertModel, T5Config, T5Model

from model.errors import InputError
from model.relevance.cache import TensorCache
from model.relevance.encoder import Prefixes, SentenceEncoder
from model.relevance.passes import WindowEncoder
from tests.support.tiny import tiny_bert, tiny_word_pieces
from tests.support.tiny_encoder import tiny_encoder

ENCODER = tiny_encoder()
TEXTS = st.text(alphabet="abc .\n天é", max_size=120)


def test_embeddings_have_length_one_and_do_not_depend_on_what_is_read_beside() -> None:
    texts = ["a cat", "a much longer text about dogs", "a cat", "b"]
    together = ENCODER.embed(texts)
    assert together.shape == (4, ENCODER.width)
    torch.testing.assert_close(together.norm(dim=1), torch.ones(4))
    torch.testing.assert_close(together[0], together[2])
    alone = torch.cat([tiny_encoder().embed([text]) for text in texts])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)


def test_nothing_to_read() -> None:
    assert ENCODER.embed([]).shape == (0, ENCODER.width)
    assert ENCODER.embed([""]).isfinite().all()


def test_question_and_passage_are_read_with_their_prefixes() -> None:
    assert not torch.allclose(ENCODER.embed(["a cat"], "query"), ENCODER.embed(["a cat"], "passage"))
    plain = tiny_encoder(prefixes=Prefixes())
    torch.testing.assert_close(plain.embed(["query: a cat"]), ENCODER.embed(["a cat"], "query"), atol=1e-5, rtol=1e-4)


def test_a_span_is_the_mean_of_its_subwords_in_context() -> None:
    text = "ab. cd"
    encoder = tiny_encoder(prefixes=Prefixes())
    _, spans = encoder.read([text], [[(0, 3), (4, 6)]])
    tokenizer = tiny_word_pieces()
    ids = torch.tensor([tokenizer.encode(text)])
    states = tiny_bert(64).eval()(input_ids=ids).last_hidden_state[0]
    expected = torch.stack([states[0:3].mean(0), states[3:5].mean(0)])  # a b . c d
    torch.testing.assert_close(spans, torch.nn.functional.normalize(expected, dim=1), atol=1e-5, rtol=1e-4)


@given(TEXTS, st.lists(st.integers(0, 120), max_size=6))
def test_every_span_gets_a_vector_in_texts_of_any_length(text: str, cuts: list[int]) -> None:
    ends = sorted({min(cut, len(text)) for cut in cuts})
    spans = [(a, b) for a, b in zip(ends, ends[1:], strict=False)]
    whole, parts = tiny_encoder(32).read([text, text], [spans, []])
    assert whole.shape[0] == 2 and parts.shape == (len(spans), ENCODER.width)
    assert whole.isfinite().all() and parts.isfinite().all()
    for (start, end), vector in zip(spans, parts, strict=True):
        if text[start:end].strip("\n ") == "":
            assert vector.norm() == 0
        elif text[start:end].strip() == text[start:end]:
            assert vector.norm() == pytest.approx(1, abs=1e-4)


def test_a_long_text_is_read_in_windows_that_begin_at_spans() -> None:
    sentences = ["aa bb cc.", "dd ee ff.", "gg hh ii.", "jj kk ll."]
    text = " ".join(sentences)
    spans = [(text.index(sentence), text.index(sentence) + len(sentence)) for sentence in sentences]
    encoder = tiny_encoder(18, Prefixes())  # room for 16 subwords: two sentences of 7, not three
    _, found = encoder.read([text], [spans])
    _, first = encoder.read([" ".join(sentences[:2])], [spans[:2]])
    torch.testing.assert_close(found[:2], first, atol=1e-5, rtol=1e-4)


def test_what_was_read_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = tiny_encoder()
    first = encoder.read(["a cat. a dog."], [[(0, 6), (7, 13)]])
    monkeypatch.setattr(encoder, "_encoder", WindowEncoder(lambda batch: pytest.fail("it was read again"), 64, False))
    second = encoder.read(["a cat. a dog."], [[(0, 6), (7, 13)]])
    assert torch.equal(first[0], second[0]) and torch.equal(first[1], second[1])


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 8)), max_size=40))
def test_the_cache_stays_within_its_bytes_and_forgets_the_oldest(steps: list[tuple[int, int]]) -> None:
    cache, order = TensorCache(limit=64), list[tuple[int, int]]()
    for key, size in steps:
        cache.put(key, torch.full((size,), float(key)))  # 4 bytes each
        order = [(k, s) for k, s in order if k != key] + [(key, size)]
        while sum(4 * s for _, s in order) > 64:
            order.pop(0)
        assert cache.bytes == sum(4 * s for _, s in order) <= 64
    kept = {k for k, _ in order}
    for key in range(10):
        found = cache.get(key)
        assert (found is not None) == (key in kept)
        assert found is None or found[0] == key


def test_a_tensor_that_is_too_large_is_not_kept() -> None:
    cache = TensorCache(limit=64)
    cache.put("small", torch.zeros(4))
    cache.put("large", torch.zeros(100))
    assert cache.get("large") is None and cache.get("small") is not None


# --- encoders from elsewhere -------------------------------------------------------------------------------


@pytest.fixture()
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "e5-tiny"
    tiny_bert(64).save_pretrained(place)
    tiny_word_pieces().save_pretrained(place)
    return place


def test_a_hugging_face_encoder_reads_as_its_family_does(folder: Path) -> None:
    loaded = SentenceEncoder.load(folder, "cpu")
    texts = ["a cat", "dogs and cats " * 40]
    assert (loaded.embed(texts, "query") * ENCODER.embed(texts, "query")).sum(1).min() > 0.99  # bf16 on some CPUs
    plain = SentenceEncoder.load(folder, "cpu", Prefixes())
    assert (plain.embed(["query: a cat"]) * loaded.embed(["a cat"], "query")).sum() > 0.99


def test_prompts_and_pooling_of_sentence_transformers_count(folder: Path) -> None:
    (folder / "config_sentence_transformers.json").write_text('{"prompts": {"query": "ask: "}}')
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_cls_token": true}')
    loaded = SentenceEncoder.load(folder, "cpu")
    ids = torch.tensor([tiny_word_pieces().encode("ask: a cat")])
    first = tiny_bert(64).eval()(input_ids=ids).last_hidden_state[0, 0]
    assert torch.cosine_similarity(loaded.embed(["a cat"], "query")[0], first, dim=0) > 0.99


@pytest.mark.parametrize("name", ["nowhere", "no/such/folder"])
def test_an_encoder_that_is_not_there_is_one_line(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(InputError, match="sentence encoder") as refused:
        SentenceEncoder.load(tmp_path / name, "cpu")
    assert "\n" not in str(refused.value)


def test_an_encoder_of_the_wrong_kind_is_refused(tmp_path: Path) -> None:
    T5Model(T5Config(vocab_size=300, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)).save_pretrained(tmp_path)
    tiny_word_pieces().save_pretrained(tmp_path)
    with pytest.raises(InputError, match="bidirectional"):
        SentenceEncoder.load(tmp_path, "cpu")


def test_an_encoder_without_weights_is_one_line(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(InputError, match="cannot load the sentence encoder"):
        SentenceEncoder.load(folder, "cpu")


def test_a_model_in_another_shape_is_refused(folder: Path) -> None:
    BertModel(BertConfig(vocab_size=3, hidden_size=16, num_hidden_layers=1, num_attention_heads=2)).save_pretrained(
        folder
    )
    with pytest.raises(InputError, match="vocabulary"):
        SentenceEncoder.load(folder, "cpu")
