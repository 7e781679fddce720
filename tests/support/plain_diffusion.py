"""The networks of tiny_diffusion.py's folders in plain torch, to check the loaded targets against."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import silu

from model.llm.load import load_target
from model.llm.masked_diffusion import DiffusionTarget
from tests.support.tiny_diffusion import DREAM, LLADA, write_dream, write_llada

Plain = Callable[[list[int]], Tensor]  # ids -> log-probabilities of the token AT each place [n, vocabulary]
Named = Callable[[str], Any]  # name -> weight or bias


def load_both(kind: str, folder: Path) -> tuple[DiffusionTarget, Plain]:
    """A random tiny model, "llada" or "dream", loaded as any target is, and the same in plain torch."""
    (write_llada if kind == "llada" else write_dream)(folder)
    weights = load_file(folder / "model.safetensors")
    network = plain_llada if kind == "llada" else plain_dream
    target = load_target(str(folder), "cpu")
    assert isinstance(target, DiffusionTarget)
    return target, lambda ids: network(weights, ids)


def norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    return x / (x.square().mean(-1, keepdim=True) + eps).sqrt() * weight


def rotate(x: Tensor, theta: float) -> Tensor:
    """[heads, n, d] -> rotary positions: the halves of d are real and imaginary parts."""
    n, half = x.shape[1], x.shape[2] // 2
    angle = torch.outer(torch.arange(n).double(), theta ** (-torch.arange(half).double() / half))
    turned = torch.complex(x[..., :half].double(), x[..., half:].double()) * torch.exp(1j * angle)
    return torch.cat([turned.real, turned.imag], -1).float()


def layer(x: Tensor, w: Named, b: Named, heads: int, theta: float, eps: float) -> Tensor:
    """One transformer layer in which all see all; w and b give weights and biases by LLaDA's names."""
    y, n = norm(x, w("attn_norm"), eps), len(x)
    q, k, v = ((y @ w(f"{p}_proj").T + b(f"{p}_proj")).view(n, -1, x.shape[1] // heads).transpose(0, 1) for p in "qkv")
    k, v = (t.repeat_interleave(heads // len(t), 0) for t in (k, v))
    scores = rotate(q, theta) @ rotate(k, theta).transpose(1, 2) / q.shape[2] ** 0.5
    x = x + (scores.softmax(-1) @ v).transpose(0, 1).reshape(n, -1) @ w("attn_out").T
    y = norm(x, w("ff_norm"), eps)
    return x + (silu(y @ w("ff_proj").T) * (y @ w("up_proj").T)) @ w("ff_out").T


def plain_llada(weights: dict[str, Tensor], ids: list[int]) -> Tensor:
    top = "model.transformer"
    x = weights[f"{top}.wte.weight"][ids]
    for i in range(1 + max(int(name.split(".")[3]) for name in weights if ".blocks." in name)):
        x = layer(x, lambda name, i=i: weights[f"{top}.blocks.{i}.{name}.weight"], lambda _: 0.0,  # type: ignore[misc]
                  LLADA["n_heads"], LLADA["rope_theta"], LLADA["rms_norm_eps"])  # fmt: skip
    return (norm(x, weights[f"{top}.ln_f.weight"], 1e-5) @ weights[f"{top}.ff_out.weight"].T).log_softmax(-1)


def plain_dream(weights: dict[str, Tensor], ids: list[int]) -> Tensor:
    names = {
        "attn_norm": "input_layernorm", "ff_norm": "post_attention_layernorm", "ff_proj": "mlp.gate_proj",
        "up_proj": "mlp.up_proj", "ff_out": "mlp.down_proj", "attn_out": "self_attn.o_proj",
        **{f"{p}_proj": f"self_attn.{p}_proj" for p in "qkv"},
    }  # fmt: skip
    x = weights["model.embed_tokens.weight"][ids]
    for i in range(DREAM["num_hidden_layers"]):
        x = layer(x, lambda name, i=i: weights[f"model.layers.{i}.{names[name]}.weight"],  # type: ignore[misc]
                  lambda name, i=i: weights[f"model.layers.{i}.{names[name]}.bias"],  # type: ignore[misc]
                  DREAM["num_attention_heads"], DREAM["rope_theta"], DREAM["rms_norm_eps"])  # fmt: skip
    logits = norm(x, weights["model.norm.weight"], 1e-6) @ weights["lm_head.weight"].T
    return torch.cat([logits[:1], logits[:-1]]).log_softmax(-1)  # each predicts the next place
