"""The comparisons of one studio: a prompt shortened in several ways, all answered, and the vote. No Gradio.

A comparison belongs to the visitor who has its id; visitors learn nothing of each other's.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import get_args

from annotations.votes import Winner
from app.answering.side_by_side import AnswerPiece, answer_side_by_side
from app.compare.arms import FULL, READ_THE_QUESTION, Arm
from app.compare.comparison import Comparison
from app.compare.shortening import Shortened, Shortening
from app.compare.sides import ComparedSide, joined
from app.studio import Studio
from model.errors import InputError
from model.fields import NAME_LIMIT
from model.llm.load import local_writer
from model.llm.writers import Writer
from model.prompt import parse
from model.prompt.limits import MAX_CHARACTERS

MOST_COMPARED = 20
QUESTION_LIMIT = 4000  # characters
_REMEMBERED = 64  # comparisons, of all visitors
_GONE = "This comparison is no longer known here: press Compare again."
_EMPTY = "The prompt is empty: give demonstrations or a text that a question can be about."
_TOO_LONG = f"At most {MAX_CHARACTERS:,} characters of prompt are compared: shorten it."
_TOO_MANY = f"Ask at most {MOST_COMPARED} questions of {QUESTION_LIMIT:,} characters, with an empty line between them."
_FEW_CONTESTANTS = "Tick at least two ways, so that a pair can be drawn."


def split_questions(text: str) -> tuple[str, ...]:
    """The questions, which have empty lines between them; ("",) where there is none. Raises InputError for too many.

    >>> split_questions("Message: Where is it?\\nTeam:\\n\\nMessage: Thanks!\\nTeam:\\n")
    ('Message: Where is it?\\nTeam:', 'Message: Thanks!\\nTeam:')
    """
    asked: list[list[str]] = [[]]
    for line in text.splitlines():
        if line.strip():
            asked[-1].append(line.rstrip())
        elif asked[-1]:
            asked.append([])
    questions = tuple(dict.fromkeys("\n".join(lines) for lines in asked if lines)) or ("",)
    if len(questions) > MOST_COMPARED or max(map(len, questions)) > QUESTION_LIMIT:
        raise InputError(_TOO_MANY)
    return questions


class Comparisons:
    """The latest comparisons of one studio. Safe to share between threads."""

    def __init__(self, studio: Studio):
        self.studio, self.shortening = studio, Shortening(studio)
        self._latest: OrderedDict[str, Comparison] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, id: str | None) -> Comparison:
        """One of the latest comparisons. InputError when it is not known."""
        with self._lock:
            comparison = self._latest.get(id or "")
        if comparison is None:
            raise InputError(_GONE)
        return comparison

    def begin(self, comparison: Comparison, arms: Sequence[Arm]) -> None:
        """Check a new comparison and remember it. arms: that will be shown. Raises InputError."""
        if not comparison.context.strip():
            raise InputError(_EMPTY)
        if len(comparison.context) > MAX_CHARACTERS:
            raise InputError(_TOO_LONG)
        comparison.begin(len(arms))
        with self._lock:
            self._latest[comparison.id] = comparison
            while len(self._latest) > _REMEMBERED:
                self._latest.popitem(last=False)

    # --- shortening ----------------------------------------------------------------------------------------

    def shorten(self, comparison: Comparison, arms: Sequence[Arm]) -> Iterator[None]:
        """Make the prompts, a round for each question; yields after each. Raises InputError or StoreError."""
        made: dict[Arm, Shortened] = {}
        for at, question in enumerate(comparison.questions):
            if comparison.stop.is_set():
                return
            sides = tuple(self._side(arm, comparison.context, question, made) for arm in arms)
            if not all(side.text for side in sides):
                raise InputError("Nothing is left of the prompt: keep more of it, or ask a question.")
            comparison.begin_round(question, sides)
            if at + 1 < len(comparison.questions):
                comparison.add(say=f"Shortening the prompt: question {at + 2} of {len(comparison.questions)} …")
            yield

    def _side(self, arm: Arm, context: str, question: str, made: dict[Arm, Shortened]) -> ComparedSide:
        """made: what was made before, which serves again where a method does not read the question."""
        if arm.method in READ_THE_QUESTION or arm not in made:
            made[arm] = self.shortening.shorten(arm, context, question)
        return ComparedSide(arm, joined(made[arm].text, question), made[arm].seconds)

    # --- answering -----------------------------------------------------------------------------------------

    def write(self, comparison: Comparison) -> Iterator[bool]:
        """Let all prompts be answered; yields whether its lines have changed. Raises InputError."""
        made, comparison.writer = comparison.writer, None  # an endpoint holds a key
        if made is None or not comparison.rounds:
            return
        try:
            if isinstance(made, str):
                comparison.add(say=f"Loading {made} …")
                yield True
                local = local_writer(self.studio.targets.get(made), comparison.chat)
                new_writer: Callable[[], Writer] = lambda: local  # noqa: E731
            else:
                new_writer = made.again  # an endpoint is done with once it has answered
            comparison.announce(new_writer())
            yield True
            for at in range(len(comparison.rounds)):
                yield from self._answers(comparison, at, new_writer())
            comparison.close()
            yield True
        finally:
            comparison.stop.set()

    def _answers(self, comparison: Comparison, at: int, writer: Writer) -> Iterator[bool]:
        """A round. The work ends early once the comparison's `stop` is set."""
        if comparison.stop.is_set():
            return
        sides, ended = comparison.rounds[at].sides, threading.Event()
        prompts = [side.text for side in sides]
        answering = answer_side_by_side(writer, prompts, comparison.limit, self.studio.answering, ended)
        for events in answering:
            for event in events:
                if isinstance(event, AnswerPiece):
                    comparison.hear(at, event.side, event.text, event.seconds)
                else:
                    sides[event.side].finish(event.seconds, event.usage, event.error, self._count)
                    comparison.finished(at, event.side)
            if comparison.stop.is_set():
                answering.close()
                return
            yield bool(events)

    def _count(self, text: str) -> int:
        """Tokens, as the served model's tokenizer counts them: for endpoints that do not say."""
        return sum(self.studio.subwords(parse(text))) if text.strip() else 0

    # --- the vote ------------------------------------------------------------------------------------------

    def vote(self, comparison: Comparison, winner: str, annotator: str) -> None:
        """Store the vote, then reveal. A second vote changes nothing. Raises InputError, RecordError or StoreError."""
        if winner not in get_args(Winner) or not comparison.asked:
            raise InputError(_GONE)
        if not comparison.voted:
            fields = comparison.vote_fields(winner, annotator, comparison.judge.name[:NAME_LIMIT])
            self.studio.store.vote(fields)
            comparison.show_vote(winner)


def against_the_full_prompt(arms: Sequence[Arm]) -> tuple[Arm, ...]:
    """The full prompt, and the arms beside it. Raises InputError when there is none, or two are the same."""
    names = [arm.name for arm in arms]
    if not names:
        raise InputError("Choose at least one way to shorten the prompt.")
    if len({*names, FULL}) <= len(names):
        raise InputError("Two of the ways are the same: choose different ones.")
    return (Arm(FULL), *arms)


def drawn_pair(contestants: Sequence[Arm]) -> tuple[Arm, ...]:
    """Two of them by chance, in an order of chance. Raises InputError where there are fewer."""
    if len(contestants) < 2:
        raise InputError(_FEW_CONTESTANTS)
    return tuple(secrets.SystemRandom().sample(list(contestants), 2))
