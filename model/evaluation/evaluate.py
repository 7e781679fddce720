"""Compare compressors: the same queries after every compressed prompt, read by a frozen target LLM.

A cell is one (method, retention, prompt). Finished cells are appended to a file, so that a run that was cut off
goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from ..errors import InputError
from ..llm.causal import Target
from ..llm.load import load_target
from ..prompt import parse
from .config import EvaluateConfig
from .methods.baselines import Baseline
from .methods.registry import MethodRun, each
from .methods.texts import Methods
from .progress import Progress
from .result_cache import ResultCache
from .table import CellOutcome, EvaluationTable, build_report
from .tasks.task import Demonstrations, Task, load_task

# demonstrations text, retentions, the demonstrations' case -> retention -> compressed text
TeacherText = Callable[[str, Sequence[float], Demonstrations], Mapping[float, str]]


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
    target = target or load_target(config.target, config.device, fast=not config.fp32)
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


def _runs(compressors: Mapping[str, Baseline], teacher: TeacherText | None) -> dict[str, MethodRun]:
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


def _measure(config: EvaluateConfig, task: Task, target: Target, cells: ResultCache, job: _Job) -> CellOutcome:
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
    return CellOutcome(job.method, job.retention, prompt, **record)


def _kept(job: _Job, target: Target) -> tuple[float, float]:
    """Share of the demonstrations' prompt tokens and of the target's subwords that is left, counted anew."""
    text = job.text.strip()
    if not text or job.case is None:
        return 0.0, 0.0
    tokens = len(parse(text)) / len(parse(job.case.text))
    return tokens, len(target.encode(text)) / len(target.encode(job.case.text))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
