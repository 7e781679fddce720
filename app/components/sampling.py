"""The settings of the sampler: their boxes on the page, and what is asked of the model with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import gradio as gr
from pydantic import AfterValidator

from app.components.forms import Number, Request, Text, TextList, WholeNumber, refused_as
from app.hosting.people import check_pattern
from model.compress import PAPER, CompressRequest
from model.diffusion.trace import MAX_STEPS
from model.errors import InputError
from model.prompt import Prompt

DIGITS, BREAKS, TASK = RULES = ("numbers", "line breaks", "instruction and question")  # what a rule can keep
UNIT, TOKEN, PART, WORDS_ALONE = GRANULARITIES = (  # what the model keeps or drops at once
    "sentences, items, lines",
    "words within sentences",
    "whole parts",
    "words alone (the paper's method)",
)
_OPTIONS: dict[str, Mapping[str, Any]] = {
    UNIT: {"granularity": "unit"},
    TOKEN: {"granularity": "token"},
    PART: {"granularity": "part"},
    WORDS_ALONE: PAPER,
}
_NO_GRANULARITY = "Choose what is kept or dropped at once."
_EMPTY = refused_as("A setting is empty: give the retention, steps, threshold and seed a number.")


def _checked_granularity(name: str) -> str:
    if name not in _OPTIONS:
        raise InputError(_NO_GRANULARITY)
    return name


class SamplingRequest(Request):
    """The settings of a page; the ranges are those of `CompressRequest`.

    Attributes:
        retention: in percent.
        rules: some of RULES: tokens that are always kept.
        granularity: one of GRANULARITIES.
        words: always kept, too: words separated by commas, or one regular expression between slashes.
    """

    retention: Annotated[Number, _EMPTY]
    steps: Annotated[WholeNumber, _EMPTY]
    threshold: Annotated[Number, _EMPTY]
    seed: Annotated[WholeNumber, _EMPTY]
    rules: TextList
    granularity: Annotated[str, AfterValidator(_checked_granularity), refused_as(_NO_GRANULARITY)]
    words: Text

    @property
    def whole_task(self) -> bool:
        """Whether instruction and question stay whole."""
        return TASK in self.rules

    def about(self, text: str | Prompt) -> CompressRequest:
        """What is asked of the model about a prompt. Raises InputError."""
        words, pattern = words_or_pattern(self.words)
        check_pattern(pattern)
        return CompressRequest(
            text,
            self.retention / 100,
            self.steps,
            threshold=self.threshold,
            seed=self.seed,
            keep=pattern,
            keep_words=words,
            keep_digits=DIGITS in self.rules,
            keep_breaks=BREAKS in self.rules,
            keep_task=self.whole_task,
            **_OPTIONS[self.granularity],
        )


def words_or_pattern(text: str) -> tuple[tuple[str, ...], str | None]:
    r"""Words that are separated by commas, or one regular expression between slashes.

    >>> words_or_pattern("not, Ann"), words_or_pattern(r"/\bto\b/")
    ((('not', 'Ann'), None), ((), '\\bto\\b'))
    """
    text = text.strip()
    if len(text) > 2 and text.startswith("/") and text.endswith("/"):
        return (), text[1:-1]
    return tuple(word for word in map(str.strip, text.split(",")) if word), None


@dataclass(frozen=True)
class SamplingBoxes:
    """The components of the settings except the retention, which each tab has of its own."""

    steps: Any
    threshold: Any
    seed: Any
    rules: Any
    granularity: Any
    words: Any


def sampling_boxes() -> SamplingBoxes:
    """Lay the settings out."""
    with gr.Row():
        steps = gr.Slider(1, MAX_STEPS, 8, step=1, label="Steps", info="More steps decide more carefully")
        threshold = gr.Slider(
            0, 0.99, 0, step=0.01, label="Confidence threshold", info="Less certain words wait for a later step"
        )
        seed = gr.Number(0, label="Seed", precision=0, minimum=0, info="The same seed gives the same mask")
    granularity = gr.Radio(
        GRANULARITIES,
        value=UNIT,
        label="Keep or drop at once",
        info="Words alone may break sentences and rules; everything else keeps them whole",
    )
    with gr.Row():
        rules = gr.CheckboxGroup(RULES, value=[TASK], label="Always keep")
        words = gr.Textbox(label="Always keep these words", placeholder=r"not, never, Ann   or a pattern: /\bANN-\d+/")
    return SamplingBoxes(steps, threshold, seed, rules, granularity, words)
