"""The methods that a study compares, behind one interface.

A new one is a function under `@method`. It gets the study (its config, its task, `llm(name)`) and, for a method whose
masks LLMs make, a function that loads them; it checks what can be checked before long work begins, and returns a
`MethodRun` (`model.evaluation.methods.method`):

    @method("every-other")
    def _every_other(study: Study, makers: Makers) -> MethodRun:
        return each(lambda text, retention: " ".join(text.split()[:: round(1 / retention)]))

`NAME@LLM` lets another LLM than the evaluated target make the masks, `NAME@LLM+LLM` the mean of several; LLM is what
`load_target` takes. That is for methods registered with `llms=True`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ...compress import PAPER
from ...errors import InputError
from ...relevance.encoder import SentenceEncoder
from ...training.corrections import CorrectedPrompt
from ..tasks.sources import recorded
from ..tasks.task import EvaluationPrompt
from . import baselines, extractive
from .denoised import denoise_context
from .method import Compression, Compressions, Makers, Method, MethodRun, Study, each, fixed, of_prompts
from .pruning import held_out_examples, ta_pruning, taught

STEPS = 8  # of diffumask and exact
RECORDED = "llmlingua2_xlmr_1shot.jsonl"

Make = Callable[[Study, Makers], MethodRun]

METHODS: dict[str, Method] = {}


def method(name: str, **attributes: bool) -> Callable[[Make], Make]:
    """Put a function into METHODS; attributes: those of `Method`."""

    def register(make: Make) -> Make:
        METHODS[name] = Method(make, **attributes)
        return make

    return register


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
    return lambda case, _: {None: Compression(case.context, (True,) * len(case.parsed))}


@method("zero", budget=False)
def _zero(study: Study, makers: Makers) -> MethodRun:
    return lambda case, _: {None: Compression("", (False,) * len(case.parsed))}


@method("random")
def _random(study: Study, makers: Makers) -> MethodRun:
    return each(partial(baselines.random_tokens, seed=study.config.seed))


@method("random-sentences", counts=True)
def _random_sentences(study: Study, makers: Makers) -> MethodRun:
    return extractive.keep_best(extractive.by_chance(study.config.seed), study.counter)


@method("random-parts", counts=True)
def _random_parts(study: Study, makers: Makers) -> MethodRun:
    """Whole demonstrations or documents that fit."""
    return extractive.keep_best(extractive.by_chance(study.config.seed), study.counter, extractive.whole_parts)


@method("first")
def _first(study: Study, makers: Makers) -> MethodRun:
    return each(baselines.first_tokens)


@method("bm25", counts=True)
def _bm25(study: Study, makers: Makers) -> MethodRun:
    return extractive.keep_best(extractive.by_bm25(study.task.question), study.counter)


@method("bm25-smoothed", counts=True)
def _bm25_smoothed(study: Study, makers: Makers) -> MethodRun:
    return extractive.keep_best(extractive.over_neighbours(extractive.by_bm25(study.task.question)), study.counter)


@method("dense", counts=True)
def _dense(study: Study, makers: Makers) -> MethodRun:
    return extractive.keep_best(_likeness(study), study.counter)


@method("dense-smoothed", counts=True)
def _dense_smoothed(study: Study, makers: Makers) -> MethodRun:
    return extractive.keep_best(extractive.over_neighbours(_likeness(study)), study.counter)


def _likeness(study: Study) -> extractive.Score:
    encoder = SentenceEncoder.load(study.config.encoder, study.config.device)
    return extractive.by_likeness(study.task.question, encoder)


@method("selective-context", llms=True)
def _selective_context(study: Study, makers: Makers) -> MethodRun:
    return each(lambda text, retention: baselines.selective_context(text, retention, makers()))


@method("llmlingua", remember=True)
def _llmlingua(study: Study, makers: Makers) -> MethodRun:
    compress = baselines.llmlingua(study.config.llmlingua_model)
    return of_prompts(lambda case, retention: Compression(compress(_texts(case), retention)))


@method("longllmlingua", remember=True)
def _longllmlingua(study: Study, makers: Makers) -> MethodRun:
    """Where queries share the context its question is the task's instruction: none of them may steer."""
    compress = baselines.longllmlingua(study.config.llmlingua_model)
    question = study.task.question
    return of_prompts(lambda case, retention: Compression(compress(_texts(case), retention, question(case))))


def _texts(case: EvaluationPrompt) -> list[str]:
    return [case.context[part.start : part.end] for part in case.parts]


@method("llmlingua2", remember=True)
def _llmlingua2(study: Study, makers: Makers) -> MethodRun:
    """The package with a model, or else what was recorded of AG News' prompts."""
    config = study.config
    if config.llmlingua2_model:
        return each(baselines.llmlingua2(config.llmlingua2_model))
    path = Path(config.data) / RECORDED
    texts = recorded(path)
    if len(texts) < len(study.task.prompts):
        raise InputError(f"{len(study.task.prompts)} prompts asked for, but {path} has {len(texts)}")
    known = {case.context: texts[case.index] for case in study.task.prompts}

    def run(case: EvaluationPrompt, _: Sequence[float]) -> Compressions:
        if case.context not in known:
            raise InputError("was recorded for the task's prompts only; for other texts name a --llmlingua2-model")
        return {None: Compression(known[case.context])}

    return run


@method("ta-pruning", llms=True, slow=True, remember=True)
def _ta_pruning(study: Study, makers: Makers) -> MethodRun:
    _check_held_out(study)
    most = study.config.evaluations
    return _at_once(lambda case, retentions: ta_pruning(study.task, case, retentions, makers(), most))


@method("teacher", llms=True, slow=True, remember=True)
def _teacher(study: Study, makers: Makers) -> MethodRun:
    _check_held_out(study)
    return _at_once(lambda case, retentions: taught(study.task, case, retentions, makers()))


@method("diffumask", counts=True)
def _diffumask(study: Study, makers: Makers) -> MethodRun:
    return _denoised(study)


@method("diffumask-parts", counts=True)
def _diffumask_parts(study: Study, makers: Makers) -> MethodRun:
    """Whole demonstrations or documents, by the model's preference."""
    return _denoised(study, granularity="part")


@method("diffumask-tokens", counts=True)
def _diffumask_tokens(study: Study, makers: Makers) -> MethodRun:
    """Sentences that stay are thinned, as far as structure allows."""
    return _denoised(study, granularity="token")


@method("paper", counts=True)
def _paper(study: Study, makers: Makers) -> MethodRun:
    """The method of DiffuMask's paper: tokens alone, whatever they belong to."""
    return _denoised(study, **PAPER)


@method("exact", counts=True)
def _exact(study: Study, makers: Makers) -> MethodRun:
    return _denoised(study, exact=True)


@method("one-pass", counts=True)
def _one_pass(study: Study, makers: Makers) -> MethodRun:
    return _denoised(study, steps=1)


def _denoised(study: Study, steps: int = STEPS, **options: Any) -> MethodRun:
    return of_prompts(denoise_context(study.compressor, study.counter, steps, study.config.seed, **options))


@method("human", budget=False, people=True)
def _human(study: Study, makers: Makers) -> MethodRun:
    return _of_people(study, lambda correction: correction.keep)


@method("uncorrected", budget=False, people=True)
def _uncorrected(study: Study, makers: Makers) -> MethodRun:
    """The model's masks before people corrected them: what `human` is to be compared with."""
    return _of_people(study, lambda correction: correction.model)


def _of_people(study: Study, mask: Callable[[CorrectedPrompt], Sequence[bool]]) -> MethodRun:
    corrections = study.corrected
    return fixed(lambda case: (found := corrections[case.context]).prompt.render(mask(found)))


def _at_once(make: Callable[[EvaluationPrompt, Sequence[float]], Mapping[float, str]]) -> MethodRun:
    """What makes the texts of all retentions together, as a `MethodRun`."""
    return lambda case, retentions: {r: Compression(text) for r, text in make(case, retentions).items()}


def _check_held_out(study: Study) -> None:
    for prompt in study.task.prompts:
        held_out_examples(study.task, prompt)
