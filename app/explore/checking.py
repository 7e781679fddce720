"""Whether a language model answers the short prompt as it answers the full one: questions, answers, how far they agree.

The full prompt's answer is the reference, right or wrong.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain

from app.answering.agreement import LEAST_ANSWERS, agree, share_with_interval
from app.answering.judge import Judge
from app.answering.side_by_side import AnswerEvent, AnswerPiece, answer_side_by_side
from app.components import table
from app.components.words import plural, shorten
from model.errors import InputError
from model.llm.writers import Writer

MOST_QUESTIONS = 20
QUESTION_LIMIT = 2000  # characters
_SHOWN = 600  # characters of an answer
_COLUMNS = ("Question*", "Full prompt*", "Short prompt*", "Agree")


@dataclass(frozen=True)
class AnswerPair:
    """A question with the answers to both prompts; error: why one is missing, or ""."""

    question: str
    full: str = ""
    short: str = ""
    error: str = ""

    @property
    def agree(self) -> bool | None:
        """None: it cannot be said."""
        return None if self.error else agree(self.full, self.short)


def questions_of(text: str) -> list[str]:
    """A question a line; [""] where there is none: the prompt is sent as it is. Raises InputError for too many."""
    asked = list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip())) or [""]
    if len(asked) > MOST_QUESTIONS or max(map(len, asked)) > QUESTION_LIMIT:
        raise InputError(f"Ask at most {MOST_QUESTIONS} questions of {QUESTION_LIMIT:,} characters, one a line.")
    return asked


def check(
    new_writer: Callable[[], Writer],
    prompts: Sequence[str],
    questions: Sequence[str],
    limit: int,
    turn: threading.Lock,
    stop: threading.Event,
) -> Iterator[list[AnswerPair] | None]:
    """Let the full and the short prompt be answered with each question behind; yields all pairs after each of them,
    and None now and then while nothing has come. It ends early once `stop` is set.

    new_writer: who answers the next question; an endpoint is done with once it has answered.
    """
    pairs: list[AnswerPair] = []
    for question in questions:
        said, errors = ["", ""], ["", ""]
        sent = ["\n\n".join(part for part in (prompt.strip(), question) if part) for prompt in prompts]
        with closing(answer_side_by_side(new_writer(), sent, limit, turn, threading.Event())) as answering:
            for event in chain.from_iterable(_until(stop, answering)):
                if event is None:
                    yield None
                elif isinstance(event, AnswerPiece):
                    said[event.side] += event.text
                else:
                    errors[event.side] = event.error
        if stop.is_set():
            return
        pairs.append(AnswerPair(question, said[0].strip(), said[1].strip(), errors[0] or errors[1]))
        yield list(pairs)


def _until(stop: threading.Event, answering: Iterable[list[AnswerEvent]]) -> Iterator[list[AnswerEvent | None]]:
    """The events until somebody stops them, with a None behind those that came together."""
    for heard in answering:
        if stop.is_set():
            return
        yield [*heard, None]


def check_table(pairs: Sequence[AnswerPair], total: int, judge: Judge, stopped: bool = False) -> str:
    """What the page shows of it. judge: who answers."""
    blocks = [table.paragraph(_headline(pairs, total, stopped), "heading"), table.paragraph(judge.text, "quiet")]
    if pairs:
        blocks.append(table.rows("Answers to both prompts", _COLUMNS, [("", _row(pair)) for pair in pairs]))
    return table.content(*blocks)


def _headline(pairs: Sequence[AnswerPair], total: int, stopped: bool) -> str:
    told = [pair.agree for pair in pairs if pair.agree is not None]
    if len(pairs) < total and not stopped:
        return f"Asking question {len(pairs) + 1} of {total} …"
    ended = "Stopped. " if stopped else ""
    if not told:
        return f"{ended}No answers to compare."
    share = f"{ended}{sum(told)} of {plural(len(told), 'answer')} agree"
    if len(told) < LEAST_ANSWERS:
        return f"{share}: too few to tell. Ask at least {LEAST_ANSWERS} questions."
    return f"{share} ({share_with_interval(sum(told), len(told))})."


def _row(pair: AnswerPair) -> tuple[str, ...]:
    question = shorten(pair.question, 200) or "(the prompt as it is)"
    if pair.error:
        return question, pair.error, "", "–"
    return question, shorten(pair.full, _SHOWN), shorten(pair.short, _SHOWN), "yes" if pair.agree else "no"
