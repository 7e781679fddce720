"""What the methods of a study make of its prompts, or of any text."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from ...compress import Compressor
from ...errors import InputError
from ...llm.causal import Target
from ...llm.load import load_target
from ...training.corrections import CorrectedPrompt, read_corrections
from ..config import EvaluateConfig
from ..result_cache import ResultCache
from ..tasks.load import load_task
from ..tasks.task import EvaluationPrompt, Task
from .budget import Counter, reader_counter, share_within, tokens_counter, words_counter
from .method import Compression, Compressions, MethodRun
from .registry import METHODS, split_name


class Methods:
    """What every method of a study makes of a text. Methods and LLMs are loaded when they are first needed, once.

    Args:
        task: instead of reading `config.task`.
        target: instead of loading `config.target`.
        runs: by method name, instead of the registered ones.
        cells: where the texts of slow methods are looked up and kept.
    """

    def __init__(
        self,
        config: EvaluateConfig,
        task: Task | None = None,
        target: Target | None = None,
        runs: Mapping[str, MethodRun] | None = None,
        cells: ResultCache | None = None,
    ):
        self.config, self._given_task, self._cells = config, task, cells or ResultCache()
        self._runs = dict(runs or {})
        self._llms = {config.target: target} if target else {}

    @cached_property
    def task(self) -> Task:
        c = self.config
        return self._given_task or load_task(c.task, c.data, c.prompts, c.queries, c.shots, c.seed, c.options)

    @cached_property
    def counter(self) -> Counter:
        """What the budgets are counted in."""
        if self.config.unit == "reader":
            return reader_counter(self.config.tokenizer or self.llm(self.config.target))
        return words_counter() if self.config.unit == "words" else tokens_counter()

    @cached_property
    def compressor(self) -> Compressor:
        """The denoiser of `config.checkpoint`."""
        return Compressor.load(self.config.checkpoint, self.config.device)

    @cached_property
    def corrected(self) -> dict[str, CorrectedPrompt]:
        """People's corrections of the task's prompts, by the prompt's text; of several the last counts."""
        if self.config.human is None:
            raise InputError("give the corrections with --human FILE, as `python -m annotations export` writes them")
        found, _ = read_corrections(self.config.human)
        texts = {c.prompt.text.strip(): c for c in found}
        prompts = {prompt.context for prompt in self.task.prompts}
        if not prompts & set(texts):
            raise InputError(
                f"none of the {len(texts)} corrected prompts in {self.config.human} is one of the {len(prompts)} that "
                f"{self.task.name} begins with; correct those, or ask for more with --prompts"
            )
        return texts

    def llm(self, name: str) -> Target:
        if name not in self._llms:
            self._llms[name] = load_target(name, self.config.device, fast=not self.config.fp32)
        return self._llms[name]

    def prepare(self) -> None:
        """Make all of `config.methods`, so that what they lack is said before long work begins."""
        for name in self.config.methods:
            self._run(name)

    def retentions(self, name: str, case: EvaluationPrompt) -> list[float | None]:
        """The rows to which a method adds this prompt."""
        base, _ = split_name(name)
        if METHODS[base].people:
            return [None] if case.context in self.corrected else []
        if base == "llmlingua2":
            return list(self.config.retention) if self.config.llmlingua2_model else [None]
        return list(self.config.retention) if METHODS[base].budget else [None]

    def compressions(self, name: str, case: EvaluationPrompt) -> list[tuple[float | None, Compression]]:
        """(retention, compressed context) of one prompt."""
        rows = self.retentions(name, case)
        made = self._made(name, case, [r for r in rows if r is not None]) if rows else {}
        return [(r, made[r]) for r in rows]

    def compress_with(self, name: str, text: str, retention: float | None = None) -> str:
        """What a method makes of any text; the task lends it queries, where it asks some.

        Raises InputError when the method needs a retention, or knows only prompts of the task (people's, recorded
        outputs).
        """
        text = text.strip()
        of_task = next((case for case in self.task.prompts if case.context == text), None)
        case = of_task or replace(self.task.prompts[0], context=text, rows=(), documents=(), gold=())
        rows = self.retentions(name, case)
        if not rows:
            raise InputError(f"nobody has corrected this text, so {name} has no mask of it")
        if rows == [None]:
            return self._made(name, case, [])[None].text
        if retention is None or not 0 < retention < 1:
            raise InputError(f"{name} needs a retention between 0 and 1")
        at_once = METHODS[split_name(name)[0]].slow and retention in rows  # the others cost little more, and are kept
        return self._made(name, case, self.config.retention if at_once else [retention])[retention].text

    def _run(self, name: str) -> MethodRun:
        if name not in self._runs:
            base, makers = split_name(name)
            names = makers or (self.config.target,)
            try:
                self._runs[name] = METHODS[base].make(self, lambda: [self.llm(llm) for llm in names])
            except InputError as error:
                raise InputError(f"{name}: {error}") from error
        return self._runs[name]

    def _made(self, name: str, case: EvaluationPrompt, retentions: Sequence[float]) -> Compressions:
        base, makers = split_name(name)
        if not METHODS[base].remember or not retentions:
            return self._compressed(name, case, retentions)
        model = getattr(self.config, f"{base.removeprefix('long')}_model", None)
        key = {
            "method": base,
            "makers": makers or (self.config.target,),
            "model": model and str(model),
            "task": self.config.task,
            "retentions": list(retentions),
            "unit": self.config.unit,
            "seed": self.config.seed,
            "queries": self.config.queries,
            "evaluations": self.config.evaluations,
            "fp32": self.config.fp32,
            "question": case.question,
            "source_sha256": hashlib.sha256(case.context.encode()).hexdigest(),
        }
        record = self._cells.find(key)
        if record is None:
            made = self._compressed(name, case, retentions)
            record = {"texts": [[made[r].text, made[r].seconds] for r in retentions]}
            self._cells.add(key, record)
        texts = (Compression(text, seconds=seconds) for text, seconds in record["texts"])
        return dict(zip(retentions, texts, strict=True))

    def _compressed(self, name: str, case: EvaluationPrompt, retentions: Sequence[float]) -> Compressions:
        run, entry = self._run(name), METHODS[split_name(name)[0]]
        start = time.perf_counter()
        try:
            if entry.slow:
                made = run(case, retentions)
                took = (time.perf_counter() - start) / len(retentions)
                return {r: replace(each, seconds=took) for r, each in made.items()}
            if not retentions or entry.counts or self.config.unit == "tokens":
                return run(case, retentions)
            return {r: self._fitted(run, case, r) for r in retentions}
        except InputError as error:
            raise InputError(f"{name}: {error}") from error
        except Exception as error:  # packages and models of others fail in their own ways
            raise InputError(
                f"{name} failed on prompt {case.index} ({' '.join(repr(error).split())[:200]}); leave it out of the "
                "methods and go on: finished cells are kept"
            ) from error

    def _fitted(self, run: MethodRun, case: EvaluationPrompt, retention: float) -> Compression:
        """Within the counter's budget, whatever the method counts in; its time is that of the first try."""
        made: dict[float, Compression] = {}

        def compress(share: float) -> str:
            made[share] = run(case, [share])[share]
            return made[share].text

        share = share_within(compress, self.counter, case.context, retention)
        return replace(made[share], seconds=made[retention].seconds)
