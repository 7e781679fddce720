"""Tiny diffusion LLMs as folders on disk, laid out as LLaDA's and Dream's are; random, or trained for some seconds."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM
from transformers import PreTrainedTokenizerFast as FastTokenizer

ALPHABET = "a b c d e f g h i j k l"
CORPUS = [
    *[ALPHABET, "".join(f" {letter}" for letter in ALPHABET.split())] * 9,
    "Article: The team won the final game.\nAnswer: Sports\n\n",
    "Question: Tom has 3 apples and buys 4 more. How many?\nAnswer: 3 + 4 = <<3+4=7>>7\n#### 7\n\n",
    *["World Sports Business Tech great terrible : World Sports Business Tech great terrible"] * 3,
]
BOS, EOS, MASK = "<|startoftext|>", "<|endoftext|>", "<|mdm_mask|>"
SIZE = 400  # of the vocabulary
LLADA = {
    "model_type": "llada",
    "architectures": ["LLaDAModelLM"],
    "auto_map": {"AutoModelForCausalLM": "modeling_llada.LLaDAModelLM"},
    "activation_type": "silu",
    "alibi": False,
    "attention_layer_norm": False,
    "bias_for_layer_norm": False,
    "block_type": "llama",
    "d_model": 32,
    "embedding_size": SIZE,
    "include_bias": False,
    "include_qkv_bias": False,
    "input_emb_norm": False,
    "layer_norm_type": "rms",
    "max_sequence_length": 1024,
    "mlp_hidden_size": 48,
    "mlp_ratio": 4,
    "multi_query_attention": None,
    "n_heads": 4,
    "n_kv_heads": 2,
    "n_layers": 2,
    "rms_norm_eps": 1e-5,
    "rope": True,
    "rope_theta": 500000.0,
    "scale_logits": False,
    "vocab_size": SIZE,
    "weight_tying": False,
}
DREAM = {
    "model_type": "Dream",
    "architectures": ["DreamModel"],
    "auto_map": {"AutoModel": "modeling_dream.DreamModel"},
    "attention_dropout": 0.0,
    "hidden_act": "silu",
    "hidden_size": 32,
    "intermediate_size": 48,
    "max_position_embeddings": 1024,
    "max_window_layers": 2,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-6,
    "rope_scaling": None,
    "rope_theta": 1000000.0,
    "sliding_window": None,
    "tie_word_embeddings": False,
    "use_sliding_window": False,
    "vocab_size": SIZE,
}
_LLAMA_NAMES = (  # Llama's -> LLaDA's, the other way round than in model.llm.diffusion_weights
    ("model.embed_tokens", "model.transformer.wte"),
    ("model.norm", "model.transformer.ln_f"),
    ("lm_head", "model.transformer.ff_out"),
    ("model.layers", "model.transformer.blocks"),
    ("input_layernorm", "attn_norm"),
    ("post_attention_layernorm", "ff_norm"),
    ("self_attn.o_proj", "attn_out"),
    ("self_attn.", ""),
    ("mlp.gate_proj", "ff_proj"),
    ("mlp.up_proj", "up_proj"),
    ("mlp.down_proj", "ff_out"),
)


def tiny_subwords() -> FastTokenizer:
    """Byte-level BPE with a begin, an end and a mask token; writes none of them by itself, as LLaDA's and Dream's."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=SIZE, special_tokens=[BOS, EOS, MASK], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return FastTokenizer(tokenizer_object=tokenizer, bos_token=BOS, eos_token=EOS, pad_token=EOS)


def write_llada(folder: Path, weights: dict[str, Tensor] | None = None, **changes: Any) -> Path:
    """A LLaDA folder with these weights, under LLaDA's names, or random ones. changes: to config.json; None leaves
    a field out. Returns the folder."""
    tokenizer = tiny_subwords()
    tokenizer.save_pretrained(folder)
    ids = {"mask_token_id": tokenizer.convert_tokens_to_ids(MASK), "eos_token_id": tokenizer.eos_token_id}
    _write(folder, {**LLADA, **ids, **changes}, weights or _random(_llada_shapes({**LLADA, **changes})))
    return folder


def write_dream(folder: Path, **changes: Any) -> Path:
    """A Dream folder with random weights; its tokenizer is vocab.json and merges.txt, and names a class of its own."""
    tokenizer = tiny_subwords()
    tokenizer.backend_tokenizer.model.save(str(folder))
    mask = tokenizer.convert_tokens_to_ids(MASK)
    special = {tokenizer.convert_tokens_to_ids(token): token for token in (BOS, EOS, MASK)}
    own = {
        "tokenizer_class": "DreamTokenizer",
        "auto_map": {"AutoTokenizer": ["tokenization_dream.DreamTokenizer", None]},
        "added_tokens_decoder": {
            str(i): {"content": token, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
            | {"single_word": False}
            for i, token in special.items()
        },
        "bos_token": BOS,
        "eos_token": EOS,
        "mask_token": MASK,
        "pad_token": EOS,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(own), encoding="utf-8")
    _write(folder, {**DREAM, "mask_token_id": mask, **changes}, _random(_dream_shapes(DREAM)))
    return folder


def trained_weights(rounds: int = 600) -> dict[str, Tensor]:
    """Weights of a LLaDA that goes on with the alphabet to its end: " c d" -> " e f g h i j k l<|endoftext|>". For
    `write_llada(folder, trained_weights(), n_layers=1, n_kv_heads=4)`."""
    tokenizer = tiny_subwords()
    mask, end = tokenizer.convert_tokens_to_ids([MASK, EOS])
    letters = tokenizer("".join(f" {letter}" for letter in ALPHABET.split())).input_ids
    rows = torch.tensor([[*letters[start:], *[end] * (start + 32)] for start in range(8)] * 2)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=SIZE, hidden_size=32, intermediate_size=48, num_hidden_layers=1, num_attention_heads=4,
        num_key_value_heads=4, rms_norm_eps=1e-5, rope_parameters={"rope_type": "default", "rope_theta": 500000.0},
        tie_word_embeddings=False,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    optimiser = torch.optim.AdamW(model.parameters(), weight_decay=0.0)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-2, rounds)
    for _ in range(rounds):
        some = rows[:, : int(torch.randint(14, 44, ()))]
        masked = torch.rand(some.shape) < torch.rand(len(some), 1).clamp_min(0.1)
        masked[:, :2] = False
        sight = torch.zeros(1, 1, 1, some.shape[1])  # all see all
        states = model.model(torch.where(masked, mask, some), attention_mask=sight).last_hidden_state[masked]
        loss = torch.nn.functional.cross_entropy(model.lm_head(states), some[masked])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        rate.step()
    return {_llada_name(name): weight.detach() for name, weight in model.state_dict().items()}


def _llada_name(name: str) -> str:
    for ours, theirs in _LLAMA_NAMES:
        name = name.replace(ours, theirs)
    return name


def _llada_shapes(config: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    d, inner, size = config["d_model"], config["mlp_hidden_size"], config["vocab_size"]
    kv = d // config["n_heads"] * config["n_kv_heads"]
    block = {
        "attn_norm": (d,), "ff_norm": (d,), "q_proj": (d, d), "k_proj": (kv, d), "v_proj": (kv, d),
        "attn_out": (d, d), "ff_proj": (inner, d), "up_proj": (inner, d), "ff_out": (d, inner),
    }  # fmt: skip
    shapes: dict[str, tuple[int, ...]] = {"wte": (size, d), "ln_f": (d,), "ff_out": (size, d)}
    shapes |= {f"blocks.{i}.{name}": shape for i in range(config["n_layers"]) for name, shape in block.items()}
    return {f"model.transformer.{name}.weight": shape for name, shape in shapes.items()}


def _dream_shapes(config: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    d, inner, size = config["hidden_size"], config["intermediate_size"], config["vocab_size"]
    kv = d // config["num_attention_heads"] * config["num_key_value_heads"]
    layer = {
        "input_layernorm.weight": (d,), "post_attention_layernorm.weight": (d,),
        "self_attn.q_proj.weight": (d, d), "self_attn.k_proj.weight": (kv, d), "self_attn.v_proj.weight": (kv, d),
        "self_attn.q_proj.bias": (d,), "self_attn.k_proj.bias": (kv,), "self_attn.v_proj.bias": (kv,),
        "self_attn.o_proj.weight": (d, d), "mlp.gate_proj.weight": (inner, d), "mlp.up_proj.weight": (inner, d),
        "mlp.down_proj.weight": (d, inner),
    }  # fmt: skip
    shapes: dict[str, tuple[int, ...]] = {"lm_head.weight": (size, d)}
    shapes |= {"model.embed_tokens.weight": (size, d), "model.norm.weight": (d,)}
    return shapes | {f"model.layers.{i}.{n}": s for i in range(config["num_hidden_layers"]) for n, s in layer.items()}


def _random(shapes: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Large enough that predictions differ from each other; norms are around 1."""
    generator = torch.Generator().manual_seed(0)
    made = {}
    for name, shape in shapes.items():
        noise = 0.3 * torch.randn(shape, generator=generator)
        made[name] = 1 + noise if re.search(r"norm|ln_f", name) else noise
    return made


def _write(folder: Path, config: dict[str, Any], weights: dict[str, Tensor]) -> None:
    kept = {key: value for key, value in config.items() if value is not None}
    (folder / "config.json").write_text(json.dumps(kept), encoding="utf-8")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
