"""DiffuMask: a masked-diffusion model that decides which tokens of a prompt to keep.

>>> from model import Compressor  # where it is installed: from diffumask import Compressor
>>> Compressor.load().compress("Q: 1+1?\\nA: 2\\n\\nQ: 3+4?\\nA:", retention=0.5).text
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .compress import Compressor

__all__ = ["Compressor", "__version__"]
__version__ = "0.2.0"


def __getattr__(name: str) -> Any:
    if name == "Compressor":  # here, so that `import model.prompt` loads no torch
        from .compress import Compressor

        return Compressor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
