"""Comparisons of comparing: a prompt shortened in two ways, both answered, and the vote. No Gradio.

Comparisons of different visitors know nothing of each other: who has a round's id, it belongs to.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence

from annotations.results import SEARCH_LIMIT, TO_LEARN, Filter
from app.answering.race import Piece, race
from app.compare import view as compare
from app.compare.comparison import Comparison
from app.compare.view import DIFFUMASK, FIRST, FULL, HUMAN, RANDOM, Arm, Side
from app.corrections import view as review
from app.studio import Ask, Studio
from model.diffusion.trace import SamplerConfig
from model.errors import InputError
from model.evaluation.methods.baselines import first_tokens, random_tokens
from model.llm.load import local_writer
from model.prompt import parse
from model.prompt.limits import MAX_CHARACTERS
from model.record import CorrectionRecord

REMEMBERED = 64  # rounds, of all visitors
QUESTION_LIMIT = 20_000  # characters
_NO_MASK = "Nobody has corrected this very prompt yet: submit it in the Correct tab, or compare something else."
_GONE = "This comparison is no longer known here: press Compare again."


class Comparisons:
    """The rounds of one studio. Safe to share between threads."""

    def __init__(self, studio: Studio):
        self.studio = studio
        self._rounds: OrderedDict[str, Comparison] = OrderedDict()
        self._lock = threading.Lock()
        self._turn = threading.Lock()  # of the models in this process: they answer one prompt at a time

    def get(self, id: str | None) -> Comparison:
        """A round of late. InputError when it is not known."""
        with self._lock:
            found = self._rounds.get(id or "")
        if found is None:
            raise InputError(_GONE)
        return found

    def begin(self, one: Comparison) -> None:
        """Check a new round and remember it. Raises InputError."""
        if not one.context.strip():
            raise InputError("The prompt is empty: give demonstrations or a text that a question can be about.")
        if len(one.context) > MAX_CHARACTERS or len(one.question) > QUESTION_LIMIT:
            raise InputError(
                f"At most {MAX_CHARACTERS:,} characters of prompt and {QUESTION_LIMIT:,} of question are compared: "
                "shorten them."
            )
        one.add(round=one.id, blind=one.blind)
        with self._lock:
            self._rounds[one.id] = one
            while len(self._rounds) > REMEMBERED:
                self._rounds.popitem(last=False)

    def shorten(self, one: Comparison, arms: Sequence[Arm]) -> None:
        """Make the two prompts; in a blind round they change places by chance. Raises InputError or StoreError."""
        order = list(arms)
        if one.blind:
            secrets.SystemRandom().shuffle(order)
        one.sides = tuple(self._side(arm, one.context, one.question) for arm in order)
        if not all(side.text for side in one.sides):
            raise InputError("Nothing is left of the prompt: keep more of it, or ask a question.")
        if not one.blind:
            one.show_prompts()

    def _side(self, arm: Arm, context: str, question: str) -> Side:
        share, seconds, text = arm.percent / 100, 0.0, ""
        if arm.method == FULL:
            text = context
        elif arm.method == DIFFUMASK:
            run = self.studio.start(Ask(context, SamplerConfig(share, 8)))
            list(self.studio.denoise(run))
            assert run.trace
            text, seconds = run.prompt.render(run.trace.keep), run.seconds
        elif arm.method == RANDOM:
            text = random_tokens(context, share, seed=0)
        elif arm.method == FIRST:
            text = first_tokens(context, share)
        elif arm.method == HUMAN:
            correction = self._correction(context)
            text = review.stored_prompt(correction).render([bit == "1" for bit in correction.human_mask])
        return Side(arm, compare.joined(text, question), seconds)

    def _correction(self, context: str) -> CorrectionRecord:
        """The newest correction of exactly this prompt, white space at its ends aside. Raises InputError."""
        store, text = self.studio.store, context.strip()
        wanted = {hashlib.sha256(one.encode("utf-8", "surrogatepass")).hexdigest() for one in (context, text)}
        search, offset, total = Filter(TO_LEARN, text=text[:SEARCH_LIMIT]), 0, 1
        while offset < total:
            page = store.find(search, offset, 200)
            for entry in page.entries:
                if entry.prompt_sha256 in wanted:
                    return store.get(entry.id, entry.revision)
            offset, total = offset + 200, page.total
        raise InputError(_NO_MASK)

    def write(self, one: Comparison) -> Iterator[bool]:
        """Let both prompts be answered; yields whether the round's lines have changed. Raises InputError."""
        writer, one.writer = one.writer, None  # an endpoint holds a key
        if writer is None or not one.sides:
            return
        try:
            if isinstance(writer, str):
                one.add(say=f"Loading {writer} …")
                yield True
                writer = local_writer(self.studio.targets.get(writer), one.chat)
            order = "both at once" if writer.at_once else "one after the other"
            hidden = "The answers appear together." if one.blind else "Each is timed from its own start."
            one.add(say=f"{writer.name} answers {order}. {hidden}")
            yield True
            for heard in race(writer, [side.text for side in one.sides], one.limit, self._turn, one.stop):
                for event in heard:
                    if isinstance(event, Piece):
                        one.hear(event.side, event.text, event.seconds)
                    else:
                        one.sides[event.side].finish(event.seconds, event.usage, event.error, self._count)
                        one.finished(event.side)
                yield bool(heard)
            one.close()
            yield True
        finally:
            one.stop.set()

    def _count(self, text: str) -> int:
        """Tokens, as the served model's tokenizer counts them: for endpoints that do not say."""
        return sum(self.studio.subwords(parse(text))) if text.strip() else 0

    def vote(self, one: Comparison, winner: str, annotator: str) -> None:
        """Store the vote, then reveal. A second vote changes nothing. Raises InputError, RecordError or StoreError."""
        if winner not in compare.WINNERS or not one.asked:
            raise InputError(_GONE)
        if not one.voted:
            self.studio.store.vote(one.vote_fields(winner, annotator))
            one.show_vote(winner)
