"""LLMLingua's interface (llmlingua 0.2.2): `compress_prompt` of both generations, and `structured_compress_prompt`.

>>> compressor = Compressor.load()
>>> compressor.compress_prompt(documents, instruction="Answer briefly.", question="Who won?", rate=0.33)
{'compressed_prompt': ..., 'origin_tokens': 812, 'compressed_tokens': 261, 'ratio': '3.1x', 'rate': '32.1%', ...}

What differs: tokens are prompt tokens (words, numbers, punctuation marks, runs of line breaks), not a target LLM's
subwords; the blank lines that join the parts are not counted. The rate and target_token hold for the whole compressed
prompt, instruction and question included, and are ceilings: the result is longer only where what must stay is.
All contexts are compressed together, so a useless one may vanish and leave its room to the others.
`model.integrations.lingua_options` says what each option does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ..diffusion.trace import Trace
from ..errors import InputError
from ..prompt.join import JOINT
from . import Compresses
from .lingua_contexts import Contexts
from .lingua_options import LinguaOptions

DOLLARS_PER_TOKEN = 0.06 / 1000  # what LLMLingua reckons for GPT-4


_Run = Callable[[Mapping[int, bool], float], Trace]  # pins, tokens that may stay -> trace


def compress_prompt(
    compressor: Compresses,
    context: str | Sequence[str],
    instruction: str | None = "",
    question: str | None = "",
    rate: float | None = 0.5,
    target_token: float | None = -1,
    *,
    tagged: bool = False,
    **options: Any,
) -> dict[str, Any]:
    """Compress contexts between an instruction and a question, which stay whole.

    Args:
        context: one text or several. A single one is split into its own parts, such as demonstrations.
        rate: share of all prompt tokens to keep at most, in (0, 1].
        target_token: if above 0, how many prompt tokens to keep at most, instead of `rate`.
        tagged: contexts may hold tags such as <llmlingua, rate=0.4> ... </llmlingua>.
        options: see `LinguaOptions`.
    Returns a dict: compressed_prompt (instruction, contexts and question, joined by a blank line),
    compressed_prompt_list (the contexts alone, "" where nothing is left), origin_tokens and compressed_tokens (prompt
    tokens), ratio ("2.0x"), rate ("50.0%") and saving; with return_word_label also fn_labeled_original_prompt.

    Raises InputError for an option that is unknown or cannot be honoured, a rate outside (0, 1], an empty or too long
    prompt.
    """
    wanted = LinguaOptions.of({"rate": rate, "target_token": target_token, **options})
    contexts = Contexts.of(instruction, context, question, wanted, tagged)
    keep, ranks = _mask(compressor, contexts, wanted)
    if wanted.drop_consecutive:
        _drop_repeats(contexts, keep, wanted.force_tokens)
    return _result(contexts, keep, ranks, wanted)


def _mask(compressor: Compresses, contexts: Contexts, options: LinguaOptions) -> tuple[list[bool], list[float]]:
    """The mask, and how relevant the model finds each context."""
    prompt = contexts.joined.prompt

    def run(pins: Mapping[int, bool], tokens: float) -> Trace:
        share = min(max(tokens, 1) / contexts.size, 1.0)
        trace: Trace = compressor.compress(prompt, share, pins=pins, granularity=options.granularity, stretch=1.0).trace
        return trace

    pins = contexts.pins(options)
    budget = _budget(contexts, pins, options, run)
    trace = run(pins, budget)
    first = trace.steps[0]
    ranks = [
        max(first.shots[part] for part in parts) if parts else 0.0 for parts in map(contexts.parts, contexts.tokens)
    ]
    wanted = _wanted(contexts, ranks, options)
    if all(any(trace.keep[i] for i in contexts.tokens[c]) for c in wanted):
        return list(trace.keep), ranks
    for c in wanted:  # the best sentence that stayed, or else the best one
        best = max(contexts.units[c], key=lambda unit: (trace.keep[unit[0]], _mean(first.probability, unit)))
        pins.update(dict.fromkeys(best, True))
    return list(run(pins, budget).keep), ranks


def _mean(values: Sequence[float], of: range) -> float:
    return sum(values[i] for i in of) / len(of)


def _budget(contexts: Contexts, pins: dict[int, bool], options: LinguaOptions, run: _Run) -> float:
    """How many tokens may stay. Segments with a rate of their own are decided first, and pinned.

    The rate of all holds for what has none of its own; a target_token holds for everything.
    """
    size, rated = contexts.size, contexts.rated()
    decided: dict[int, bool] = {}
    for tokens, rate in rated:
        others = {i: True for i in range(len(contexts.joined.prompt)) if i not in tokens} | pins
        keep = run(others, size - len(tokens) + math.floor(rate * len(tokens) + 1e-6)).keep
        decided.update({i: keep[i] for i in tokens})
    pins.update(decided)
    if options.target_token > 0:
        return options.target_token
    apart = {i for tokens, wish in contexts.wishes if wish.whole for i in tokens} | decided.keys()
    return options.rate * (size - len(apart)) + sum(pins[i] for i in apart)


def _wanted(contexts: Contexts, ranks: Sequence[float], options: LinguaOptions) -> list[int]:
    """The contexts of which something has to stay."""
    filled = [c for c, tokens in enumerate(contexts.tokens) if tokens]
    if wrong := [c for c in options.force_context_ids if c >= len(contexts.tokens)]:
        raise InputError(
            f"force_context_ids names context {wrong[0]}, but there are {len(contexts.tokens)}: correct it"
        )
    if not options.use_context_level_filter:
        return filled
    best = sorted(filled, key=lambda c: -ranks[c])[: options.force_context_number]
    return sorted({*best, *options.force_context_ids} & set(filled))


def _drop_repeats(contexts: Contexts, keep: list[bool], force_tokens: Sequence[str]) -> None:
    """Drop a forced token whose neighbour to the left in the result is the same, as LLMLingua-2 does."""
    before = ""
    for i in (i for tokens in contexts.tokens for i in tokens if keep[i]):
        text = contexts.joined.prompt.tokens[i].text
        keep[i] = not (text == before and before in force_tokens)
        before = text


def _result(contexts: Contexts, keep: Sequence[bool], ranks: Sequence[float], options: LinguaOptions) -> dict[str, Any]:
    left = [text or "" for text in contexts.joined.texts(keep)[1:-1]]
    order = _order(ranks, options.reorder_context)
    question = contexts.question if options.concate_question else ""
    written = (contexts.instruction, *(left[c] for c in order), question)
    origin, size = contexts.size, sum(keep[i] for tokens in contexts.joined.tokens for i in tokens)
    size -= 0 if options.concate_question else len(contexts.joined.tokens[-1])
    result: dict[str, Any] = {
        "compressed_prompt": JOINT.join(text for text in written if text),
        "compressed_prompt_list": left,
        "origin_tokens": origin,
        "compressed_tokens": size,
        "ratio": f"{origin / size if size else 1:.1f}x",
        "rate": f"{size / origin:.1%}",
        "saving": f", Saving ${(origin - size) * DOLLARS_PER_TOKEN:.1f} in GPT-4.",
    }
    if options.return_word_label:
        words = _labelled(contexts, keep, options.label_sep)
        result["fn_labeled_original_prompt"] = options.word_sep.join(words)
    return result


def _order(ranks: Sequence[float], how: str) -> list[int]:
    """The contexts as they are written. The best first, or the best at both ends, where models look most (Liu et al.
    2023, arXiv 2307.03172)."""
    if how == "original":
        return list(range(len(ranks)))
    best = sorted(range(len(ranks)), key=lambda c: -ranks[c])
    return best if how == "sort" else best[::2] + best[1::2][::-1]


def _labelled(contexts: Contexts, keep: Sequence[bool], label_sep: str) -> Iterator[str]:
    prompt = contexts.joined.prompt
    return (f"{prompt.tokens[i].text}{label_sep}{int(keep[i])}" for tokens in contexts.tokens for i in tokens)
