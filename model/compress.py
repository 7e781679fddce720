"""The one operation: a request -> denoising steps -> trace -> compressed prompt.

The command line, the Python API, LLMLingua's interface, the studio, fine-tuning and evaluation all go this way:

>>> compressor = Compressor.load()
>>> run = compressor.run(CompressRequest("Q: 1+1?\\nA: 2\\n\\nQ: 2+2?\\nA: 4\\n\\nQ: 3+4?\\nA:", retention=0.5))
>>> for step in run: ...        # each as soon as it is decided
>>> run.result().text           # `compressor.compress(text, retention=0.5).text` is the same in one line
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from .denoiser.cached import CacheConfig, CachedPredictor, known_layers
from .denoiser.checkpoint import Checkpoint, load_checkpoint
from .devices import pick_device
from .diffusion.blocks import denoise_blocks
from .diffusion.sampler import Predict
from .diffusion.trace import SamplerConfig, Step, Trace
from .errors import InputError
from .integrations import lingua
from .prompt import Prompt, parse
from .prompt.limits import check_length
from .prompt.pins import pins_for_breaks, pins_for_digits, pins_for_task, pins_for_words, pins_from_regex

CACHE = CacheConfig()  # measured by `diffumask bench`


@dataclass(frozen=True)
class CompressRequest:
    """What is asked for; checked when it is made.

    Attributes:
        text: the prompt, or one that `parse` has split already.
        retention, steps, threshold, temperature, seed: see `SamplerConfig`.
        keep: regular expression; tokens that it touches are kept.
        keep_words: literal strings; tokens that an occurrence touches are kept.
        keep_digits, keep_breaks: keep every token with a digit, every line break.
        keep_task: keep the instruction before the demonstrations, and a last shot that waits for its answer, whole.
            They count towards the retention.
        pins: token index -> keep, as a person fixed them; over all rules.
        exact: compute everything in every step, instead of what the step needs (`model.denoiser.cached`); many times
            slower, and nearly the same mask.
    Raises InputError when the text is empty or too long, or a number is out of range.
    """

    text: str | Prompt
    retention: float = 0.5
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
    exact: bool = False

    def __post_init__(self) -> None:
        assert self.config and self.prompt  # made here, so that a mistake is said at once

    @cached_property
    def config(self) -> SamplerConfig:
        """How to denoise."""
        return SamplerConfig(self.retention, self.steps, self.threshold, self.temperature, self.seed)

    @cached_property
    def prompt(self) -> Prompt:
        """The text with its tokens and shots."""
        if isinstance(self.text, Prompt):
            return self.text
        check_length(len(self.text))
        return parse(self.text)

    @cached_property
    def fixed(self) -> dict[int, bool]:
        """All pins: those of the rules, and those of the person over them. InputError when a pattern is not valid."""
        return {
            **(pins_for_task(self.prompt) if self.keep_task else {}),
            **(pins_for_digits(self.prompt) if self.keep_digits else {}),
            **(pins_for_breaks(self.prompt) if self.keep_breaks else {}),
            **(pins_for_words(self.prompt, self.keep_words) if self.keep_words else {}),
            **(pins_from_regex(self.prompt, self.keep) if self.keep else {}),
            **self.pins,
        }


@dataclass(frozen=True)
class Compressed:
    """A compressed prompt.

    Attributes:
        text: what is left of the prompt.
        prompt: the prompt with its tokens and shots.
        trace: how the mask came about; everything else is read from it.
        checkpoint: id of the model that decided.
        seconds: wall time of the denoising steps.
    """

    text: str
    prompt: Prompt
    trace: Trace = field(repr=False)
    checkpoint: str
    seconds: float

    @property
    def retention(self) -> float:
        """Share of prompt tokens that was kept."""
        return sum(self.trace.keep) / len(self.prompt)

    def to_json(self) -> dict[str, Any]:
        """The record that `compress --json` prints."""
        trace = self.trace
        rows = zip(self.prompt.tokens, trace.keep, trace.step, trace.confidence, strict=True)
        return {
            "compressed": self.text,
            "retention": self.retention,
            "prompt_tokens": len(self.prompt),
            "kept_tokens": sum(trace.keep),
            "checkpoint": self.checkpoint,
            "seconds": round(self.seconds, 4),
            "tokens": [
                asdict(token) | {"keep": keep, "step": step, "confidence": round(confidence, 4)}
                for token, keep, step, confidence in rows
            ],
        }


class Run(Iterator[Step]):
    """The steps of one request, each as soon as it is decided; after the last one, the trace and the result.

    Attributes:
        request: what was asked for.
        checkpoint: id of the model that decides.
        steps: those taken so far.
        seconds: wall time spent on them; what the caller does in between does not count.
    """

    def __init__(self, request: CompressRequest, steps: Iterator[Step], checkpoint: str):
        self.request, self.checkpoint = request, checkpoint
        self.steps: list[Step] = []
        self.seconds = 0.0
        self._steps = steps

    def __next__(self) -> Step:
        start = time.perf_counter()
        try:
            step = next(self._steps)
        finally:
            self.seconds += time.perf_counter() - start
        self.steps.append(step)
        return step

    @cached_property
    def trace(self) -> Trace:
        """All steps; those that are left are taken first."""
        for _ in self:
            pass
        return Trace.of(self.steps, self.request.config, self.request.fixed)

    def result(self) -> Compressed:
        """The compressed prompt; steps that are left are taken first."""
        prompt, trace = self.request.prompt, self.trace
        return Compressed(prompt.render(trace.keep), prompt, trace, self.checkpoint, self.seconds)


class Compressor:
    """A checkpoint that answers requests. It changes nothing in the checkpoint, and many may share one.

    >>> compressor = Compressor.load()
    >>> compressor.compress("Q: 1+1?\\nA: 2\\n\\nQ: 2+2?\\nA: 4\\n\\nQ: 3+4?\\nA:", retention=0.5).text
    """

    def __init__(self, checkpoint: Checkpoint, cache: CacheConfig = CACHE):
        self.checkpoint, self.cache = checkpoint, cache
        self.layers = known_layers(checkpoint.denoiser)

    @classmethod
    def load(cls, checkpoint: str | Path | None = None, device: str | torch.device | None = None) -> Compressor:
        """The checkpoint in a folder (None: the one that is shipped), on the given or the best device.

        Raises InputError when it is missing or damaged, or the device is not there.
        """
        return cls(load_checkpoint(checkpoint, pick_device(device)))

    def run(self, request: CompressRequest) -> Run:
        """Begin to answer a request; nothing is computed before the first step is asked for."""
        return Run(request, self._steps(request), self.checkpoint.id)

    def compress(self, text: str | Prompt, retention: float = 0.5, steps: int = 8, **options: Any) -> Compressed:
        """Drop tokens until `retention` of them is left; options: the other attributes of `CompressRequest`.

        Raises InputError as `CompressRequest` does.
        """
        if unknown := set(options) - set(CompressRequest.__dataclass_fields__):
            raise InputError(f"compress has no option {min(unknown)!r}; leave it out or correct its spelling")
        return self.run(CompressRequest(text, retention, steps, **options)).result()

    def _steps(self, request: CompressRequest) -> Iterator[Step]:
        prompt, config, pins = request.prompt, request.config, request.fixed
        if request.exact:
            return denoise_blocks(self.checkpoint.predictor, prompt, config, pins)
        return denoise_blocks(self.predictor, prompt, config, pins, self.cache, self.cache.block)

    def predictor(self, prompt: Prompt, retention: float) -> Predict:
        """What answers the sampler, for one run: computing only what a step needs, where the encoder can."""
        if self.layers is None:
            return self.checkpoint.predictor(prompt, retention)
        batch = self.checkpoint.collator([prompt]).to(self.checkpoint.device)
        return CachedPredictor(self.checkpoint.denoiser, self.layers, batch, retention, self.cache)

    def compress_prompt(
        self, context: str | Sequence[str], instruction: str = "", question: str = "", **options: Any
    ) -> dict[str, Any]:
        """What LLMLingua's `PromptCompressor.compress_prompt` takes and returns; see `model.integrations.lingua`."""
        return lingua.compress_prompt(self, context, instruction=instruction, question=question, **options)
