"""What to evaluate."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError
from .methods.budget import UNITS
from .methods.registry import METHODS, split_name
from .readers import NOBODY, is_endpoint
from .tasks.kinds import FEW_SHOT
from .tasks.layouts import LAYOUTS
from .tasks.load import TASKS
from .tasks.request import DOCUMENTS, TaskOptions
from .tasks.sources import Data


@dataclass(frozen=True)
class EvaluateConfig:
    """What to evaluate; a mistake raises InputError.

    Attributes:
        task: one of tasks.load.TASKS.
        data: the task's folder or file, or "hub:OWNER/NAME" (see `tasks.load`; for llmlingua2 without a model the
            folder also holds llmlingua2_xlmr_1shot.jsonl); None for a task that needs none.
        target: who reads: "smollm2", "gemma3", a Hugging Face name or folder, an endpoint as MODEL@URL, or "none".
        methods: any of methods.METHODS, in the order of the table; NAME@LLM has its masks made by another LLM.
        retention: shares of the context to keep, each above 0 and below 1, for the methods with a budget.
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
        encoder: sentence encoder of dense, by Hugging Face name or folder; None: the shipped one.
        budget: what the retention is a share of, at most: "words", "tokens" (prompt tokens; each method counts as it
            does) or "reader" (the target's subwords). None: "tokens" for tasks of demonstrations with shared queries,
            else "reader" where the target is a model of this machine or `tokenizer` says how it counts, and "words"
            where not.
        tokenizer: how the reader counts (see `model.reader.load_reader`); None: as the target does.
        chat: the target reads each prompt in its chat template.
        documents, layout, place, question_first, language, split: see `tasks.request.TaskOptions`.
    """

    task: str
    data: Data | None
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
    encoder: str | None = None
    budget: str | None = None
    tokenizer: str | None = None
    chat: bool = False
    documents: int = DOCUMENTS
    layout: str = ""
    place: int | None = None
    question_first: bool = False
    language: str = "en"
    split: str = ""

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise InputError(f"unknown task {self.task!r}; known: {', '.join(TASKS)}")
        self._check_methods()
        self._check_reading()
        if self.task in FEW_SHOT and FEW_SHOT[self.task].labels and self.generate:
            raise InputError(f"{self.task} has labels and no answers to generate; leave --generate out")
        if not all(0 < r < 1 for r in self.retention) or len(set(self.retention)) < len(self.retention):
            raise InputError("each retention must lie between 0 and 1 and be given once; 'full' keeps all")
        for name in ("prompts", "queries", "shots", "evaluations", "documents", "place"):
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

    def _check_reading(self) -> None:
        if self.layout and self.layout not in LAYOUTS:
            raise InputError(f"unknown layout {self.layout!r}; known: {', '.join(LAYOUTS)}")
        if self.budget not in (None, *UNITS):
            raise InputError(f"budget is {', '.join(UNITS[:-1])} or {UNITS[-1]}, not {self.budget!r}")
        if self.local:
            return
        if self.budget == "reader" and not self.tokenizer:
            raise InputError(f"nobody knows how {self.target} counts; give its --tokenizer, or --budget words")
        for name in self.methods:
            base, makers = split_name(name)
            if METHODS[base].llms and not makers:
                raise InputError(f"{base} needs an LLM that makes its masks, such as {base}@smollm2")

    @property
    def local(self) -> bool:
        """Whether the target is a model in this process."""
        return self.target != NOBODY and not is_endpoint(self.target)

    @property
    def unit(self) -> str:
        """What budgets are counted in."""
        if self.budget:
            return self.budget
        if self.task in FEW_SHOT:
            return "tokens"
        return "reader" if self.local or self.tokenizer else "words"

    @property
    def options(self) -> TaskOptions:
        c = self
        return TaskOptions(c.documents, c.layout, c.place, c.question_first, c.language, c.split)

    @property
    def cells_file(self) -> Path | None:
        beside = self.json.with_name(f"{self.json.name}.cells.jsonl") if self.json else None
        return self.cells or beside

    def to_json(self) -> dict[str, Any]:
        return {k: v.name if isinstance(v, Path) else v for k, v in asdict(self).items()}  # no machine's folders
