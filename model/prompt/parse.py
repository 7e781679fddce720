"""Prompt text -> parts, units and tokens, and back to text. No torch here: masks and offsets outlive any model.

>>> p = parse("Sort.\\n\\nQ: 2+2?\\nA: 4\\n\\nQ: 3-4?\\nA:")
>>> [t.text for t in p.tokens[:8]]
['Sort', '.', '\\n\\n', 'Q', ':', '2', '+', '2']
>>> [(s.role, p.text[s.start:s.end]) for s in p.parts]
[('instruction', 'Sort.\\n\\n'), ('demonstration', 'Q: 2+2?\\nA: 4\\n\\n'), ('question', 'Q: 3-4?\\nA:')]
>>> p.render([t.part == 2 for t in p.tokens])
'Q: 3-4?\\nA:'
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import regex

from ..errors import InputError
from .drafts import ROLES, Draft, Reader
from .languages import language_of
from .lines import layout_of
from .roles import draft, label_end
from .shots import Blocks, bounds_of, given_blocks
from .tokens import is_line_break, token_spans, word_edges
from .tree import Node
from .units import FRAME_KIND, Named, tree_of

_FOLLOWING, _LEADING = frozenset(".,;:!?…%)]}’”»"), frozenset("([{‘“«¿¡")  # marks that stand close to a word
_CLOSING_TAGS = frozenset(("<|", "</"))
Given = tuple[int, int, str]  # a part that the caller named: characters [start, end) and its role

_SPACE = regex.compile(r"[\s\x1c-\x1f]")


@dataclass(frozen=True, slots=True)
class Token:
    """A word, number, mark, or something longer that must not be cut: prompt.text[start:end] == text.

    part: the one that it lies in.
    """

    text: str
    start: int
    end: int
    part: int


@dataclass(frozen=True, slots=True)
class Part:
    """A block of the prompt with a role (one of roles.ROLES): characters [start, end) and tokens [first, last).

    The parts lie end to end; the blank lines between two of them belong to the earlier one. Its heading, label or
    opening tag ends at character `head` (start where it has none). `speaker` says it, where not a label does.
    """

    role: str
    start: int
    end: int
    first: int
    last: int
    head: int = -1
    speaker: str = ""


@dataclass(frozen=True, slots=True)
class Unit:
    """A node of the prompt's tree (`model.prompt.tree`): characters [start, end) and tokens [first, last).

    Attributes:
        kind: what it is: "prompt", a role, "sentence", "item", "line", "member" ...
        part: the part that it lies in; -1 of what holds several.
        parent: the unit around it; -1 of the first, which is the whole prompt.
        whole, guard: as of the node.
        leaf: it has no units inside.
        frame: it stays exactly when something else of its parent stays, as a demonstration's answer does.
    """

    kind: str
    start: int
    end: int
    first: int
    last: int
    part: int
    parent: int
    whole: bool = False
    guard: bool = False
    leaf: bool = True
    frame: bool = False


@dataclass(frozen=True)
class Prompt:
    """A text with its tokens, parts and units; len() is the number of tokens.

    units is the tree in reading order, each unit before those inside it; () where nobody looked. joints are tokens that
    only join several texts (`model.prompt.join`): no budget counts them.
    """

    text: str
    tokens: tuple[Token, ...]
    parts: tuple[Part, ...]
    units: tuple[Unit, ...] = field(default=())
    joints: frozenset[int] = frozenset()

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def part_of(self) -> list[int]:
        """The part of each token."""
        return [token.part for token in self.tokens]

    @cached_property
    def unit_of(self) -> list[int]:
        """The innermost unit of each token; -1 where there are no units."""
        innermost = [-1] * len(self.tokens)
        for i, unit in enumerate(self.units):
            innermost[unit.first : unit.last] = [i] * (unit.last - unit.first)
        return innermost

    def render(self, keep: Sequence[bool]) -> str:
        """The text of the kept tokens; byte for byte the original (less a byte-order mark) when all are kept.

        A token keeps the gap in front of it if its left neighbour is kept too, or if it is the first of its line and
        nothing or a line break stands before it: indentation stays. Where tokens were dropped between two kept ones,
        one space stands in if there was white space or if two words would fuse, but not between a word and a mark that
        stood close to one.

        >>> p = parse("The  cat sat\\non the mat.")
        >>> p.render([True, True, False, False, False, False, True, True])
        'The  cat mat.'

        Raises ValueError when keep has not exactly one entry per token.
        """
        return self.layout(keep)[0]

    def layout(self, keep: Sequence[bool]) -> tuple[str, list[tuple[int, int, int]]]:
        """The rendered text, and where in it each kept token stands: (token index, start, end).

        >>> parse("The cat sat").layout([True, False, True])
        ('The sat', [(0, 0, 3), (2, 4, 7)])
        """
        if len(keep) != len(self.tokens):
            raise ValueError(f"keep has {len(keep)} entries, but the prompt has {len(self.tokens)} tokens")
        out: list[str] = []
        places: list[tuple[int, int, int]] = []
        before, at = -1, 0  # index of the last kept token, characters written
        for i, token in enumerate(self.tokens):
            if not keep[i]:
                continue
            gap = self._gap(before, i)
            out += (gap, token.text)
            places.append((i, at + len(gap), at + len(gap) + len(token.text)))
            before, at = i, places[-1][2]
        if before == len(self.tokens) - 1:
            out.append(self.text[self.tokens[-1].end :])
        return "".join(out), places

    def _gap(self, before: int, i: int) -> str:
        """What to write in front of token i when `before` is the last one that was kept (-1: none)."""
        token = self.tokens[i]
        if before == i - 1 or self._begins_line(i) and (before < 0 or is_line_break(self.tokens[before].text)):
            return self.text[self.tokens[i - 1].end : token.start] if i else self.text[: token.start].lstrip("\ufeff")
        return self._joint(self.tokens[before], token) if before >= 0 else ""

    def _begins_line(self, i: int) -> bool:
        return i == 0 or is_line_break(self.tokens[i - 1].text) and not is_line_break(self.tokens[i].text)

    def _joint(self, left: Token, right: Token) -> str:
        """What to write between two kept tokens when those between them are dropped: a space or nothing."""
        if is_line_break(left.text) or is_line_break(right.text):
            return ""
        if word_edges(left.text)[1] and word_edges(right.text)[0]:
            return " "
        close = self.stands_close(right)[0] or self.stands_close(left)[1]
        return "" if close or not _SPACE.search(self.text, left.end, right.start) else " "

    def stands_close(self, token: Token) -> tuple[bool, bool]:
        """Whether a token is a mark that stands close to the word before it, and to the one behind it: ")", "(".

        No space is written on that side of it, whatever is dropped.
        """
        after = token.text[0] in _FOLLOWING or token.text[:2] in _CLOSING_TAGS
        before = token.text[-1] in _LEADING
        return (
            after and token.start > 0 and not self.text[token.start - 1].isspace(),
            before and token.end < len(self.text) and not self.text[token.end].isspace(),
        )


def parse(
    text: str,
    shot_starts: Sequence[int] | None = None,
    *,
    parts: Sequence[Given] | None = None,
    units: Sequence[Named] = (),
) -> Prompt:
    """Split a text into parts, units and tokens, in linear time.

    shot_starts: character offsets where parts begin, instead of detecting them (0 is implied, any order). An
        offset inside a token moves back to the token's start; a part without a token joins the one before it.
    parts: the parts with their roles, (start, end, role) each; what lies between them is text.
    units: stretches that are one unit each, (start, end, whole); a whole one is kept or dropped as one. Where one
    lies across a
        part's edge it is passed over.

    >>> [t.text for t in parse("Don't pay -3.5 or 1,234.50: 3-4 ####").tokens]
    ["Don't", 'pay', '-3.5', 'or', '1,234.50', ':', '3', '-', '4', '####']

    Raises InputError when the text is empty or not valid Unicode, or an offset lies outside it.
    """
    _check(text)
    spans = list(token_spans(text))
    reader = Reader(text, layout_of(text), language_of(text))
    if parts is not None:
        drafts = _given(reader, parts)
    elif shot_starts is not None:
        drafts = _from_starts(reader, bounds_of(text, spans, _checked_starts(text, shot_starts)))
    else:
        drafts = draft(reader)
    return _assembled(reader, spans, drafts, _checked_units(text, units))


def _assembled(reader: Reader, spans: list[tuple[int, int]], drafts: list[Draft], named: Sequence[Named]) -> Prompt:
    inner = list(_innermost(drafts))
    bounds, of = _bounds(reader.text, spans, inner)
    found = tuple(
        Part(draft.role, *bound, head=min(max(draft.head, bound[0]), bound[1]))
        for draft, bound in zip((inner[i] for i in of), bounds, strict=True)
    )
    tokens = tuple(Token(reader.text[a:b], a, b, i) for i, s in enumerate(found) for a, b in spans[s.first : s.last])
    return Prompt(reader.text, tokens, found, tuple(_units(tree_of(reader, drafts, named), tokens, drafts, found)))


def _innermost(drafts: Sequence[Draft], start: int | None = None) -> Iterator[Draft]:
    """The drafts that hold no others; a group's opening tag goes to the first of them."""
    for each in drafts:
        begin = each.start if start is None else start
        start = None
        if each.inner:
            yield from _innermost(each.inner, begin)
        else:
            yield Draft(each.role, begin, each.end, each.head, each.tail)


def _bounds(
    text: str, spans: Sequence[tuple[int, int]], inner: Sequence[Draft]
) -> tuple[list[tuple[int, int, int, int]], list[int]]:
    """The bounds of the drafts that have a token, and which drafts these are."""
    bounds = bounds_of(text, spans, [each.start for each in inner])
    starts = [each.start for each in inner]
    of = [max(0, bisect_left(starts, spans[first][1]) - 1) for _, _, first, _ in bounds]
    return bounds, of


def _units(root: Node, tokens: Sequence[Token], drafts: Sequence[Draft], parts: Sequence[Part]) -> Iterator[Unit]:
    """The tree in reading order; nodes without a token are left out."""
    starts = [token.start for token in tokens]
    ends = [part.last for part in parts]
    stack: list[tuple[Node, int]] = [(root, -1)]
    made = 0
    while stack:
        node, parent = stack.pop()
        first, last = bisect_left(starts, node.start), bisect_left(starts, node.end)
        if first == last:
            continue
        part = bisect_left(ends, first + 1)
        inside = _with_tokens(node.children, starts)
        whole = node.whole or bool(node.children and not inside)
        yield Unit(
            node.kind,
            node.start,
            node.end,
            first,
            last,
            part if last <= ends[part] else -1,
            parent,
            whole,
            node.guard,
            not inside,
            node.kind == FRAME_KIND,
        )
        stack += ((child, made) for child in reversed(inside))
        made += 1


def _with_tokens(nodes: Sequence[Node], starts: Sequence[int]) -> list[Node]:
    """The nodes that have a token of their own: one that begins in them and in none before."""
    kept: list[Node] = []
    at = 0
    for node in nodes:
        first, last = bisect_left(starts, node.start), bisect_left(starts, node.end)
        if at <= first < last:
            kept.append(node)
            at = last
    return kept


# --- what the caller gives -------------------------------------------------------------------------------------


def _check(text: str) -> None:
    if not text.strip("\ufeff") or text.strip("\ufeff").isspace():
        raise InputError("The prompt is empty: give a text with at least one word.")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        code = ord(text[error.start])
        raise InputError(
            f"The prompt holds half a character (lone surrogate U+{code:04X}) at character {error.start}, "
            "counting from 0: remove it or decode the text again."
        ) from None


def _checked_starts(text: str, shot_starts: Sequence[int]) -> list[int]:
    for start in shot_starts:
        if not _is_offset(start, len(text) - 1):
            raise InputError(f"Part start {start!r} is not an offset from 0 to {len(text) - 1}: correct it.")
    return sorted(set(shot_starts))


def _is_offset(value: object, last: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= last


def _checked_units(text: str, units: Sequence[Named]) -> list[Named]:
    for start, end, _ in units:
        if not (_is_offset(start, len(text)) and _is_offset(end, len(text)) and start < end):
            raise InputError(
                f"Unit [{start!r}, {end!r}) is not a stretch of the prompt's {len(text)} characters: correct it."
            )
    return list(units)


def _given(reader: Reader, parts: Sequence[Given]) -> list[Draft]:
    """Named parts, and text between them. What labels a demonstration has are its fields."""
    text = reader.text
    drafts: list[Draft] = []
    at = 0
    for start, end, role in parts:
        if not (_is_offset(start, len(text)) and _is_offset(end, len(text)) and at <= start < end):
            raise InputError(f"Part [{start!r}, {end!r}) is empty, out of order or outside the prompt: correct it.")
        if role not in ROLES:
            raise InputError(f"Part {start}-{end} has no role {role!r}; use one of {', '.join(ROLES)}.")
        if text[at:start].strip():
            drafts.append(Draft.plain("text", at, start))
            at = start
        labels = frozenset(m.label for m in reader.markers(start, end)) if role == "demonstration" else frozenset()
        drafts.append(Draft(role, at, end, label_end(reader, at, end, role), end, (), labels))
        at = end
    if text[at:].strip() or not drafts:
        drafts.append(Draft.plain("text", at, len(text)))
    else:
        drafts[-1] = replace(drafts[-1], end=len(text), tail=len(text))
    return drafts


def _from_starts(reader: Reader, bounds: Sequence[tuple[int, int, int, int]]) -> list[Draft]:
    """Parts whose starts are known; what they are is told by a label that opens at least two of them."""
    found: Blocks | None = given_blocks(reader.text, bounds, reader.layout.markers)
    drafts: list[Draft] = []
    for i, (start, end, _, _) in enumerate(bounds):
        role, labels = "text", frozenset[str]()
        if found:
            last = i == len(bounds) - 1 and found.open
            role = "instruction" if start < found.starts[0] else "question" if last else found.role
            labels = found.labels
        drafts.append(Draft(role, start, end, label_end(reader, start, end, role), end, (), labels))
    return drafts
