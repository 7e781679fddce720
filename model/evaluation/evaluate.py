"""Compare compressors: the same queries after every compressed prompt, read by a frozen target LLM.

A cell is one (method, retention, prompt). Finished cells are appended to a file, so that a run that was cut off
goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from ..errors import InputError
from ..llm.causal import Target
from ..prompt import parse
from .align import mask_of
from .config import EvaluateConfig
from .methods.baselines import Baseline
from .methods.budget import words_counter
from .methods.method import Compression, MethodRun, each
from .methods.texts import Methods
from .metrics.answers import contains
from .metrics.words import WORD
from .progress import Progress
from .readers import LocalReader, ReadingModel, check_measurable, load_reading_model
from .result_cache import ResultCache
from .table import CellOutcome, EvaluationTable, build_report
from .tasks.load import load_task
from .tasks.task import EvaluationPrompt, Task

# context, retentions, its prompt -> retention -> compressed context
TeacherText = Callable[[str, Sequence[float], EvaluationPrompt], Mapping[float, str]]


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
    task = load_task(
        config.task, config.data, config.prompts, config.queries, config.shots, config.seed, config.options
    )
    if task.labels and config.generate and not task.reads:
        raise InputError("this task has labels and no answers to generate; leave --generate out")
    check_measurable(task, config.target)
    cells = ResultCache(config.cells_file, config.resume)
    reader = _reader(config, target)
    config = replace(config, generate=config.generate or reader.always_writes)
    methods = Methods(config, task, reader.target, _runs(compressors or {}, teacher), cells)
    methods.prepare()
    jobs = progress(_jobs(methods), total=_count(methods), unit="cell", desc=config.task)
    outcomes = [_measure(config, task, reader, cells, job) for job in jobs]
    ordered = sorted(outcomes, key=lambda o: config.methods.index(o.method))
    done = config.to_json() | {"prompts": len(task.prompts), "queries": task.asked, "budget": config.unit}
    report = build_report(done, task, ordered, config.seed)
    if config.json:
        config.json.parent.mkdir(parents=True, exist_ok=True)
        config.json.write_text(json.dumps(report.to_json(), indent=1) + "\n", encoding="utf-8")
    return report


def _reader(config: EvaluateConfig, target: Target | None) -> ReadingModel:
    if target:
        return LocalReader(target, config.chat)
    return load_reading_model(config.target, config.device, not config.fp32, config.chat)


def _runs(compressors: Mapping[str, Baseline], teacher: TeacherText | None) -> dict[str, MethodRun]:
    runs = {name: each(baseline) for name, baseline in compressors.items()}
    if teacher:
        runs["teacher"] = lambda case, retentions: {
            r: Compression(text) for r, text in teacher(case.context, retentions, case).items()
        }
    return runs


@dataclass(frozen=True)
class _Job:
    """A cell to measure; case is None for a "zero" that stands for all prompts."""

    method: str
    retention: float | None
    case: EvaluationPrompt | None
    made: Compression

    @property
    def text(self) -> str:
        return self.made.text.strip()


def _jobs(methods: Methods) -> Iterator[_Job]:
    """Cells prompt by prompt, each compressed when its turn comes; "zero" once, first, if all prompts share queries."""
    names, shared = methods.config.methods, bool(methods.task.queries)
    if "zero" in names and shared:
        yield _Job("zero", None, None, Compression(""))
    for case in methods.task.prompts:
        for name in names:
            if name != "zero" or not shared:
                for retention, made in methods.compressions(name, case):
                    yield _Job(name, retention, case, made)


def _count(methods: Methods) -> int:
    names, prompts = methods.config.methods, methods.task.prompts
    once = "zero" in names and bool(methods.task.queries)
    cells = sum(len(methods.retentions(n, case)) for n in names if n != "zero" or not once for case in prompts)
    return cells + once


def _measure(config: EvaluateConfig, task: Task, reader: ReadingModel, cells: ResultCache, job: _Job) -> CellOutcome:
    prompt = job.case.index if job.case else None
    queries = [asdict(query) for query in task.queries_of(job.case)]
    key = {
        "task": config.task,
        "target": reader.name,
        "method": job.method,
        "retention": job.retention,
        "prompt": prompt,
        "seed": config.seed,
        "queries": len(queries),
        "queries_sha256": _sha256(json.dumps(queries)),
        "generate": config.generate,
        "chat": config.chat,
        "dtype": reader.kind,
        "source_sha256": _sha256(json.dumps([job.case.instruction, job.case.context] if job.case else [])),
        "text_sha256": _sha256(job.text),
    }
    record = cells.find(key)
    if record is None:
        scores = reader.score(task, job.text, job.case, config.generate)
        shares = _shares(job, reader.target)
        record = shares | {"seconds": job.made.seconds, "kept": _still_there(task, job)}
        record |= {"log_probs": scores.log_probs, "scored": scores.subwords}
        record |= {"graded": scores.graded, "answers": scores.answers}
        cells.add(key, record)
    return CellOutcome(job.method, job.retention, prompt, **record)


def _shares(job: _Job, target: Target | None) -> dict[str, float | None]:
    """Share of the context's words, prompt tokens and the target's subwords that is left, counted anew."""
    if not job.text or job.case is None:
        return {"words": 0.0, "tokens": 0.0, "subwords": 0.0 if target else None}
    whole, words = job.case.context, words_counter()
    return {
        "words": words.count(job.text) / max(words.count(whole), 1),
        "tokens": len(parse(job.text)) / len(job.case.parsed),
        "subwords": len(target.encode(job.text)) / len(target.encode(whole)) if target else None,
    }


def _still_there(task: Task, job: _Job) -> dict[str, float]:
    """What the compressed context holds of what is asked for, by measure, 0-1."""
    case = job.case
    if case is None:
        return {}
    found = {}
    if task.extractive:
        found["answer kept"] = float(contains(job.text, case.queries[0].accepted))
    if case.gold:
        found["gold words kept"] = _gold_kept(case, job.made)
    return found


def _gold_kept(case: EvaluationPrompt, made: Compression) -> float:
    """Share of the words in the gold stretches that are left."""
    keep = made.keep if made.keep is not None else mask_of(case.parsed, made.text).keep
    within = [
        kept
        for token, kept in zip(case.parsed.tokens, keep, strict=True)
        if WORD.search(token.text) and any(start <= token.start < end for start, end in case.gold)
    ]
    return sum(within) / max(len(within), 1)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
