"""Diffusion LLMs in plain transformers classes, from safetensors: no code out of a model's repository is run.

LLaDA (arXiv 2502.09992) is a Llama that sees in both directions, its weights under OLMo's names; Dream (arXiv
2508.15487) is such a Qwen2, under Qwen2's names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen2Tokenizer,
)
from transformers.utils import logging

from ..errors import InputError

# LLaDA's names -> Llama's, applied one after the other
_LLADA_NAMES = {
    r"^model\.transformer\.wte": "model.embed_tokens",
    r"^model\.transformer\.ln_f": "model.norm",
    r"^model\.transformer\.ff_out": "lm_head",
    r"^model\.transformer\.blocks": "model.layers",
    r"\.attn_norm": ".input_layernorm",
    r"\.ff_norm": ".post_attention_layernorm",
    r"\.([qkv])_proj": r".self_attn.\1_proj",
    r"\.attn_out": ".self_attn.o_proj",
    r"\.ff_proj": ".mlp.gate_proj",
    r"\.up_proj": ".mlp.up_proj",
    r"\.ff_out": ".mlp.down_proj",
}
# What must be so in LLaDA's config for its layers to be Llama's
_LLAMA_LIKE = {
    "block_type": "llama",
    "layer_norm_type": "rms",
    "activation_type": "silu",
    "rope": True,
    "alibi": False,
    "include_bias": False,
    "include_qkv_bias": False,
    "bias_for_layer_norm": False,
    "attention_layer_norm": False,
    "input_emb_norm": False,
    "scale_logits": False,
}
_NOT_THE_MODEL = ("model_type", "architectures", "auto_map", "transformers_version")  # fields of Dream's config


@dataclass(frozen=True)
class Loaded:
    """A diffusion LLM.

    Attributes:
        model: a causal LM class of transformers, to be run with a mask that lets it see in both directions.
        mask: id of its mask token.
        shift: the state of one position earlier predicts a token, as in the autoregressive model that it grew from.
        bos: read with its BOS in front although its tokenizer writes none.
    """

    model: Any
    tokenizer: Any
    mask: int
    shift: bool
    bos: bool


def is_diffusion(name: str) -> bool:
    """Whether a Hugging Face name or folder holds LLaDA or Dream, by the model type in its config.json. OSError if
    there is none."""
    return _kind(_read_config(name)) in ("llada", "dream")


def load_diffusion(name: str, device: torch.device, dtype: torch.dtype) -> Loaded:
    """LLaDA or Dream by hub name or folder. InputError, one line, for anything else."""
    try:
        config = _read_config(name)
    except (OSError, ValueError) as e:
        raise InputError(f"no config.json of a model at {name!r}; give LLaDA or Dream by its name or folder") from e
    kind = _kind(config)
    if kind not in ("llada", "dream"):
        found = config.get("model_type", "unknown")
        raise InputError(f"{name!r} has the model type {found!r}; a diffusion LLM must be 'llada' or 'Dream'")
    try:
        if kind == "llada":
            tokenizer = PreTrainedTokenizerFast.from_pretrained(name)
            model, info = _load(LlamaForCausalLM, name, _llama_config(name, config), dtype, key_mapping=_LLADA_NAMES)
        else:
            tokenizer = Qwen2Tokenizer.from_pretrained(name)
            own = Qwen2Config(**{key: value for key, value in config.items() if key not in _NOT_THE_MODEL})
            model, info = _load(Qwen2ForCausalLM, name, own, dtype)
    except InputError:
        raise
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError) as e:
        reason = (str(e).strip() or repr(e)).splitlines()[0]
        raise InputError(f"cannot load the diffusion LLM {name!r} ({reason}); give a complete folder") from e
    if wrong := sorted(map(str, [*info["missing_keys"], *info["unexpected_keys"], *info["mismatched_keys"]])):
        raise InputError(f"the weights of {name!r} are not those of its config: {wrong[0]} and {len(wrong) - 1} more")
    return Loaded(model.to(device), tokenizer, _mask_id(name, config, tokenizer), kind == "dream", kind == "dream")


def _load(kind: Any, name: str, config: Any, dtype: torch.dtype, **more: Any) -> tuple[Any, dict[str, Any]]:
    """The model, and which weights did not fit; transformers' own table of them is not printed."""
    level = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        loaded: tuple[Any, dict[str, Any]] = kind.from_pretrained(
            name, config=config, dtype=dtype, use_safetensors=True, output_loading_info=True, **more
        )
    finally:
        logging.set_verbosity(level)
    return loaded


def _read_config(name: str) -> dict[str, Any]:
    config: dict[str, Any] = PreTrainedConfig.get_config_dict(name)[0]
    return config


def _kind(config: dict[str, Any]) -> str:
    return str(config.get("model_type", "")).lower()


def _llama_config(name: str, config: dict[str, Any]) -> Any:
    """LLaDA's config -> LlamaConfig. InputError where its layers are not Llama's."""
    for key, wanted in _LLAMA_LIKE.items():
        if config.get(key, wanted) not in (wanted, None):
            raise InputError(f"{name!r} has {key} = {config[key]!r} in config.json; only {wanted!r} is supported")
    heads = config["n_heads"]
    return LlamaConfig(
        vocab_size=config.get("embedding_size") or config["vocab_size"],
        hidden_size=config["d_model"],
        intermediate_size=config.get("mlp_hidden_size") or config["mlp_ratio"] * config["d_model"],
        num_hidden_layers=config["n_layers"],
        num_attention_heads=heads,
        num_key_value_heads=config.get("n_kv_heads") or (1 if config.get("multi_query_attention") else heads),
        max_position_embeddings=config["max_sequence_length"],
        rms_norm_eps=config["rms_norm_eps"],
        rope_parameters={"rope_type": "default", "rope_theta": config["rope_theta"]},
        tie_word_embeddings=bool(config.get("weight_tying")),
        bos_token_id=None,
        eos_token_id=config.get("eos_token_id"),
        pad_token_id=config.get("pad_token_id"),
    )


def _mask_id(name: str, config: dict[str, Any], tokenizer: Any) -> int:
    mask = config.get("mask_token_id")
    mask = tokenizer.mask_token_id if mask is None else mask
    size = config.get("embedding_size") or config["vocab_size"]
    if not isinstance(mask, int) or not 0 <= mask < size:
        raise InputError(f"{name!r} has no mask token: set mask_token_id in its config.json to one below {size}")
    return mask
