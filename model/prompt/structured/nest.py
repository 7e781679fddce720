"""A tree from a list of lines that know how deep they are: for code, YAML, sections and directory trees."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..tree import Node
from .lines import DEPTH, leaf

Level = tuple[int, ...]

PLAIN = ""
CLOSE = "close"  # ends the block that its level opened: "}", "end"; belongs to that block's frame
FOLLOW = "follow"  # goes on with the block before it: "else:", "} catch {"; a block in that block
FRAME = "frame"  # belongs to the header it stands under, if it comes first: a docstring of one line


@dataclass(slots=True)
class NestEntry:
    """One or more lines that are decided together, text[start:end], and how deep they are."""

    kind: str
    start: int
    end: int
    level: Level
    role: str = PLAIN


@dataclass(slots=True)
class _Open:
    """An entry whose lines below have not all been seen."""

    entry: NestEntry
    end: int
    closer: int = -1  # where the line that closed it starts
    children: list[Node] = field(default_factory=list)

    def node(self, block: str) -> Node:
        if not self.children:
            return leaf(self.entry.kind, self.entry.start, self.end)
        return Node(block, self.entry.start, max(self.end, self.children[-1].end), tuple(self.children))


def nest(entries: Iterable[NestEntry], block: str = "block") -> list[Node]:
    """The entries as a forest: an entry with deeper ones below it is a node of kind `block`, whose frame it is."""
    root = _Open(NestEntry("", 0, 0, (-9,)), 0)
    stack = [root]
    for entry in entries:
        _leave(stack, entry, block)
        top = stack[-1]
        goes_on = len(stack) > 1 and top.entry.level == entry.level
        if goes_on and entry.role == CLOSE:
            top.end, top.closer = entry.end, entry.start
        elif goes_on and entry.role == FOLLOW:
            _follow(stack, entry)
        elif len(stack) > DEPTH or (entry.role == FRAME and len(stack) > 1 and not top.children):
            top.end = entry.end
        else:
            stack.append(_Open(entry, entry.end))
    while len(stack) > 1:
        _pop(stack, block)
    return root.children


def _leave(stack: list[_Open], entry: NestEntry, block: str) -> None:
    """Close what is deeper than the entry, and its older siblings unless it goes on with them."""
    while len(stack) > 1 and stack[-1].entry.level > entry.level:
        _pop(stack, block)
    if len(stack) > 1 and stack[-1].entry.level == entry.level:
        open_still = stack[-1].closer < 0
        if not (entry.role == FOLLOW or (entry.role == CLOSE and open_still)):
            _pop(stack, block)


def _follow(stack: list[_Open], entry: NestEntry) -> None:
    """Open "else" inside its "if"; a "}" of its own line in front of it belongs to the "else" from now on."""
    top = stack[-1]
    start = entry.start if top.closer < 0 else top.closer
    if top.closer >= 0:
        top.end, top.closer = top.entry.end, -1
    stack.append(_Open(NestEntry(entry.kind, start, entry.end, (*entry.level, 1)), entry.end))


def _pop(stack: list[_Open], block: str) -> None:
    done = stack.pop()
    stack[-1].children.append(done.node(block))
