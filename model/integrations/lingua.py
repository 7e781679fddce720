"""A drop-in for LLMLingua's `PromptCompressor.compress_prompt` (llmlingua 0.2.2, both of its generations).

>>> compressor = Compressor.load()
>>> compressor.compress_prompt(documents, instruction="Answer briefly.", question="Who won?", rate=0.33)
{'compressed_prompt': ..., 'origin_tokens': 812, 'compressed_tokens': 268, 'ratio': '3.0x', 'rate': '33.0%', ...}

What differs: tokens are prompt tokens (words, numbers, punctuation marks, runs of line breaks), not a target LLM's
subwords; the blank lines that join the parts are not counted. The rate and target_token hold for the whole compressed
prompt, instruction and question included. All contexts are compressed together, each as a shot, so a useless one may
vanish and leave its room to the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ..errors import InputError
from ..prompt import Prompt, parse
from ..prompt.limits import check_length
from ..prompt.pins import pins_for_digits, pins_for_words

# Options of LLMLingua that are accepted and change nothing: they tune how its own language model ranks contexts,
# sentences and words, or name its tokenizer's chunks. Here one model ranks all of them at once.
NO_EFFECT = (
    "chunk_end_tokens",
    "condition_compare",
    "condition_in_question",
    "context_budget",
    "context_level_rate",
    "context_level_target_token",
    "dynamic_context_compression_ratio",
    "force_context_ids",
    "force_context_number",
    "add_instruction",
    "high_priority_bonus",
    "iterative_size",
    "keep_first_sentence",
    "keep_last_sentence",
    "keep_sentence_number",
    "keep_split",
    "rank_method",
    "reorder_context",
    "strict_preserve_uncompressed",
    "target_context",
    "token_budget_ratio",
    "token_to_word",
    "use_context_level_filter",
    "use_sentence_level_filter",
)
# Options that would change what must be kept; only LLMLingua's own default is accepted.
DEFAULT_ONLY: Mapping[str, object] = {
    "concate_question": True,
    "context_segs": None,
    "context_segs_compress": None,
    "context_segs_rate": None,
    "use_token_level_filter": True,
}
CONTEXT_JOIN = "\n\n"
DOLLARS_PER_TOKEN = 0.06 / 1000  # what LLMLingua reckons for GPT-4


class Compresses(Protocol):
    """What is needed of a `model.Compressor`."""

    def compress(self, text: Prompt, retention: float, *, pins: Mapping[int, bool]) -> Any:
        """A result with a `trace` that has the mask."""
        ...


def compress_prompt(
    compressor: Compresses,
    context: str | Sequence[str],
    *,
    instruction: str = "",
    question: str = "",
    rate: float = 0.5,
    target_token: float = -1,
    force_tokens: Sequence[str] = (),
    force_reserve_digit: bool = False,
    drop_consecutive: bool = False,
    return_word_label: bool = False,
    word_sep: str = "\t\t|\t\t",
    label_sep: str = " ",
    **options: Any,
) -> dict[str, Any]:
    """Compress contexts between an instruction and a question, which stay whole.

    Args:
        context: one text or several. A single one is split into its own shots, such as demonstrations; of several,
            each is a shot.
        rate: share of all prompt tokens to keep, in (0, 1].
        target_token: if above 0, how many prompt tokens to keep, instead of `rate`.
        force_tokens: literal strings; every token that an occurrence touches is kept ("\\n", "?").
        force_reserve_digit: keep every token with a digit.
        drop_consecutive: keep only the first of equal force_tokens that are next to each other in the result.
        return_word_label: also return each context token with 1 (kept) or 0, as `fn_labeled_original_prompt`;
            word_sep and label_sep stand between tokens and before labels.
        options: NO_EFFECT lists what else LLMLingua knows.
    Returns a dict: compressed_prompt (instruction, contexts and question, joined by a blank line),
    compressed_prompt_list (the contexts alone, "" where nothing is left), origin_tokens and compressed_tokens (prompt
    tokens), ratio ("2.0x"), rate ("50.0%") and saving. What must be kept can make it longer than asked for.

    Raises InputError for an unknown option, a rate outside (0, 1], an empty or too long prompt.
    """
    _check_options(options)
    parts = _Parts.of(instruction, context, question)
    prompt = parts.prompt
    if not 0 < rate <= 1:
        raise InputError(f"rate {rate:g} must be above 0 and at most 1")
    pins = {
        **(pins_for_words(prompt, force_tokens)),
        **(pins_for_digits(prompt) if force_reserve_digit else {}),
        **parts.pins(),
    }
    origin = len(prompt) - parts.joints
    wanted = max(round(min(target_token, origin) if target_token > 0 else rate * origin), 1)
    keep = list(compressor.compress(prompt, (wanted + parts.joints) / len(prompt), pins=pins).trace.keep)
    if drop_consecutive:
        _drop_repeats(prompt, keep, force_tokens)
    compressed, labels = parts.split(keep)
    left = sum(keep) - parts.joints
    result: dict[str, Any] = {
        "compressed_prompt": CONTEXT_JOIN.join(text for text in (instruction, *compressed, question) if text),
        "compressed_prompt_list": compressed,
        "origin_tokens": origin,
        "compressed_tokens": left,
        "ratio": f"{origin / left:.1f}x",
        "rate": f"{left / origin:.1%}",
        "saving": f", Saving ${(origin - left) * DOLLARS_PER_TOKEN:.1f} in GPT-4.",
    }
    if return_word_label:
        result["fn_labeled_original_prompt"] = word_sep.join(f"{w}{label_sep}{int(k)}" for w, k in labels)
    return result


def _check_options(options: Mapping[str, Any]) -> None:
    for name, value in options.items():
        if name in DEFAULT_ONLY:
            if value != DEFAULT_ONLY[name]:
                raise InputError(f"{name}={value!r} is not supported here; leave it out ({DEFAULT_ONLY[name]!r})")
        elif name not in NO_EFFECT:
            raise InputError(f"compress_prompt has no option {name!r}; leave it out or correct its spelling")


def _drop_repeats(prompt: Prompt, keep: list[bool], force_tokens: Sequence[str]) -> None:
    """Drop a forced token whose neighbour to the left in the result is the same, as LLMLingua-2 does."""
    before = ""
    for i, token in enumerate(prompt.tokens):
        if keep[i]:
            keep[i] = not (token.text == before and before in force_tokens)
            before = token.text


@dataclass(frozen=True)
class _Parts:
    """Instruction, contexts and question joined to one prompt.

    Attributes:
        texts: all parts, "" where one is missing: the first is the instruction, the last the question.
        tokens: of each part, its first token and the one after its last; what lies between parts joins them.
    """

    prompt: Prompt
    texts: tuple[str, ...]
    tokens: tuple[range, ...]

    @classmethod
    def of(cls, instruction: str, context: str | Sequence[str], question: str) -> _Parts:
        contexts = [context] if isinstance(context, str) else list(context) if isinstance(context, Sequence) else [None]
        if not all(isinstance(text, str) for text in (instruction, *contexts, question)):
            raise InputError("context must be a text or a list of texts, instruction and question must be texts")
        texts = (instruction, *contexts, question)
        spans, at = [], 0
        for text in texts:
            spans.append((at, at + len(text)))
            at += len(text) + len(CONTEXT_JOIN) if text else 0
        check_length(at)
        joined = CONTEXT_JOIN.join(text for text in texts if text)
        prompt = parse(joined, _shot_starts(contexts, [start for start, end in spans if start < end], spans[1][0]))
        return cls(prompt, texts, tuple(_tokens_within(prompt, spans)))

    @property
    def joints(self) -> int:
        """How many tokens join the parts."""
        return len(self.prompt) - sum(map(len, self.tokens))

    def pins(self) -> dict[int, bool]:
        """All tokens outside the contexts."""
        inside = {i for tokens in self.tokens[1:-1] for i in tokens}
        return {i: True for i in range(len(self.prompt)) if i not in inside}

    def split(self, keep: Sequence[bool]) -> tuple[list[str], list[tuple[str, bool]]]:
        """What is left of each context (one that is kept whole as it was), and its tokens with their labels."""
        text, layout = self.prompt.layout(keep)
        places = {i: (start, end) for i, start, end in layout}
        pieces: list[str] = []
        for whole, tokens in zip(self.texts[1:-1], self.tokens[1:-1], strict=True):
            kept = [i for i in tokens if keep[i]]
            piece = text[places[kept[0]][0] : places[kept[-1]][1]] if kept else ""
            pieces.append(whole if kept and len(kept) == len(tokens) else piece)
        labels = [(self.prompt.tokens[i].text, keep[i]) for tokens in self.tokens[1:-1] for i in tokens]
        return pieces, labels


def _shot_starts(contexts: Sequence[str], starts: list[int], first: int) -> list[int]:
    """Where shots begin: with every part, and inside a single context where its own shots do."""
    if len(contexts) == 1 and contexts[0].strip():
        return starts + [first + shot.start for shot in parse(contexts[0]).shots]
    return starts


def _tokens_within(prompt: Prompt, spans: Sequence[tuple[int, int]]) -> list[range]:
    """For each span of characters, the tokens that lie inside it whole. Spans come in order."""
    found, i, n = [], 0, len(prompt)
    for start, end in spans:
        while i < n and prompt.tokens[i].start < start:
            i += 1
        first = i
        while i < n and prompt.tokens[i].end <= end:
            i += 1
        found.append(range(first, i))
    return found
