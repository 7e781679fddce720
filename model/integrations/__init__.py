"""Interfaces that other programs call. They are handed a `model.Compressor` and import none."""

from __future__ import annotations

from typing import Any, Protocol

from ..prompt import Prompt


class Compresses(Protocol):
    """What is needed of a `model.Compressor`."""

    def compress(self, text: Prompt, retention: float, **options: Any) -> Any:
        """A result with a `trace`, of a prompt that is parsed already."""
        ...
