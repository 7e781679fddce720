"""The one place where handlers are guarded: each runs as the person who asks, if their role allows it at all.

Every handler of a page goes through here, whatever way it is called: by a click, as an endpoint, as an MCP tool, or by
its index at queue/join.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import gradio as gr
from gradio.context import LocalContext

from annotations.errors import StoreError
from app.hosting.identity import Identity
from app.hosting.people import Person, Role, acting_as
from app.hosting.quotas import QuotaError, Quotas
from app.hosting.roles import role_of

_NEEDS = {
    Role.ANNOTATOR: "Sign in to do this.",
    Role.REVIEWER: "Only reviewers may do this.",
    Role.ADMIN: "Only admins may do this.",
}
MODEL_QUEUE = "model"  # concurrency_id of all events that run the model
_SAVES = frozenset(
    (
        "CorrectEvents.keep_draft CorrectEvents.submit CorrectEvents.discard CorrectEvents.take CorrectEvents.skip "
        "QueueEvents.paste QueueEvents.upload QueueEvents.add_corrected Endpoints.correct CompareEvents.vote "
        "AccountEvents.contribute AccountEvents.withdraw AccountEvents.erase AccountEvents.erase_all"
    ).split()
)
_ANSWERS = ("CheckEvents.ask", "CompareEvents.write")  # a model answers for long; with what, is known elsewhere

Log = Callable[[Person, str], None]


def guard(page: gr.Blocks, identity: Identity, quotas: Quotas, log: Log) -> None:
    """Guard all handlers of a page that was built; log: told before strangers' reviewers and admins do anything."""
    for handler in page.fns.values():
        if handler.fn is not None:
            handler.fn = _guarded(handler.fn, handler.concurrency_id == MODEL_QUEUE, identity, quotas, log)


def _guarded(
    answer: Callable[..., Any], runs: bool, identity: Identity, quotas: Quotas, log: Log
) -> Callable[..., Any]:
    name = answer.__qualname__
    needed = role_of(name)

    def admit(given: tuple[Any, ...]) -> Person:
        person = identity.person(LocalContext.request.get(None))
        role = Role.ADMIN if needed is None else needed
        if person.role < role:
            raise gr.Error(_NEEDS[role], print_exception=False)
        try:
            if role >= Role.REVIEWER and not person.local:
                log(person, name)
            if runs or name in _ANSWERS:
                quotas.use(person, "runs")
                quotas.use(person, "characters", characters(given))
            elif name in _SAVES:
                quotas.use(person, "saves")
        except (QuotaError, StoreError) as error:
            raise gr.Error(str(error), print_exception=False) from None
        return person

    @functools.wraps(answer)
    def once(*args: Any, **kwargs: Any) -> Any:
        with acting_as(admit((*args, *kwargs.values()))):
            return answer(*args, **kwargs)

    @functools.wraps(answer)
    def stream(*args: Any, **kwargs: Any) -> Iterator[Any]:
        person = admit((*args, *kwargs.values()))
        steps = answer(*args, **kwargs)
        try:
            while True:
                with acting_as(person):  # each step may run in another thread
                    step = next(steps, _END)
                if step is _END:
                    return
                yield step
        finally:
            steps.close()

    return stream if inspect.isgeneratorfunction(answer) else once


_END = object()


def characters(given: Sequence[Any]) -> int:
    """Of the texts that a handler is given, by themselves or by component."""
    values = [value for item in given for value in (item.values() if isinstance(item, dict) else (item,))]
    return sum(len(value) for value in values if isinstance(value, str))
