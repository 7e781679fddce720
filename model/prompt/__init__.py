"""Prompt text -> tokens and shots, and back to text. No torch here: masks and offsets outlive any model."""

from .parse import Part, Prompt, Token, Unit, parse
from .tokens import WORD_LIMIT, word_edges

__all__ = ["WORD_LIMIT", "Part", "Prompt", "Token", "Unit", "parse", "word_edges"]
