"""What an earlier run was made with, as the browser keeps it for its history and a link carries it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import Field

from app.components.canvas_lines import pin_marks
from app.components.forms import Number, Text, WholeNumber
from app.components.sampling import SamplingRequest
from model.diffusion.trace import MAX_STEPS
from model.prompt.limits import MAX_CHARACTERS
from model.prompt.parse import Given
from model.prompt.pins import WORDS_LIMIT

SETTINGS = tuple(SamplingRequest.model_fields)  # the boxes of the page, by name


@dataclass(frozen=True)
class ByHand:
    """What a person has said of a prompt.

    Attributes:
        pins: token -> keep.
        parts: where its parts are, as characters [start, end) and role each; () = as they are found.
    """

    text: str
    pins: Mapping[int, bool] = field(default_factory=dict)
    parts: tuple[Given, ...] = ()

    @property
    def characters(self) -> int:
        """Of the prompt."""
        return len(self.text)


class Setup(SamplingRequest):
    """The settings of a run, and, where they are known, its text and what a person had said of it.

    Attributes:
        auto: whether the model is to find the length.
        text: "" = whatever stands on the page.
        marks: "." or what a person fixed it to, K or D, of each token; "" = nothing.
        parts: as of `ByHand`.
    """

    retention: Annotated[Number, Field(ge=1, le=100)]
    steps: Annotated[WholeNumber, Field(ge=1, le=MAX_STEPS)]
    threshold: Annotated[Number, Field(ge=0, lt=1)]
    words: Annotated[Text, Field(max_length=WORDS_LIMIT)]
    auto: bool = False
    text: Annotated[Text, Field(max_length=MAX_CHARACTERS)] = ""
    marks: Annotated[str, Field(pattern=r"^[.KD]*$", max_length=MAX_CHARACTERS)] = ""
    parts: tuple[tuple[int, int, str], ...] = ()

    @property
    def by_hand(self) -> ByHand | None:
        """What a person had said."""
        pins = {i: mark == "K" for i, mark in enumerate(self.marks) if mark != "."}
        return ByHand(self.text, pins, self.parts) if self.text and (pins or self.parts) else None


def settings_of(request: SamplingRequest) -> dict[str, Any]:
    """The boxes of the page, as `Setup` takes them."""
    values = {name: getattr(request, name) for name in SETTINGS}
    return {**values, "rules": list(request.rules)}


def said_of(by_hand: ByHand | None, tokens: int) -> dict[str, Any]:
    """What a person said of a prompt with so many tokens, as `Setup` takes it; {} = nothing."""
    if by_hand is None:
        return {}
    marks = {"marks": pin_marks(by_hand.pins, tokens)} if by_hand.pins else {}
    return marks | ({"parts": by_hand.parts} if by_hand.parts else {})
