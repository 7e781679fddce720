"""What is asked of a compressor: the prompt, how much of it may stay, and what has to."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .diffusion.sampler import FILLER, NO_MORE, Stretch, budget
from .diffusion.trace import SamplerConfig
from .errors import InputError
from .prompt import Prompt, parse
from .prompt.limits import check_length
from .prompt.pieces import PieceSet, Rules
from .prompt.pins import pins_for_breaks, pins_for_digits, pins_for_task, pins_for_words, pins_from_regex
from .prompt.selection import too_long
from .reader import ReaderTokenizer, load_reader, prices
from .relevance.prompt_reading import UnitsOf

# Tokens alone, whatever they belong to, exactly as many as asked: the method of DiffuMask's paper (arXiv 2604.06627).
PAPER: Mapping[str, Any] = {"granularity": "token", "guards": False, "least": 0.0, "least_demonstration": 0.0}
AUTO = "auto"  # instead of a share
MOST_STRETCH = 10.0


def share_of(retention: float | str) -> float:
    """A share that was asked for as it is. InputError when it is no number."""
    if isinstance(retention, str):
        raise InputError(f"retention {retention!r} must be a number above 0 and at most 1, or {AUTO!r}")
    return retention


@dataclass(frozen=True)
class CompressRequest:
    """What is asked for; checked when it is made.

    Attributes:
        text: the prompt, or one that `parse` has split already.
        retention: share of the tokens that is kept at most, in (0, 1]; or AUTO: as few as hold all that is needed, as
            far as the model is sure.
        steps, threshold, temperature, seed: see `SamplerConfig`.
        sure: with AUTO, how sure: the share of what is needed that is expected to be kept, in (0, 1).
        keep: regular expression; tokens that it touches are kept.
        keep_words: literal strings; tokens that an occurrence touches are kept.
        keep_digits, keep_breaks: keep every token with a digit, every line break.
        keep_task: keep the instruction before the demonstrations, and a question that waits for its answer, whole.
            They count towards the retention.
        pins: token index -> keep, as a person fixed them; over all rules.
        target_tokens: how many tokens the result may have, instead of a retention.
        tokenizer: of the language model that will read the result; lengths then count in its tokens (see
            `model.reader.load_reader`). None: in prompt tokens.
        granularity: how fine the pieces are that are kept or dropped: "unit" (sentences, items, lines, records),
            "part" (documents, demonstrations) or "token" (words, as far as structure allows).
        guards: a sentence with a negation, restriction or condition is one piece.
        least: the share of a sentence's words that stays if any does: with granularity "token" of each, with "unit" of
            one that alone is too long for the budget, and that else would go with what it says (0: none is thinned).
        least_demonstration: the share of a demonstration that stays, besides its answer, if any does.
            `PAPER` names the settings of these four that are the method of DiffuMask's paper.
        stretch: how many times the share that was asked for the result may have, where else the one unit that is
            likeliest to answer the question, or by far likeliest to be needed, would not fit in. A number of tokens is
            never exceeded for that, nor is the share where `pins` keep something.
        exact: compute everything in every step, instead of what the step needs (`model.denoiser.cached`); many times
            slower, and nearly the same mask.
    Raises InputError when the text is empty or too long, or a number is out of range.
    """

    text: str | Prompt
    retention: float | str = 0.5
    steps: int = 8
    threshold: float = 0.0
    temperature: float = 0.0
    seed: int = 0
    keep: str | None = None
    keep_words: Sequence[str] = ()
    keep_digits: bool = False
    keep_breaks: bool = False
    keep_task: bool = True
    pins: Mapping[int, bool] = field(default_factory=dict)
    target_tokens: int | None = None
    tokenizer: Any = None
    granularity: str = "unit"
    guards: bool = True
    least: float = 0.7
    least_demonstration: float = 0.5
    exact: bool = False
    sure: float = 0.95
    stretch: float = 2.0

    def __post_init__(self) -> None:
        if self.target_tokens is not None and self.target_tokens < 1:
            raise InputError(f"target_tokens {self.target_tokens} must be at least 1")
        if not 0 < self.sure < 1:
            raise InputError(f"sure {self.sure:g} must be above 0 and below 1")
        if not 1 <= self.stretch <= MOST_STRETCH:
            raise InputError(f"stretch {self.stretch:g} must be from 1 to {MOST_STRETCH:g}")
        assert self.config and self.prompt and self.rules  # made here, so that a mistake is said at once

    @property
    def is_auto(self) -> bool:
        """Whether the length is still to be found."""
        return self.retention == AUTO and self.target_tokens is None

    @cached_property
    def config(self) -> SamplerConfig:
        """How to denoise; as long as the length is not found, at full length."""
        if self.target_tokens is not None:
            retention = min(self.target_tokens / max(sum(self.price), 1), 1.0)
        else:
            retention = 1.0 if self.is_auto else share_of(self.retention)
        return SamplerConfig(retention, self.steps, self.threshold, self.temperature, self.seed)

    @cached_property
    def reader(self) -> ReaderTokenizer | None:
        """The tokenizer that lengths are counted with; None: prompt tokens."""
        return None if self.tokenizer is None else load_reader(self.tokenizer)

    @cached_property
    def price(self) -> list[int]:
        """[n] what each prompt token counts."""
        return prices(self.prompt, self.reader)

    @cached_property
    def rules(self) -> Rules:
        """How fine pieces are, and what protects them."""
        least = self.least if self.granularity != "part" else 0.0
        return Rules(self.granularity, self.guards, least, self.least_demonstration)

    @cached_property
    def pieces(self) -> PieceSet:
        """What is decided at once: with "unit", the words of sentences that are too long for the budget."""
        pieces = self._pieces()
        if self.granularity != "unit" or not self.rules.least:
            return pieces
        long = too_long(pieces, budget(pieces, self.config.retention))
        return self._pieces(long) if long else pieces

    @cached_property
    def units(self) -> UnitsOf:
        """The units that are read for relevance, and what is asked."""
        return UnitsOf.of(self.prompt, self.pieces.thin)

    @cached_property
    def beyond(self) -> Stretch:
        """What the one unit that is needed may take beyond the budget; nothing where a person has said what stays."""
        shown = any(part.role == "demonstration" for part in self.prompt.parts)
        is_wish = self.target_tokens is None and self.granularity == "unit" and not shown
        if not is_wish or any(self.pins.values()):
            return NO_MORE
        return Stretch(self.stretch, 0.0 if self.units.has_question else FILLER)

    def _pieces(self, thin: Collection[int] = ()) -> PieceSet:
        rules = self.rules
        return PieceSet.of(
            self.prompt,
            rules.granularity,
            guards=rules.guards,
            least=rules.least,
            least_demonstration=rules.least_demonstration,
            pins=self.fixed,
            price=self.price,
            thin=thin,
        )

    @cached_property
    def prompt(self) -> Prompt:
        """The text with its tokens, units and parts."""
        if isinstance(self.text, Prompt):
            return self.text
        check_length(len(self.text))
        return parse(self.text)

    @cached_property
    def fixed(self) -> dict[int, bool]:
        """All pins: those of the rules, and those of the person over them. InputError when a pattern is not valid."""
        return {
            **(pins_for_task(self.prompt, breaks=self.rules.free) if self.keep_task else {}),
            **(pins_for_digits(self.prompt) if self.keep_digits else {}),
            **(pins_for_breaks(self.prompt) if self.keep_breaks else {}),
            **(pins_for_words(self.prompt, self.keep_words) if self.keep_words else {}),
            **(pins_from_regex(self.prompt, self.keep) if self.keep else {}),
            **self.pins,
        }
