"""The public face: `Compressor.load().compress(text)`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from .denoiser.cached import CacheConfig, CachedPredictor, fast_layers
from .denoiser.checkpoint import Checkpoint, load_checkpoint
from .devices import pick_device
from .diffusion.blocks import denoise_blocks
from .diffusion.sampler import Predict
from .diffusion.trace import SamplerConfig, Step, Trace
from .errors import InputError
from .prompt import Prompt, parse
from .prompt.pins import pins_for_task, pins_from_regex

MAX_CHARACTERS = 200_000
WINDOW = CacheConfig()  # measured by `python -m model bench`


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


class Compressor:
    """A loaded denoiser.

    >>> compressor = Compressor.load()
    >>> compressor.compress("Q: 1+1?\\nA: 2\\n\\nQ: 2+2?\\nA: 4\\n\\nQ: 3+4?\\nA:", retention=0.5).text
    """

    def __init__(self, checkpoint: Checkpoint, device: torch.device, window: CacheConfig = WINDOW):
        self.checkpoint, self.device, self.window = checkpoint, device, window
        checkpoint.denoiser.to(device).eval()
        self.layers = fast_layers(checkpoint.denoiser)

    @classmethod
    def load(cls, checkpoint: str | Path | None = None, device: str | torch.device | None = None) -> Compressor:
        """The checkpoint in a folder (None: the one that is shipped), on the given or the best device.

        Raises InputError when it is missing or damaged, or the device is not there.
        """
        return cls(load_checkpoint(checkpoint), pick_device(device))

    def compress(
        self,
        text: str | Prompt,
        retention: float = 0.5,
        steps: int = 8,
        *,
        threshold: float = 0.0,
        temperature: float = 0.0,
        seed: int = 0,
        keep: str | None = None,
        keep_task: bool = True,
        pins: Mapping[int, bool] | None = None,
        exact: bool = False,
    ) -> Compressed:
        """Drop tokens until `retention` of them is left.

        Args:
            text: the prompt, or one that `parse` has split already.
            retention, steps, threshold, temperature, seed: see `SamplerConfig`.
            keep: regular expression; tokens that it touches are kept.
            keep_task: keep the instruction before the demonstrations, and a last shot that waits for its answer,
                whole. They count towards the retention.
            pins: token index -> keep; over everything else.
            exact: compute everything in every step, instead of what the step needs (`model.denoiser.cached`); many
                times slower, and nearly the same mask.
        Raises InputError when the text is empty or too long, or a number is out of range.
        """
        config = SamplerConfig(retention, steps, threshold, temperature, seed)
        prompt = self._parse(text)
        fixed = {
            **(pins_for_task(prompt) if keep_task else {}),
            **(pins_from_regex(prompt, keep) if keep else {}),
            **(pins or {}),
        }
        start = time.perf_counter()
        steps_taken = list(self.denoise(prompt, config, fixed, exact))
        trace = Trace.of(steps_taken, config, fixed)
        seconds = time.perf_counter() - start
        return Compressed(prompt.render(trace.keep), prompt, trace, self.checkpoint.id, seconds)

    def denoise(
        self, prompt: Prompt, config: SamplerConfig, pins: Mapping[int, bool] | None = None, exact: bool = False
    ) -> Iterator[Step]:
        """The steps of one run, each as soon as it is decided (for those who want to watch)."""
        if exact:
            return denoise_blocks(self.checkpoint.predictor, prompt, config, pins or {})
        return denoise_blocks(self.predictor, prompt, config, pins or {}, self.window, self.window.block)

    def predictor(self, prompt: Prompt, retention: float) -> Predict:
        """What answers the sampler, for one run: computing only what a step needs, where the encoder can."""
        if self.layers is None:
            return self.checkpoint.predictor(prompt, retention)
        encoded = self.checkpoint.encoder([prompt]).to(self.device)
        return CachedPredictor(self.checkpoint.denoiser, self.layers, encoded, retention, self.window)

    def compress_prompt(
        self, context: str | Sequence[str], instruction: str = "", question: str = "", **options: Any
    ) -> dict[str, Any]:
        """What LLMLingua's `PromptCompressor.compress_prompt` takes and returns; see `model.integrations.lingua`."""
        from .integrations.lingua import compress_prompt

        return compress_prompt(self, context, instruction=instruction, question=question, **options)

    def _parse(self, text: str | Prompt) -> Prompt:
        if isinstance(text, Prompt):
            return text
        if len(text) > MAX_CHARACTERS:
            raise InputError(
                f"The prompt has {len(text):,} characters; at most {MAX_CHARACTERS:,} are compressed at once: split it."
            )
        return parse(text)
