"""The sampler: from all-MASK to a finished mask in a few denoising steps, never longer than asked.

It decides pieces (`model.prompt.pieces`): words, sentences or parts, as fine as the caller wants and the structure of
the prompt allows. Its only output is the trace. Everything shown to a person or handed to a program is read from it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ..prompt.pieces import PieceSet
from ..prompt.selection import Selection, cheapest, fill
from .piece_states import PieceStates
from .schedule import DROP, KEEP, MASK, commits
from .trace import SamplerConfig, Step

FILLER = 2.0  # logits below the best unit that does not fit any more: what is worse does not fill the room it leaves
CERTAIN = 8.0  # margin, in logits, of a decision that the budget leaves no choice in


class Stretch(NamedTuple):
    """What the likeliest piece may take beyond the budget where it would not fit in.

    Attributes:
        times: how many times the budget the mask may cost for it; 1 = never more.
        lead: logits by which the piece has to be likelier than any other.
    """

    times: float = 1.0
    lead: float = 0.0


NO_MORE = Stretch()


class Prediction(NamedTuple):
    """What a model says about a half-decided mask, on the CPU.

    Attributes:
        tokens: [n] logits to keep; all levels of the hierarchy together.
        parts: [parts] logits of each part on its own.
        units: [units] logits of each unit on its own; None = the model has no such level.
    """

    tokens: Tensor
    parts: Tensor
    units: Tensor | None = None


Predict = Callable[[Tensor], Prediction]  # states [n] -> Prediction: all that the sampler knows of a model


@dataclass(frozen=True)
class RefreshPolicy:
    """How long a prediction serves. By default no longer than until something is decided.

    The model predicts anew when a step would decide something, and has a choice, and either
    - the decisions since the last prediction may be wrong by too much: the expected number of tokens among them that
      this prediction would decide otherwise, weighted by the share of tokens they can still influence, is more than
      `tolerance` * n; or
    - the step would decide something that the last prediction was unsure of.
    So many pieces are decided at once where the model is sure and few where it is not, and an unsure decision always
    rests on everything that was decided before it.

    Attributes:
        tolerance: share of the tokens.
        unsure: a decision is unsure if the prediction gives it more than this chance to be otherwise.
        most: predictions in a run at the most; the last one then serves to the end.
    """

    tolerance: float = 0.0
    unsure: float = 0.0
    most: int = 64


EVERY_STEP = RefreshPolicy()


def budget(pieces: PieceSet, retention: float) -> int:
    """What the mask may cost: floor(retention * all tokens), at least 1, and more only where pins need more.

    In prompt tokens, or in those of a reader (`PieceSet.price`).

    >>> from model.prompt import parse
    >>> budget(PieceSet.of(parse("one two three four five"), "token"), 0.5)
    2
    """
    ceiling = math.floor(retention * sum(pieces.price) + 1e-6)
    return max(ceiling, 1, Selection(pieces).size)


@torch.inference_mode()
def denoise(
    predict: Predict,
    pieces: PieceSet,
    config: SamplerConfig,
    policy: RefreshPolicy = EVERY_STEP,
    total: int | None = None,
    stretch: Stretch = NO_MORE,
) -> Iterator[Step]:
    """Yield the steps of one run, each as soon as it is decided.

    Every step: predict; choose the pieces with the highest logits (the mean of their tokens') that the budget pays for,
    frames and gaps included; commit the most confident undecided pieces, as many as the schedule allows and only those
    above the threshold. Confidence is the distance to the cut-off, which lies between what was chosen and what was not.
    The last step commits the rest. Kept tokens are never more than the budget, which pins alone may exceed.

    Parts compete for the budget, so what is likely in each of them is not likely in all of them together. Unsure
    pieces therefore wait, except the ones to keep in the leading part; once they are kept, the next prediction is surer
    of the other parts. The first prediction ranks the parts, and the next part leads when nothing of the one before
    waits to be kept. Keeps are decided before drops, because many drops and few keeps would tell the model that more is
    to come. So the mask hardly depends on the number of steps. How sure a piece must be falls from step to step, and a
    step may decide less than the schedule allows; later steps make up for it.

    Args:
        policy: when the model predicts anew; by default in every step that has a choice.
        total: what the mask may cost; None = as `budget` says.
        stretch: how much more it may cost where else the likeliest piece would not fit in; by default nothing.
    """
    total = budget(pieces, config.retention) if total is None else total
    run = _Run(predict, pieces, config, total, stretch)
    n = len(pieces.prompt)
    quota, risk, passes = 0, 0.0, 0  # risk: of the tokens decided since the last pass, how many it expects otherwise
    for index, count in enumerate(commits(n - len(pieces.pins), config.steps), start=1):
        quota += count  # what earlier steps were too unsure to decide is made up for
        choice = run.has_choice()
        harm = risk * run.undecided / n  # a mistake influences what is still open
        wanted = not passes or (choice and harm > policy.tolerance * n and passes < policy.most)
        predicted = False
        while True:
            if wanted:
                run.predict()
                predicted, risk, passes = True, 0.0, passes + 1
                choice = run.has_choice()
            decided = run.ready(quota, index) if index < config.steps else run.open_pieces()
            otherwise = run.chance_otherwise(decided)
            stale = choice and risk > 0 and passes < policy.most
            if not (stale and bool((otherwise > policy.unsure).any())):
                break
            wanted = True
        step = run.commit(index, decided, predicted)
        quota -= len(step.decided)
        risk += float((otherwise * run.sizes[decided]).sum())
        yield step


class _Run:
    """One run: the pieces with their states, and the last prediction.

    Attributes:
        sizes: [pieces] tokens in each.
        undecided: tokens.
    """

    def __init__(self, predict: Predict, pieces: PieceSet, config: SamplerConfig, total: int, stretch: Stretch):
        self.model, self.pieces, self.config, self.total = predict, pieces, config, total
        self.stretch = stretch
        self.states = PieceStates(pieces)
        self.same_price = set(pieces.price) == {1}
        shown = any(part.role == "demonstration" for part in pieces.prompt.parts)  # of those any more helps
        self.worse = math.inf if shown or pieces.rules.granularity == "token" else FILLER
        owner = torch.tensor(pieces.piece_of)
        self.inside = (owner >= 0).nonzero()[:, 0]  # tokens that belong to a piece
        self.owner = owner[self.inside]
        self.sizes = torch.tensor([float(len(tokens)) for tokens in pieces.tokens])
        self.part = torch.tensor([pieces.prompt.tokens[tokens[0]].part for tokens in pieces.tokens], dtype=torch.long)
        self.noise = config.temperature * _gumbel(len(pieces.prompt), config.seed)
        self.noise = self.noise[torch.tensor([tokens[0] for tokens in pieces.tokens], dtype=torch.long)]
        self.rank = torch.empty(0)  # [parts], by the first prediction
        self.likely = torch.empty(0)  # [pieces] keep probability
        self.margin = torch.empty(0)  # [pieces] to the cut-off; above 0 = chosen
        self.prediction: Prediction | None = None

    @property
    def undecided(self) -> int:
        return sum(state == MASK for state in self.states.tokens)

    def open_pieces(self) -> Tensor:
        """The undecided pieces, most confident first."""
        open_ = self._open().nonzero()[:, 0]
        if not len(self.margin):
            return open_
        return open_[self.margin[open_].abs().sort(descending=True, stable=True).indices]

    def has_choice(self) -> bool:
        """Whether some undecided pieces are chosen and others are not; else the budget decides the rest."""
        if not len(self.margin):
            return True
        chosen = self.margin[self._open()] > 0
        return bool(chosen.any()) and not bool(chosen.all())

    def predict(self) -> None:
        """Ask the model, and choose what the budget pays for."""
        self.prediction = Prediction(*self.model(torch.tensor(self.states.tokens)))
        tokens = self.prediction.tokens[self.inside]
        scores = torch.zeros(len(self.sizes)).index_add(0, self.owner, tokens) / self.sizes.clamp_min(1)
        self.likely = torch.sigmoid(scores)
        if not len(self.rank):
            self.rank = self._part_means()
            self.total = self._room_for_the_likeliest(scores)
        self.margin = self._margins(scores + self.noise)

    def _room_for_the_likeliest(self, scores: Tensor) -> int:
        """What the mask may cost, so that it holds the likeliest piece, if it does not cost too much more for that."""
        open_ = self._open().nonzero()[:, 0]
        if self.stretch.times <= 1 or not len(open_):
            return self.total
        best = int(open_[scores[open_].argmax()])
        group = next((range(g.first, g.last) for g in self.pieces.thinned if g.first <= best < g.last), (best,))
        others = [p for p in open_.tolist() if p not in group]
        leads = not others or float(scores[best] - scores[others].max()) >= self.stretch.lead
        if not leads or bool(self._chosen(scores)[list(group)].any()):
            return self.total
        selection = Selection(self.pieces)
        cost = selection.size + selection.cost(*group)
        return max(self.total, cost) if cost <= self.stretch.times * self.total else self.total

    def _margins(self, scores: Tensor) -> Tensor:
        open_ = self._open()
        chosen = self._chosen(scores)
        took, left = scores[open_ & chosen], scores[open_ & ~chosen]
        if len(took) and len(left):
            best_left = left.max()
            above = took[took >= best_left]
            cut = (above.min() + best_left) / 2 if len(above) else best_left
        elif len(took):  # nothing to weigh
            cut = took.min() - CERTAIN
        else:
            cut = left.max() + CERTAIN if len(left) else torch.tensor(0.0)
        margin = (scores - cut).abs().clamp_min(1e-6)  # ties with the cut-off must fall on their side, too
        return torch.where(chosen, margin, -margin)

    def _chosen(self, scores: Tensor) -> Tensor:
        """[pieces] Those that are kept, and the best others that the budget pays for."""
        states = torch.tensor(self.states.pieces)
        chosen = states == KEEP
        if not len(states):
            return chosen
        if self.pieces.rules.free and self.same_price:  # every piece is a token: the best, as many as are left
            left = self.total - self.states.tokens.count(KEEP)
            open_ = (states == MASK).nonzero()[:, 0]
            order = scores[open_].sort(descending=True, stable=True).indices
            chosen[open_[order[: max(left, 0)]]] = True
            return chosen
        kept, dropped = chosen.nonzero()[:, 0].tolist(), (states == DROP).nonzero()[:, 0].tolist()
        chosen[fill(self.pieces, scores.tolist(), self.total, kept, dropped, self.worse)] = True
        if not bool(chosen.any()) and KEEP not in self.states.tokens and not dropped:  # not even one piece fits
            chosen[cheapest(self.pieces, scores.tolist())] = True
        return chosen

    def ready(self, quota: int, index: int) -> Tensor:
        """The pieces that a step may decide: sure and in turn, keeps first, as many as the quota has room for."""
        ranked = self.open_pieces()
        confidence = self._confidence(ranked)
        sure = 1 - 0.5 * index / self.config.steps
        may = (confidence >= self.config.threshold) & self._in_turn(ranked, sure)
        keeps = self.margin[ranked] > 0
        first = torch.cat([(may & keeps).nonzero(), (may & ~keeps).nonzero()])[:, 0]
        sizes = self.sizes[ranked[first]]
        within = first[sizes.cumsum(0) - sizes < quota]
        return self._with_their_groups(ranked[within.sort().values])

    def _in_turn(self, ranked: Tensor, sure: float) -> Tensor:
        """Which of the ranked pieces may be decided now: those that are sure, and those to keep in the leading part."""
        keeps, part, likely = self.margin[ranked] > 0, self.part[ranked], self.likely[ranked]
        waits = torch.where(keeps, likely, 1 - likely) < sure
        waiting = torch.zeros_like(self.rank).index_add(0, part, (waits & keeps).float())
        return ~waits | (keeps & (part == torch.where(waiting > 0, self.rank, -1.0).argmax()))

    def _with_their_groups(self, decided: Tensor) -> Tensor:
        """The pieces, and with the first of a sentence or demonstration to be kept all others that are chosen of it:
        what has a least share is decided at once."""
        if not self.pieces.shares or not len(decided):
            return decided
        keeps = set(decided[self.margin[decided] > 0].tolist())
        more = [
            p
            for group in self.pieces.shares
            if any(p in keeps for p in range(group.first, group.last))
            for p in range(group.first, group.last)
            if self.states.pieces[p] == MASK and self.margin[p] > 0 and p not in keeps
        ]
        return torch.cat([decided, torch.tensor(sorted(set(more)), dtype=torch.long)])

    def chance_otherwise(self, decided: Tensor) -> Tensor:
        """The probability, by the last prediction, that each piece should have been decided the other way."""
        likely = self.likely[decided]
        return torch.where(self.margin[decided] > 0, 1 - likely, likely).clamp_min(1e-9)  # nothing is certain

    def commit(self, index: int, decided: Tensor, predicted: bool) -> Step:
        """Decide pieces; frames and gaps follow."""
        assert self.prediction is not None
        confidence = dict(zip(decided.tolist(), self._confidence(decided).tolist(), strict=True))
        keeps = (self.margin[decided] > 0).tolist()
        for piece, keep in zip(confidence, keeps, strict=True):
            self.states.decide([piece], keep)
        tokens = [(sure, i) for piece, sure in confidence.items() for i in self.pieces.tokens[piece]]
        least = min(confidence.values(), default=0.5)
        tokens += [(least, i) for i in self.states.settle()]
        tokens.sort(key=lambda pair: -pair[0])
        units = self.prediction.units
        return Step(
            index,
            tuple(i for _, i in tokens),
            tuple(sure for sure, _ in tokens),
            tuple(torch.sigmoid(self.prediction.tokens).tolist()),
            tuple(torch.sigmoid(self.prediction.parts).tolist()),
            tuple(self.states.tokens),
            predicted,
            () if units is None else tuple(torch.sigmoid(units).tolist()),
        )

    def _confidence(self, pieces: Tensor) -> Tensor:
        return torch.sigmoid(self.margin[pieces].abs()).clamp_max(1 - 1e-6)  # 1 is for pins alone

    def _open(self) -> Tensor:
        return torch.tensor([state == MASK for state in self.states.pieces], dtype=torch.bool)

    def _part_means(self) -> Tensor:
        """Mean keep probability of the open pieces of each part, by tokens: [parts]."""
        weight = self.sizes * self._open()
        zeros = torch.zeros(len(self.pieces.prompt.parts))
        total = zeros.index_add(0, self.part, self.likely * weight)
        return total / zeros.index_add(0, self.part, weight).clamp_min(1)


def _gumbel(n: int, seed: int) -> Tensor:
    uniform = torch.rand(n, generator=torch.Generator().manual_seed(seed)).clamp(1e-9, 1 - 1e-7)
    return -torch.log(-torch.log(uniform))
