"""Interfaces that other programs call. They are handed a `model.Compressor` and import none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from ..prompt import Prompt


class Compresses(Protocol):
    """What is needed of a `model.Compressor`."""

    def compress(self, text: Prompt, retention: float | str, **options: Any) -> Any:
        """A result with a `trace`, of a prompt that is parsed already."""
        ...


class Ranks(Protocol):
    """What is needed of a `model.Compressor` to rank documents and to shorten texts."""

    def compress(self, text: str, retention: float, **options: Any) -> Any:
        """A result with a `text`."""
        ...

    def rank(self, question: str, documents: Sequence[str], retention: float, **options: Any) -> Any:
        """A `model.ranking.Ranking`."""
        ...
