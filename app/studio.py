"""The one holder of the served model and of the store. Handlers ask it; nothing else loads or saves anything."""

from __future__ import annotations

import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from annotations.results import Saved
from annotations.store import Store, open_store
from app.components import canvas_lines as view
from app.components.counting import OWN, Counters
from app.correct.uncertainty import Gauge
from app.learn.jobs import FineTuning
from app.served import Served
from app.settings import Settings
from model.compress import Compressor
from model.diffusion.trace import SamplerConfig, Step, Trace
from model.errors import InputError
from model.llm.causal import Target
from model.llm.load import LoadedTargets, load_target
from model.prompt import Prompt, parse
from model.prompt.limits import check_length
from model.prompt.pins import pins_for_digits, pins_for_task, pins_for_words, pins_from_regex

DIGITS, BREAKS, TASK = "numbers", "line breaks", "instruction and question"  # what can be kept by rule
REMEMBERED = 64  # finished runs, for charts
_WARM_UP = "Q: 1 + 1?\nA: 2\n\nQ: 2 + 2?\nA:"


@dataclass(frozen=True)
class Ask:
    """What a person asks for.

    Attributes:
        text: the prompt.
        config: how to denoise it.
        rules: some of DIGITS, BREAKS, TASK: tokens that are always kept.
        words: always kept, too: words separated by commas, or one regular expression between slashes.
        pins: token -> keep, as the person fixed them; over all rules.
    """

    text: str
    config: SamplerConfig
    rules: tuple[str, ...] = (TASK,)
    words: str = ""
    pins: Mapping[int, bool] = field(default_factory=dict)


@dataclass(frozen=True)
class Opened:
    """A prompt under correction.

    Attributes:
        id: of the correction that it will become.
        ask: what was asked of the model, without pins of a person.
        model_mask: what the model said before anybody touched it.
        checkpoint: of that model.
        annotator: who opened it; somebody else's correction of it gets an id of its own. "" = anybody.
    """

    id: str
    ask: Ask
    model_mask: tuple[bool, ...]
    checkpoint: str
    annotator: str = ""

    def id_for(self, annotator: str) -> str:
        """The correction's id when this person saves it: no id belongs to two people."""
        if self.annotator in ("", annotator):
            return self.id
        return uuid.uuid5(uuid.UUID(self.id), annotator).hex


@dataclass
class Run:
    """One run of the model, from its start; `trace` is there once it has finished."""

    id: str
    ask: Ask
    prompt: Prompt
    pins: dict[int, bool]
    steps: list[Step] = field(default_factory=list)
    seconds: float = 0.0
    checkpoint: str = ""
    trace: Trace | None = None


def _load_target(name: str) -> Target:
    return load_target(name, fast=True)


class Studio:
    """The served model with what it did lately. Safe to share between threads.

    load: makes the model on first use, from a checkpoint's folder (None: the shipped one).
    open_store: makes the store on first use.
    learn: fine-tunes, see `FineTuning`; None: `model.training.finetune`.
    load_target: makes a target LLM of its name, on first use.
    """

    def __init__(
        self,
        settings: Settings,
        load: Callable[..., Compressor] = Compressor.load,
        open_store: Callable[[], Store] = open_store,
        learn: Callable[..., Any] | None = None,
        load_target: Callable[[str], Target] = _load_target,
    ):
        self.settings, self._open_store = settings, open_store
        self._store: Store | None = None
        self._store_lock = threading.Lock()
        self.served = Served(settings, load, lambda: self.store)
        self.finetuning = FineTuning(self.served, lambda: self.store, learn)
        self.gauge = Gauge(self.served, lambda: self.store, lambda: self._active > 0)
        self.counters = Counters(self.subwords, settings.tokenizers)
        self.targets = LoadedTargets(load_target)
        self._active = 0  # runs that a visitor waits for
        self._lock = threading.Lock()
        self._runs: OrderedDict[str, Run] = OrderedDict()

    @property
    def compressor(self) -> Compressor:
        """The served model, loaded on first use. Raises InputError when its checkpoint is missing or damaged."""
        return self.served.compressor

    def warm_up(self) -> None:
        """Load the model and run it once, so that the first visitor does not wait. Never raises InputError."""
        try:
            self.served.run(self.compressor.compress, _WARM_UP, steps=2)
        except InputError:
            pass  # the visitor who presses Run is told

    def promote(self, id: str) -> str:
        """Serve another checkpoint, as `Served.promote` does, and measure the queue by it."""
        id = self.served.promote(id)
        self._measure_again()
        return id

    def roll_back(self) -> str:
        """Serve the checkpoint before, as `Served.roll_back` does, and measure the queue by it."""
        id = self.served.roll_back()
        self._measure_again()
        return id

    def _measure_again(self) -> None:
        self.store.forget_uncertainties()
        self.gauge.start()

    def start(self, ask: Ask) -> Run:
        """Split the prompt and fix what the rules and the person say. Raises InputError."""
        check_length(len(ask.text))
        prompt = parse(ask.text)
        return Run(uuid.uuid4().hex, ask, prompt, {**pins_by_rule(prompt, ask.rules, ask.words), **ask.pins})

    def denoise(self, run: Run) -> Iterator[Step]:
        """Take the steps of a run; after the last one its trace is complete and remembered. Raises InputError."""
        compressor = self.compressor
        run.checkpoint = compressor.checkpoint.id
        steps = compressor.denoise(run.prompt, run.ask.config, run.pins)
        while True:
            start = time.perf_counter()  # the page's own time does not count
            with self._visited():
                step = self.served.run(next, steps, None)
            run.seconds += time.perf_counter() - start
            if step is None:
                break
            run.steps.append(step)
            yield step
        run.trace = Trace.of(run.steps, run.ask.config, run.pins)
        self._remember(run)

    @contextmanager
    def _visited(self) -> Iterator[None]:
        with self._lock:
            self._active += 1
        try:
            yield
        finally:
            with self._lock:
                self._active -= 1

    def run(self, run_id: str) -> Run | None:
        """A finished run of late, or None."""
        with self._lock:
            return self._runs.get(run_id)

    def subwords(self, prompt: Prompt) -> list[int]:
        """How many subwords the served model's tokenizer makes of each prompt token; at least 1."""
        tokenizer = self.compressor.checkpoint.collator.tokenizer
        pieces = tokenizer([token.text for token in prompt.tokens], add_special_tokens=False)["input_ids"]
        return [max(1, len(ids)) for ids in pieces]

    def document(self, run: Run, counter: str = OWN, **more: object) -> str:
        """The first line that the canvas gets of a run; counter: one of `counters`. Raises InputError."""
        subwords = self.counters.count(counter, run.prompt)
        more["counter"] = counter
        return view.document_line(run.id, run.prompt, run.ask.config, run.pins, run.ask.pins, subwords, **more)

    @property
    def store(self) -> Store:
        """The corrections, opened on first use. Raises StoreError when the database cannot be used."""
        with self._store_lock:
            if self._store is None:
                self._store = self._open_store()
            return self._store

    def save(
        self, opened: Opened, mask: Sequence[bool], pins: Mapping[int, bool], annotator: str, note: str, seconds: float
    ) -> Saved:
        """Store a correction; when this returns, the database has it. Raises StoreError or RecordError."""
        return self.store.submit(correction_fields(opened, mask, pins, annotator, note, seconds))

    def save_draft(
        self, opened: Opened, mask: Sequence[bool], pins: Mapping[int, bool], annotator: str, note: str, seconds: float
    ) -> Saved:
        """Keep unfinished work, as `save` does what is finished."""
        return self.store.save_draft(correction_fields(opened, mask, pins, annotator, note, seconds))

    def _remember(self, run: Run) -> None:
        with self._lock:
            self._runs[run.id] = run
            while len(self._runs) > REMEMBERED:
                self._runs.popitem(last=False)


def correction_fields(
    opened: Opened, mask: Sequence[bool], pins: Mapping[int, bool], annotator: str, note: str, seconds: float
) -> dict[str, Any]:
    """What the store is given of a correction."""
    prompt, config = parse(opened.ask.text), opened.ask.config
    return {
        "id": opened.id_for(annotator),
        "prompt": prompt.text,
        "offsets": [[token.start, token.end] for token in prompt.tokens],
        "shot_starts": [shot.start for shot in prompt.shots],
        "model_mask": bits(opened.model_mask),
        "human_mask": bits(mask),
        "pins": {str(i): keep for i, keep in pins.items()},
        "retention": config.retention,
        "steps": config.steps,
        "threshold": config.threshold,
        "seed": config.seed,
        "checkpoint": opened.checkpoint,
        "annotator": annotator,
        "seconds": seconds,
        "note": note,
    }


def bits(mask: Sequence[bool]) -> str:
    """A mask as text: "0110"."""
    return "".join("1" if keep else "0" for keep in mask)


def pins_by_rule(prompt: Prompt, rules: tuple[str, ...], words: str) -> dict[int, bool]:
    r"""What is always kept.

    >>> pins_by_rule(parse("Pay 5 to Ann"), (DIGITS,), "Ann")
    {1: True, 3: True}
    >>> pins_by_rule(parse("Pay 5 to Ann"), (), r"/\bto\b/")
    {2: True}

    Raises InputError when a regular expression is not valid or too slow.
    """
    pins: dict[int, bool] = {}
    if DIGITS in rules:
        pins |= pins_for_digits(prompt)
    if BREAKS in rules:
        pins |= {i: True for i, token in enumerate(prompt.tokens) if token.text[0].isspace()}
    if TASK in rules:
        pins |= pins_for_task(prompt)
    words = words.strip()
    if len(words) > 2 and words.startswith("/") and words.endswith("/"):
        return pins | pins_from_regex(prompt, words[1:-1])
    return pins | pins_for_words(prompt, [word.strip() for word in words.split(",")])
