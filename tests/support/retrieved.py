"""What a search gives back, for the tests of the frameworks' adapters."""

from __future__ import annotations

from model.compress import Compressor
from tests.support.tiny import tiny_checkpoint

COMPRESSOR = Compressor(tiny_checkpoint())
QUERY = "When does the museum open?"
FOUND = [
    "The ferry to Lund leaves at nine. It is blue. Tickets are sold on board.",
    "The museum opens at ten. Dogs are not allowed. It has a garden.",
    "The mill was built in 1850. It burnt down twice. Nobody lives there.",
]


def quoted(text: str, spans: list[list[int]]) -> list[str]:
    """What spans of a text say."""
    return [text[start:end] for start, end in spans]


def in_order(pieces: list[str], text: str) -> bool:
    """Whether a text holds pieces one after the other."""
    at = 0
    for piece in pieces:
        at = text.find(piece, at) + len(piece)
        if at < len(piece):
            return False
    return True
