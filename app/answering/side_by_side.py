"""Two answers to two prompts, written side by side or one after the other, as a stream of events with their times."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias, runtime_checkable

from model.errors import InputError
from model.llm.writers import Usage, Writer

_BEAT = 0.25  # seconds after which an empty list is yielded, so that whoever listens can stop the work
_FAILED = "The model failed; the server's log says why."


@dataclass(frozen=True)
class AnswerPiece:
    """Some of the answer of a side (0 or 1); seconds since that side began."""

    side: int
    text: str
    seconds: float


@dataclass(frozen=True)
class AnswerEnd:
    """The end of a side: with its usage, or with what went wrong."""

    side: int
    seconds: float
    usage: Usage = field(default_factory=Usage)
    error: str = ""


@runtime_checkable
class Stoppable(Protocol):
    """A writer whose work can be ended while it waits for something."""

    def stop(self) -> None:
        """End it."""


AnswerEvent: TypeAlias = AnswerPiece | AnswerEnd


def answer_side_by_side(
    writer: Writer, prompts: Sequence[str], limit: int, turn: threading.Lock, stop: threading.Event
) -> Generator[list[AnswerEvent], None, None]:
    """Let the writer answer the prompts; yields what has come since. Each side's time runs from its own start.

    Writers that cannot write twice at once write one answer after the other, when it is their `turn`.
    Yields [] when nothing has come for a while. Setting `stop`, or closing the generator, ends the work; sides that
    were not finished have no `AnswerEnd` then.
    """
    events: queue.Queue[AnswerEvent] = queue.Queue()
    sides = list(enumerate(prompts))
    lanes = [[side] for side in sides] if writer.at_once else [sides]
    for lane in lanes:
        arguments = (writer, lane, limit, None if writer.at_once else turn, stop, events)
        threading.Thread(target=_run, args=arguments, daemon=True).start()
    left = len(sides)
    try:
        while left and not stop.is_set():
            heard = _heard(events)
            left -= sum(isinstance(event, AnswerEnd) for event in heard)
            yield heard
    finally:
        stop.set()
        if isinstance(writer, Stoppable):
            writer.stop()


def _heard(events: queue.Queue[AnswerEvent]) -> list[AnswerEvent]:
    """All that has come by now, waiting a moment for the first; pieces of a side that follow each other are one."""
    try:
        heard = [events.get(timeout=_BEAT)]
    except queue.Empty:
        return []
    for _ in range(events.qsize()):  # no more than these: a fast writer could keep this loop going
        event, last = events.get_nowait(), heard[-1]
        if isinstance(event, AnswerPiece) and isinstance(last, AnswerPiece) and event.side == last.side:
            heard[-1] = AnswerPiece(last.side, last.text + event.text, last.seconds)
        else:
            heard.append(event)
    return heard


def _run(
    writer: Writer,
    lane: list[tuple[int, str]],
    limit: int,
    turn: threading.Lock | None,
    stop: threading.Event,
    events: queue.Queue[AnswerEvent],
) -> None:
    while turn is not None and not turn.acquire(timeout=_BEAT):
        if stop.is_set():
            return
    try:
        for side, prompt in lane:
            _answer(writer, side, prompt, limit, stop, events)
    finally:
        if turn is not None:
            turn.release()


def _answer(
    writer: Writer, side: int, prompt: str, limit: int, stop: threading.Event, events: queue.Queue[AnswerEvent]
) -> None:
    start = time.perf_counter()

    def seconds() -> float:
        return time.perf_counter() - start

    try:
        with closing(writer.write(prompt, limit)) as pieces:
            while not stop.is_set():
                if text := next(pieces):
                    events.put(AnswerPiece(side, text, seconds()))
    except StopIteration as end:
        events.put(AnswerEnd(side, seconds(), end.value))
    except InputError as error:
        events.put(AnswerEnd(side, seconds(), error=str(error)))
    except Exception:
        logging.getLogger(__name__).exception("%s failed", writer.name)
        events.put(AnswerEnd(side, seconds(), error=_FAILED))
