"""A prompt under correction, and a stored correction that is opened once more."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from model.compress import CompressRequest
from model.errors import InputError
from model.prompt import Part, Prompt, Token, parse
from model.record import RULES, CorrectionRecord


@dataclass(frozen=True)
class Opened:
    """A prompt under correction.

    Attributes:
        id: of the correction that it will become.
        request: what was asked of the model, without pins of a person.
        model_mask: what the model decided before anybody touched it.
        checkpoint: of that model.
        annotator: who opened it; when somebody else saves it, the correction gets another id. "" = anybody.
    """

    id: str
    request: CompressRequest
    model_mask: tuple[bool, ...]
    checkpoint: str
    annotator: str = ""

    @property
    def characters(self) -> int:
        """Of the prompt."""
        return len(self.request.prompt.text)

    @property
    def without_rules(self) -> CompressRequest:
        """The request as a stored correction shows it: with nothing fixed but what a person fixed."""
        return replace(self.request, keep=None, keep_words=(), keep_digits=False, keep_breaks=False, keep_task=False)

    def id_for(self, annotator: str) -> str:
        """The correction's id when this person saves it: no id belongs to two people."""
        if self.annotator in ("", annotator):
            return self.id
        return uuid.uuid5(uuid.UUID(self.id), annotator).hex

    def fields(
        self, mask: Sequence[bool], pins: Mapping[int, bool], annotator: str, note: str, seconds: float
    ) -> dict[str, Any]:
        """The correction as the store takes it; mask and pins: the person's."""
        prompt, config = self.request.prompt, self.request.config
        return {
            "id": self.id_for(annotator),
            "prompt": prompt.text,
            "offsets": [list(span) for span in _offsets(prompt)],
            "shot_starts": [shot.start for shot in prompt.parts],
            "model_mask": _bits(self.model_mask),
            "human_mask": _bits(mask),
            "pins": {str(i): keep for i, keep in pins.items()},
            "retention": config.retention,
            "steps": config.steps,
            "threshold": config.threshold,
            "seed": config.seed,
            **{name: getattr(self.request, name) for name in RULES},
            "checkpoint": self.checkpoint,
            "annotator": annotator,
            "seconds": seconds,
            "note": note,
        }


def opened_again(correction: CorrectionRecord, annotator: str) -> Opened:
    """The correction for a new revision; for another person, for a correction of their own.

    Raises InputError when it is not one that this studio could have made.
    """
    request = CompressRequest(
        correction.prompt,
        correction.retention,
        correction.steps,
        threshold=correction.threshold,
        seed=correction.seed,
        **correction.rules,
    )
    if _offsets(request.prompt) != correction.offsets:
        raise InputError(
            "This correction cuts the prompt into other tokens than this studio does: it can only be looked at."
        )
    id = correction.id if correction.annotator == annotator else uuid.uuid4().hex
    return Opened(id, request, stored_mask(correction.model_mask), correction.checkpoint, annotator)


def stored_prompt(correction: CorrectionRecord) -> Prompt:
    """The prompt with the tokens that the correction is about, which may be cut differently from today's."""
    prompt = parse(correction.prompt)
    if _offsets(prompt) == correction.offsets:
        return prompt
    text, spans = correction.prompt, correction.offsets
    bounds = [0, *(start for start in correction.shot_starts if start), len(text)]
    tokens: list[Token] = []
    shots: list[Part] = []
    for start, end in pairwise(bounds):
        first = len(tokens)
        while len(tokens) < len(spans) and spans[len(tokens)][0] < end:
            a, b = spans[len(tokens)]
            tokens.append(Token(text[a:b], a, b, len(shots)))
        if first < len(tokens):
            shots.append(Part("text", start, end, first, len(tokens)))
    return Prompt(text, tuple(tokens), tuple(shots))


def stored_mask(bits: str) -> tuple[bool, ...]:
    """A stored mask: "0110" -> one bool a token."""
    return tuple(bit == "1" for bit in bits)


def _bits(mask: Sequence[bool]) -> str:
    return "".join("1" if keep else "0" for keep in mask)


def _offsets(prompt: Prompt) -> tuple[tuple[int, int], ...]:
    return tuple((token.start, token.end) for token in prompt.tokens)
