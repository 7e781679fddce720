"""What each arm makes of a prompt and a question. No Gradio.

DiffuMask, and the sentences nearest to the question, are chosen for each question anew; the other methods do not read
it. What an arm keeps is counted in words of the prompt, without the question.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from annotations.results import SEARCH_LIMIT, TO_LEARN, Filter
from app.compare.arms import (
    BM25,
    DENSE,
    DIFFUMASK,
    FIRST,
    FULL,
    HUMAN,
    LLMLINGUA,
    LLMLINGUA2,
    NONE,
    RANDOM,
    READ_THE_QUESTION,
    Arm,
)  # fmt: skip
from app.compare.sides import joined
from app.opened import stored_mask, stored_prompt
from app.studio import Studio
from model.compress import CompressRequest
from model.errors import InputError
from model.evaluation.methods import baselines
from model.evaluation.methods.budget import tokens_counter
from model.evaluation.methods.extractive import Score, by_bm25, by_likeness, keep_best
from model.evaluation.tasks.task import EvaluationPrompt
from model.prompt import parse
from model.record import CorrectionRecord

LLMLINGUA_LIMIT = 20_000  # characters: it takes seconds for a thousand words
_LOADED_ON_USE = (DIFFUMASK, DENSE, LLMLINGUA, LLMLINGUA2)
_FIRST_USE = (  # a prompt that all networks have to read, and a question
    "Document 1: Office. It opens at nine. Nobody pays in cash. It rained all day long.\n\n"
    "Document 2: Berths. A berth costs 22 euros. Dogs are kept on a lead. Ann left the firm in May.",
    "Question: When does it open?\nAnswer:",
)
_NO_MASK = "Nobody has corrected this very prompt yet: submit it in the Correct tab, or compare something else."
_NO_ENCODER = "The served model has no sentence encoder: compare something else."
_NO_MODEL = "LLMLingua-2 needs a model: name its folder in DIFFUMASK_LLMLINGUA2."


@dataclass(frozen=True)
class Shortened:
    """What is left of a context, and the seconds that it took."""

    text: str
    seconds: float


class Shortening:
    """The methods of one studio. Safe to share between threads."""

    def __init__(self, studio: Studio):
        self.studio = studio
        self._loaded: set[str] = set()
        self._lingua = threading.Lock()  # its package is not made for several threads
        self._methods: dict[str, Callable[[str, float], str]] = {
            FULL: lambda context, share: context,
            NONE: lambda context, share: "",
            RANDOM: lambda context, share: baselines.random_tokens(context, share, seed=0),
            FIRST: baselines.first_tokens,
            LLMLINGUA: self._by_lingua(cache(baselines.llmlingua)),
            LLMLINGUA2: self._by_lingua(cache(self._llmlingua2)),
            HUMAN: self._by_a_person,
        }

    def shorten(self, arm: Arm, context: str, question: str) -> Shortened:
        """What an arm leaves of the context. Raises InputError or StoreError."""
        if arm.method in (LLMLINGUA, LLMLINGUA2) and len(context) > LLMLINGUA_LIMIT:
            raise InputError(f"The LLMLinguas get at most {LLMLINGUA_LIMIT:,} characters here: shorten the prompt.")
        if arm.method in _LOADED_ON_USE and arm.method not in self._loaded:
            self._timed(arm, *_FIRST_USE)  # so that loading a model is not counted as shortening
            self._loaded.add(arm.method)
        return self._timed(arm, context, question)

    def _timed(self, arm: Arm, context: str, question: str) -> Shortened:
        began, share = time.perf_counter(), arm.percent / 100
        if arm.method == DIFFUMASK:
            return self._denoised(context, question, share)
        if arm.method in READ_THE_QUESTION:
            text = self._best_sentences(arm.method, context, question, share)
        else:
            text = self._methods[arm.method](context, share)
        return Shortened(text, time.perf_counter() - began)

    def _denoised(self, context: str, question: str, share: float) -> Shortened:
        """DiffuMask reads the question, which stays whole and takes nothing from what the context may keep."""
        prompt, end = parse(joined(context, question)), len(context.strip())
        inside = [token.start < end for token in prompt.tokens]
        asked = {i: True for i, within in enumerate(inside) if not within}
        retention = (len(asked) + share * sum(inside)) / len(prompt)
        run = self.studio.start(CompressRequest(prompt, retention, pins=asked))
        list(self.studio.denoise(run))
        kept = [keep and within for keep, within in zip(run.result().trace.keep, inside, strict=True)]
        return Shortened(prompt.render(kept).strip(), run.seconds)

    def _best_sentences(self, method: str, context: str, question: str, share: float) -> str:
        if not question.strip():
            raise InputError(f"{method} needs a question: ask one, or compare something else.")
        prompt = EvaluationPrompt(0, context.strip(), question=question)
        choose = keep_best(self._score(method), tokens_counter())
        return self.studio.served.run(choose, prompt, [share])[share].text

    def _score(self, method: str) -> Score:
        if method == BM25:
            return by_bm25(lambda prompt: prompt.question)
        assert method == DENSE
        encoder = self.studio.compressor.encoder
        if encoder is None:
            raise InputError(_NO_ENCODER)
        return by_likeness(lambda prompt: prompt.question, encoder)

    def _by_lingua(self, make: Callable[[], Callable[[str, float], str]]) -> Callable[[str, float], str]:
        """One of the package's methods, loaded on first use."""

        def shorten(context: str, share: float) -> str:
            with self._lingua:
                return make()(context, share)

        return shorten

    def _llmlingua2(self) -> Callable[[str, float], str]:
        if self.studio.settings.llmlingua2 is None:
            raise InputError(_NO_MODEL)
        return baselines.llmlingua2(self.studio.settings.llmlingua2)

    def _by_a_person(self, context: str, share: float) -> str:
        correction = self._correction(context)
        return stored_prompt(correction).render(stored_mask(correction.human_mask))

    def _correction(self, context: str) -> CorrectionRecord:
        """The newest correction of exactly this prompt, white space at its ends aside. Raises InputError."""
        store, text = self.studio.store, context.strip()
        wanted = {hashlib.sha256(prompt.encode("utf-8", "surrogatepass")).hexdigest() for prompt in (context, text)}
        search, offset, total = Filter(TO_LEARN, text=text[:SEARCH_LIMIT]), 0, 1
        while offset < total:
            page = store.find(search, offset, 200)
            for entry in page.entries:
                if entry.prompt_sha256 in wanted:
                    return store.get(entry.id, entry.revision)
            offset, total = offset + 200, page.total
        raise InputError(_NO_MASK)
