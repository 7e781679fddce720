"""Who answers, and how much its answers prove."""

from __future__ import annotations

from dataclasses import dataclass

from model.llm.endpoint import Endpoint
from model.pretrained import WHEELS

_WEAK = (
    "is a small model on this server, a weak judge: it may fail on both prompts alike, so where answers agree that "
    "proves little. An endpoint with a larger model judges better."
)
_STRONG = (
    "answers, taken for a strong judge: it reads the prompts as your program would, if your program calls the same "
    "model. Its answers to the full prompt are the reference, right or wrong."
)
_UNKNOWN = (
    "on this server answers. Whether it is a strong judge depends on the model: with less than some billions of "
    "parameters it is a weak one, which fails on both prompts alike."
)


@dataclass(frozen=True)
class Judge:
    """The language model that answers the prompts.

    Attributes:
        name: for people.
        meaning: what may be concluded from its answers, to be read behind the name.
    """

    name: str
    meaning: str

    @classmethod
    def of(cls, writer: Endpoint | str) -> Judge:
        """Of an endpoint, or of the name of a model on this server."""
        if not isinstance(writer, str):
            return cls(writer.name, _STRONG)
        return cls(writer, _WEAK if writer in WHEELS else _UNKNOWN)

    @property
    def text(self) -> str:
        """A sentence or two."""
        return f"{self.name} {self.meaning}"
