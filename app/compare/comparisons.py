"""The comparisons of one studio: a prompt shortened in two ways, both answered, and the vote. No Gradio.

A comparison belongs to the visitor who has its id; visitors learn nothing of each other's.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import get_args

from annotations.results import SEARCH_LIMIT, TO_LEARN, Filter
from annotations.votes import Winner
from app.answering.side_by_side import AnswerPiece, answer_side_by_side
from app.compare.arms import BY_QUESTION, DENSE, DIFFUMASK, FIRST, FULL, HUMAN, RANDOM, Arm
from app.compare.comparison import Comparison
from app.compare.sides import ComparedSide, joined
from app.opened import stored_mask, stored_prompt
from app.studio import Studio
from model.compress import CompressRequest
from model.errors import InputError
from model.evaluation.methods.baselines import first_tokens, random_tokens
from model.evaluation.methods.budget import tokens_counter
from model.evaluation.methods.extractive import by_bm25, by_likeness, keep_best
from model.evaluation.tasks.task import EvaluationPrompt
from model.llm.load import local_writer
from model.llm.writers import Writer
from model.prompt import parse
from model.prompt.limits import MAX_CHARACTERS
from model.record import CorrectionRecord

_REMEMBERED = 64  # comparisons, of all visitors
_QUESTION_LIMIT = 20_000  # characters
_NO_MASK = "Nobody has corrected this very prompt yet: submit it in the Correct tab, or compare something else."
_GONE = "This comparison is no longer known here: press Compare again."


class Comparisons:
    """The latest comparisons of one studio. Safe to share between threads."""

    def __init__(self, studio: Studio):
        self.studio = studio
        self._latest: OrderedDict[str, Comparison] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, id: str | None) -> Comparison:
        """One of the latest comparisons. InputError when it is not known."""
        with self._lock:
            comparison = self._latest.get(id or "")
        if comparison is None:
            raise InputError(_GONE)
        return comparison

    def begin(self, comparison: Comparison) -> None:
        """Check a new comparison and remember it. Raises InputError."""
        if not comparison.context.strip():
            raise InputError("The prompt is empty: give demonstrations or a text that a question can be about.")
        if len(comparison.context) > MAX_CHARACTERS or len(comparison.question) > _QUESTION_LIMIT:
            raise InputError(
                f"At most {MAX_CHARACTERS:,} characters of prompt and {_QUESTION_LIMIT:,} of question are compared: "
                "shorten them."
            )
        comparison.add(round=comparison.id, blind=comparison.blind)
        with self._lock:
            self._latest[comparison.id] = comparison
            while len(self._latest) > _REMEMBERED:
                self._latest.popitem(last=False)

    def shorten(self, comparison: Comparison, arms: Sequence[Arm]) -> None:
        """Make the two prompts; in a blind comparison their places are drawn by chance.

        Raises InputError or StoreError.
        """
        order = list(arms)
        if comparison.blind:
            secrets.SystemRandom().shuffle(order)
        comparison.sides = tuple(self._side(arm, comparison.context, comparison.question) for arm in order)
        if not all(side.text for side in comparison.sides):
            raise InputError("Nothing is left of the prompt: keep more of it, or ask a question.")
        if not comparison.blind:
            comparison.show_prompts()

    def _side(self, arm: Arm, context: str, question: str) -> ComparedSide:
        share, seconds, text = arm.percent / 100, 0.0, ""
        if arm.method == FULL:
            text = context
        elif arm.method == DIFFUMASK:
            run = self.studio.start(CompressRequest(context, share))
            list(self.studio.denoise(run))
            text, seconds = run.result().text, run.seconds
        elif arm.method == RANDOM:
            text = random_tokens(context, share, seed=0)
        elif arm.method == FIRST:
            text = first_tokens(context, share)
        elif arm.method in BY_QUESTION:
            text = self._best_sentences(arm.method, context, question, share)
        elif arm.method == HUMAN:
            correction = self._correction(context)
            text = stored_prompt(correction).render(stored_mask(correction.human_mask))
        return ComparedSide(arm, joined(text, question), seconds)

    def _best_sentences(self, method: str, context: str, question: str, share: float) -> str:
        """The sentences that are nearest to the question. Raises InputError where none is asked."""
        if not question.strip():
            raise InputError(f"{method} needs a question: ask one, or compare something else.")
        score = by_bm25(lambda prompt: prompt.question)
        if method == DENSE:
            encoder = self.studio.compressor.encoder
            if encoder is None:
                raise InputError("The served model has no sentence encoder: compare something else.")
            score = by_likeness(lambda prompt: prompt.question, encoder)
        prompt = EvaluationPrompt(0, context.strip(), question=question)
        choose = keep_best(score, tokens_counter())
        return self.studio.served.run(choose, prompt, [share])[share].text

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

    def write(self, comparison: Comparison) -> Iterator[bool]:
        """Let both prompts be answered; yields whether its lines have changed. Raises InputError."""
        writer, comparison.writer = comparison.writer, None  # an endpoint holds a key
        if writer is None or not comparison.sides:
            return
        try:
            if isinstance(writer, str):
                comparison.add(say=f"Loading {writer} …")
                yield True
                writer = local_writer(self.studio.targets.get(writer), comparison.chat)
            comparison.announce(writer)
            yield True
            yield from self._answers(comparison, writer)
            comparison.close()
            yield True
        finally:
            comparison.stop.set()

    def _answers(self, comparison: Comparison, writer: Writer) -> Iterator[bool]:
        prompts = [side.text for side in comparison.sides]
        for events in answer_side_by_side(writer, prompts, comparison.limit, self.studio.answering, comparison.stop):
            for event in events:
                if isinstance(event, AnswerPiece):
                    comparison.hear(event.side, event.text, event.seconds)
                else:
                    comparison.sides[event.side].finish(event.seconds, event.usage, event.error, self._count)
                    comparison.finished(event.side)
            yield bool(events)

    def _count(self, text: str) -> int:
        """Tokens, as the served model's tokenizer counts them: for endpoints that do not say."""
        return sum(self.studio.subwords(parse(text))) if text.strip() else 0

    def vote(self, comparison: Comparison, winner: str, annotator: str) -> None:
        """Store the vote, then reveal. A second vote changes nothing. Raises InputError, RecordError or StoreError."""
        if winner not in get_args(Winner) or not comparison.asked:
            raise InputError(_GONE)
        if not comparison.voted:
            self.studio.store.vote(comparison.vote_fields(winner, annotator))
            comparison.show_vote(winner)
