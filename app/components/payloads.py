"""What the scripts in the browser send with their events, checked."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from app.components.canvas_lines import parse_mask, parse_pins
from app.components.forms import Number, Request, refused_as
from model.errors import InputError


class OutOfStepError(InputError):
    """The browser's edits do not fit the prompt that is open on the server."""


_OTHER_TEXT = "The text has changed since it was shortened: press Run first."
_OUT_OF_STEP = "The page and the server disagree about the prompt: press Open again."


class CounterChoice(Request):
    """The canvas: the tokenizer that tokens shall be counted with."""

    name: str


class RowChoice(Request):
    """A table: the id of the row that was picked."""

    id: str


class PageChoice(Request):
    """A table: the page to turn to, from 0."""

    page: Annotated[int, Field(strict=True, ge=0, le=10**9)]


class PinMarks(Request):
    """The canvas: what a person has fixed, one character a token: "." or what it was fixed to, K or D."""

    marks: str

    def pins(self, tokens: int) -> dict[int, bool]:
        """Token -> keep. OutOfStepError when the marks are not of a prompt with so many tokens."""
        try:
            return parse_pins(self.marks, tokens)
        except ValueError:
            raise OutOfStepError(_OTHER_TEXT) from None


class RoleChoice(Request):
    """The canvas: tokens [first, last) of the prompt are a part with this role."""

    first: Annotated[int, Field(strict=True, ge=0)]
    last: Annotated[int, Field(strict=True, ge=1)]
    role: str


class Edits(Request):
    """The canvas: a person's work on a prompt.

    Attributes:
        mask: one character 0 or 1 a token.
        pins: one character a token: "." or what the person fixed it to, K or D.
        note: their remark.
        seconds: time spent.
        correction: id of what they correct, for a server that was restarted meanwhile.
    """

    mask: str
    pins: str
    note: Annotated[str, BeforeValidator(str)]
    seconds: Number
    correction: str = ""

    def masks(self, tokens: int) -> tuple[tuple[bool, ...], dict[int, bool]]:
        """The mask and the pins of a prompt with so many tokens. OutOfStepError when they are not of that prompt."""
        try:
            return parse_mask(self.mask, tokens), parse_pins(self.pins, tokens)
        except ValueError:
            raise OutOfStepError(_OUT_OF_STEP) from None


CheckedEdits = Annotated[Edits, refused_as(_OUT_OF_STEP, OutOfStepError)]
