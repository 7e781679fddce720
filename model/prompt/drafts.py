"""What parts are made from: stretches with roles that may hold others, and the text that they are read from."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from .lines import Layout, Marker, TextLine

ROLES = ("instruction", "demonstration", "document", "turn", "code", "data", "question", "text")


@dataclass(frozen=True)
class Draft:
    """Characters [start, end) with a role, or a group of drafts.

    Attributes:
        role: one of ROLES; of a group, what it is: "section", "turn", "element".
        head: where its heading, label or opening tag ends; tail: where its closing tag begins.
        inner: the drafts of a group; they lie end to end from `head` to `tail`.
        labels: the field labels of a demonstration, the speakers of turns.
    """

    role: str
    start: int
    end: int
    head: int
    tail: int
    inner: tuple[Draft, ...] = ()
    labels: frozenset[str] = frozenset()

    @classmethod
    def plain(cls, role: str, start: int, end: int, head: int | None = None) -> Draft:
        return cls(role, start, end, start if head is None else head, end)


@dataclass(frozen=True)
class Reader:
    """A text with its lines, and the language that most of it is in."""

    text: str
    layout: Layout
    language: str

    def markers(self, start: int, end: int) -> Sequence[Marker]:
        found = self.layout.markers
        return found[bisect_left(found, start, key=_start) : bisect_left(found, end, key=_start)]

    def paragraphs(self, start: int, end: int) -> Sequence[int]:
        found = self.layout.paragraphs
        return found[bisect_left(found, start + 1) : bisect_left(found, end)]

    def lines(self, start: int, end: int) -> Sequence[TextLine]:
        found = self.layout.lines
        return found[bisect_left(found, start, key=_start) : bisect_left(found, end, key=_start)]


def _start(thing: TextLine | Marker) -> int:
    return thing.start
