"""What a mask may be: pieces of a prompt that are decided at once, and what else has to stay when one of them does.

A caller picks pieces, `settle` makes a sound mask of any set of them: headings, labels, brackets and answers stay
with what they belong to, separators with their neighbours, whole lines, records and guards stand or fall. `Selection`
says what one more piece would cost, `fill` spends a budget.

>>> from model.prompt import parse
>>> prompt = parse("Rules:\\n- Be brief.\\n- Do not guess.")
>>> pieces = PieceSet.of(prompt, "unit")
>>> [prompt.render(pieces.settle([p])) for p in range(len(pieces))]
['Rules:\\n- Be brief.', 'Rules:\\n- Do not guess.']
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import regex

from ..errors import InputError
from .chunks import Chunk, word_chunks
from .parse import Prompt, Unit
from .structured.records import RECORD, RECORDS

GRANULARITIES = ("token", "unit", "part")
RECORD_CHARACTERS = 600  # a record of at most so many is read as one, with all of its members
FUNCTION_CHARACTERS = 800  # a function of at most so many is read as one, with all of its lines
_HOLDS = regex.compile(
    r"\s*(?:[\w@.()]+\s+){0,4}(?:class|struct|enum|union|interface|trait|impl|namespace|module|package|object|extension)\b"
)


def is_record(prompt: Prompt, u: int) -> bool:
    """Whether a unit is a record, or a JSON object in others or on a line, that is short enough to be read as one."""
    unit = prompt.units[u]
    if unit.leaf or unit.end - unit.start > RECORD_CHARACTERS:
        return False
    if unit.kind != "object":
        return unit.kind == RECORD
    return unit.parent >= 0 and prompt.units[unit.parent].kind in ("member", "array", "element", "records")


def is_function(prompt: Prompt, u: int) -> bool:
    """Whether a unit is a function, or a loop or condition outside of one, that is short enough to be read as one.

    Classes and the like hold functions, and are not one; nor are the files and hunks of a diff.
    """
    unit = prompt.units[u]
    if unit.kind != "block" or unit.leaf or unit.part < 0 or unit.end - unit.start > FUNCTION_CHARACTERS:
        return False
    is_code = prompt.parts[unit.part].role == "code" and not _of_diff(prompt, u)
    return is_code and not _HOLDS.match(prompt.text, unit.start, unit.end)


def _of_diff(prompt: Prompt, u: int) -> bool:
    while u >= 0 and prompt.units[u].kind == "block":
        u = prompt.units[u].parent
    return u >= 0 and prompt.units[u].kind == "diff"


@dataclass(frozen=True)
class Rules:
    """How fine pieces are, and what protects them.

    Attributes:
        granularity: "token": words, as far as structure allows; "unit": sentences, items, lines, records; "part":
        parts. guards: sentences with a negation, limit or condition are one piece. least: the share of a sentence's
        words that must stay if any does, in [0, 1]; with "unit", of one that is too long for the budget.
        least_demonstration: the same of a demonstration, without its answer.
    """

    granularity: str = "unit"
    guards: bool = True
    least: float = 0.0
    least_demonstration: float = 0.0

    def __post_init__(self) -> None:
        if self.granularity not in GRANULARITIES:
            raise InputError(f"There is no granularity {self.granularity!r}: use {', '.join(GRANULARITIES)}.")
        if not (0 <= self.least <= 1 and 0 <= self.least_demonstration <= 1):
            raise InputError("A least share lies between 0 and 1: correct it.")

    @property
    def free(self) -> bool:
        """Whether nothing holds but tokens, which is the method of DiffuMask's paper (arXiv 2604.06627)."""
        return self.granularity == "token" and not self.guards and not self.least and not self.least_demonstration


@dataclass(frozen=True, slots=True)
class LeastShare:
    """Pieces [first, last) of which at least `least` tokens must stay if any does."""

    first: int
    last: int
    least: int


@dataclass
class PieceSet:
    """The pieces of a prompt under some rules and pins; made by `of`. All lists hold ints or lists of ints.

    Nodes are units, and inside sentences pairs of brackets and chunks of words; each comes before what lies inside it.

    Attributes:
        tokens: per piece, its tokens, in order. Pinned tokens are in none.
        node: per piece, the node that stays when it is kept.
        parent: per node; -1 of the first one. own: per node, the tokens that stay with it: its frame. gap: per node,
            the tokens in front of it that stay if something before it in the same parent does, too.
        anchor: per node, whether it stays exactly when something else of its parent does.
        held: nodes that stay whatever is picked, because a pin keeps one of their tokens.
        thinned: the sentences that have a least share; demonstrations: those that have one. Both in order.
        pins: token -> keep.
        price: per token of the prompt, what keeping it costs: 1, or how many tokens it is for a reader.
        thin: units whose words, or functions whose lines, are pieces whatever the granularity.
    """

    prompt: Prompt
    rules: Rules
    pins: Mapping[int, bool]
    tokens: list[list[int]] = field(default_factory=list)
    node: list[int] = field(default_factory=list)
    parent: list[int] = field(default_factory=list)
    own: list[list[int]] = field(default_factory=list)
    gap: list[list[int]] = field(default_factory=list)
    anchor: list[bool] = field(default_factory=list)
    held: list[int] = field(default_factory=list)
    thinned: list[LeastShare] = field(default_factory=list)
    demonstrations: list[LeastShare] = field(default_factory=list)
    price: Sequence[int] = ()
    thin: frozenset[int] = frozenset()

    @classmethod
    def of(
        cls,
        prompt: Prompt,
        granularity: str = "unit",
        *,
        guards: bool = True,
        least: float = 0.0,
        least_demonstration: float = 0.0,
        pins: Mapping[int, bool] | None = None,
        price: Sequence[int] | None = None,
        thin: Collection[int] = (),
    ) -> PieceSet:
        """The pieces of a prompt; see `Rules` for what can be asked.

        thin: units whose words are pieces whatever the granularity, down to the least share, and functions whose lines
            are.

        Raises InputError for an unknown granularity, a share outside [0, 1] or a pin outside the prompt.
        """
        pins = dict(pins or {})
        if wrong := [i for i in pins if not 0 <= i < len(prompt)]:
            raise InputError(f"Token {wrong[0]} is pinned, but the prompt has {len(prompt)} tokens: correct the pin.")
        rules = Rules(granularity, guards, least, least_demonstration)
        pieces = cls(prompt, rules, pins, price=price or [1] * len(prompt), thin=frozenset(thin))
        if pieces.rules.free or not prompt.units:
            pieces.tokens = [[i] for i in range(len(prompt)) if i not in pins]
            pieces.node = [-1] * len(pieces.tokens)
        else:
            _Builder(pieces).build()
        return pieces

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def piece_of(self) -> list[int]:
        """The piece of each token; -1 of one that is pinned or follows others."""
        of = [-1] * len(self.prompt)
        for p, tokens in enumerate(self.tokens):
            for i in tokens:
                of[i] = p
        return of

    @property
    def shares(self) -> list[LeastShare]:
        """All sentences and demonstrations that have a least share."""
        return [*self.thinned, *self.demonstrations]

    def cost_of(self, tokens: Iterable[int]) -> int:
        """What some tokens cost together."""
        return sum(self.price[i] for i in tokens)

    def means(self, values: Sequence[float]) -> list[float]:
        """The mean of each piece's tokens' values, such as logits."""
        return [sum(values[i] for i in tokens) / len(tokens) for tokens in self.tokens]

    def settle(self, kept: Iterable[int]) -> list[bool]:
        """The mask for any set of pieces: pieces below a least share go, and what belongs to the others stays."""
        chosen = [False] * len(self)
        for p in kept:
            chosen[p] = True
        self._drop_remnants(chosen)
        stays = [False] * len(self.parent)
        for v in self.held:
            stays[v] = True
        mask = [False] * len(self.prompt)
        for p, tokens in enumerate(self.tokens):
            if chosen[p]:
                if self.node[p] >= 0:
                    stays[self.node[p]] = True
                for i in tokens:
                    mask[i] = True
        for v in range(len(stays) - 1, 0, -1):
            if stays[v]:
                stays[self.parent[v]] = True
        self._frames(stays, mask)
        for i, keep in self.pins.items():
            mask[i] = keep
        return mask

    def _drop_remnants(self, chosen: list[bool]) -> None:
        for group in (*self.thinned, *self.demonstrations):
            size = sum(len(self.tokens[p]) for p in range(group.first, group.last) if chosen[p])
            if 0 < size < group.least:
                chosen[group.first : group.last] = [False] * (group.last - group.first)

    def _frames(self, stays: list[bool], mask: list[bool]) -> None:
        """Keep the frames of the nodes that stay, and the gaps between them."""
        begun = [False] * len(stays)
        for v, parent in enumerate(self.parent):
            if self.anchor[v]:
                stays[v] = stays[parent]
            if not stays[v]:
                continue
            for i in self.own[v]:
                mask[i] = True
            if parent >= 0:
                if begun[parent]:
                    for i in self.gap[v]:
                        mask[i] = True
                begun[parent] = True

    def broken(self, mask: Sequence[bool]) -> list[int]:
        """The units that must stand or fall, but of which a mask keeps only some tokens: what pins have broken."""
        found = []
        for u, unit in enumerate(self.prompt.units):
            if unit.leaf and (unit.whole or unit.frame):
                kept = sum(mask[unit.first : unit.last])
                if 0 < kept < unit.last - unit.first:
                    found.append(u)
        return found


class _Builder:
    """Fills a `PieceSet` from the units of its prompt."""

    def __init__(self, pieces: PieceSet):
        self.pieces = pieces
        self.prompt = pieces.prompt
        self.children: list[list[int]] = [[] for _ in self.prompt.units]
        for u, unit in enumerate(self.prompt.units):
            if unit.parent >= 0:
                self.children[unit.parent].append(u)

    def build(self) -> None:
        node_of: dict[int, int] = {}
        opened: list[tuple[Unit, int]] = []
        demonstrations: list[tuple[int, int]] = []
        for u, unit in enumerate(self.prompt.units):
            if unit.parent >= 0 and unit.parent not in node_of:
                continue  # inside of what is decided as one
            parent = node_of[unit.parent] if unit.parent >= 0 else -1
            v = self._node(parent, self._gap(u, unit), unit.frame)
            if unit.frame:
                self._frame(v, range(unit.first, unit.last))
            elif self._is_leaf(u, unit):
                self._leaf(v, u, unit)
            else:
                node_of[u] = v
                inside = self.children[u]
                first, last = self.prompt.units[inside[0]].first, self.prompt.units[inside[-1]].last
                self._frame(v, (*range(unit.first, first), *range(last, unit.last)))
            if unit.kind == "demonstration" and self.pieces.rules.least_demonstration and unit.leaf is False:
                demonstrations.append((u, len(self.pieces.tokens)))
            opened.append((unit, len(self.pieces.tokens)))
        self._demonstrations(demonstrations)

    def _demonstrations(self, found: list[tuple[int, int]]) -> None:
        tokens = self.pieces.tokens
        for u, first in found:
            last = first
            end = self.prompt.units[u].last
            while last < len(tokens) and tokens[last][0] < end:
                last += 1
            self._share(self.pieces.demonstrations, first, last, self.pieces.rules.least_demonstration)

    def _share(self, shares: list[LeastShare], first: int, last: int, share: float) -> None:
        size = sum(len(tokens) for tokens in self.pieces.tokens[first:last])
        least = math.ceil(share * size - 1e-9)
        if last - first > 1 and least > 1:
            shares.append(LeastShare(first, last, least))

    def _is_leaf(self, u: int, unit: Unit) -> bool:
        if unit.leaf or (self.pieces.rules.granularity == "unit" and self._is_one(u, unit)):
            return True
        whole_part = self.pieces.rules.granularity == "part" and unit.part >= 0
        return whole_part and self.prompt.units[unit.parent].part < 0

    def _is_one(self, u: int, unit: Unit) -> bool:
        """Whether a short function, or one of several short records like the rows of a table, stands or falls whole.

        Unless a pin decides a part of it: then its lines or members are decided one by one.
        """
        if u in self.pieces.thin or any(i in self.pieces.pins for i in range(unit.first, unit.last)):
            return False
        if not is_record(self.prompt, u):
            return is_function(self.prompt, u)
        return (
            unit.kind == RECORD
            or sum(self.prompt.units[v].kind == "object" for v in self.children[unit.parent][:RECORDS]) >= RECORDS
        )

    def _gap(self, u: int, unit: Unit) -> range:
        if unit.parent < 0:
            return range(0)
        siblings = self.children[unit.parent]
        i = siblings.index(u) if len(siblings) < 2 else self._place(siblings, u)
        return range(self.prompt.units[siblings[i - 1]].last, unit.first) if i else range(0)

    @staticmethod
    def _place(siblings: Sequence[int], u: int) -> int:
        low, high = 0, len(siblings)
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if siblings[middle] < u else (low, middle)
        return low

    def _node(self, parent: int, gap: Iterable[int], anchor: bool = False) -> int:
        pieces = self.pieces
        pieces.parent.append(parent)
        pieces.own.append([])
        pieces.gap.append([i for i in gap if i not in pieces.pins])
        pieces.anchor.append(anchor)
        return len(pieces.parent) - 1

    def _frame(self, v: int, tokens: Iterable[int]) -> None:
        """Tokens that stay with node v; one that is pinned to stay holds it, and an anchor its parent."""
        pins = self.pieces.pins
        tokens = list(tokens)
        self.pieces.own[v] += [i for i in tokens if i not in pins]
        if any(pins.get(i) for i in tokens):
            self.pieces.held.append(self.pieces.parent[v] if self.pieces.anchor[v] else v)

    def _piece(self, v: int, tokens: Iterable[int]) -> None:
        """Tokens that are decided at once; what is pinned is taken out."""
        pins = self.pieces.pins
        tokens = list(tokens)
        if any(pins.get(i) for i in tokens):
            self.pieces.held.append(v)
        if free := [i for i in tokens if i not in pins]:
            self.pieces.tokens.append(free)
            self.pieces.node.append(v)

    def _leaf(self, v: int, u: int, unit: Unit) -> None:
        rules = self.pieces.rules
        whole = unit.whole and not (unit.guard and not rules.guards)
        if whole or (rules.granularity != "token" and u not in self.pieces.thin):
            self._piece(v, range(unit.first, unit.last))
            return
        chunk = word_chunks(self.prompt, unit.first, unit.last)
        if len(chunk.inner) < 2:
            self._piece(v, range(unit.first, unit.last))
            return
        first = len(self.pieces.tokens)
        self._frame(v, chunk.tokens)
        self._chunks(v, chunk)
        if rules.least:
            self._share(self.pieces.thinned, first, len(self.pieces.tokens), rules.least)

    def _chunks(self, v: int, chunk: Chunk) -> None:
        for each in chunk.inner:
            w = self._node(v, ())
            if each.inner:
                self._frame(w, each.tokens)
                self._chunks(w, each)
            else:
                self._piece(w, each.tokens)
