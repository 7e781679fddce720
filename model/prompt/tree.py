"""The shape of a text: what is inside of what. Tokens, masks and the model know nothing of it; pieces are made from it.

A node is a stretch of the text. What of it may go is said by its children, in five rules that hold for every mask:

- a leaf's tokens are decided one by one, unless it is `whole`: then it stands or falls;
- the frame of a node is what stands before its first and behind its last child: a heading, a label, a brace, a table's
  header, a demonstration's answer. It stays exactly when something of the children stays;
- a gap is what stands between two children: a line break, a comma. The gap in front of a child stays exactly when that
  child stays and something before it in the same node stays, too;
- a child of the kind "frame" is frame as well, though it stands among the others: a demonstration's answer;
- so whatever stays of a list is a list, and of JSON is JSON.

>>> text = '{"a": 1, "b": 2}'
>>> Node("object", 0, 16, (Node("member", 1, 7, whole=True), Node("member", 9, 15, whole=True))).frame
((0, 1), (15, 16))
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Node:
    """Characters [start, end) of a text.

    Attributes:
        kind: what it is: "sentence", "item", "turn", "line", "row", "table", "object", "member", "element", ...
        children: what lies in it, in order, without overlap; () = a leaf.
        whole: of a leaf: it is kept or dropped as one, whatever the granularity (a line of code, a row, a member).
        guard: it may not lose its sense: it says not, never, only, unless, at most ...; such a leaf is whole as well.
    """

    kind: str
    start: int
    end: int
    children: tuple[Node, ...] = ()
    whole: bool = False
    guard: bool = False

    @property
    def frame(self) -> tuple[tuple[int, int], ...]:
        """The stretches of characters before the first child and behind the last one; () of a leaf."""
        if not self.children:
            return ()
        edges = (self.start, self.children[0].start), (self.children[-1].end, self.end)
        return tuple((start, end) for start, end in edges if start < end)
