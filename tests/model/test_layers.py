"""The encoder's layers, run from its weights, against the encoder as transformers runs it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModel

from model.layers import KNOWN_ENCODERS, KeyValueMemory, Layers, attend
from tests.support.tiny import tiny_bert

WIDTH = 24


def encoder(kind: str) -> Any:
    if kind == "bert":
        return tiny_bert().eval()
    torch.manual_seed(0)
    shape = dict(vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24)
    config = AutoConfig.for_model(kind, **shape, max_position_embeddings=64, type_vocab_size=1, initializer_range=0.4)
    return AutoModel.from_config(config, dtype=torch.float32).eval()


def inputs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """What is read in two windows, where it stands, and which of it is real."""
    embeds = torch.randn(2, WIDTH, 16, generator=torch.Generator().manual_seed(1))
    real = torch.ones(2, WIDTH, dtype=torch.bool)
    real[1, -5:] = False
    return embeds, torch.arange(WIDTH).expand(2, -1), real


@torch.inference_mode()
@pytest.mark.parametrize("kind", KNOWN_ENCODERS)
@pytest.mark.parametrize(("dtype", "close"), [(torch.float32, 1e-5), (torch.bfloat16, 0.2)])
def test_they_compute_what_the_encoder_does(kind: str, dtype: torch.dtype, close: float) -> None:
    backbone = encoder(kind)
    embeds, places, real = inputs()
    expected = backbone(inputs_embeds=embeds, attention_mask=real.long()).last_hidden_state
    out = Layers(backbone, dtype)(embeds, places, real, KeyValueMemory())
    assert out.dtype == embeds.dtype and torch.allclose(out[real], expected[real], atol=close)
    whole = Layers(backbone, dtype)(embeds, places, None, KeyValueMemory())
    assert torch.allclose(whole[0], expected[0], atol=close) and not torch.allclose(whole[1], out[1], atol=1e-3)


@torch.inference_mode()
def test_some_rows_see_what_is_remembered_of_the_others() -> None:
    """Computed again with the same input, a row comes out as before, whichever rows are computed with it."""
    layers, memory = Layers(encoder("bert"), torch.float32), KeyValueMemory()
    embeds, places, real = inputs()
    everything = layers(embeds, places, real, memory)
    for which, rows in (([0, 1], [[3, 7], [0, 11]]), ([1], [[2, 3, 4]]), ([0], [[23]])):
        memory.which, memory.rows = torch.tensor(which), torch.tensor(rows)
        some = embeds[memory.which[:, None], memory.rows]
        out = layers(some, memory.rows, real[memory.which], memory)
        assert torch.allclose(out, everything[memory.which[:, None], memory.rows], atol=1e-5)


@torch.inference_mode()
def test_training_the_encoder_further_does_not_change_them() -> None:
    backbone = encoder("bert")
    embeds, places, _ = inputs()
    layers = Layers(backbone, torch.float32)
    before = layers(embeds, places, None, KeyValueMemory())
    for layer in backbone.encoder.parameters():
        layer.mul_(2)
    assert torch.equal(before, layers(embeds, places, None, KeyValueMemory()))


@torch.inference_mode()
def test_attention_by_hand_is_about_that_of_torch() -> None:
    make = torch.Generator().manual_seed(0)
    queries, keys, values = (torch.randn(2, 3, n, 8, generator=make) for n in (4, 9, 9))
    real = torch.arange(9) < torch.tensor([[9], [5]])
    for mask in (None, real):
        exact = attend(queries, keys, values, mask)
        by_hand = attend(queries.bfloat16(), keys.bfloat16(), values.bfloat16(), mask).float()
        assert by_hand.shape == exact.shape and torch.allclose(by_hand, exact, atol=0.05)
