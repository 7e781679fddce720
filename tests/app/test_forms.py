"""Requests and changes between a page and its events."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import Field

from app.components.forms import (
    UNCHANGED,
    Change,
    Changes,
    Number,
    PersonName,
    Request,
    Text,
    WholeNumber,
    reads,
    refused_as,
)
from app.components.sampling import BREAKS, DIGITS, TASK, UNIT, SamplingRequest
from model.errors import InputError

SETTINGS: dict[str, Any] = {
    "retention": 35,
    "steps": 8.0,
    "threshold": 0,
    "seed": 0,
    "rules": [TASK],
    "granularity": UNIT,
    "words": None,
}
VIEWS = sorted(Path(__file__).parents[2].glob("app/*/view.py"))


class _Order(Request):
    person: PersonName
    note: Text
    amount: Annotated[WholeNumber, Field(ge=1, le=9), refused_as("Order 1 to 9.")]
    price: Number


@dataclass(frozen=True)
class _Page(Changes):
    answer: Change[str] = UNCHANGED
    total: Change[float] = UNCHANGED


class _Events:
    @reads(_Order, refused=lambda error: _Page(answer=str(error)))
    def order(self, request: _Order) -> _Page:
        if request.note == "bad":
            raise InputError("The note is bad.")
        return _Page(total=request.amount * request.price)

    @reads(_Order, refused=lambda error: _Page(answer=str(error)))
    def count(self, request: _Order) -> Iterator[_Page]:
        for n in range(request.amount):
            yield _Page(total=n)
        raise InputError("That was all.")


ORDER: dict[str, Any] = {"person": " Ann ", "note": None, "amount": 2.0, "price": 3}


def test_a_valid_request_is_answered_and_only_what_changed_is_shown() -> None:
    assert _Order.read(ORDER) == _Order(person="Ann", note="", amount=2, price=3.0)
    assert _Order.read({**ORDER, "person": None}).person == "anonymous"
    assert _Events().order(ORDER).named() == {"total": 6.0}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"amount": 10}, "Order 1 to 9."),
        ({"amount": None}, "Order 1 to 9."),
        ({"amount": True}, "Order 1 to 9."),
        ({"amount": 1.5}, "amount 1.5 must be a whole number"),
        ({"amount": float("nan")}, "amount nan must be a whole number"),
        ({"price": float("inf")}, "price: Input should be a finite number"),
        ({"price": "3"}, "price: Input should be a valid number"),
        ({"note": 5}, "note: Input should be a valid string"),
        ({"extra": 1}, "extra: Extra inputs are not permitted"),
        ({"note": "bad"}, "The note is bad."),
    ],
)
def test_what_is_wrong_is_said_in_one_line(given: dict[str, Any], says: str) -> None:
    assert _Events().order({**ORDER, **given}).named() == {"answer": says}


def test_a_stream_shows_what_came_before_it_failed() -> None:
    shown = [page.named() for page in _Events().count(ORDER)]
    assert shown == [{"total": 0}, {"total": 1}, {"answer": "That was all."}]


def test_settings_become_a_request_to_the_model() -> None:
    asked = SamplingRequest.read(SETTINGS).about("Pay 5 to Ann")
    assert (asked.retention, asked.steps, asked.keep_task, asked.keep) == (0.35, 8, True, None)
    words = SamplingRequest.read({**SETTINGS, "rules": [DIGITS, BREAKS], "words": "Ann, to"}).about("Pay 5 to Ann")
    assert words.fixed == {1: True, 2: True, 3: True} and words.keep_breaks and not words.keep_task
    assert SamplingRequest.read({**SETTINGS, "rules": [], "words": r"/\bto\b/"}).about("Pay 5 to Ann").fixed == {
        2: True
    }


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"seed": None}, "A setting is empty"),
        ({"retention": "35"}, "A setting is empty"),
        ({"seed": 0.5}, "seed 0.5 must be a whole number"),
        ({"retention": 200}, "retention 2 must be"),
        ({"steps": 65}, "steps 65 must be"),
    ],
)
def test_settings_out_of_range_are_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        SamplingRequest.read({**SETTINGS, **given}).about("Pay 5 to Ann")


def test_views_need_no_gradio() -> None:
    modules = ", ".join(f"app.{path.parent.name}.view" for path in VIEWS)
    assert len(VIEWS) > 5
    code = f"import sys, {modules}\nassert 'gradio' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], cwd=VIEWS[0].parents[2]).returncode == 0
