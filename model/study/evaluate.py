"""Compare compressors: the same queries after every compressed prompt, read by a frozen target LLM.

A cell is one (method, retention, prompt). Finished cells are appended to `<json>.cells.jsonl`, so that a run
that was cut off goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from model.data import QUESTION_ANSWER, load_dataset, read_lines
from model.errors import InputError
from model.prompt import parse
from model.study.baselines import Baseline, first_tokens, llmlingua, random_tokens, recorded, selective_context
from model.study.table import Outcome, Report, build_report
from model.study.tasks import ARTICLE_ANSWER, TASKS, Demonstrations, Task, load_task
from model.targets import Target

UNBUDGETED = ("full", "zero", "llmlingua2")  # one row, whatever the retentions
BUDGETED = ("random", "first", "selective-context", "llmlingua", "teacher", "diffumask", "exact", "one-pass")
METHODS = (*UNBUDGETED[:2], *BUDGETED[:4], "llmlingua2", *BUDGETED[4:])
STEPS = {"diffumask": 8, "exact": 8, "one-pass": 1}  # denoising steps

# demonstrations text, retentions, the demonstrations' case -> retention -> compressed text
TeacherText = Callable[[str, Sequence[float], Demonstrations], Mapping[float, str]]
Progress = Callable[..., Iterable[Any]]  # tqdm, or what is called like it: (iterable, total=, unit=, desc=)


@dataclass(frozen=True)
class EvaluateConfig:
    """What to evaluate; a mistake raises InputError.

    Attributes:
        task: one of tasks.TASKS.
        data: the task's folder (files: see `tasks.load_task`; for llmlingua2 also
            llmlingua2_xlmr_1shot.jsonl).
        target: "smollm2", "gemma3", or a Hugging Face name or folder.
        methods: any of METHODS, in the order of the table.
        retention: shares of prompt tokens to keep, each above 0 and below 1, for the methods with a budget.
        prompts, queries: how many of each; every prompt meets every query.
        seed: of the queries, the drawn prompts, the random baseline, the sampler and the bootstrap.
        json: where the report goes; its finished cells stand in `<json>.cells.jsonl`. None keeps nothing.
        generate: gsm8k only: also generate answers and count exact matches (slow).
        checkpoint: of the denoiser, for diffumask, exact and one-pass; None: the shipped one.
        resume: go on with the cells of an earlier run.
        shots: gsm8k only: demonstrations in a prompt.
        device: of the target; None chooses.
        fp32: compute in fp32 even where bfloat16 is faster.
    """

    task: str
    data: Path
    target: str
    methods: tuple[str, ...]
    retention: tuple[float, ...] = (0.2, 0.35, 0.5)
    prompts: int = 10
    queries: int = 100
    seed: int = 0
    json: Path | None = None
    generate: bool = False
    checkpoint: Path | None = None
    resume: bool = False
    shots: int = 4
    device: str | None = None
    fp32: bool = False

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise InputError(f"unknown task {self.task!r}; known: {', '.join(TASKS)}")
        if unknown := [m for m in self.methods if m not in METHODS]:
            raise InputError(f"unknown method {unknown[0]!r}; known: {', '.join(METHODS)}")
        if not self.methods or len(set(self.methods)) < len(self.methods):
            raise InputError("name at least one method, and each only once")
        if self.task != "agnews" and "llmlingua2" in self.methods:
            raise InputError("llmlingua2 was recorded for agnews only; leave it out for other tasks")
        if self.task != "gsm8k" and self.generate:
            raise InputError("only gsm8k has answers to generate; leave --generate out")
        if set(self.methods) & set(BUDGETED) and not self.retention:
            raise InputError("give at least one retention")
        if not all(0 < r < 1 for r in self.retention) or len(set(self.retention)) < len(self.retention):
            raise InputError("each retention must lie between 0 and 1 and be given once; 'full' keeps all")
        for name in ("prompts", "queries", "shots"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.seed < 0:
            raise InputError(f"the seed must not be negative, but is {self.seed}")
        if self.resume and not self.json:
            raise InputError("--resume needs --json: finished cells stand next to it")

    @property
    def cells(self) -> Path | None:
        return self.json.with_name(f"{self.json.name}.cells.jsonl") if self.json else None

    def to_json(self) -> dict[str, Any]:
        return {k: v.name if isinstance(v, Path) else v for k, v in asdict(self).items()}  # no machine's folders


def evaluate(
    config: EvaluateConfig,
    progress: Progress,
    *,
    target: Target | None = None,
    compressors: Mapping[str, Baseline] | None = None,
    teacher: TeacherText | None = None,
) -> Report:
    """Run what `config` asks for; writes the report to `config.json` if it is set.

    Args:
        progress: tqdm, or a stand-in that is called like it and passes the items on.
        target: instead of loading `config.target`.
        compressors: by method name, instead of the built-in ones.
        teacher: instead of `teacher.text_teacher`: all retentions of one prompt in one call. Its texts are
            remembered with the cells, since one call takes minutes.

    Raises InputError when data or a checkpoint is missing.
    """
    task = load_task(config.task, config.data, config.prompts, config.queries, config.shots, config.seed)
    cells = _Cells(config.cells, config.resume)
    target = target or Target.load(config.target, config.device, fast=not config.fp32)
    if "teacher" in config.methods and teacher is None:
        teacher = _teacher(config, target)
    texts = _Texts(config, cells, teacher)
    texts.prepare(target, compressors or {})
    outcomes = [
        _measure(config, task, target, cells, job)
        for job in progress(_jobs(config, task, texts), total=_count(config), unit="cell", desc=config.task)
    ]
    ordered = sorted(outcomes, key=lambda o: config.methods.index(o.method))
    report = build_report(config.to_json(), task, ordered, config.seed)
    if config.json:
        config.json.write_text(json.dumps(report.to_json(), indent=1) + "\n", encoding="utf-8")
    return report


@dataclass(frozen=True)
class _Job:
    """A cell to measure; case is None for "zero"."""

    method: str
    retention: float | None
    case: Demonstrations | None
    text: str


def _jobs(config: EvaluateConfig, task: Task, texts: _Texts) -> Iterator[_Job]:
    """Cells prompt by prompt, each compressed when its turn comes; "zero" once, first."""
    if "zero" in config.methods:
        yield _Job("zero", None, None, "")
    for case in task.prompts:
        for method in config.methods:
            if method != "zero":
                for retention, text in texts.of(method, case):
                    yield _Job(method, retention, case, text)


def _count(config: EvaluateConfig) -> int:
    per_prompt = sum(len(config.retention) if m in BUDGETED else 1 for m in config.methods if m != "zero")
    return per_prompt * config.prompts + ("zero" in config.methods)


def _measure(config: EvaluateConfig, task: Task, target: Target, cells: _Cells, job: _Job) -> Outcome:
    prompt = job.case.index if job.case else None
    key = {
        "task": config.task,
        "target": target.name,
        "method": job.method,
        "retention": job.retention,
        "prompt": prompt,
        "seed": config.seed,
        "queries": len(task.queries),
        "queries_sha256": _sha256(json.dumps([asdict(query) for query in task.queries])),
        "generate": config.generate,
        "dtype": str(target.model.dtype),
        "text_sha256": _sha256(job.text.strip()),
    }
    record = cells.find(key)
    if record is None:
        scores = task.score(target, job.text, config.generate)
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


class _Texts:
    """The compressed demonstrations of every method."""

    def __init__(self, config: EvaluateConfig, cells: _Cells, teacher: TeacherText | None):
        self._config, self._cells, self._teacher = config, cells, teacher
        self._compressors: dict[str, Baseline] = {}
        self._recorded: list[str] = []
        if "llmlingua2" in config.methods:
            path = config.data / "llmlingua2_xlmr_1shot.jsonl"
            self._recorded = recorded(path)
            if len(self._recorded) < config.prompts:
                raise InputError(f"{config.prompts} prompts asked for, but {path} has {len(self._recorded)}")

    def prepare(self, target: Target, given: Mapping[str, Baseline]) -> None:
        """Load the compressors that the methods need; `given` ones are taken as they are."""
        config, self._target = self._config, target
        makers: dict[str, Callable[[], Baseline]] = {
            "random": lambda: partial(random_tokens, seed=config.seed),
            "first": lambda: first_tokens,
            "selective-context": lambda: partial(selective_context, target=target),
            "llmlingua": llmlingua,
            "diffumask": lambda: _diffumask(config, STEPS["diffumask"]),
            "exact": lambda: _diffumask(config, STEPS["exact"], exact=True),
            "one-pass": lambda: _diffumask(config, STEPS["one-pass"]),
        }
        for method in config.methods:
            if method in given:
                self._compressors[method] = given[method]
            elif method in makers:
                self._compressors[method] = makers[method]()

    def of(self, method: str, case: Demonstrations) -> Iterator[tuple[float | None, str]]:
        """(retention, compressed text) of one prompt."""
        if method == "full":
            yield None, case.text
        elif method == "llmlingua2":
            yield None, self._recorded[case.index]
        elif method == "teacher":
            yield from self._teach(case)
        else:
            for retention in self._config.retention:
                yield retention, self._compressors[method](case.text, retention)

    def _teach(self, case: Demonstrations) -> list[tuple[float | None, str]]:
        retentions = list(self._config.retention)
        key = {
            "teacher": self._target.name,
            "retentions": retentions,
            "seed": self._config.seed,
            "source_sha256": _sha256(case.text),
        }
        record = self._cells.find(key)
        if record is None:
            assert self._teacher is not None  # checked in `evaluate`
            taught = self._teacher(case.text, retentions, case)
            record = {"texts": [taught[r] for r in retentions]}
            self._cells.add(key, record)
        return list(zip(retentions, record["texts"], strict=True))


def _diffumask(config: EvaluateConfig, steps: int, exact: bool = False) -> Baseline:
    """The denoiser of `config.checkpoint` with so many steps; exact: without acceleration."""
    from model.compress import Compressor  # here, since the other methods do without

    compressor = Compressor.load(config.checkpoint, config.device)

    def compress(text: str, retention: float) -> str:
        return compressor.compress(text, retention, steps, seed=config.seed, keep_task=False, exact=exact).text

    return compress


def _teacher(config: EvaluateConfig, target: Target) -> TeacherText:
    """The teacher on the evaluated target itself, asking rows that the test does not use."""
    from model.teacher import TeacherConfig, text_teacher

    pool = load_dataset(config.data.parent, config.task)
    template = ARTICLE_ANSWER if config.task == "agnews" else QUESTION_ANSWER
    return text_teacher([target], pool, template, TeacherConfig())


class _Cells:
    """Finished work as JSON Lines {"key": ..., "record": ...}; a line cut off in writing is passed over."""

    def __init__(self, path: Path | None, resume: bool):
        self._path = path
        self._records: dict[str, dict[str, Any]] = {}
        if path is None:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            return
        if not resume:
            raise InputError(f"{path} holds an earlier run: add --resume to go on with it, or remove it")
        lines = read_lines(path)
        for line in lines:
            try:
                cell = json.loads(line)
                self._records[_canonical(cell["key"])] = cell["record"]
            except (ValueError, KeyError, TypeError):
                continue
        if lines[-1]:
            self._append("\n")

    def find(self, key: Mapping[str, Any]) -> dict[str, Any] | None:
        return self._records.get(_canonical(key))

    def add(self, key: Mapping[str, Any], record: dict[str, Any]) -> None:
        self._records[_canonical(key)] = record
        self._append(json.dumps({"key": key, "record": record}) + "\n")

    def _append(self, text: str) -> None:
        if self._path:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(text)


def _canonical(key: Mapping[str, Any]) -> str:
    return json.dumps(key, sort_keys=True)
