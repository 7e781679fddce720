"""Pieces picked one after the other: what one more costs, and how a budget is spent."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .pieces import LeastShare, PieceSet, is_function


@dataclass
class Selection:
    """Pieces that are kept so far, and what their mask costs: in tokens, or in a reader's (`Pieces.price`).

    Least shares are not looked at: `size` is that of the mask which `PieceSet.settle` would make without them.
    """

    pieces: PieceSet
    size: int = 0
    kept: list[bool] = field(default_factory=list)
    _stays: list[bool] = field(default_factory=list)
    _first: list[int] = field(default_factory=list)  # per node, its first child that stays; -1 = none
    _anchors: dict[int, list[int]] = field(default_factory=dict)
    _log: list[tuple[list[Any], int, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        nodes = len(self.pieces.parent)
        self.kept = [False] * len(self.pieces)
        self._stays, self._first = [False] * nodes, [-1] * nodes
        for v, anchor in enumerate(self.pieces.anchor):
            if anchor:
                self._anchors.setdefault(self.pieces.parent[v], []).append(v)
        self.size = self.pieces.cost_of(i for i, keep in self.pieces.pins.items() if keep)
        for v in self.pieces.held:
            self.size += self.pieces.cost_of(self._enter(v))
        self._log.clear()

    def cost(self, *pieces: int) -> int:
        """What keeping pieces adds: the cost of their tokens, and of the frames and gaps that they open."""
        mark, size = len(self._log), self.size
        for piece in pieces:
            self._add(piece)
        added = self.size - size
        self._undo(mark)
        self.size = size
        return added

    def add(self, piece: int) -> list[int]:
        """Keep a piece; the tokens that come with it."""
        tokens = self._add(piece)
        self._log.clear()
        return tokens

    def add_within(self, pieces: Iterable[int], budget: int) -> bool:
        """Keep all of some pieces if the mask then has at most `budget` tokens; else none, and False."""
        mark, size = len(self._log), self.size
        for piece in pieces:
            self._add(piece)
            if self.size > budget:
                self._undo(mark)
                self.size = size
                return False
        self._log.clear()
        return True

    def _add(self, piece: int) -> list[int]:
        if self.kept[piece]:
            return []
        self._set(self.kept, piece, True)
        tokens = [*self.pieces.tokens[piece], *self._enter(self.pieces.node[piece])]
        self.size += self.pieces.cost_of(tokens)
        return tokens

    def _set(self, values: list[Any], at: int, value: Any) -> None:
        self._log.append((values, at, values[at]))
        values[at] = value

    def _undo(self, mark: int) -> None:
        while len(self._log) > mark:
            values, at, value = self._log.pop()
            values[at] = value

    def _enter(self, v: int) -> list[int]:
        """Let a node stay; the tokens of frames and gaps that come with it. One step for each level above it."""
        tokens: list[int] = []
        pieces = self.pieces
        while v >= 0 and not self._stays[v]:
            self._set(self._stays, v, True)
            tokens += pieces.own[v]
            for anchor in self._anchors.get(v, ()):
                self._set(self._stays, anchor, True)
                tokens += pieces.own[anchor]
                tokens += self._arrive(anchor)
            tokens += self._arrive(v)
            v = pieces.parent[v]
        return tokens

    def _arrive(self, v: int) -> Sequence[int]:
        """Note that a child stays; the tokens of the gap that this opens."""
        parent = self.pieces.parent[v]
        if parent < 0:
            return ()
        first = self._first[parent]
        if first < 0 or v < first:
            self._set(self._first, parent, v)
            return self.pieces.gap[first] if first >= 0 else ()
        return self.pieces.gap[v]


@dataclass(frozen=True, slots=True)
class Bundle:
    """Pieces that come in together.

    Attributes:
        pieces: one, or as many as a least share binds.
        tokens: theirs, and those of the frames and gaps that they open.
        cost: of these tokens.
    """

    pieces: tuple[int, ...]
    tokens: tuple[int, ...]
    cost: int


def nested(pieces: PieceSet, scores: Sequence[float], first: Iterable[int] = ()) -> list[Bundle]:
    """All masks from the shortest to the whole prompt, each a beginning of the next.

    The pieces of any number of first bundles make a mask, by `PieceSet.settle`, of just their tokens and what the pins
    keep. In the order of the scores, except that the pieces `first` come before all others.

    >>> from model.prompt import parse
    >>> pieces = PieceSet.of(parse("One two three. Four five. Six."))
    >>> [(bundle.pieces, bundle.cost) for bundle in nested(pieces, [1.0, 3.0, 2.0], first=[2])]
    [((2,), 2), ((1,), 3), ((0,), 4)]
    """
    early = set(first)
    late = set(range(len(pieces))) - early
    selection = Selection(pieces)
    bundles = []
    for dropped in (late, ()):
        for together in _ranked(pieces, scores, list(selection.kept), set(dropped)):
            tokens = tuple(i for piece in together for i in selection.add(piece))
            bundles.append(Bundle(together, tokens, pieces.cost_of(tokens)))
    return bundles


def _ranked(
    pieces: PieceSet, scores: Sequence[float], kept: Sequence[bool], gone: set[int]
) -> Iterator[tuple[int, ...]]:
    """What is offered, one after the other, as if there were no budget."""
    offers = _offers(pieces, scores, kept, gone)
    heapq.heapify(offers)
    while offers:
        offer = heapq.heappop(offers)
        yield offer.pieces
        for more in offer.then:
            heapq.heappush(offers, more)


class _Offer(NamedTuple):
    """Pieces that can be had together, and what may be had after them. The least loss comes first."""

    loss: float
    order: int  # the first piece of it, so no two offers are equal in front of this
    pieces: tuple[int, ...]
    then: tuple[_Offer, ...] = ()


def fill(
    pieces: PieceSet,
    scores: Sequence[float],
    budget: int,
    kept: Iterable[int] = (),
    dropped: Iterable[int] = (),
    worse: float = math.inf,
) -> list[int]:
    """The pieces that a budget of tokens pays for, greedily by their scores.

    What does not fit is passed over, and smaller ones may follow, but none that scores worse by more than `worse`: it
    would only fill the room. A sentence or demonstration with a least share is
    offered with as many of its best pieces as it needs, at their mean score; the others of it come after. Pieces that
    are kept already stay, whatever they cost, and dropped ones are not offered. Takes time n log n of the pieces.

    >>> from model.prompt import parse
    >>> prompt = parse("One two three. Four five. Six.")
    >>> pieces = PieceSet.of(prompt, "unit")
    >>> prompt.render(pieces.settle(fill(pieces, [1.0, 3.0, 2.0], 5)))
    'Four five. Six.'
    """
    selection = Selection(pieces)
    for piece in kept:
        selection.add(piece)
    gone = set(dropped)
    offers = _offers(pieces, scores, selection.kept, gone)
    heapq.heapify(offers)
    last = math.inf
    while offers and offers[0].loss <= last:
        offer = heapq.heappop(offers)
        if selection.add_within(offer.pieces, budget):
            for more in offer.then:
                heapq.heappush(offers, more)
        elif any(selection.kept):
            last = min(last, offer.loss + worse)
    return [p for p, is_kept in enumerate(selection.kept) if is_kept]


def sure_share(pieces: PieceSet, scores: Sequence[float], sure: float) -> float:
    """The share of a prompt that the fewest pieces cost which hold a share `sure` of what is needed, as expected.

    scores: [pieces] logits to be needed. Their probabilities add up to how many needed ones are expected; as with
    nucleus sampling (Holtzman et al. 2020), the most likely pieces are taken until they hold enough of that.

    >>> from model.prompt import parse
    >>> sure_share(PieceSet.of(parse("One two three. Four five. Six.")), [-9.0, 3.0, -8.0], 0.9)
    0.3333333333333333
    """
    likely = [1 / (1 + math.exp(-min(max(score, -60.0), 60.0))) for score in scores]
    wanted, held, cost = sure * sum(likely), 0.0, Selection(pieces).size
    for bundle in nested(pieces, scores):
        if held >= wanted:
            break
        held += sum(likely[piece] for piece in bundle.pieces)
        cost += bundle.cost
    return min(max(cost, 1) / max(sum(pieces.price), 1), 1.0)


def too_long(pieces: PieceSet, budget: int) -> set[int]:
    """Units that a budget does not pay for, even if nothing else is kept: functions, and sentences that it would pay
    for with some words less.

    >>> from model.prompt import parse
    >>> too_long(PieceSet.of(parse("One two three four five six. Seven."), "unit", least=0.7), 5)
    {3}
    """
    selection = Selection(pieces)
    left, owner = budget - selection.size, pieces.piece_of
    found, inside = set(), 0
    for u, unit in enumerate(pieces.prompt.units):
        piece = owner[unit.first] if unit.first < unit.last else -1
        if piece < 0 or unit.first < inside or unit.frame:
            continue
        function = not unit.leaf and is_function(pieces.prompt, u)
        if not function and (unit.whole or not unit.leaf):
            continue
        inside = unit.last
        least = 0.0 if function else pieces.rules.least
        cost = selection.cost(piece)  # with what frames it, of which no word goes
        if cost > left >= cost - (1 - least) * pieces.cost_of(pieces.tokens[piece]):
            found.add(u)
    return found


def cheapest(pieces: PieceSet, scores: Sequence[float]) -> list[int]:
    """The pieces of the mask that costs least of all that keep something; of several, those that score highest."""
    cost = [float(pieces.cost_of(tokens)) for tokens in pieces.tokens]
    selection = Selection(pieces)
    offers = _offers(pieces, [-each for each in cost], selection.kept, set())
    return list(min(offers, key=lambda o: (selection.cost(*o.pieces), -sum(scores[p] for p in o.pieces))).pieces)


def _offers(pieces: PieceSet, scores: Sequence[float], kept: Sequence[bool], gone: set[int]) -> list[_Offer]:
    """What is offered first: single pieces, and what has a least share with as much as it needs."""
    offers = [_Offer(-scores[p], p, (p,)) for p in range(len(pieces)) if not kept[p] and p not in gone]
    for shares in (pieces.thinned, pieces.demonstrations):
        offers = list(_with_shares(pieces, offers, shares, kept))
    return offers


def _with_shares(
    pieces: PieceSet, offers: Sequence[_Offer], shares: Sequence[LeastShare], kept: Sequence[bool]
) -> Iterator[_Offer]:
    """The offers in their order, those of each share bound together."""
    i = 0
    for share in shares:
        while i < len(offers) and offers[i].order < share.first:
            yield offers[i]
            i += 1
        first = i
        while i < len(offers) and offers[i].order < share.last:
            i += 1
        yield from _bundled(pieces, offers[first:i], share, kept)
    yield from offers[i:]


def _bundled(pieces: PieceSet, offers: Sequence[_Offer], share: LeastShare, kept: Sequence[bool]) -> Sequence[_Offer]:
    """One offer of the best that make up a least share, with the others behind it; none where too many are dropped.

    Where pins leave less than the share, all that they leave has to do.
    """
    inside = range(share.first, share.last)
    have, least = _tokens(pieces, (p for p in inside if kept[p])), min(share.least, _tokens(pieces, inside))
    if have >= least:
        return offers
    rest = list(offers)
    heapq.heapify(rest)
    bundle: list[_Offer] = []
    while rest and have < least:
        offer = heapq.heappop(rest)
        bundle.append(offer)
        have += _tokens(pieces, offer.pieces)
        for more in offer.then:
            heapq.heappush(rest, more)
    if have < least:
        return ()
    size = sum(_tokens(pieces, offer.pieces) for offer in bundle)
    loss = sum(offer.loss * _tokens(pieces, offer.pieces) for offer in bundle) / size
    then = tuple(rest)
    return (_Offer(loss, share.first, tuple(p for offer in bundle for p in offer.pieces), then),)


def _tokens(pieces: PieceSet, chosen: Iterable[int]) -> int:
    return sum(len(pieces.tokens[p]) for p in chosen)
