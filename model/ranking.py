"""Rank documents by what they say to a question, and prune them under one budget, in one call.

>>> compressor = Compressor.load()
>>> ranking = compressor.rank("When does the museum open?", [
...     "The ferry to Lund leaves at nine. It is blue.",
...     "The museum opens at ten. It has a garden.",
... ], retention=0.3)
>>> [(place.index, place.text) for place in ranking]
[(1, 'The museum opens at ten.'), (0, '')]
>>> ranking[0].spans  # characters of the document
((0, 24),)
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .diffusion.trace import SamplerConfig
from .errors import InputError
from .integrations import Compresses
from .prompt import Prompt, parse
from .prompt.join import JOINT, Joined, with_roles
from .prompt.limits import check_length
from .reader import load_reader, prices
from .verdict import Verdict

MAX_DOCUMENTS = 1000
_SAID = dict.fromkeys(("instruction", "question", "demonstration", "text"), "document")  # it is read, not obeyed


@dataclass(frozen=True)
class Ranked:
    """What is left of a document, and how much it says to the question.

    Attributes:
        index: its place among the documents that were given.
        score: in [0, 1], of its best unit; comparable within one ranking only.
        text: what is kept of it; "" = nothing.
        spans: characters [start, end) of the document that are kept, in order.
    """

    index: int
    score: float
    text: str
    spans: tuple[tuple[int, int], ...]


class Ranking(list[Ranked]):
    """All documents, the best first.

    Attributes:
        verdict: what was lost, of the documents and the question as one prompt; None where the documents are empty.
    """

    def __init__(self, places: Sequence[Ranked], verdict: Verdict | None) -> None:
        super().__init__(places)
        self.verdict = verdict


def rank(
    compressor: Compresses,
    question: str,
    documents: Sequence[str],
    retention: float = 0.5,
    *,
    target_tokens: int | None = None,
    tokenizer: Any = None,
    **options: Any,
) -> Ranking:
    """Score documents by a question, and keep of all of them together what says most to it.

    Args:
        documents: at most 1,000, and 200,000 characters together with the question.
        retention: share of the documents' tokens that is kept at most, in (0, 1]; 1 ranks alone.
        target_tokens: how many tokens of the documents are kept at most, instead of a share.
        tokenizer: as of `CompressRequest`; lengths then count in its tokens.
        options: as of `Compressor.compress`, pins excepted.
    Returns a place for each document; none for no documents.

    Raises InputError when the question is empty, a document is not a text, there are too many, or an option is wrong.
    """
    asked = SamplerConfig(retention).retention
    joined = _joined(question, documents)
    if "pins" in options:
        raise InputError("rank takes no pins; name words in keep_words")
    if not any(joined.prompts[:-1]):
        return Ranking([Ranked(i, 0.0, "", ()) for i in range(len(documents))], None)
    reader = None if tokenizer is None else load_reader(tokenizer)
    price = prices(joined.prompt, reader)
    total, of_question = sum(price), sum(price[i] for i in joined.tokens[-1])
    wanted = math.floor(asked * (total - of_question) + 1e-6) if target_tokens is None else target_tokens
    if wanted < 1 and target_tokens is not None:
        raise InputError(f"target_tokens {target_tokens} must be at least 1")
    share = min((max(wanted, 1) + of_question) / total, 1.0)
    result = compressor.compress(joined.prompt, share, tokenizer=reader, **options)
    places = _places(joined, result.trace.keep, result.trace.steps[0].shots)
    return Ranking(sorted(places, key=lambda place: -place.score), result.verdict)


def _joined(question: object, documents: object) -> Joined:
    """The documents, and then the question."""
    if not isinstance(question, str) or not question.strip("\ufeff").strip():
        raise InputError("The question is empty: say in a text what the documents are ranked by.")
    if not isinstance(documents, list | tuple) or not all(isinstance(text, str) for text in documents):
        raise InputError("documents must be a list of texts")
    if len(documents) > MAX_DOCUMENTS:
        raise InputError(f"{len(documents):,} documents are too many, at most {MAX_DOCUMENTS:,} may be: rank in parts.")
    check_length(sum(len(text) + len(JOINT) for text in (*documents, question)))
    return Joined.of(
        [*map(_read, range(len(documents)), documents), parse(question, parts=[(0, len(question), "question")])]
    )


def _read(index: int, text: str) -> Prompt | None:
    if not text.strip("\ufeff").strip():
        return None
    try:
        return with_roles(parse(text), _SAID)
    except InputError as error:
        raise InputError(f"document {index}: {error}") from None


def _places(joined: Joined, keep: Sequence[bool], parts: Sequence[float]) -> Iterator[Ranked]:
    """The place of each document; parts: how likely each part of the prompt is to stay."""
    of = joined.prompt.tokens
    kept = zip(joined.prompts[:-1], joined.masks(keep), joined.tokens, strict=False)
    for index, (document, mask, tokens) in enumerate(kept):
        if document is None:
            yield Ranked(index, 0.0, "", ())
        else:
            score = max(parts[of[tokens[0]].part : of[tokens[-1]].part + 1])
            yield Ranked(index, score, document.render(mask), tuple(_spans(document, mask)))


def _spans(document: Prompt, keep: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """The stretches of tokens that are kept one after the other."""
    start = -1
    for i, token in enumerate(document.tokens):
        if keep[i] and start < 0:
            start = token.start
        if start >= 0 and (i + 1 == len(keep) or not keep[i + 1]):
            yield start, token.end
            start = -1
