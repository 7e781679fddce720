"""The options of LLMLingua's `compress_prompt` (llmlingua 0.2.2): what each one means here, and which are refused.

An option is honoured, says by what means LLMLingua's own language model ranks (RANKING), or is refused by its name
unless it has LLMLingua's default (REFUSED). None stands for the default everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from ..errors import InputError

# By what means LLMLingua's language model ranks contexts, sentences and words. Here one model ranks them all, and it
# always reads the question and the instruction, so every value of these asks for what is done anyway.
RANKING = (
    "add_instruction",
    "chunk_end_tokens",
    "condition_compare",
    "condition_in_question",
    "context_budget",
    "dynamic_context_compression_ratio",
    "high_priority_bonus",
    "iterative_size",
    "rank_method",
    "token_budget_ratio",
    "token_to_word",
)
# What would change the result and is not offered: only these values are taken.
REFUSED: Mapping[str, tuple[object, ...]] = {
    "context_level_rate": (1.0,),
    "context_level_target_token": (-1,),
    "keep_sentence_number": (0,),
    "strict_preserve_uncompressed": (True,),
    "target_context": (-1,),
}
REORDERS = ("original", "sort", "two_stage")


@dataclass(frozen=True)
class LinguaOptions:
    """What is asked of `compress_prompt`; checked when it is made by `of`.

    Attributes:
        rate: share of all tokens to keep, in (0, 1].
        target_token: if above 0, how many tokens to keep, instead of `rate`.
        force_context_ids: contexts of which something stays.
        force_context_number: of so many contexts, those that the model likes best, something stays.
        use_context_level_filter: whether contexts may vanish. use_sentence_level_filter, use_token_level_filter: how
            fine pieces are; None for both: as `Compressor.compress` does it.
        keep_split: keep the blank lines inside of contexts.
        keep_first_sentence, keep_last_sentence: how many sentences stay at either end of each context.
        reorder_context: "original"; "sort": the most relevant context first; "two_stage": the best ones at both ends.
        concate_question: write the question behind the contexts. It is read in any case.
        context_segs, context_segs_rate, context_segs_compress: for each context its segments, the share to keep of
            each, and whether it may be shortened at all.
        force_tokens: literal strings; every token of a context that an occurrence touches is kept.
        force_reserve_digit: keep every token with a digit.
        drop_consecutive: keep only the first of equal force_tokens that are next to each other in the result.
        return_word_label: also return each context token with 1 or 0; word_sep and label_sep stand between tokens
            and before labels.
    """

    rate: float = 0.5
    target_token: float = -1
    force_context_ids: Sequence[int] = ()
    force_context_number: int = 0
    use_context_level_filter: bool = True
    use_sentence_level_filter: bool | None = None
    use_token_level_filter: bool | None = None
    keep_split: bool = False
    keep_first_sentence: int = 0
    keep_last_sentence: int = 0
    reorder_context: str = "original"
    concate_question: bool = True
    context_segs: Sequence[Sequence[str]] = ()
    context_segs_rate: Sequence[Sequence[float | None]] = ()
    context_segs_compress: Sequence[Sequence[bool]] = ()
    force_tokens: Sequence[str] = ()
    force_reserve_digit: bool = False
    drop_consecutive: bool = False
    return_word_label: bool = False
    word_sep: str = "\t\t|\t\t"
    label_sep: str = " "

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> LinguaOptions:
        """Check what a caller gave. InputError names the first option that is unknown, refused or of a wrong kind."""
        known = {field.name for field in fields(cls)}
        for name, value in options.items():
            if name in REFUSED:
                if value is not None and value not in REFUSED[name]:
                    raise InputError(f"{name}={value!r} is not offered here; leave it out ({REFUSED[name][0]!r})")
            elif name not in known and name not in RANKING:
                raise InputError(f"compress_prompt has no option {name!r}; leave it out or correct its spelling")
        made = cls(**{name: value for name, value in options.items() if name in known and value is not None})
        made._check()
        return made

    @property
    def granularity(self) -> str:
        """How fine pieces are: token, unit or part."""
        sentences, tokens = self.use_sentence_level_filter, self.use_token_level_filter
        if tokens or (tokens is None and sentences is False):
            return "token"
        return "part" if tokens is False and not sentences else "unit"

    def _check(self) -> None:
        if not (_is_number(self.rate) and 0 < self.rate <= 1):
            raise InputError(f"rate {self.rate!r} must be above 0 and at most 1")
        if not _is_number(self.target_token):
            raise InputError(f"target_token {self.target_token!r} must be a number of tokens")
        for name in ("force_context_number", "keep_first_sentence", "keep_last_sentence"):
            if not _is_count(getattr(self, name)):
                raise InputError(f"{name}={getattr(self, name)!r} must be a whole number from 0 on")
        if not _all(self.force_context_ids, _is_count):
            raise InputError("force_context_ids must be a list of the contexts' places: 0, 1, ...")
        if not _all(self.force_tokens, lambda word: isinstance(word, str)):
            raise InputError("force_tokens must be a list of texts")
        if self.reorder_context not in REORDERS:
            raise InputError(f"reorder_context={self.reorder_context!r} must be one of {', '.join(REORDERS)}")
        if not (isinstance(self.word_sep, str) and isinstance(self.label_sep, str)):
            raise InputError("word_sep and label_sep must be texts")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _all(values: object, is_right: Any) -> bool:
    return isinstance(values, list | tuple | set | frozenset | range) and all(map(is_right, values))
