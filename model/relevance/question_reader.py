"""The question reader: an encoder that has learnt to read a question and a text together (a cross-encoder).

It is the sentence encoder's own network, trained on (Nogueira and Cho 2019, arXiv 1901.04085; sentences within their
passage as in Chirkova et al. 2025, arXiv 2501.16214): question, separator and a window of the text go through it once,
and the mean state of each unit's subwords gives a logit. Where the frozen encoder says how alike two texts are, this
one says whether one answers the other. It shares that one's vocabulary.

    reader-N.safetensors   matrices as int8 with an fp16 scale for each row, the rest in fp16
    meta.json              format, config, sha256 of the files
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import BertConfig, BertModel

from ..errors import InputError
from .encoder import SentenceEncoder
from .reading import windows_of

SHIPPED = Path(__file__).parents[1] / "checkpoints" / "question-reader"
META, FORMAT = "meta.json", 1
VALUES, SCALE = ".values", ".scale"  # end the names of what a matrix is stored as
SHARD = 15_000_000  # bytes of a file, about
HEAD, BERT = "head.linear.", "bert."
UNREAD = -4.0  # logit of a unit that its part does not hold, and so is not read


class SpanHead(nn.Module):
    """States -> a logit for each stretch of them."""

    def __init__(self, width: int):
        super().__init__()
        self.linear = nn.Linear(width, 1)

    def forward(self, vectors: Tensor) -> Tensor:
        """vectors: [stretches, width] of length 1, the mean states. Returns [stretches]."""
        logits: Tensor = self.linear(vectors * vectors.shape[-1] ** 0.5).squeeze(-1)
        return logits


class QuestionReader:
    """Logits of units to answer a question."""

    def __init__(self, encoder: SentenceEncoder, head: SpanHead):
        """encoder: with the reader's layers."""
        self.encoder, self.head = encoder, head

    @classmethod
    def load(cls, base: SentenceEncoder, folder: Path = SHIPPED) -> QuestionReader:
        """base: the sentence encoder whose vocabulary it shares. InputError when it is missing or damaged."""
        bert, head = load_layers(folder)
        return cls(base.with_layers(bert), head)

    @torch.inference_mode()
    def logits(self, asked: str, units: Sequence[str], part_of: Sequence[int], parts: Sequence[str]) -> Tensor:
        """fp32 [units]; the arguments are those of `read_units`."""
        windows = list(windows_of(units, part_of, parts))
        _, vectors = self.encoder.read([w.text for w in windows], [w.spans for w in windows], asked=asked)
        found = torch.full((len(units),), UNREAD)
        found[[unit for window in windows for unit in window.units]] = self.head(vectors)
        return found


def load_layers(folder: Path = SHIPPED) -> tuple[BertModel, SpanHead]:
    """Its layers, without a vocabulary, and its head. InputError when it is missing or damaged."""
    state, config = _read(folder)
    try:
        bert = _bert({k.removeprefix(BERT): v for k, v in state.items() if k.startswith(BERT)}, config)
        head = SpanHead(bert.config.hidden_size)
        head.load_state_dict({k.removeprefix("head."): v for k, v in state.items() if k.startswith("head.")})
    except (RuntimeError, TypeError, ValueError) as error:
        raise _damaged(folder, "weights and config do not fit together") from error
    return bert, head.eval().requires_grad_(False)


def span_means(states: Tensor, spans: Tensor) -> Tensor:
    """Mean states of stretches, of length 1.

    Args:
        states: [windows, width, d].
        spans: int64 [stretches, 3]: window, first, end.
    Returns: fp32 [stretches, d].
    """
    total = F.pad(states.float().cumsum(1), (0, 0, 1, 0))
    return F.normalize(total[spans[:, 0], spans[:, 2]] - total[spans[:, 0], spans[:, 1]], dim=-1)


# --- files -------------------------------------------------------------------------------------------------


def save_reader(state: Mapping[str, Tensor], config: BertConfig, out: Path) -> None:
    """Write what was trained: a state dict with "bert." and "head.", without the vocabulary."""
    shards: list[dict[str, Tensor]] = [{}]
    for name, tensor in state.items():
        if sum(each.nbytes for each in shards[-1].values()) > SHARD * 0.8:
            shards.append({})
        shards[-1] |= _packed(name, tensor.detach().float().cpu())
    out.mkdir(parents=True, exist_ok=True)
    files = {f"reader-{i}.safetensors": save(shard, {"format": "pt"}) for i, shard in enumerate(shards)}
    for name, data in files.items():
        (out / name).write_bytes(data)
    names = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "max_position_embeddings")
    shape = {name: getattr(config, name) for name in (*names, "type_vocab_size", "layer_norm_eps", "pad_token_id")}
    sums = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    meta = {
        "format": FORMAT,
        "base": "intfloat/multilingual-e5-small",
        "licence": "MIT",
        "config": shape,
        "sha256": sums,
    }
    (out / META).write_text(json.dumps(meta, indent=1) + "\n", encoding="utf-8")


def _packed(name: str, tensor: Tensor) -> dict[str, Tensor]:
    if tensor.dim() != 2 or tensor.shape[0] < 2 or "embeddings" in name:
        return {name: tensor.half().contiguous()}
    scale = (tensor.abs().amax(1, keepdim=True) / 127).clamp(min=1e-8).half()
    return {name + VALUES: (tensor / scale.float()).round().clamp(-127, 127).to(torch.int8), name + SCALE: scale}


def _read(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """State dict in fp32, and the config."""
    try:
        meta = json.loads((folder / META).read_text(encoding="utf-8"))
        if meta["format"] != FORMAT:
            raise _damaged(folder, f"its format is not {FORMAT}")
        stored: dict[str, Tensor] = {}
        for name, wanted in meta["sha256"].items():
            data = (folder / Path(name).name).read_bytes()
            if hashlib.sha256(data).hexdigest() != wanted:
                raise _damaged(folder, f"{name} is not what {META} names by its sha256")
            stored |= load(data)
        config = dict(meta["config"])
    except (OSError, ValueError, TypeError, KeyError, AttributeError, SafetensorError, RecursionError) as error:
        raise _damaged(folder, "a file is missing or no such file") from error
    plain = {name: tensor.float() for name, tensor in stored.items() if not name.endswith((VALUES, SCALE))}
    for name in (name.removesuffix(VALUES) for name in stored if name.endswith(VALUES)):
        plain[name] = stored[name + VALUES].float() * stored[name + SCALE].float()
    return plain, config


def _bert(state: Mapping[str, Tensor], shape: Mapping[str, Any]) -> BertModel:
    """Layers and places; the vocabulary is the sentence encoder's."""
    with torch.device("meta"):  # no time is spent on random weights
        model = BertModel(BertConfig(vocab_size=8, **shape), add_pooling_layer=False)
    places = torch.arange(model.config.max_position_embeddings)[None]
    model.embeddings.register_buffer("position_ids", places, persistent=False)
    model.embeddings.register_buffer("token_type_ids", torch.zeros_like(places), persistent=False)
    missing, unexpected = model.load_state_dict(dict(state), strict=False, assign=True)
    if unexpected or any("word_embeddings" not in name for name in missing):
        raise ValueError("missing or unknown weights")
    return model.eval().requires_grad_(False)


def _damaged(folder: Path, what: str) -> InputError:
    return InputError(f"the question reader {folder} is damaged or incomplete: {what}; copy it again")
