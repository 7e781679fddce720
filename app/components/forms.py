"""What a page and its events exchange: requests and changes, by name.

A tab puts its components into a `Form`, under names. An event's method takes a `Request`, whose fields are checked
and bear these names, and returns `Changes`, whose fields bear them, too:

    class GreetRequest(Request):
        person: PersonName

    @dataclass(frozen=True)
    class GreetPage(Changes):
        greeting: Change[str] = UNCHANGED

    class GreetEvents:
        @reads(GreetRequest, refused=lambda error: GreetPage(greeting=str(error)))
        def greet(self, request: GreetRequest) -> GreetPage:
            return GreetPage(greeting=f"Hello {request.person}!")

    form = Form(person=gr.Textbox(), greeting=gr.Markdown())
    form.on(button.click, GreetEvents().greet, shows=["greeting"])
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import Enum
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

import gradio as gr
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from typing_extensions import Self

from annotations.errors import ExportError, RecordError, StoreError
from app.hosting.guard import MODEL_QUEUE as MODEL_QUEUE  # for tabs
from app.hosting.people import signed_in_name
from model.errors import InputError

USER_ERRORS = (InputError, RecordError, StoreError, ExportError)  # their message is meant for the person
# Gradio's options for events of the page: no spinner, no endpoint for programs
PRIVATE: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
INSTANT: dict[str, Any] = {"queue": False, **PRIVATE}  # and answered at once, for events that only move values about

PageValues: TypeAlias = Mapping[str, Any]  # what the page sent: the form's values, its `event` and its `visitor`
Events = TypeVar("Events")
Asked = TypeVar("Asked", bound="Request")
Shown = TypeVar("Shown")
T = TypeVar("T")


# --- what a page asks --------------------------------------------------------------------------------------


class Request(BaseModel):
    """The values that an event needs, by the names of the form's components.

    Two fields come from elsewhere: `event`, what the browser's script sent with the event, and `visitor`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def read(cls, values: PageValues) -> Self:
        """Check what the page sent. Raises InputError: one line that says what is wrong with the first wrong value."""
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise _first_error(error) from None


@dataclass(frozen=True)
class Visitor:
    """Where a request comes from: the client's address, and the names of the HTTP headers."""

    address: str = ""
    headers: tuple[str, ...] = ()


def refused_as(message: str, kind: type[InputError] = InputError) -> WrapValidator:
    """For a field: whatever is wrong with it is refused with this message.

    A message from further inside goes first: `Annotated[int, Field(ge=1), refused_as("Too low.")]`.
    """

    def check(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
        try:
            return validate(value)
        except ValidationError as error:
            raise _stated(error) or kind(message) from None

    return WrapValidator(check)


def _first_error(error: ValidationError) -> InputError:
    wrong = error.errors(include_url=False)[0]
    return _stated(error) or InputError(f"{'.'.join(map(str, wrong['loc']))}: {wrong['msg']}")


def _stated(error: ValidationError) -> InputError | None:
    """The InputError that a validator raised, if that is what went wrong."""
    raised = error.errors(include_url=False)[0].get("ctx", {}).get("error")
    return raised if isinstance(raised, InputError) else None


def _whole(value: Any, info: ValidationInfo) -> Any:
    if isinstance(value, float):
        if not value.is_integer():
            raise InputError(f"{info.field_name} {value:g} must be a whole number")
        return int(value)
    return value


# Types of fields. A box that was never touched may send None.
Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]
PersonName = Annotated[str, BeforeValidator(lambda value: signed_in_name(str(value or "").strip() or "anonymous"))]
TextList = Annotated[tuple[str, ...], BeforeValidator(lambda value: tuple(value or ()))]
Tick = Annotated[bool, BeforeValidator(bool)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
WholeNumber = Annotated[int, Field(strict=True), BeforeValidator(_whole)]


# --- what changes on the page ------------------------------------------------------------------------------


class Unchanged(Enum):
    """Stands for a value that stays as it is on the page."""

    UNCHANGED = "unchanged"


UNCHANGED: Literal[Unchanged.UNCHANGED] = Unchanged.UNCHANGED
Change: TypeAlias = T | Literal[Unchanged.UNCHANGED]


@dataclass(frozen=True)
class Changes:
    """New values of components, by their names in the form; every field of a subclass is UNCHANGED unless given."""

    def named(self) -> dict[str, Any]:
        """The fields that were given."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in given.items() if value is not UNCHANGED}


# --- events ------------------------------------------------------------------------------------------------


def reads(
    request: type[Asked], refused: Callable[[Exception], Any]
) -> Callable[[Callable[[Events, Asked], Shown]], Callable[[Events, PageValues], Shown]]:
    """Turn a method over a request into an event handler over the page's values.

    PageValues that are not a valid request, and USER_ERRORS that the method raises, are answered with `refused(error)`.
    A method that yields is answered step by step.
    """

    def decorate(answer: Callable[[Events, Asked], Any]) -> Callable[[Events, PageValues], Any]:
        @functools.wraps(answer)
        def once(events: Events, values: PageValues) -> Any:
            try:
                return answer(events, request.read(values))
            except USER_ERRORS as error:
                return refused(error)
            except OSError as error:  # a full disk, a folder that is read-only
                return refused(_of_the_disk(error))

        @functools.wraps(answer)
        def stream(events: Events, values: PageValues) -> Iterator[Any]:
            try:
                yield from answer(events, request.read(values))
            except USER_ERRORS as error:
                yield refused(error)
            except OSError as error:
                yield refused(_of_the_disk(error))

        handler: Callable[[Events, PageValues], Any] = stream if inspect.isgeneratorfunction(answer) else once
        handler.request = request  # type: ignore[attr-defined]
        return handler

    return decorate


def _of_the_disk(error: OSError) -> InputError:
    return InputError(f"The server's disk does not let it do this: {error.strerror or type(error).__name__}.")


class Form:
    """Components of a page under the names by which its events know them."""

    def __init__(self, **components: Any):
        self._components = components

    def __getitem__(self, name: str) -> Any:
        return self._components[name]

    def on(
        self, event: Callable[..., Any], answer: Callable[[PageValues], Any], shows: Sequence[str] = (), **options: Any
    ) -> Any:
        """Let an event (`button.click`) be answered by a method that `reads` its request.

        shows: names of the components that the answer may change. options: Gradio's.
        Returns the event, for whatever happens `then`.
        """
        request: type[Request] = answer.request  # type: ignore[attr-defined]
        inputs = {name: self[name] for name in request.model_fields if name not in ("event", "visitor")}
        outputs = {name: self[name] for name in shows}

        def values(sent: dict[Any, Any], event: gr.EventData, visitor: gr.Request) -> PageValues:
            named = {name: sent[component] for name, component in inputs.items()}
            if "event" in request.model_fields:
                named["event"] = event._data
            if "visitor" in request.model_fields:
                named["visitor"] = Visitor(visitor.client.host if visitor.client else "", tuple(visitor.headers.keys()))
            return named

        def updates(changes: Changes) -> Any:
            return {outputs[name]: value for name, value in changes.named().items()} or (gr.skip() if shows else None)

        def once(sent: dict[Any, Any], event: gr.EventData, visitor: gr.Request) -> Any:
            return updates(answer(values(sent, event, visitor)))

        def stream(sent: dict[Any, Any], event: gr.EventData, visitor: gr.Request) -> Iterator[Any]:
            for changes in answer(values(sent, event, visitor)):
                yield updates(changes)

        handler = stream if inspect.isgeneratorfunction(answer) else once
        handler.__qualname__ = answer.__qualname__  # by which `app.hosting.roles` knows it
        return event(handler, set(inputs.values()), list(outputs.values()), **{**PRIVATE, **options})
