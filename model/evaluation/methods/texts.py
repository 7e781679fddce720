"""What the methods of a study make of its prompts, or of any text."""

from __future__ import annotations

import hashlib
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
from ..tasks.task import Demonstrations, Task, load_task
from .registry import METHODS, MethodRun, Texts, split_name


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
        return self._given_task or load_task(c.task, c.data, c.prompts, c.queries, c.shots, c.seed)

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
        prompts = {prompt.text for prompt in self.task.prompts}
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

    def retentions(self, name: str, case: Demonstrations) -> list[float | None]:
        """The rows to which a method adds this prompt."""
        base, _ = split_name(name)
        if METHODS[base].people:
            return [None] if case.text in self.corrected else []
        if base == "llmlingua2":
            return list(self.config.retention) if self.config.llmlingua2_model else [None]
        return list(self.config.retention) if METHODS[base].budget else [None]

    def texts(self, name: str, case: Demonstrations) -> list[tuple[float | None, str]]:
        """(retention, compressed text) of one prompt."""
        rows = self.retentions(name, case)
        made = self._made(name, case, [r for r in rows if r is not None]) if rows else {}
        return [(r, made[r]) for r in rows]

    def compress_with(self, name: str, text: str, retention: float | None = None) -> str:
        """What a method makes of any text; the task lends it queries, where it asks some.

        Raises InputError when the method needs a retention, or knows only prompts of the task (people's, recorded
        outputs).
        """
        text = text.strip()
        of_task = next((case for case in self.task.prompts if case.text == text), None)
        case = of_task or replace(self.task.prompts[0], text=text, rows=())
        rows = self.retentions(name, case)
        if not rows:
            raise InputError(f"nobody has corrected this text, so {name} has no mask of it")
        if rows == [None]:
            return self._made(name, case, [])[None]
        if retention is None or not 0 < retention < 1:
            raise InputError(f"{name} needs a retention between 0 and 1")
        at_once = METHODS[split_name(name)[0]].slow and retention in rows  # the others cost little more, and are kept
        return self._made(name, case, self.config.retention if at_once else [retention])[retention]

    def _run(self, name: str) -> MethodRun:
        if name not in self._runs:
            base, makers = split_name(name)
            names = makers or (self.config.target,)
            try:
                self._runs[name] = METHODS[base].make(self, lambda: [self.llm(llm) for llm in names])
            except InputError as error:
                raise InputError(f"{name}: {error}") from error
        return self._runs[name]

    def _made(self, name: str, case: Demonstrations, retentions: Sequence[float]) -> Texts:
        base, makers = split_name(name)
        if not METHODS[base].slow:
            return self._compressed(name, case, retentions)
        key = {
            "method": base,
            "makers": makers or (self.config.target,),
            "task": self.config.task,
            "retentions": list(retentions),
            "seed": self.config.seed,
            "queries": self.config.queries,
            "evaluations": self.config.evaluations,
            "fp32": self.config.fp32,
            "source_sha256": hashlib.sha256(case.text.encode()).hexdigest(),
        }
        record = self._cells.find(key)
        if record is None:
            made = self._compressed(name, case, retentions)
            record = {"texts": [made[r] for r in retentions]}
            self._cells.add(key, record)
        return dict(zip(retentions, record["texts"], strict=True))

    def _compressed(self, name: str, case: Demonstrations, retentions: Sequence[float]) -> Texts:
        run = self._run(name)
        try:
            return run(case, retentions)
        except InputError as error:
            raise InputError(f"{name}: {error}") from error
        except Exception as error:  # packages and models of others fail in their own ways
            raise InputError(
                f"{name} failed on prompt {case.index} ({' '.join(repr(error).split())[:200]}); leave it out of the "
                "methods and go on: finished cells are kept"
            ) from error
