"""Token, unit and part: three levels whose logits are added.

The token denoiser knows which words of demonstrations and of plain text small language models need, but not what a
prompt asks. The unit head knows the question. So in demonstrations the token denoiser decides, elsewhere the unit head
does, and the token denoiser only says which words of a unit go first where a unit may be thinned.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..diffusion.sampler import Predict, Prediction
from ..diffusion.schedule import DROP, KEEP, MASK
from ..prompt import Prompt
from ..prompt.pieces import PieceSet
from ..prompt.token_kinds import kinds_of_tokens
from ..relevance.features import Relevance, smoothed
from ..relevance.prompt_reading import UnitsOf
from .priors import UNREAD, prior
from .unit_head import UnitHead

BY_TOKENS = ("demonstration",)  # roles of parts that the token denoiser decides
UNASKED = 3.0  # logits below 0 of a sentence where nothing is asked: what the head has learnt says nothing there
TOPICS = 60  # a long conversation is about so many things in turn: its units are judged with their neighbours
OUTSTANDING = 1.0  # logits by which a unit has to stand out from its neighbours to be judged alone
OWN = 0.1  # share of its own logit among its neighbours'
ORDER = 0.01  # logits by which words of one sentence differ
SAYING = {"function word": -2.0, "name": 4.0, "number": 4.0, "negation": 4.0, "operator": 4.0}


def needs_tokens(prompt: Prompt, granularity: str) -> bool:
    """Whether the token denoiser has to read a prompt: not where whole units of other parts are decided alone."""
    return granularity == "token" or any(part.role in BY_TOKENS for part in prompt.parts)


def needs_units(prompt: Prompt, units: UnitsOf) -> bool:
    """Whether the unit head has something to decide: not where all that may go are demonstrations."""
    return any(prompt.parts[prompt.units[u].part].role not in BY_TOKENS for u in units.units)


class HierarchicalPredict:
    """A `Predict` of one prompt, of the unit head and, where it has to read the prompt, the token denoiser.

    Args:
        tokens: the token denoiser's; None = it need not read the prompt.
        budget: share of the tokens that may be kept.
    """

    def __init__(
        self,
        pieces: PieceSet,
        units: UnitsOf,
        relevance: Relevance,
        head: UnitHead,
        tokens: Predict | None,
        budget: float,
    ):
        prompt = pieces.prompt
        self.prompt, self.relevance, self.head, self.tokens, self.budget = prompt, relevance, head, tokens, budget
        self.by_kind = None if pieces.rules.granularity == "token" else _by_kind(prompt)
        self.always, self.thin = needs_tokens(prompt, pieces.rules.granularity), pieces.thin
        self.unit_of = torch.tensor(units.unit_of)
        self.inside = self.unit_of >= 0
        self.owner = self.unit_of[self.inside]
        self.size = torch.bincount(self.owner, minlength=len(units.units)).clamp_min(1)
        self.units = torch.tensor(units.units)
        roles = [prompt.parts[prompt.units[unit].part].role for unit in units.units]
        self.turns = torch.tensor(units.in_turn, dtype=torch.bool)
        self.opaque = torch.tensor([role in UNREAD for role in roles], dtype=torch.bool)
        self.bonus = prior(prompt, units, relevance)
        self.read = relevance.read * ~self.opaque
        self.is_asked = bool(units.asked)
        by_tokens = torch.tensor([part.role in BY_TOKENS for part in prompt.parts])
        self.part = torch.tensor([token.part for token in prompt.tokens])
        self.by_tokens = by_tokens[self.part]

    @torch.inference_mode()
    def __call__(self, states: Tensor) -> Prediction:
        """states [n] -> what both levels say of them."""
        unit = self._unit_logits(states)
        of_token = torch.zeros(len(states))
        of_token[self.inside] = unit[self.owner]
        every = torch.zeros(len(self.prompt.units))
        every[self.units] = unit
        if self.tokens is None or not (self.always or self._is_thin_best(unit)):
            within = self._within(torch.zeros(len(states))) if self.thin else torch.zeros(len(states))
            return Prediction(of_token + within, self._part_logits(of_token), every)
        token, parts, _ = self.tokens(states)
        within = self._within(token)
        keep = torch.where(self.by_tokens | ~self.inside, self._aligned(token, of_token), of_token + within)
        decided = self._part_logits(of_token)
        roles = torch.zeros(len(parts), dtype=torch.bool).index_fill_(0, self.part[self.by_tokens].unique(), True)
        return Prediction(keep, torch.where(roles, parts, decided), every)

    def _aligned(self, token: Tensor, of_token: Tensor) -> Tensor:
        """The token denoiser's logits on the scale of the unit head's, where both decide something.

        As a whole, demonstrations are then as likely as the rest, of which what is asked for comes first.
        """
        shown, others = self.by_tokens, self.inside & ~self.by_tokens
        if not bool(shown.any()) or not bool(others.any()):
            return token
        mean, spread = token[shown].mean(), token[shown].std(unbiased=False).clamp_min(1e-3)
        wanted, width = of_token[others].mean(), of_token[others].std(unbiased=False)
        return (token - mean) / spread * width + wanted

    def _is_thin_best(self, unit: Tensor) -> bool:
        """Whether the likeliest unit is one that may be thinned: of others no words are wanted while it stays whole."""
        return bool(len(unit)) and int(self.units[unit.argmax()]) in self.thin

    def _within(self, token: Tensor) -> Tensor:
        """[n] which words of a unit stay longest.

        Where a sentence is thinned only because it is too long, names and numbers stay longest and articles and the
        like go first; this orders its words and says nothing about the sentence.
        """
        if self.by_kind is not None:
            token = ORDER * (self.by_kind + torch.tanh(token))
        return token - self._unit_means(token)

    def _unit_logits(self, states: Tensor) -> Tensor:
        """[units] given what is kept, dropped and still to be spent."""
        if not len(self.units):
            return torch.zeros(0)
        kept, dropped = self._all(states == KEEP), self._all(states == DROP)
        spent = float((states == KEEP).float().mean())
        left = max(self.budget - spent, 0.0) if bool((states == MASK).any()) else 0.0
        features = torch.cat([self.relevance.static, self.relevance.dynamic(kept, dropped, left)], 1)
        logits: Tensor = self.head(features, self.relevance.vectors, self.relevance.asked, self.read)
        if not self.is_asked:
            logits = logits * self.opaque - UNASKED * ~self.opaque
        logits[self.turns] = along_turns(logits[self.turns])
        return logits + self.bonus

    def _all(self, which: Tensor) -> Tensor:
        """[units] whether most tokens of a unit are such."""
        count = torch.zeros(len(self.units)).index_add(0, self.owner, which[self.inside].float())
        return count > self.size / 2

    def _unit_means(self, token: Tensor) -> Tensor:
        """[n] the mean of each token's unit."""
        total = torch.zeros(len(self.units)).index_add(0, self.owner, token[self.inside])
        means = torch.zeros_like(token)
        means[self.inside] = (total / self.size)[self.owner]
        return means

    def _part_logits(self, of_token: Tensor) -> Tensor:
        """[parts] the best unit of each: one sentence that is wanted makes its part wanted."""
        best = torch.full((len(self.prompt.parts),), -8.0)
        return best.scatter_reduce(0, self.part[self.inside], of_token[self.inside], "amax")


def _by_kind(prompt: Prompt) -> Tensor:
    """[n] how much the kinds of the prompt's tokens say; "from" and "to" beside numbers as much as they do."""
    kinds = kinds_of_tokens(prompt)
    said = [SAYING.get(kind, 0.0) for kind in kinds]
    for i in (i for i, kind in enumerate(kinds) if kind == "number"):
        said[max(i - 1, 0) : i + 2] = [max(value, SAYING["number"]) for value in said[max(i - 1, 0) : i + 2]]
    return torch.tensor(said)


def along_turns(logits: Tensor) -> Tensor:
    """Logits [n] of a conversation's units in order, averaged over those around each: people take many turns to answer.

    The average is a Gaussian's whose width grows with the conversation, so that in a short one each unit is judged
    alone, and so is a unit that stands out anywhere. Chosen on QMSum's validation meetings. On 14 meetings that neither
    the head nor this choice had seen (104 questions) .31 / .46 / .60 / .74 of the words of the gold turns are kept at
    5 / 10 / 20 / 35 %, against .27 / .41 / .57 / .72 without (each difference above 0 by a paired 95 % interval).
    """
    width = len(logits) / TOPICS
    if width < 1:
        return logits
    return torch.maximum(logits - OUTSTANDING, OWN * logits + (1 - OWN) * smoothed(logits, width))
