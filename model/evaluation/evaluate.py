"""Compare compressors: the same queries after every compressed prompt, read by a frozen target LLM.

A cell is one (method, retention, prompt). Finished cells are appended to a file, so that a run that was cut off
goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..llm.causal import Target
from ..prompt import parse
from .methods.baselines import Baseline
from .methods.registry import METHODS, Run, each, split_name
from .methods.texts import Methods
from .result_cache import ResultCache
from .table import EvaluationTable, Outcome, build_report
from .tasks.kinds import TASKS
from .tasks.sources import Data
from .tasks.task import Demonstrations, Task, load_task

# demonstrations text, retentions, the demonstrations' case -> retention -> compressed text
TeacherText = Callable[[str, Sequence[float], Demonstrations], Mapping[float, str]]
Progress = Callable[..., Iterable[Any]]  # tqdm, or what is called like it: (iterable, total=, unit=, desc=)


@dataclass(frozen=True)
class EvaluateConfig:
    """What to evaluate; a mistake raises InputError.

    Attributes:
        task: one of tasks.TASKS.
        data: the task's folder or file, or "hub:OWNER/NAME" (see `tasks.load_task`; for llmlingua2 without a model the
            folder also holds llmlingua2_xlmr_1shot.jsonl).
        target: "smollm2", "gemma3", or a Hugging Face name or folder.
        methods: any of methods.METHODS, in the order of the table; NAME@LLM has its masks made by another LLM.
        retention: shares of prompt tokens to keep, each above 0 and below 1, for the methods with a budget.
        prompts, queries: how many of each; every prompt meets every query.
        seed: of the queries, the drawn prompts, the random baseline, the sampler and the bootstrap.
        json: where the report goes. None keeps nothing.
        cells: where finished cells go; None: `<json>.cells.jsonl`.
        generate: free answers only: also generate answers, record and score them (slow).
        checkpoint: of the denoiser, for diffumask, exact and one-pass; None: the shipped one.
        resume: go on with the cells of an earlier run.
        shots: demonstrations in a prompt that is drawn; None: one of each class, or 4.
        device: of the target; None chooses.
        fp32: compute in fp32 even where bfloat16 is faster.
        human: corrections as `python -m annotations export` writes them, for the methods human and uncorrected.
        llmlingua_model: folder of the small LM of llmlingua and longllmlingua; None: SmolLM2's.
        llmlingua2_model: folder of a token classifier for llmlingua2; None: recorded outputs (agnews).
        evaluations: masks of a prompt that ta-pruning may score.
    """

    task: str
    data: Data
    target: str
    methods: tuple[str, ...]
    retention: tuple[float, ...] = (0.2, 0.35, 0.5)
    prompts: int = 10
    queries: int = 100
    seed: int = 0
    json: Path | None = None
    cells: Path | None = None
    generate: bool = False
    checkpoint: Path | None = None
    resume: bool = False
    shots: int | None = None
    device: str | None = None
    fp32: bool = False
    human: Path | None = None
    llmlingua_model: Path | None = None
    llmlingua2_model: Path | None = None
    evaluations: int = 200

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise InputError(f"unknown task {self.task!r}; known: {', '.join(TASKS)}")
        self._check_methods()
        if TASKS[self.task].labels and self.generate:
            raise InputError(f"{self.task} has labels and no answers to generate; leave --generate out")
        if not all(0 < r < 1 for r in self.retention) or len(set(self.retention)) < len(self.retention):
            raise InputError("each retention must lie between 0 and 1 and be given once; 'full' keeps all")
        for name in ("prompts", "queries", "shots", "evaluations"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise InputError(f"{name} must be at least 1, not {value}")
        if self.seed < 0:
            raise InputError(f"the seed must not be negative, but is {self.seed}")
        if self.resume and not self.cells_file:
            raise InputError("--resume needs --json or --cells: finished cells stand there")

    def _check_methods(self) -> None:
        bases = [split_name(name)[0] for name in self.methods]
        if not self.methods or len(set(self.methods)) < len(self.methods):
            raise InputError("name at least one method, and each only once")
        if "llmlingua2" in bases and not self.llmlingua2_model and self.task != "agnews":
            raise InputError("llmlingua2 was recorded for agnews only; name a --llmlingua2-model or leave it out")
        if (people := next((base for base in bases if METHODS[base].people), None)) and not self.human:
            raise InputError(f"{people} needs --human FILE: corrections, as `python -m annotations export` writes them")
        if any(METHODS[base].budget for base in bases) and not self.retention:
            raise InputError("give at least one retention")

    @property
    def cells_file(self) -> Path | None:
        beside = self.json.with_name(f"{self.json.name}.cells.jsonl") if self.json else None
        return self.cells or beside

    def to_json(self) -> dict[str, Any]:
        return {k: v.name if isinstance(v, Path) else v for k, v in asdict(self).items()}  # no machine's folders


def evaluate(
    config: EvaluateConfig,
    progress: Progress,
    *,
    target: Target | None = None,
    compressors: Mapping[str, Baseline] | None = None,
    teacher: TeacherText | None = None,
) -> EvaluationTable:
    """Run what `config` asks for; writes the report to `config.json` if it is set.

    Args:
        progress: tqdm, or a stand-in that is called like it and passes the items on.
        target: instead of loading `config.target`.
        compressors: by method name, instead of the registered ones with a budget.
        teacher: instead of the registered one: all retentions of one prompt in one call.

    Raises InputError when data or a checkpoint is missing, or a method fails; finished cells are kept.
    """
    task = load_task(config.task, config.data, config.prompts, config.queries, config.shots, config.seed)
    if task.labels and config.generate:
        raise InputError("this task has labels and no answers to generate; leave --generate out")
    cells = ResultCache(config.cells_file, config.resume)
    target = target or Target.load(config.target, config.device, fast=not config.fp32)
    methods = Methods(config, task, target, _runs(compressors or {}, teacher), cells)
    methods.prepare()
    jobs = progress(_jobs(methods), total=_count(methods), unit="cell", desc=config.task)
    outcomes = [_measure(config, task, target, cells, job) for job in jobs]
    ordered = sorted(outcomes, key=lambda o: config.methods.index(o.method))
    done = config.to_json() | {"prompts": len(task.prompts), "queries": task.asked}  # a file may hold fewer
    report = build_report(done, task, ordered, config.seed)
    if config.json:
        config.json.parent.mkdir(parents=True, exist_ok=True)
        config.json.write_text(json.dumps(report.to_json(), indent=1) + "\n", encoding="utf-8")
    return report


def _runs(compressors: Mapping[str, Baseline], teacher: TeacherText | None) -> dict[str, Run]:
    runs = {name: each(baseline) for name, baseline in compressors.items()}
    if teacher:
        runs["teacher"] = lambda case, retentions: teacher(case.text, retentions, case)
    return runs


@dataclass(frozen=True)
class _Job:
    """A cell to measure; case is None for a "zero" that stands for all prompts."""

    method: str
    retention: float | None
    case: Demonstrations | None
    text: str


def _jobs(methods: Methods) -> Iterator[_Job]:
    """ResultCache prompt by prompt, each compressed when its turn comes; "zero" once, first, if all prompts share
    queries."""
    names, shared = methods.config.methods, bool(methods.task.queries)
    if "zero" in names and shared:
        yield _Job("zero", None, None, "")
    for case in methods.task.prompts:
        for name in names:
            if name != "zero" or not shared:
                for retention, text in methods.texts(name, case):
                    yield _Job(name, retention, case, text)


def _count(methods: Methods) -> int:
    names, prompts = methods.config.methods, methods.task.prompts
    once = "zero" in names and bool(methods.task.queries)
    cells = sum(len(methods.retentions(n, case)) for n in names if n != "zero" or not once for case in prompts)
    return cells + once


def _measure(config: EvaluateConfig, task: Task, target: Target, cells: ResultCache, job: _Job) -> Outcome:
    prompt = job.case.index if job.case else None
    queries = [{"text": q.text, "answer": q.answer, "label": q.label} for q in task.queries_of(job.case)]
    key = {
        "task": config.task,
        "target": target.name,
        "method": job.method,
        "retention": job.retention,
        "prompt": prompt,
        "seed": config.seed,
        "queries": len(queries),
        "queries_sha256": _sha256(json.dumps(queries)),
        "generate": config.generate,
        "dtype": str(target.model.dtype),
        "text_sha256": _sha256(job.text.strip()),
    }
    record = cells.find(key)
    if record is None:
        scores = task.score(target, job.text, config.generate, job.case)
        tokens, subwords = _kept(job, target)
        record = {"tokens": tokens, "subwords": subwords, **asdict(scores)}
        cells.add(key, record)
    return Outcome(job.method, job.retention, prompt, **record)


def _kept(job: _Job, target: Target) -> tuple[float, float]:
    """Share of the demonstrations' prompt tokens and of the target's subwords that is left, counted anew."""
    text = job.text.strip()
    if not text or job.case is None:
        return 0.0, 0.0
    tokens = len(parse(text)) / len(parse(job.case.text))
    return tokens, len(target.encode(text)) / len(target.encode(job.case.text))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
