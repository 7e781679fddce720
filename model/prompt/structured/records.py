"""Records: members or elements of values that stand next to each other, as the rows of a table do."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

from ..tree import Node

RECORDS = 3  # so many of a sort next to each other are records
RECORD = "record"
_TAG = re.compile(r"<[A-Za-z_][\w:.-]{0,80}")


def with_records(text: str, node: Node) -> Node:
    """The tree with its records called so: of a sort, next to each other, and holding nothing but values.

    >>> children = tuple(Node("block", at, at + 7, (Node("member", at + 3, at + 7, whole=True),)) for at in (0, 8, 16))
    >>> [n.kind for n in with_records("a:\\n b: 1\\n" * 3, Node("yaml", 0, 23, children)).children]
    ['record', 'record', 'record']
    """
    if not node.children:
        return node
    children = [with_records(text, child) for child in node.children]
    sorts = [_sort(text, child) if _holds_values(child) else None for child in children]
    count = Counter(sort for sort in sorts if sort)
    return replace(
        node,
        children=tuple(
            replace(child, kind=RECORD) if sort and count[sort] >= RECORDS else child
            for child, sort in zip(children, sorts, strict=True)
        ),
    )


def _holds_values(node: Node) -> bool:
    """Whether nothing but values lies in it, or in the one object that it names."""
    inside = node.children
    if node.kind == "member" and len(inside) == 1 and inside[0].kind == "object":
        inside = inside[0].children
    return bool(inside) and all(child.whole and not child.children for child in inside)


def _sort(text: str, node: Node) -> str | None:
    """What is alike: elements of one name, and otherwise what is of one kind; objects are told apart elsewhere."""
    if node.kind == "object":
        return None
    tag = _TAG.match(text, node.start)
    return tag[0] if tag else node.kind
