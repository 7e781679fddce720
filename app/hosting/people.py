"""Who asks, and what they may do. Every handler runs as somebody: see `app.hosting.guard`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import IntEnum

from model.errors import InputError


class Role(IntEnum):
    """What people may do; each may do what those before it may.

    A visitor compresses. An annotator, who is signed in, corrects, votes and compares, in a workspace of their own. A
    reviewer judges what others contributed. An admin teaches the model, imports, exports everything and erases.
    """

    VISITOR = 0
    ANNOTATOR = 1
    REVIEWER = 2
    ADMIN = 3


@dataclass(frozen=True)
class Person:
    """Who asks.

    Attributes:
        id: where they signed in, and their name there: "hf:ann", "proxy:ann", "auth:ann"; "" = not signed in.
        role: what they may do.
        address: of their machine, for quotas.
        local: the one trusted person of a studio that serves nobody else; their names are what they type.
    """

    id: str = ""
    role: Role = Role.VISITOR
    address: str = ""
    local: bool = False

    @property
    def key(self) -> str:
        """By what quotas count: the person, or else the address."""
        return self.id or f"address {self.address}"


LOCAL = Person(role=Role.ADMIN, local=True)

_acting: ContextVar[Person | None] = ContextVar("acting", default=None)


def acting() -> Person | None:
    """Who the present handler works for; None: the program itself, as in background jobs and on the command line."""
    return _acting.get()


@contextmanager
def acting_as(person: Person) -> Iterator[None]:
    """Work for a person while the block lasts."""
    token = _acting.set(person)
    try:
        yield
    finally:
        _acting.reset(token)


def signed_in_name(typed: str) -> str:
    """The name that work is saved under: who is signed in, whatever was typed; in a local studio what was typed."""
    person = _acting.get()
    return typed if person is None or person.local else person.id


def check_pattern(pattern: str | None) -> None:
    """Raise InputError for a regular expression of a stranger, who gets literal words instead."""
    person = _acting.get()
    if pattern and person is not None and not person.local and person.role < Role.ADMIN:
        raise InputError("Patterns are switched off here: give the words that are to be kept, separated by commas.")
