"""The stored encoder: bits come back, and a damaged folder is refused in one line."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save
from torch import Tensor

from model.errors import InputError
from model.relevance.encoder import SentenceEncoder
from model.relevance.pack import choose_pieces, pack_table, slim_tokenizer
from model.relevance.storage import BLOCKS, FORMAT, WORDS, PackedEmbedding, load_stored, pack3, unblock, unpack3
from tests.support.tiny import tiny_word_pieces

SHAPE = {
    "vocab_size": 142,
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
}
MATRICES = {
    "attention.self.query": (32, 32),
    "attention.self.key": (32, 32),
    "attention.self.value": (32, 32),
    "attention.output.dense": (32, 32),
    "intermediate.dense": (64, 32),
    "output.dense": (32, 64),
}


def blocks(rows: int, columns: int) -> Tensor:
    scale = torch.full((rows, columns // 32, 1), 0.05).half().view(torch.uint8)
    return torch.cat([scale, torch.randint(0, 256, (rows, columns // 32, 16)).to(torch.uint8)], -1)


def weights() -> dict[str, Tensor]:
    torch.manual_seed(0)
    layer = "encoder.layer.0."
    norms = ("embeddings.LayerNorm", f"{layer}attention.output.LayerNorm", f"{layer}output.LayerNorm")
    return {
        **{f"{WORDS}.{name}": part for name, part in pack_table(torch.randn(142, 32)).items()},
        "embeddings.position_embeddings.weight": torch.randn(64, 32).half(),
        "embeddings.token_type_embeddings.weight": torch.randn(2, 32).half(),
        **{f"{layer}{name}.weight{BLOCKS}": blocks(*shape) for name, shape in MATRICES.items()},
        **{f"{layer}{name}.bias": torch.zeros(shape[0]).half() for name, shape in MATRICES.items()},
        **{f"{norm}.weight": torch.ones(32).half() for norm in norms},
        **{f"{norm}.bias": torch.zeros(32).half() for norm in norms},
    }


def write(folder: Path, state: dict[str, Tensor], shape: dict[str, int]) -> Path:
    folder.mkdir()
    files = {"model.safetensors": save(state), "tokenizer.json": tiny_word_pieces().backend_tokenizer.to_str().encode()}
    sha256 = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    meta = {"format": FORMAT, "config": shape, "sha256": sha256, "prefixes": {"query": "query: ", "passage": "p: "}}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    (folder / "meta.json").write_text(json.dumps(meta))
    return folder


@pytest.fixture()
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "stored", weights(), SHAPE)


@given(st.lists(st.lists(st.integers(0, 7), min_size=16, max_size=16), min_size=1, max_size=5))
def test_three_bits_come_back(codes: list[list[int]]) -> None:
    packed = pack3(torch.tensor(codes))
    assert packed.dtype == torch.uint8 and packed.shape == (len(codes), 6)
    assert unpack3(packed).tolist() == codes


def test_a_block_is_its_scale_times_the_nibbles_less_eight() -> None:
    scale = torch.tensor([0.5]).half().view(torch.uint8)
    nibbles = torch.tensor([i % 16 + 16 * (15 - i % 16) for i in range(16)], dtype=torch.uint8)
    values = unblock(torch.cat([scale, nibbles])[None, None])[0]
    assert values.tolist() == [0.5 * (i - 8) for i in range(16)] + [0.5 * (7 - i) for i in range(16)]


def test_a_packed_table_is_close_to_the_table() -> None:
    torch.manual_seed(0)
    table = torch.randn(500, 64) * torch.rand(500, 1) * torch.rand(64)
    packed = {name: part if name == "codes" else part.float() for name, part in pack_table(table).items()}
    ids = torch.randint(0, 500, (7, 9))
    rows = PackedEmbedding(**packed)(ids)
    assert rows.shape == (7, 9, 64)
    assert torch.cosine_similarity(rows, table[ids], dim=-1).min() > 0.9
    assert torch.cosine_similarity(rows, table[ids], dim=-1).mean() > 0.97


def test_every_character_stays_and_then_the_likeliest() -> None:
    vocabulary = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    vocabulary += [("\u2581the", -3.0), ("\u2581rare", -12.0), ("x", -20.0), ("\u2581y", -19.0), ("of", -4.0)]
    vocabulary += [("<mask>", 0.0)]
    kept = choose_pieces(vocabulary, 9)
    assert [vocabulary[i][0] for i in kept] == [word for word, _ in vocabulary if word != "\u2581rare"]
    added = [{"id": 0, "content": "<s>"}, {"id": 9, "content": "<mask>"}]
    slim = slim_tokenizer({"model": {"type": "Unigram", "vocab": vocabulary}, "added_tokens": added}, kept)
    assert [token["id"] for token in slim["added_tokens"]] == [0, 8]
    assert slim["model"]["vocab"][8] == ["<mask>", 0.0]


def test_a_stored_encoder_reads(folder: Path) -> None:
    encoder = SentenceEncoder.load(folder, "cpu")
    vectors = encoder.embed(["a cat", "a dog"])
    assert vectors.shape == (2, 32) and vectors.isfinite().all()
    assert not torch.allclose(vectors, encoder.embed(["a cat", "a dog"], "query"))
    stored = load_stored(folder)
    first = stored.model.encoder.layer[0].output.dense.weight
    assert torch.equal(first, unblock(weights()[f"encoder.layer.0.output.dense.weight{BLOCKS}"]))
    assert not any(parameter.requires_grad for parameter in stored.model.parameters())


def cut(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:-1])


def gone(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


DAMAGE: dict[str, Callable[[Path], object]] = {
    "weights cut": cut("model.safetensors"),
    "tokenizer cut": cut("tokenizer.json"),
    "weights gone": gone("model.safetensors"),
    "tokenizer gone": gone("tokenizer.json"),
    "no json": lambda folder: (folder / "meta.json").write_text("{"),
    "a list": lambda folder: (folder / "meta.json").write_text("[]"),
    "another format": lambda folder: (folder / "meta.json").write_text('{"format": 9, "sha256": {}, "config": {}}'),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_folder_is_one_line(folder: Path, how: str) -> None:
    DAMAGE[how](folder)
    with pytest.raises(InputError, match="damaged or incomplete") as refused:
        SentenceEncoder.load(folder, "cpu")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "change", [{"vocab_size": 99}, {"hidden_size": 64}, {"num_hidden_layers": 2}, {"intermediate_size": 32}]
)
def test_a_folder_of_another_shape_is_one_line(tmp_path: Path, change: dict[str, int]) -> None:
    folder = write(tmp_path / "other", weights(), SHAPE | change)
    with pytest.raises(InputError, match="do not fit together") as refused:
        SentenceEncoder.load(folder, "cpu")
    assert "\n" not in str(refused.value)


def test_a_tokenizer_that_is_none_is_one_line(folder: Path) -> None:
    (folder / "tokenizer.json").write_bytes(b"{}")
    meta = json.loads((folder / "meta.json").read_text())
    meta["sha256"]["tokenizer.json"] = hashlib.sha256(b"{}").hexdigest()
    (folder / "meta.json").write_text(json.dumps(meta))
    with pytest.raises(InputError, match="is not a tokenizer's"):
        SentenceEncoder.load(folder, "cpu")
