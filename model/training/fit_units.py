"""Training of the unit head: masked diffusion over units, on prompts whose answers are known.

As with tokens, states are hidden and recovered: from nothing decided, from part of the truth, and from the head's own
first choices, so that it learns what is still wanted once something is kept. The sentence encoder stays frozen and
every prompt is read once, so that an epoch takes seconds.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from ..denoiser.hierarchy import along_turns
from ..denoiser.unit_head import UnitHead, UnitHeadConfig
from ..errors import InputError
from .unit_examples import UnitExample

State = tuple[Tensor, Tensor, float]  # kept, dropped: bool [units]; share of the tokens that may still be kept
BUDGETS = (0.05, 0.1, 0.2, 0.35, 0.5)
LONG = 300  # units; of longer prompts fewer are learnt in one step
FEW = 8  # of those


@dataclass(frozen=True)
class UnitFitConfig:
    """How to optimise.

    Attributes:
        epochs, batch, rate: passes, prompts in a step, peak learning rate (one cycle, Smith and Topin 2018).
        decay: weight decay.
        shares: kind of prompt -> how often each of its prompts is learnt in an epoch; 1 where it is not named.
        seed: of everything random.
    """

    epochs: int = 6
    batch: int = 48
    rate: float = 3e-3
    decay: float = 0.01
    shares: Mapping[str, int] = field(default_factory=lambda: {"qmsum": 3, "redundant": 3})
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.epochs, self.batch, *self.shares.values(), 1) < 1 or not 0 < self.rate < 1:
            raise InputError("epochs, batch and shares must be at least 1 and the learning rate between 0 and 1")


def fit_units(examples: Sequence[UnitExample], config: UnitFitConfig, start: UnitHead) -> tuple[UnitHead, list[float]]:
    """A trained copy of `start`, and the mean loss of each epoch. Raises InputError without examples."""
    if not examples:
        raise InputError("no prompt to learn from")
    torch.manual_seed(config.seed)
    rng = random.Random(config.seed)
    head = deepcopy(start)
    drawn = [i for i, example in enumerate(examples) for _ in range(config.shares.get(example.kind, 1))]
    optimiser = torch.optim.AdamW(head.parameters(), lr=config.rate, weight_decay=config.decay)
    total = config.epochs * len(_batches(examples, drawn, config.batch, random.Random(0)))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, config.rate, total_steps=total + 1, pct_start=0.1)
    chosen: dict[int, Tensor] = {}
    losses = []
    for _ in range(config.epochs):
        head.train()
        values = []
        for batch in _batches(examples, drawn, config.batch, rng)[: total // config.epochs]:
            optimiser.zero_grad()
            value = _loss(head, examples, batch, rng, chosen)
            torch.autograd.backward(value)
            torch.nn.utils.clip_grad_norm_(head.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            values.append(float(value.detach()))
        losses.append(sum(values) / len(values))
    return head.eval(), losses


def new_head(examples: Sequence[UnitExample], config: UnitHeadConfig, seed: int) -> UnitHead:
    """A head that knows nothing but how large the examples' features are."""
    torch.manual_seed(seed)
    head, rng = UnitHead(config), random.Random(seed)
    some = [example.features(*_state(example, rng, None)) for example in examples[:: max(1, len(examples) // 500)]]
    rows = torch.cat(some)
    head.mean.copy_(rows.mean(0))
    head.std.copy_(rows.std(0).clamp(min=0.05))
    return head


def _batches(examples: Sequence[UnitExample], drawn: Sequence[int], size: int, rng: random.Random) -> list[list[int]]:
    """Prompts of like length together, in random order."""
    order = sorted(drawn, key=lambda i: len(examples[i].size) * (1 + 0.3 * rng.random()))
    found: list[list[int]] = []
    for i in order:
        most = size if len(examples[i].size) < LONG else FEW
        if not found or len(found[-1]) >= most:
            found.append([])
        found[-1].append(i)
    rng.shuffle(found)
    return found


def _loss(
    head: UnitHead, examples: Sequence[UnitExample], batch: Sequence[int], rng: random.Random, chosen: dict[int, Tensor]
) -> Tensor:
    """chosen: the head's last logits of each prompt, which are renewed here."""
    states = [_state(examples[i], rng, chosen.get(i)) for i in batch]
    pairs = [(examples[i], state) for i, state in zip(batch, states, strict=True)]
    features = pad_sequence([example.features(*state) for example, state in pairs], True)
    vectors = pad_sequence([example.relevance.vectors.float() for example, _ in pairs], True)
    asked = pad_sequence([example.relevance.asked.float() for example, _ in pairs], True)
    wanted = pad_sequence([example.still_wanted(kept) for example, (kept, _, _) in pairs], True)
    hidden = pad_sequence([~(kept | dropped) for _, (kept, dropped, _) in pairs], True)
    read = pad_sequence([example.relevance.read for example, _ in pairs], True)
    logits = head(features, vectors, asked, read)
    for i, row in zip(batch, logits.detach(), strict=True):
        chosen[i] = row[: len(examples[i].size)]
    return unit_loss(logits, wanted, hidden)


def unit_loss(logits: Tensor, wanted: Tensor, hidden: Tensor) -> Tensor:
    """How badly the hidden units are told apart: a choice among all of them, and of each on its own.

    The choice is a softmax over the hidden units, of which all wanted ones shall be likely (mean), or one at least
    (any); each on its own is binary cross-entropy, so that the logits are probabilities.

    Args:
        logits: [prompts, units]. wanted: fp32, same shape, 1 where wanted. hidden: bool, same shape.
    """
    log_share = logits.masked_fill(~hidden, -1e9).log_softmax(1)
    wanted = wanted * hidden
    some = wanted.sum(1) > 0
    mean = -(log_share.masked_fill(~hidden, 0) * wanted).sum(1) / wanted.sum(1).clamp(min=1)
    any_one = -log_share.masked_fill(wanted == 0, -1e9).logsumexp(1)
    each = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none") * hidden
    own = each.sum(1) / hidden.sum(1).clamp(min=1)
    choice = ((mean + any_one) / 2)[some]
    return own.mean() + (choice.mean() if len(choice) else 0.0)


def _state(example: UnitExample, rng: random.Random, chosen: Tensor | None) -> State:
    """A state to learn from: of ten, four with nothing decided, two or more with part of the truth, four with the
    head's own first choices, of which the right ones are mostly hidden again."""
    count = len(example.size)
    kept, dropped = torch.zeros(count, dtype=torch.bool), torch.zeros(count, dtype=torch.bool)
    wanted = example.wanted.any(1)
    draw = rng.random()
    if 0.4 <= draw < 0.6 or (draw >= 0.4 and chosen is None):
        shown = torch.rand(count) < rng.random()
        kept, dropped = shown & wanted & (torch.rand(count) < 0.5), shown & ~wanted
        kept |= (torch.rand(count) < 0.1 * rng.random()) & ~wanted & ~dropped
        if not (wanted & ~kept).any():
            kept &= ~wanted
    elif draw >= 0.6 and chosen is not None:
        kept[chosen.topk(rng.randint(1, max(1, min(8, count // 4)))).indices] = True
        if rng.random() < 0.6:
            kept &= ~wanted
    spent = float((example.size * kept).sum() / example.size.sum())
    return kept, dropped, max(0.0, rng.choice(BUDGETS) - spent)


# --- how good it is ----------------------------------------------------------------------------------------

RATES = (0.05, 0.1, 0.2, 0.35)


@torch.inference_mode()
def unit_logits(head: UnitHead, example: UnitExample, state: State | None = None) -> Tensor:
    """[units]; state None: nothing is decided."""
    nothing = torch.zeros(len(example.size), dtype=torch.bool)
    features = example.features(*(state or (nothing, nothing, 0.0)))
    known = example.relevance
    logits: Tensor = head(features, known.vectors.float(), known.asked.float(), known.read)
    return logits


def answers_kept(head: UnitHead, example: UnitExample, rate: float, steps: int = 1) -> float:
    """Share of the questions that what is kept answers; of a meeting, of the wanted tokens that are kept.

    rate: of the units' tokens. steps: in which they are chosen, the head being asked anew in each.
    """
    kept = torch.zeros(len(example.size), dtype=torch.bool)
    total = float(example.size.sum())
    for step in range(1, steps + 1):
        left = rate - float(example.size[kept].sum()) / total
        logits = unit_logits(head, example, (kept, torch.zeros_like(kept), left if steps > 1 else 0.0))
        if example.every:
            logits = along_turns(logits)
        kept = fill_units(logits, example.size, rate * total, kept, rate * total * step / steps)
    return coverage(example, kept)


def fill_units(logits: Tensor, size: Tensor, budget: float, kept: Tensor, enough: float | None = None) -> Tensor:
    """Add the likest units that fit: bool [units].

    enough: stop when what is kept is as large; None = when nothing fits any more.
    """
    kept = kept.clone()
    spent = float(size[kept].sum())
    for unit in logits.argsort(descending=True, stable=True).tolist():
        if spent >= (budget if enough is None else enough):
            break
        if not kept[unit] and spent + float(size[unit]) <= budget:
            kept[unit] = True
            spent += float(size[unit])
    return kept


def coverage(example: UnitExample, kept: Tensor) -> float:
    """See `answers_kept`."""
    if example.every:
        wanted = example.wanted.any(1)
        return float(example.size[wanted & kept].sum() / example.size[wanted].sum().clamp(min=1))
    return float((example.wanted & kept[:, None]).any(0).float().mean())


def measured(head: UnitHead, examples: Sequence[UnitExample]) -> dict[str, list[float]]:
    """Kind of prompt -> answers kept at RATES, mean over its prompts."""
    found: dict[str, list[list[float]]] = {}
    for example in examples:
        found.setdefault(example.kind, []).append([answers_kept(head, example, rate) for rate in RATES])
    return {kind: [math.fsum(column) / len(rows) for column in zip(*rows, strict=True)] for kind, rows in found.items()}
