"""The shape of a denoiser."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ..errors import InputError


@dataclass(frozen=True)
class DenoiserConfig:
    """Shape of a denoiser.

    Attributes:
        encoder: configuration of the Hugging Face encoder (a dict, as `config.to_dict()` gives it).
        window: subwords the encoder reads at once, its two special tokens included.
        overlap: subwords that neighbouring windows share; longer prompts are read in overlapping windows.
    """

    encoder: dict[str, Any]
    window: int = 512
    overlap: int = 128

    def __post_init__(self) -> None:
        if not 0 <= self.overlap < self.window - 2:
            raise InputError(f"overlap {self.overlap} must be from 0 to under the window {self.window} - 2")

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
