"""JSON -> nodes, with a tokenizer of its own: exact offsets, linear time, any depth.

Braces are the frame, members and elements the children, commas the gaps. So whatever stays is JSON again, and every
object in it is part of an object that was there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ..tree import Node
from .lines import DEPTH, filled, leaf, lines_of, parent
from .records import with_records

SHORT_ARRAY = 8  # scalars; up to so many are a pair, a vector, a colour: whole

_TOKEN = re.compile(
    r"""[ \t\r\n]*(?:
      (?P<string> "[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*" )
    | (?P<scalar> (?: -?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?
                    | true | false | null | NaN | -?Infinity ) (?![\w.]) )
    | (?P<mark> [{}\[\],:] )
    )""",
    re.VERBOSE,
)
_OPENER = re.compile(r"[\[{]")
_WHITE = re.compile(r"[ \t\r\n]*")

# What may come next.
_VALUE, _FIRST_VALUE, _KEY, _FIRST_KEY, _COLON, _COMMA = range(6)


@dataclass(slots=True)
class _Container:
    """An object or array whose end has not been seen; `start` is its bracket, `outer` its key if it has one."""

    kind: str
    start: int
    outer: int
    children: list[Node] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    key: int = -1  # where the member begins that is being read
    only_scalars: bool = True
    repeats: bool = False  # a key is there twice: taking one away would show the other

    def add(self, node: Node, scalar: bool, deep: bool) -> None:
        self.only_scalars &= scalar
        if not deep:
            self.children.append(node)

    def node(self, end: int, kind: str) -> Node:
        short = self.kind == "array" and self.only_scalars and len(self.children) <= SHORT_ARRAY
        if short or self.repeats or not self.children:
            return leaf(kind, self.outer, end)
        return Node(kind, self.outer, end, tuple(self.children))


@dataclass(slots=True)
class _Reader:
    """Reads one value. After a failure `at` is where it failed, and `complete` the outermost values read till then."""

    text: str
    at: int
    end: int
    stack: list[_Container] = field(default_factory=list)
    complete: list[tuple[int, int]] = field(default_factory=list)
    wanted: int = _VALUE
    result: Node | None = None

    def read(self) -> Node | None:
        while self.result is None:
            match = _TOKEN.match(self.text, self.at, self.end)
            if not match or not self._take(match[match.lastgroup or 0], match.start(match.lastgroup or 0), match.end()):
                return None
            self.at = match.end()
        return self.result

    def _take(self, token: str, start: int, end: int) -> bool:
        """One token; False where JSON cannot go on like this."""
        if token in "{[":
            return self._open(token, start)
        if token in "}]":
            return self._close(token, end)
        if token == ",":
            return self._step(_COMMA, _KEY if self.stack and self.stack[-1].kind == "object" else _VALUE)
        if token == ":":
            return self._step(_COLON, _VALUE)
        if token[0] == '"' and self.wanted in (_KEY, _FIRST_KEY):
            return self._key(token, start)
        return self._scalar(start, end)

    def _step(self, wanted: int, then: int) -> bool:
        fits = self.wanted == wanted
        self.wanted = then
        return fits

    def _open(self, token: str, start: int) -> bool:
        if self.wanted not in (_VALUE, _FIRST_VALUE):
            return False
        outer = self.stack[-1].key if self.stack and self.stack[-1].kind == "object" else start
        self.stack.append(_Container("object" if token == "{" else "array", start, outer))
        self.wanted = _FIRST_KEY if token == "{" else _FIRST_VALUE
        return True

    def _close(self, token: str, end: int) -> bool:
        kind, empty = ("object", _FIRST_KEY) if token == "}" else ("array", _FIRST_VALUE)
        if not self.stack or self.stack[-1].kind != kind or self.wanted not in (empty, _COMMA):
            return False
        done = self.stack.pop()
        while self.complete and self.complete[-1][0] > done.start:
            self.complete.pop()
        self.complete.append((done.start, end))
        inside = bool(self.stack) and self.stack[-1].kind == "object"
        return self._add(done.node(end, "member" if inside else kind), scalar=False)

    def _key(self, token: str, start: int) -> bool:
        top = self.stack[-1]
        name = json.loads(token) if "\\" in token else token[1:-1]
        top.repeats |= name in top.keys
        top.keys.add(name)
        top.key, self.wanted = start, _COLON
        return True

    def _scalar(self, start: int, end: int) -> bool:
        if not self.stack or self.wanted not in (_VALUE, _FIRST_VALUE):
            return False
        top = self.stack[-1]
        in_object = top.kind == "object"
        return self._add(leaf("member" if in_object else "element", top.key if in_object else start, end), scalar=True)

    def _add(self, node: Node, scalar: bool) -> bool:
        if self.stack:
            self.stack[-1].add(node, scalar, deep=len(self.stack) > DEPTH)
        else:
            self.result = node
        self.wanted = _COMMA
        return True


def json_nodes(text: str, start: int, end: int) -> Node | None:
    """One object or array, or several with only white space between them (JSON Lines); None if it is not JSON.

    >>> node = json_nodes('{"id": 1, "at": {"x": 2}}', 0, 25)
    >>> [(n.kind, n.start, n.end, len(n.children)) for n in node.children]
    [('member', 1, 8, 0), ('member', 10, 24, 1)]
    """
    values: list[Node] = []
    at = _skip(text, start, end)
    while at < end:
        value = _Reader(text, at, end).read()
        if value is None:
            return _record_lines(text, start, end)
        values.append(value)
        at = _skip(text, value.end, end)
    node = values[0] if len(values) == 1 else parent("records", values)
    return with_records(text, node) if node else None


def _record_lines(text: str, start: int, end: int) -> Node | None:
    """JSON Lines of which some are broken: these are whole; None when most are, or when there is but one line."""
    lines = filled(lines_of(text, start, end))
    records = []
    for line in lines:
        value = _Reader(text, line.start, line.end).read()
        records.append(value if value and value.end == line.end else leaf("line", line.start, line.end))
    good = sum(record.kind != "line" for record in records)
    return parent("records", records) if 2 * good > len(lines) > 1 else None


def json_spans(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Every outermost JSON object or array in a text, in linear time: what was read is not read again."""
    at = start
    while match := _OPENER.search(text, at, end):
        reader = _Reader(text, match.start(), end)
        if reader.read() is None:
            yield from reader.complete
            at = max(reader.at, match.end())
        else:
            yield match.start(), reader.at
            at = reader.at


def _skip(text: str, at: int, end: int) -> int:
    match = _WHITE.match(text, at, end)
    return match.end() if match else at
