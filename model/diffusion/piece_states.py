"""What is decided so far, piece by piece, and what that means for every token: frames and gaps follow the pieces.

`model.prompt.pieces.PieceSet.settle` says what a finished choice of pieces keeps. Here the same rules are applied while
some pieces are still open: a token is KEEP or DROP as soon as it cannot be otherwise any more, and MASK until then.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..prompt.pieces import PieceSet
from .schedule import DROP, KEEP, MASK


class PieceStates:
    """The states of a prompt's pieces and tokens.

    Attributes:
        pieces: [pieces] MASK, KEEP or DROP.
        tokens: [n] likewise.
    """

    def __init__(self, layout: PieceSet):
        self.layout = layout
        self.pieces = [MASK] * len(layout)
        self.tokens = [MASK] * len(layout.prompt)
        for i, keep in layout.pins.items():
            self.tokens[i] = KEEP if keep else DROP
        self._follow()

    def decide(self, pieces: Iterable[int], keep: bool) -> None:
        """Keep or drop pieces that are open."""
        state = KEEP if keep else DROP
        for piece in pieces:
            self.pieces[piece] = state
            for i in self.layout.tokens[piece]:
                self.tokens[i] = state

    def settle(self) -> list[int]:
        """Let frames and gaps follow what was decided; the tokens decided by that."""
        before = list(self.tokens)
        self._follow()
        return [i for i, state in enumerate(self.tokens) if state != before[i]]

    def _follow(self) -> None:
        layout = self.layout
        stays, open_ = self._nodes()
        kept_before = [False] * len(stays)  # per node, whether a child that was looked at stays
        open_before = [False] * len(stays)
        for v, parent in enumerate(layout.parent):
            if layout.anchor[v]:
                stays[v], open_[v] = stays[parent], open_[parent]
            self._set(layout.own[v], KEEP if stays[v] else MASK if open_[v] else DROP)
            if parent < 0:
                continue
            if stays[v] and kept_before[parent]:
                self._set(layout.gap[v], KEEP)
            elif not (stays[v] or open_[v]) or not (kept_before[parent] or open_before[parent]):
                self._set(layout.gap[v], DROP)
            kept_before[parent] |= stays[v]
            open_before[parent] |= open_[v] and not stays[v]

    def _nodes(self) -> tuple[list[bool], list[bool]]:
        """Per node, whether it stays for certain, and whether something in it is still open."""
        layout = self.layout
        stays, open_ = [False] * len(layout.parent), [False] * len(layout.parent)
        for v in layout.held:
            stays[v] = True
        for piece, state in enumerate(self.pieces):
            if (v := layout.node[piece]) >= 0:
                stays[v] |= state == KEEP
                open_[v] |= state == MASK
        for v in range(len(stays) - 1, 0, -1):
            parent = layout.parent[v]
            stays[parent] |= stays[v]
            open_[parent] |= open_[v]
        return stays, open_

    def _set(self, tokens: Iterable[int], state: int) -> None:
        for i in tokens:
            self.tokens[i] = state
