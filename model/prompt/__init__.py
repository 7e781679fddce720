"""Prompt text -> tokens and shots, and back to text. No torch here: masks and offsets outlive any model."""

from .parse import WORD_LIMIT, Prompt, Shot, Token, parse, word_edges

__all__ = ["WORD_LIMIT", "Prompt", "Shot", "Token", "parse", "word_edges"]
