"""Tiny target LLMs with random weights and tokenizers trained in memory; nothing is downloaded."""

from __future__ import annotations

from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import Gemma3ForCausalLM, Gemma3TextConfig, LlamaConfig, LlamaForCausalLM
from transformers import PreTrainedTokenizerFast as FastTokenizer

from model.llm.causal import Target

CORPUS = [
    "Article: The team won the final game.\nAnswer: Sports\n\n",
    "Article: Shares fell sharply.\nAnswer: Business\n\n",
    "Question: Tom has 3 apples and buys 4 more. How many?\nAnswer: 3 + 4 = <<3+4=7>>7\n#### 7\n\n",
    "World Sports Business Tech great terrible",
]


def tiny_tokenizer(bos: bool = False) -> FastTokenizer:
    """Byte-level BPE of 320 subwords; with `bos` it puts <s> in front, as Llama's and Gemma's do."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    if bos:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", tokenizer.token_to_id("<s>"))]
        )
    return FastTokenizer(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")


def _sizes(tokenizer: FastTokenizer) -> dict[str, Any]:
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "max_position_embeddings": 2048,
        "initializer_range": 0.3,  # so that predictions differ from each other
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.eos_token_id,
    }


def make_target(kind: str = "llama") -> Target:
    """A random target: "llama", "llama-bos" (has a BOS) or "gemma" (also a sliding window of 8)."""
    tokenizer = tiny_tokenizer(bos=kind != "llama")
    torch.manual_seed(0)
    if kind == "gemma":
        layers = ["sliding_attention", "full_attention"]
        own: dict[str, Any] = {"layer_types": layers, "sliding_window": 8, "tie_word_embeddings": False}
        config = Gemma3TextConfig(**_sizes(tokenizer), **own)
        return Target(kind, Gemma3ForCausalLM(config), tokenizer)
    return Target(kind, LlamaForCausalLM(LlamaConfig(**_sizes(tokenizer))), tokenizer)
