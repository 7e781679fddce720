"""The shipped sentence encoder on disk: small enough to live in the repository, read in under a second.

    model.safetensors   BERT layers as 4-bit blocks, the vocabulary as 3-bit rows, the rest in fp16
    tokenizer.json      Unigram pieces, as `tokenizers` reads them
    meta.json           format, shape, prefixes, sha256 of the files above, where they come from

Layers: blocks of 32 weights, each an fp16 scale and 32 nibbles of value + 8, low nibbles first (Q4_0 of GGUF).
Vocabulary: row[i, j] = scale[i] * column[j] * levels[code[i, j]] with eight levels fitted to the weights (Lloyd 1982),
eight codes in three bytes. Rows are unpacked when they are looked up, so the table takes 29 MB in memory as well.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from ..errors import InputError

SHIPPED = Path(__file__).parents[1] / "checkpoints" / "e5-small"
FORMAT = 1
WEIGHTS, TOKENIZER, META = "model.safetensors", "tokenizer.json", "meta.json"
BLOCK = 32  # weights that share a scale
BLOCKS = ".blocks"  # ends the name of a matrix that is stored in blocks
WORDS = "embeddings.word_embeddings"


@dataclass(frozen=True)
class StoredEncoder:
    """A sentence encoder as it was stored, on the CPU.

    Attributes:
        model: BERT in eval mode, its layers in the dtype asked for.
        tokenizer: texts -> pieces, with the special ones at both ends; no truncation, no padding.
        meta: what meta.json says.
    """

    model: BertModel
    tokenizer: Tokenizer
    meta: dict[str, Any]


def is_stored(folder: str | Path) -> bool:
    """Whether a folder looks like one that `pack` made, rather than a Hugging Face one."""
    return (Path(folder) / META).is_file() and not (Path(folder) / "config.json").exists()


def load_stored(folder: Path, dtype: torch.dtype = torch.float32) -> StoredEncoder:
    """The encoder in a folder. InputError when a file is missing, damaged or of another format."""
    meta = _read_meta(folder)
    weights, tokenizer = (_read_checked(folder, name, meta) for name in (WEIGHTS, TOKENIZER))
    try:
        model = _model(load(weights), meta["config"], dtype)
    except (SafetensorError, RuntimeError, ValueError, TypeError, KeyError) as error:
        raise _damaged(folder, f"weights and config do not fit together ({_line(error)})") from error
    try:
        pieces = Tokenizer.from_buffer(tokenizer)
    except Exception as error:  # tokenizers raises nothing narrower
        raise _damaged(folder, f"{TOKENIZER} is not a tokenizer's ({_line(error)})") from error
    return StoredEncoder(model, pieces, meta)


class PackedEmbedding(nn.Module):
    """A table of embeddings in 3 bits a value, unpacked row by row as they are looked up."""

    def __init__(self, codes: Tensor, scale: Tensor, column: Tensor, levels: Tensor) -> None:
        """codes uint8 [rows, columns * 3 / 8], scale [rows], column [columns], levels [8]."""
        super().__init__()
        self.codes = nn.Buffer(codes)
        self.scale = nn.Buffer(scale)
        self.column = nn.Buffer(column)
        self.levels = nn.Buffer(levels)
        if codes.dtype != torch.uint8 or codes.shape != (len(scale), len(column) * 3 // 8) or levels.shape != (8,):
            raise ValueError("the vocabulary's codes, scales and columns do not fit together")

    def forward(self, ids: Tensor) -> Tensor:
        """Rows of ids [...] -> [..., columns], in the dtype of `column`."""
        unique, place = torch.unique(ids, return_inverse=True)
        rows = self.levels[unpack3(self.codes[unique])] * (self.scale[unique][:, None] * self.column)
        return rows[place]


# --- bits --------------------------------------------------------------------------------------------------


def pack3(codes: Tensor) -> Tensor:
    """Integers below 8 [..., n], n a multiple of 8 -> uint8 [..., n * 3 / 8]."""
    eight = codes.to(torch.int32).reshape(*codes.shape[:-1], -1, 8)
    word = (eight << torch.arange(0, 24, 3)).sum(-1, keepdim=True)
    return ((word >> torch.arange(0, 24, 8)) & 255).to(torch.uint8).flatten(-2)


def unpack3(packed: Tensor) -> Tensor:
    """The inverse of `pack3`: uint8 [..., n * 3 / 8] -> int64 [..., n]."""
    three = packed.to(torch.int32).reshape(*packed.shape[:-1], -1, 3)
    word = (three << torch.arange(0, 24, 8, device=packed.device)).sum(-1, keepdim=True)
    return ((word >> torch.arange(0, 24, 3, device=packed.device)) & 7).flatten(-2).long()


def unblock(blocks: Tensor) -> Tensor:
    """4-bit blocks uint8 [rows, columns / 32, 18] -> fp32 [rows, columns]."""
    scale = blocks[..., :2].contiguous().view(torch.float16).float()
    nibbles = blocks[..., 2:]
    values = torch.cat([nibbles & 15, nibbles >> 4], -1).float() - 8
    return (values * scale).flatten(-2)


# --- files -------------------------------------------------------------------------------------------------


def _model(state: Mapping[str, Tensor], shape: Mapping[str, Any], dtype: torch.dtype) -> BertModel:
    table = {name: state[f"{WORDS}.{name}"] for name in ("codes", "scale", "column", "levels")}
    rest = {name: tensor for name, tensor in state.items() if not name.startswith(WORDS)}
    with torch.device("meta"):  # no time is spent on random weights
        model = BertModel(BertConfig(**shape), add_pooling_layer=False)
    places = torch.arange(model.config.max_position_embeddings)[None]
    model.embeddings.register_buffer("position_ids", places, persistent=False)
    model.embeddings.register_buffer("token_type_ids", torch.zeros_like(places), persistent=False)
    words = PackedEmbedding(table["codes"], *(table[name].to(dtype) for name in ("scale", "column", "levels")))
    if words.codes.shape[0] != model.config.vocab_size or len(words.column) != model.config.hidden_size:
        raise ValueError("the vocabulary is not of the size that the config says")
    model.embeddings.word_embeddings = words
    layers = dict(_plain(name, tensor, dtype) for name, tensor in rest.items())
    missing, unexpected = model.load_state_dict(layers, strict=False, assign=True)
    if unexpected or any(not name.startswith(WORDS) for name in missing):
        raise ValueError(f"missing or unknown weights: {[*missing, *unexpected][:3]}")
    return model.eval().requires_grad_(False)


def _plain(name: str, tensor: Tensor, dtype: torch.dtype) -> tuple[str, Tensor]:
    """A matrix as the model names and holds it."""
    if name.endswith(BLOCKS):
        return name.removesuffix(BLOCKS), unblock(tensor).to(dtype)
    return name, tensor.to(dtype)


def _read_meta(folder: Path) -> dict[str, Any]:
    try:
        meta = json.loads(_read(folder, META))
        known = meta["format"] == FORMAT and isinstance(meta["sha256"], dict) and isinstance(meta["config"], dict)
    except (ValueError, TypeError, KeyError, RecursionError):
        raise _damaged(folder, f"{META} is not a sentence encoder's") from None
    if not known:
        raise _damaged(folder, f"{META} has format {str(meta['format'])[:20]!r} instead of {FORMAT}")
    return dict(meta)


def _read_checked(folder: Path, name: str, meta: Mapping[str, Any]) -> bytes:
    data = _read(folder, name)
    if hashlib.sha256(data).hexdigest() != meta["sha256"].get(name):
        raise _damaged(folder, f"{name} is not what {META} names by its sha256")
    return data


def _read(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except FileNotFoundError:
        raise _damaged(folder, f"{name} is missing") from None
    except OSError as error:
        raise InputError(f"cannot read {folder / name}: {error.strerror or error}") from error


def _damaged(folder: Path, what: str) -> InputError:
    return InputError(f"the sentence encoder {folder} is damaged or incomplete: {what}; copy it again or give another")


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
