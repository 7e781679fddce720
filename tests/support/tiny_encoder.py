"""A tiny sentence encoder with random weights: it spells every word, so that texts of like letters are alike."""

from __future__ import annotations

import torch

from model.relevance.encoder import Prefixes, SentenceEncoder
from tests.support.tiny import tiny_bert, tiny_word_pieces

E5 = Prefixes("query: ", "passage: ")


def tiny_encoder(positions: int = 64, prefixes: Prefixes = E5) -> SentenceEncoder:
    """The same at every call; windows of `positions` subwords."""
    tokenizer = tiny_word_pieces().backend_tokenizer
    return SentenceEncoder(tiny_bert(positions).eval(), tokenizer, prefixes, dtype=torch.float32)
