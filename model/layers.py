"""The encoder's layers, run from its weights, so that a step may compute some subwords and remember the others.

They are those of BERT and RoBERTa (attention, then two linear layers, each normalised after its residual). Queries,
keys and values come out of one matrix product, and the dtype is the one that the device multiplies fastest.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import BertConfig
from transformers.models.bert.modeling_bert import BertLayer

from .devices import fastest_dtype
from .linear import ReadyLinear

KNOWN_ENCODERS = ("bert", "roberta", "xlm-roberta", "camembert")  # whose layers are known here
MAX_SCORE = 60.0  # of attention, before exp: e^60 times any width is finite in bfloat16, and so is its inverse


class KeyValueMemory:
    """Keys and values of all places, of which a pass brings some anew. Also stands where an LLM expects a cache.

    Attributes:
        layers: per layer, keys and values [windows, heads, width, d].
        rows: [windows computed, rows] the places that the next pass brings; None = all.
        which: [windows computed].
    """

    def __init__(self) -> None:
        self.layers: dict[int, tuple[Tensor, Tensor]] = {}
        self.rows: Tensor | None = None
        self.which = torch.empty(0)

    def update(self, keys: Tensor, values: Tensor, layer: int, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Take the new keys and values of a layer, give back those of all places of the windows computed."""
        if self.rows is None:
            self.layers[layer] = keys, values
            return keys, values
        every = self.layers[layer]
        for old, new in zip(every, (keys, values), strict=True):
            heads = torch.arange(new.shape[1], device=new.device)
            old[self.which[:, None, None], heads[:, None], self.rows[:, None]] = new
        if len(self.which) == len(every[0]):
            return every
        return every[0][self.which], every[1][self.which]

    def get_seq_length(self, *_: Any) -> int:
        """What an LLM would count its places and its causal mask from; both are given to it."""
        return 0


class Layers(nn.Module):
    """A copy of an encoder's layers, for inference. `backbone.config.model_type` must be one of KNOWN_ENCODERS.

    dtype: None = that which the device multiplies fastest.
    """

    def __init__(self, backbone: Any, dtype: torch.dtype | None = None):
        super().__init__()
        self.embeddings = backbone.embeddings  # shared: they are looked up, not multiplied
        self.first_place = 0 if backbone.config.model_type == "bert" else 1 + int(self.embeddings.padding_idx)
        self.layers = nn.ModuleList(_Layer(layer) for layer in backbone.encoder.layer)
        self.dtype = dtype or fastest_dtype(backbone.device, one_bert_layer)
        self.layers.to(self.dtype).requires_grad_(False)
        for layer in self.each():
            layer.ready()

    def forward(self, embeds: Tensor, places: Tensor, real: Tensor | None, memory: KeyValueMemory) -> Tensor:
        """Last hidden states [windows, rows, d].

        Args:
            embeds: [windows, rows, d] what is read there.
            places: [windows, rows] where in its window each row stands.
            real: [windows, width] False where nothing is to be looked at; None = look everywhere.
            memory: brings the keys and values of the places that are not computed.
        """
        hidden: Tensor = self.embeddings(inputs_embeds=embeds, position_ids=places + self.first_place).to(self.dtype)
        for i, layer in enumerate(self.each()):
            hidden = layer(hidden, real, memory, i)
        last: Tensor = hidden.to(embeds.dtype)
        return last

    def each(self) -> list[_Layer]:
        """The layers in order."""
        return [layer for layer in self.layers if isinstance(layer, _Layer)]

    def packed(self, embeds: Tensor, places: Tensor, attention: Callable[[Tensor], Tensor]) -> Tensor:
        """Last hidden states [rows, d] of windows that stand one below the other.

        Args:
            embeds: [rows, d].
            places: [rows] where in its window each row stands.
            attention: queries, keys and values [rows, 3, heads, d / heads] -> what each row has seen, [rows, d].
        """
        hidden: Tensor = self.embeddings(inputs_embeds=embeds[None], position_ids=places[None] + self.first_place)
        hidden = hidden[0].to(self.dtype)
        for layer in self.each():
            hidden = layer.after(attention(layer.three(hidden)), hidden)
        return hidden.to(embeds.dtype)


class _Layer(nn.Module):
    def __init__(self, layer: Any):
        super().__init__()
        own = layer.attention.self
        self.heads: int = own.num_attention_heads
        self.looked_up = ReadyLinear.of(own.query, own.key, own.value)
        self.mixed, self.mixed_norm = (
            ReadyLinear.of(layer.attention.output.dense),
            deepcopy(layer.attention.output.LayerNorm),
        )
        self.inner, self.act = ReadyLinear.of(layer.intermediate.dense), layer.intermediate.intermediate_act_fn
        self.outer, self.outer_norm = ReadyLinear.of(layer.output.dense), deepcopy(layer.output.LayerNorm)

    def ready(self) -> None:
        """See `ReadyLinear`."""
        for linear in (self.looked_up, self.mixed, self.inner, self.outer):
            linear.ready()

    def forward(self, hidden: Tensor, real: Tensor | None, memory: KeyValueMemory, index: int) -> Tensor:
        three = self.three(hidden).permute(2, 0, 3, 1, 4).contiguous()
        keys, values = memory.update(three[1], three[2], index)
        return self.after(attend(three[0], keys, values, real).transpose(1, 2).reshape(hidden.shape), hidden)

    def three(self, hidden: Tensor) -> Tensor:
        """Queries, keys and values of states [..., d]: [..., 3, heads, d / heads]."""
        three: Tensor = self.looked_up(hidden).unflatten(-1, (3, self.heads, -1))
        return three

    def after(self, seen: Tensor, hidden: Tensor) -> Tensor:
        """What follows attention: from what was seen and the layer's input, its output [..., d]."""
        hidden = self.mixed_norm(self.mixed(seen) + hidden)
        out: Tensor = self.outer_norm(self.outer(self.act(self.inner(hidden))) + hidden)
        return out


@lru_cache
def _small_bert() -> Any:
    shape = BertConfig(hidden_size=384, num_attention_heads=12, intermediate_size=1536)
    return BertLayer(shape).eval().requires_grad_(False)


def one_bert_layer(device: torch.device, dtype: torch.dtype) -> Callable[[], Tensor]:
    """What to try for the fastest dtype: a layer as it is run here, over 256 subwords."""
    layer = _Layer(_small_bert()).to(device, dtype)
    layer.ready()
    subwords = torch.randn(1, 256, 384, device=device, dtype=dtype)
    return lambda: layer(subwords, None, KeyValueMemory(), 0)


def attend(queries: Tensor, keys: Tensor, values: Tensor, real: Tensor | None) -> Tensor:
    """Scaled dot-product attention: queries [windows, heads, rows, d], keys and values [windows, heads, width, d].

    real: [windows, up to width], of the last places: False where nothing is to be looked at.

    By hand where that is faster: in bfloat16 on a CPU it takes a third of the time of torch's own. The scores are not
    shifted by their largest; where they could be too large, they are held within bounds in which exp neither overflows
    nor leaves a row without weight.
    """
    if queries.device.type != "cpu" or queries.dtype != torch.bfloat16:
        mask = None if real is None else F.pad(real, (keys.shape[2] - real.shape[1], 0), value=True)[:, None, None]
        return F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask)
    scaled = queries * queries.shape[-1] ** -0.5
    weights: Tensor = scaled @ keys.transpose(-1, -2)
    largest = (scaled.norm(dim=-1).amax(-1) * keys.norm(dim=-1).amax(-1)).amax(0)
    for head in (largest > MAX_SCORE).nonzero()[:, 0].tolist():
        weights[:, head].clamp_(-MAX_SCORE, MAX_SCORE)
    weights.exp_()
    if real is not None:
        weights[..., -real.shape[1] :] *= real[:, None, None]
    seen: Tensor = weights @ values / weights.sum(-1, keepdim=True)
    return seen
