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
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from .denoiser.cached import CacheConfig, CachedPredictor, known_layers
from .denoiser.checkpoint import Checkpoint, load_checkpoint
from .denoiser.hierarchy import HierarchicalPredict, needs_tokens, needs_units
from .denoiser.sharing import fetch_checkpoint, is_hub_name
from .devices import pick_device
from .diffusion.blocks import predict_in_blocks
from .diffusion.sampler import EVERY_STEP, Predict, denoise
from .diffusion.schedule import MASK
from .diffusion.trace import Step, Trace
from .errors import InputError
from .integrations import lingua
from .memory import after_run, bound_caches
from .messages import CompressedMessages, compress_messages
from .prompt import Prompt
from .prompt.selection import sure_share
from .ranking import Ranking, rank
from .relevance.encoder import SentenceEncoder
from .relevance.features import Relevance
from .relevance.prompt_reading import UnitsOf
from .relevance.question_reader import QuestionReader
from .request import AUTO as AUTO
from .request import PAPER as PAPER
from .request import CompressRequest as CompressRequest
from .turns import give_way
from .verdict import Verdict

SHIPPED_ENCODER = "e5-small"  # stands for the sentence encoder in model/checkpoints
SHIPPED_READER = "question-reader"  # and this for what was trained to read questions with it
HALF = 0.5  # of demonstrations: their words are needed by degrees, so no length of theirs is the sure one
CACHE = CacheConfig()  # measured by `diffumask bench`


@dataclass(frozen=True)
class Compressed:
    """A compressed prompt.

    Attributes:
        text: what is left of the prompt.
        request: what was asked for.
        trace: how the mask came about; everything else is read from it.
        checkpoint: id of the model that decided.
        seconds: wall time of the denoising steps.
    """

    text: str
    request: CompressRequest = field(repr=False)
    trace: Trace = field(repr=False)
    checkpoint: str
    seconds: float

    @property
    def prompt(self) -> Prompt:
        """The prompt with its tokens, units and parts."""
        return self.request.prompt

    @cached_property
    def verdict(self) -> Verdict:
        """What the mask costs."""
        request, reader = self.request, self.request.reader
        counted = (reader.name, sum(request.price), reader.count(self.text)) if reader else None
        asked, least = self.trace.config.retention, request.rules.least
        pins = self.trace.pins
        return Verdict.of(self.prompt, self.trace.keep, asked=asked, pins=pins, least=least, reader=counted)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should look at, a line each; () = nothing."""
        return self.verdict.warnings

    @property
    def retention(self) -> float:
        """Share of prompt tokens that was kept."""
        return sum(self.trace.keep) / len(self.prompt)

    def to_json(self, tokens: bool = True) -> dict[str, Any]:
        """The record that `compress --json` prints; tokens: with a row for each of the prompt's."""
        record = {
            "compressed": self.text,
            "retention": self.retention,
            "prompt_tokens": len(self.prompt),
            "kept_tokens": sum(self.trace.keep),
            "checkpoint": self.checkpoint,
            "seconds": round(self.seconds, 4),
            "verdict": self.verdict.to_json(),
        }
        return {**record, "tokens": self._rows()} if tokens else record

    def _rows(self) -> list[dict[str, Any]]:
        """Each token of the prompt, and what was decided about it."""
        trace = self.trace
        rows = zip(self.prompt.tokens, trace.keep, trace.step, trace.confidence, strict=True)
        return [
            asdict(token) | {"keep": keep, "step": step, "confidence": round(confidence, 4)}
            for token, keep, step, confidence in rows
        ]


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
        self._trace: Trace | None = None

    def __next__(self) -> Step:
        start = time.perf_counter()
        try:
            step = next(self._steps)
        finally:
            self.seconds += time.perf_counter() - start
        self.steps.append(step)
        return step

    @property
    def trace(self) -> Trace:
        """All steps; those that are left are taken first."""
        if self._trace is None:  # no cached_property: before Python 3.12, runs in other threads would wait for its lock
            for _ in self:
                give_way()
            self._trace = Trace.of(self.steps, self.request.config, self.request.fixed)
        return self._trace

    def result(self) -> Compressed:
        """The compressed prompt; steps that are left are taken first."""
        trace = self.trace
        return Compressed(self.request.prompt.render(trace.keep), self.request, trace, self.checkpoint, self.seconds)


class Compressor:
    """A checkpoint that answers requests. It changes nothing in the checkpoint, and many may share one.

    >>> compressor = Compressor.load()
    >>> compressor.compress("Q: 1+1?\\nA: 2\\n\\nQ: 2+2?\\nA: 4\\n\\nQ: 3+4?\\nA:", retention=0.5).text
    """

    def __init__(self, checkpoint: Checkpoint, cache: CacheConfig = CACHE):
        self.checkpoint, self.cache = checkpoint, cache
        self.layers = known_layers(checkpoint.denoiser)

    @cached_property
    def encoder(self) -> SentenceEncoder | None:
        """Reads units and questions, loaded on first use; None where the checkpoint has no unit head.

        Raises InputError when it is missing or damaged.
        """
        head = self.checkpoint.unit_head
        if head is None:
            return None
        name = head.config.encoder
        return SentenceEncoder.load(None if name == SHIPPED_ENCODER else name, self.checkpoint.device)

    @cached_property
    def reader(self) -> QuestionReader | None:
        """Reads units together with what is asked, loaded on first use; None where the unit head was made without one.

        Raises InputError when it is missing or damaged.
        """
        head = self.checkpoint.unit_head
        return QuestionReader.load(self.encoder) if head and head.config.reader and self.encoder else None

    @classmethod
    def load(cls, checkpoint: str | Path | None = None, device: str | torch.device | None = None) -> Compressor:
        """The checkpoint in a folder (None: the one that is shipped), on the given or the best device.

        A text that is no folder here but may be a name on the Hugging Face Hub ("owner/name", "owner/name@revision") is
        fetched from there, see `model.denoiser.sharing`.
        Raises InputError when it is missing or damaged, or the device is not there.
        """
        bound_caches()
        place = pick_device(device)
        if isinstance(checkpoint, str) and is_hub_name(checkpoint):
            checkpoint = _from_hub(checkpoint)
        return cls(load_checkpoint(checkpoint, place))

    @classmethod
    def from_pretrained(
        cls, name: str, revision: str | None = None, device: str | torch.device | None = None
    ) -> Compressor:
        """The checkpoint of this name on the Hugging Face Hub, or in the folder, as `load` takes it."""
        return cls.load(f"{name}@{revision}" if revision else name, device)

    def run(self, request: CompressRequest) -> Run:
        """Begin to answer a request; nothing but a length that is to be found is computed before the first step."""
        request = self.with_length(request)
        return Run(request, self.steps(request), self.checkpoint.id)

    @torch.inference_mode()
    def with_length(self, request: CompressRequest) -> CompressRequest:
        """The request with a number where its retention is AUTO.

        Half of a prompt whose demonstrations alone may be cut; otherwise as many units as hold what is needed, by
        their calibrated probabilities before anything is decided.
        """
        if not request.is_auto:
            return request
        head, units = self.checkpoint.unit_head, request.units
        if head is None or request.rules.free or not needs_units(request.prompt, units):
            return replace(request, retention=HALF)
        predict = HierarchicalPredict(request.pieces, units, self.relevance(units), head, None, 0.0)
        likely = predict(torch.full((len(request.prompt),), MASK)).tokens.tolist()
        share = sure_share(request.pieces, request.pieces.means(likely), request.sure)
        return replace(request, retention=share)

    def compress(self, text: str | Prompt, retention: float | str = 0.5, steps: int = 8, **options: Any) -> Compressed:
        """Drop tokens until `retention` of them (or AUTO) is left; options: the other attributes of `CompressRequest`.

        Raises InputError as `CompressRequest` does.
        """
        if unknown := set(options) - set(CompressRequest.__dataclass_fields__):
            raise InputError(f"compress has no option {min(unknown)!r}; leave it out or correct its spelling")
        return self.run(CompressRequest(text, retention, steps, **options)).result()

    def steps(self, request: CompressRequest) -> Iterator[Step]:
        """The steps of an answer, one after the other; all that is computed is computed here."""
        policy = EVERY_STEP if request.exact else self.cache
        try:
            yield from denoise(self._predict(request), request.pieces, request.config, policy, stretch=request.beyond)
        finally:
            after_run()

    def _predict(self, request: CompressRequest) -> Predict:
        """What answers the sampler: the unit head, and the token denoiser where it has to read the prompt."""
        prompt, retention, head = request.prompt, request.config.retention, self.checkpoint.unit_head
        if head is None or request.rules.free or not needs_units(prompt, request.units):
            return self._token_predict(prompt, retention, request.exact)
        needed = bool(request.pieces.thin) or needs_tokens(prompt, request.granularity)
        tokens = self._token_predict(prompt, retention, request.exact) if needed else None
        relevance = self.relevance(request.units)
        return HierarchicalPredict(request.pieces, request.units, relevance, head, tokens, retention)

    def relevance(self, units: UnitsOf) -> Relevance:
        """What the sentence encoder and the question reader make of a prompt's units; there must be a unit head."""
        assert self.encoder is not None
        texts = units.texts, units.part_of, units.parts, units.questions, units.instructions
        return Relevance.of(self.encoder, *texts, self.reader, units.is_order, units.paths)

    def _token_predict(self, prompt: Prompt, retention: float, exact: bool) -> Predict:
        if exact:
            return self.checkpoint.predictor(prompt, retention)
        remember = len(prompt) <= self.cache.block
        return predict_in_blocks(lambda part: self.predictor(part, retention, remember), prompt, self.cache.block)

    def predictor(self, prompt: Prompt, retention: float, remember: bool = True) -> Predict:
        """What answers the sampler, for one run: computing only what a step needs, where the encoder can."""
        if self.layers is None:
            return self.checkpoint.predictor(prompt, retention)
        batch = self.checkpoint.collator([prompt]).to(self.checkpoint.device)
        return CachedPredictor(self.checkpoint.denoiser, self.layers, batch, retention, self.cache, remember)

    def compress_prompt(
        self,
        context: str | Sequence[str],
        instruction: str | None = "",
        question: str | None = "",
        rate: float | None = 0.5,
        target_token: float | None = -1,
        **options: Any,
    ) -> dict[str, Any]:
        """What LLMLingua's `PromptCompressor.compress_prompt` takes and returns; see `model.integrations.lingua`."""
        return lingua.compress_prompt(self, context, instruction, question, rate, target_token, **options)

    def compress_messages(
        self, messages: Sequence[Mapping[str, Any]], retention: float | str = 0.5, **options: Any
    ) -> CompressedMessages:
        """Shorten chat messages under one budget; see `model.messages.compress_messages`."""
        return compress_messages(self, messages, retention, **options)

    def rank(self, question: str, documents: Sequence[str], retention: float = 0.5, **options: Any) -> Ranking:
        """Rank documents by a question and prune them under one budget; see `model.ranking.rank`."""
        return rank(self, question, documents, retention, **options)


def _from_hub(name: str) -> Path:
    try:
        return fetch_checkpoint(name)
    except InputError as error:
        raise InputError(f"{name} is no folder here, and from the Hub it cannot be had: {error}") from error
