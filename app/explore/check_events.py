"""What happens on a click in "Check the answers"."""

from __future__ import annotations

import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.answering.answerer import Answerer, EndpointKey
from app.answering.judge import Judge
from app.components import table
from app.components.forms import UNCHANGED, Change, Changes, Request, Text, reads
from app.explore.checking import AnswerPair, check, check_table, questions_of
from app.studio import Studio
from model.errors import InputError
from model.llm.endpoint import Endpoint
from model.llm.load import local_writer
from model.llm.writers import Writer

_REMEMBERED = 64  # checks, of all visitors
_NO_RUN = "Run a prompt first: its full and its short form are what is asked."


class CheckRequest(Answerer):
    """Ask these questions of the last run's two prompts."""

    questions: Text
    last_run: str | None


class StopRequest(Request):
    """End the visitor's check; None = there was none."""

    check: str | None


@dataclass(frozen=True)
class CheckPage(Changes):
    """The answers, and what the page remembers."""

    answers: Change[str] = UNCHANGED
    check: Change[str] = UNCHANGED
    key: Change[Any] = UNCHANGED
    kept_key: Change[EndpointKey | None] = UNCHANGED


def _refused(error: Exception) -> CheckPage:
    return CheckPage(answers=table.message(error, "error"))


class CheckEvents:
    """The events of one studio."""

    def __init__(self, studio: Studio):
        self.studio = studio
        self._stops: OrderedDict[str, threading.Event] = OrderedDict()
        self._lock = threading.Lock()

    @reads(CheckRequest, refused=_refused)
    def ask(self, request: CheckRequest) -> Iterator[CheckPage]:
        """Let both prompts be answered, question by question."""
        run = self.studio.run(request.last_run)
        if run is None:
            raise InputError(_NO_RUN)
        result, questions = run.result(), questions_of(request.questions)
        made, kept_key = request.allowed_writer(self.studio.settings, self.studio.local_targets)
        id, stop = self._begin()
        box = gr.update(value="", placeholder="Kept for this address until you leave the page" if kept_key else "")
        judge = Judge.of(made)
        yield CheckPage(answers=table.message(f"Loading {judge.name} …"), check=id, key=box, kept_key=kept_key)
        new_writer = self._writers(made, request.chat)
        pairs: list[AnswerPair] = []
        yield CheckPage(answers=check_table(pairs, len(questions), judge))
        prompts = (result.prompt.text, result.text)
        for some in check(new_writer, prompts, questions, int(request.limit), self.studio.answering, stop):
            pairs = some or pairs
            yield CheckPage(answers=check_table(pairs, len(questions), judge)) if some else CheckPage()
        yield CheckPage(answers=check_table(pairs, len(questions), judge, stop.is_set()))

    def _writers(self, made: Endpoint | str, chat: bool) -> Callable[[], Writer]:
        """What gives a writer for each question: a model here, which is loaded now, or the endpoint anew."""
        if not isinstance(made, str):
            return made.again
        local = local_writer(self.studio.targets.get(made), chat)
        return lambda: local

    def _begin(self) -> tuple[str, threading.Event]:
        id, stop = uuid.uuid4().hex, threading.Event()
        with self._lock:
            self._stops[id] = stop
            while len(self._stops) > _REMEMBERED:
                self._stops.popitem(last=False)
        return id, stop

    @reads(StopRequest, refused=_refused)
    def stop(self, request: StopRequest) -> CheckPage:
        """End the visitor's own check."""
        with self._lock:
            stop = self._stops.get(request.check or "")
        if stop is not None:
            stop.set()
        return CheckPage()
