"""A tiny denoiser with random weights and a tokenizer made in memory: fast, and nothing is downloaded."""

from __future__ import annotations

import string

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from torch import nn
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from model.denoiser.batching import PromptCollator
from model.denoiser.checkpoint import Checkpoint
from model.denoiser.config import DenoiserConfig
from model.denoiser.network import Denoiser

SPECIAL = ["[PAD]", "[unused1]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
SIGNS = [*string.ascii_lowercase, *string.digits, *string.punctuation]
PROMPT = "Sort.\n\nQ: 2+2?\nA: 4\n\nQ: 3-1?\nA: 2\n\nQ: 3+4?\nA:"


def tiny_word_pieces() -> PreTrainedTokenizerFast:
    """WordPiece that spells every word: "cat" -> "c", "##a", "##t"."""
    vocabulary = [*SPECIAL, *SIGNS, *(f"##{sign}" for sign in SIGNS)]
    tokenizer = Tokenizer(models.WordPiece({word: i for i, word in enumerate(vocabulary)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )


def tiny_bert(positions: int = 512) -> BertModel:
    torch.manual_seed(0)
    return BertModel(
        BertConfig(
            vocab_size=len(SPECIAL) + 2 * len(SIGNS),
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=24,
            max_position_embeddings=positions,
            initializer_range=0.4,  # so that predictions differ from each other
        )
    )


def tiny_checkpoint(window: int = 512, overlap: int = 128) -> Checkpoint:
    """A random denoiser in eval mode; the same at every call."""
    backbone = tiny_bert(window)
    backbone.pooler = None
    config = DenoiserConfig(backbone.config.to_dict(), window, overlap)
    denoiser = Denoiser(config, backbone)
    for part in (denoiser.state, denoiser.retention, denoiser.position, denoiser.token_head, denoiser.shot_head):
        for weight in part.parameters():
            nn.init.normal_(weight, std=0.5)
    return Checkpoint("tiny", denoiser.eval(), PromptCollator(tiny_word_pieces(), config), {"base": "tiny"})


def calm_checkpoint() -> Checkpoint:
    """The tiny checkpoint with small weights, as training begins with."""
    checkpoint = tiny_checkpoint()
    generator = torch.Generator().manual_seed(0)
    for weights in checkpoint.denoiser.parameters():
        if weights.dim() > 1:
            nn.init.normal_(weights, std=0.1, generator=generator)
    return checkpoint
