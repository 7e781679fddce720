"""The methods that a study compares, behind one interface.

A new one is a function under `@method`. It gets the study (its config, its task, `llm(name)`) and, for a method whose
masks LLMs make, a function that loads them; it checks what can be checked before long work begins, and returns a
`MethodRun`:

    @method("every-other")
    def _every_other(study: Study, makers: Makers) -> MethodRun:
        return each(lambda text, retention: " ".join(text.split()[:: round(1 / retention)]))

`NAME@LLM` lets another LLM than the evaluated target make the masks, `NAME@LLM+LLM` the mean of several; LLM is what
`load_target` takes. That is for methods registered with `llms=True`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from ...compress import Compressor
from ...errors import InputError
from ...llm.causal import Target
from ...training.corrections import CorrectedPrompt
from ..tasks.sources import recorded
from ..tasks.task import Demonstrations, Task
from . import baselines
from .pruning import held_out_examples, ta_pruning, taught

STEPS = 8  # of diffumask and exact
RECORDED = "llmlingua2_xlmr_1shot.jsonl"

Texts = Mapping[Any, str]  # retention (None: a method without a budget) -> compressed text
MethodRun = Callable[[Demonstrations, Sequence[float]], Texts]
Makers = Callable[[], list[Target]]


class Study(Protocol):
    """What a method may ask of the study that it takes part in.

    Attributes:
        config: a `model.evaluation.config.EvaluateConfig`.
        compressor: the denoiser, loaded on first use.
        corrected: people's corrections of the task's prompts, by text.
    """

    config: Any

    @property
    def task(self) -> Task: ...

    @property
    def compressor(self) -> Compressor: ...

    @property
    def corrected(self) -> Mapping[str, CorrectedPrompt]: ...


@dataclass(frozen=True)
class Method:
    """An entry of the registry.

    Attributes:
        make: from the study and the makers of the masks to what compresses.
        budget: whether it is asked for each retention; else it has one length of its own.
        llms: whether LLMs make its masks.
        slow: its texts are remembered with the finished cells.
        people: whether it knows only the prompts that people corrected.
    """

    make: Callable[[Study, Makers], MethodRun]
    budget: bool = True
    llms: bool = False
    slow: bool = False
    people: bool = False


METHODS: dict[str, Method] = {}


def method(
    name: str, *, budget: bool = True, llms: bool = False, slow: bool = False, people: bool = False
) -> Callable[[Callable[[Study, Makers], MethodRun]], Callable[[Study, Makers], MethodRun]]:
    """Put a function into METHODS."""

    def register(make: Callable[[Study, Makers], MethodRun]) -> Callable[[Study, Makers], MethodRun]:
        METHODS[name] = Method(make, budget, llms, slow, people)
        return make

    return register


def each(baseline: baselines.Baseline) -> MethodRun:
    """What compresses one text to one length, as a `MethodRun`."""
    return lambda case, retentions: {r: baseline(case.text, r) for r in retentions}


def split_name(name: str) -> tuple[str, tuple[str, ...]]:
    """A method and the LLMs that make its masks; () = the evaluated target. InputError where there is no such method.

    >>> split_name("teacher@smollm2+gemma3"), split_name("random")
    (('teacher', ('smollm2', 'gemma3')), ('random', ()))
    """
    base, at, makers = name.partition("@")
    if base not in METHODS:
        raise InputError(f"unknown method {base!r}; known: {', '.join(METHODS)}")
    if at and not METHODS[base].llms:
        able = ", ".join(known for known, entry in METHODS.items() if entry.llms)
        raise InputError(f"{name!r}: no LLM makes the masks of {base}; only {able} take @LLM")
    llms = tuple(makers.split("+")) if at else ()
    if not all(llms) or len(set(llms)) < len(llms):
        raise InputError(f"{name!r}: after @ goes an LLM, or several with + between them, each once")
    return base, llms


# --- the methods, in the order in which they are listed ----------------------------------------------------


@method("full", budget=False)
def _full(study: Study, makers: Makers) -> MethodRun:
    return lambda case, _: {None: case.text}


@method("zero", budget=False)
def _zero(study: Study, makers: Makers) -> MethodRun:
    return lambda case, _: {None: ""}


@method("random")
def _random(study: Study, makers: Makers) -> MethodRun:
    return each(partial(baselines.random_tokens, seed=study.config.seed))


@method("first")
def _first(study: Study, makers: Makers) -> MethodRun:
    return each(baselines.first_tokens)


@method("selective-context", llms=True)
def _selective_context(study: Study, makers: Makers) -> MethodRun:
    return each(lambda text, retention: baselines.selective_context(text, retention, makers()))


@method("llmlingua")
def _llmlingua(study: Study, makers: Makers) -> MethodRun:
    return each(baselines.llmlingua(study.config.llmlingua_model))


@method("longllmlingua")
def _longllmlingua(study: Study, makers: Makers) -> MethodRun:
    """Its question is the task's instruction: all queries share the demonstrations, so none of them may steer."""
    compress = baselines.longllmlingua(study.config.llmlingua_model)
    return lambda case, retentions: {r: compress(case.text, r, study.task.question(case)) for r in retentions}


@method("llmlingua2")
def _llmlingua2(study: Study, makers: Makers) -> MethodRun:
    """The package with a model, or else what was recorded of AG News' prompts."""
    config = study.config
    if config.llmlingua2_model:
        return each(baselines.llmlingua2(config.llmlingua2_model))
    path = Path(config.data) / RECORDED
    texts = recorded(path)
    if len(texts) < len(study.task.prompts):
        raise InputError(f"{len(study.task.prompts)} prompts asked for, but {path} has {len(texts)}")
    known = {case.text: texts[case.index] for case in study.task.prompts}

    def run(case: Demonstrations, _: Sequence[float]) -> Texts:
        if case.text not in known:
            raise InputError("was recorded for the task's prompts only; for other texts name a --llmlingua2-model")
        return {None: known[case.text]}

    return run


@method("ta-pruning", llms=True, slow=True)
def _ta_pruning(study: Study, makers: Makers) -> MethodRun:
    _check_held_out(study)
    most = study.config.evaluations
    return lambda case, retentions: ta_pruning(study.task, case, retentions, makers(), most)


@method("teacher", llms=True, slow=True)
def _teacher(study: Study, makers: Makers) -> MethodRun:
    _check_held_out(study)
    return lambda case, retentions: taught(study.task, case, retentions, makers())


@method("diffumask")
def _diffumask(study: Study, makers: Makers) -> MethodRun:
    return _denoised(study, STEPS)


@method("exact")
def _exact(study: Study, makers: Makers) -> MethodRun:
    return _denoised(study, STEPS, exact=True)


@method("one-pass")
def _one_pass(study: Study, makers: Makers) -> MethodRun:
    return _denoised(study, 1)


@method("human", budget=False, people=True)
def _human(study: Study, makers: Makers) -> MethodRun:
    return _of_people(study, lambda correction: correction.keep)


@method("uncorrected", budget=False, people=True)
def _uncorrected(study: Study, makers: Makers) -> MethodRun:
    """The model's masks before people corrected them: what `human` is to be compared with."""
    return _of_people(study, lambda correction: correction.model)


def _of_people(study: Study, mask: Callable[[CorrectedPrompt], Sequence[bool]]) -> MethodRun:
    corrections = study.corrected
    return lambda case, _: {None: (found := corrections[case.text]).prompt.render(mask(found))}


def _denoised(study: Study, steps: int, exact: bool = False) -> MethodRun:
    compressor, seed = study.compressor, study.config.seed

    def compress(text: str, retention: float) -> str:
        return compressor.compress(text, retention, steps, seed=seed, keep_task=False, exact=exact).text

    return each(compress)


def _check_held_out(study: Study) -> None:
    for prompt in study.task.prompts:
        held_out_examples(study.task, prompt)
