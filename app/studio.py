"""The one holder of the served model and of the store. Event handlers ask it; nothing else loads or saves anything."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from annotations.results import Saved
from annotations.store import Store, open_store
from app.background.finetuning import FineTuning
from app.background.served import Served
from app.background.syncing import Syncing
from app.background.uncertainty import Gauge
from app.components.canvas_lines import counted_line, document_line
from app.components.counting import OWN, Counters
from app.hosting.disk import Disk
from app.hosting.workspace import workspace
from app.hosting.zerogpu import on_gpu
from app.opened import Opened
from app.settings import Settings
from model.compress import Compressor, CompressRequest, Run
from model.diffusion.piece_states import PieceStates
from model.diffusion.schedule import KEEP, MASK
from model.diffusion.trace import Step
from model.errors import InputError
from model.llm.causal import Target
from model.llm.load import LoadedTargets, load_target
from model.pretrained import WHEELS
from model.prompt import Prompt

_REMEMBERED, _CHARACTERS = 64, 1_000_000  # finished runs, for charts, and what they have together; some 90 bytes each
_WARM_UP = (  # read by the token denoiser, and by the encoder and the question reader
    "Q: 1 + 1?\nA: 2\n\nQ: 2 + 2?\nA:",
    "Answer from the notes.\n\nNotes: The office opens at 9. It rained.\n\nQuestion: When does it open?",
)


def _load_target(name: str) -> Target:
    return load_target(name, fast=True)


class Studio:
    """The served model, with its latest runs, and the store. Safe to share between threads.

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
        self.disk = Disk(settings.data_folder, settings.hosting)
        self.served = Served(settings, on_gpu(load), lambda: self.store)
        self.finetuning = FineTuning(self.served, lambda: self.store, learn)
        self.syncing = Syncing(lambda: self.store, settings.sync)
        self.gauge = Gauge(self.served, lambda: self.store, lambda: self.waiting > 0)
        self.counters = Counters(self.subwords, settings.tokenizers)
        self.targets = LoadedTargets(load_target)
        self.local_targets = tuple(dict.fromkeys((*WHEELS, *settings.targets)))  # what every visitor may choose
        self.answering = threading.Lock()  # held by whoever lets a model in this process answer
        self._waiting = 0  # visitors who wait for the model
        self._lock = threading.Lock()
        self._runs: OrderedDict[str, Run] = OrderedDict()

    # --- the model -----------------------------------------------------------------------------------------

    @property
    def compressor(self) -> Compressor:
        """The served model, loaded on first use. Raises InputError when its checkpoint is missing or damaged."""
        return self.served.compressor

    def warm_up(self) -> None:
        """Load all of the model and run it, so that the first visitor does not wait. Never raises InputError."""
        try:
            for text in _WARM_UP:
                self.served.run(self.compressor.compress, text, steps=2)
        except InputError:
            pass  # the visitor who presses Run sees the message

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

    # --- runs ----------------------------------------------------------------------------------------------

    def start(self, request: CompressRequest) -> Run:
        """Begin to answer a request, with the model that is served now. Raises InputError."""
        return self.served.run(self.compressor.run, request)  # which reads the prompt, where its length is AUTO

    def denoise(self, run: Run) -> Iterator[Step]:
        """Take the steps of a run, on the model's own thread. Raises InputError."""
        while True:
            with self._visited():
                step = self.served.run(next, run, None)
            if step is None:
                return
            yield step

    @property
    def waiting(self) -> int:
        """How many visitors' runs wait for the model now."""
        with self._lock:
            return self._waiting

    @contextmanager
    def _visited(self) -> Iterator[None]:
        with self._lock:
            self._waiting += 1
        try:
            yield
        finally:
            with self._lock:
                self._waiting -= 1

    def run(self, run_id: str | None) -> Run | None:
        """One of the latest finished runs, or None."""
        with self._lock:
            return self._runs.get(run_id or "")

    def remember(self, run_id: str, run: Run) -> None:
        """Keep a finished run for a while."""
        with self._lock:
            self._runs[run_id] = run
            while len(self._runs) > _REMEMBERED or len(self._runs) > 1 and self._remembered() > _CHARACTERS:
                self._runs.popitem(last=False)

    def _remembered(self) -> int:
        return sum(len(run.request.prompt.text) for run in self._runs.values())

    # --- what the canvas is sent ---------------------------------------------------------------------------

    def subwords(self, prompt: Prompt) -> list[int]:
        """How many subwords the served model's tokenizer makes of each prompt token; at least 1."""
        tokenizer = self.compressor.checkpoint.collator.tokenizer
        pieces = tokenizer([token.text for token in prompt.tokens], add_special_tokens=False)["input_ids"]
        return [max(1, len(ids)) for ids in pieces]

    def document(self, run_id: str, request: CompressRequest, counter: str = OWN, **more: Any) -> str:
        """The first line that the canvas gets of a run; counter: one of `counters`. Raises InputError."""
        prompt, more = request.prompt, {**more, "counter": counter}
        subwords = self.counters.count(counter, prompt)
        states = PieceStates(request.pieces).tokens  # pins decide what belongs to them, too
        fixed = {i: state == KEEP for i, state in enumerate(states) if state != MASK}
        return document_line(run_id, prompt, request.config, fixed, request.pins, subwords, **more)

    def recount(self, prompt: Prompt, counter: str) -> str:
        """The line that tells the canvas what another tokenizer counts. Raises InputError."""
        return counted_line(self.counters.count(counter, prompt), counter)

    # --- the store -----------------------------------------------------------------------------------------

    @property
    def store(self) -> Store:
        """The corrections as whoever asks may see them, opened on first use.

        Raises StoreError when the database cannot be used.
        """
        with self._store_lock:
            if self._store is None:
                self._store = self._open_store().guarded(self.disk.check)
            return workspace(self._store, self.settings.hosting)

    def save(
        self, opened: Opened, mask: Sequence[bool], pins: Mapping[int, bool], annotator: str, note: str, seconds: float
    ) -> Saved:
        """Store a correction; when this returns, the database has it. Raises StoreError or RecordError."""
        return self.store.submit(opened.fields(mask, pins, annotator, note, seconds))

    def save_draft(
        self, opened: Opened, mask: Sequence[bool], pins: Mapping[int, bool], annotator: str, note: str, seconds: float
    ) -> Saved:
        """Keep unfinished work, as `save` does what is finished."""
        return self.store.save_draft(opened.fields(mask, pins, annotator, note, seconds))
