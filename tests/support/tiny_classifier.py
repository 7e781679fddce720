"""A tiny BERT that classifies tokens: stands in for LLMLingua-2's."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import decoders
from transformers import BertForTokenClassification

from tests.support.tiny import tiny_bert, tiny_word_pieces


def write_classifier(folder: Path) -> Path:
    """Save it in a folder, and return that."""
    config = tiny_bert().config
    config.num_labels = 2
    torch.manual_seed(0)
    BertForTokenClassification(config).save_pretrained(folder)
    tokenizer = tiny_word_pieces()
    tokenizer.backend_tokenizer.decoder = decoders.WordPiece()
    tokenizer.save_pretrained(folder)
    return folder
