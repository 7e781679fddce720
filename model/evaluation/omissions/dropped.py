"""What a mask leaves out: which kinds of tokens it drops more often than chance, and which of them cost the answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ...llm.causal import Target
from ...prompt.token_kinds import KINDS, kinds_of_tokens
from ..align import Masked
from ..metrics.bootstrap import LEVEL, RESAMPLES, Bootstrap, Interval
from ..metrics.figures import Figure, draws, figure, markdown, show
from ..progress import Progress, silent
from ..result_cache import ResultCache
from ..tasks.task import Task
from ..text_score import prompt_of, score_text

EVERYTHING = "everything dropped"
DROPS_NOTE = (
    "dropped: share of each kind's tokens. by chance: the share that random masks of the same size on the same prompts "
    "drop, mean and central 95 %. ratio: of the two, with its 95 % bootstrap interval over prompts. 'more' and 'less': "
    "the share lies outside of chance, and 1 outside of the ratio's interval. Names are guessed from capitals."
)
COSTS_NOTE = (
    "gain: by how much the NLL of the gold answer (nats) falls when all dropped tokens of that {by} are put back into "
    "a prompt. by 1,000 tokens: the same for as many tokens put back. Means with 95 % bootstrap intervals over prompts "
    "and queries."
)


# --- dropped more often than chance ------------------------------------------------------------------------


@dataclass(frozen=True)
class Drop:
    """One kind of tokens.

    Attributes:
        tokens, prompts: how many tokens of this kind there are, and in how many prompts.
        dropped: share that was dropped.
        chance: share that random masks drop: mean, 2.5 % and 97.5 %.
        ratio: dropped / mean chance, n = prompts; None where no mask drops anything.
    """

    kind: str
    tokens: int
    prompts: int
    dropped: float
    chance: Interval
    ratio: Figure | None

    @property
    def verdict(self) -> str:
        """ "more" or "less" often than chance, "" where the masks do not say.

        Both must say so: the bootstrap is too sure of few tokens, random masks of tokens that are dropped in runs.
        """
        ratio, chance = self.ratio, self.chance
        if ratio is None or ratio.low is None or ratio.high is None or chance.low is None or chance.high is None:
            return ""
        if ratio.low > 1 and self.dropped > chance.high:
            return "more"
        return "less" if ratio.high < 1 and self.dropped < chance.low else ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {
            "dropped": round(self.dropped, 6),
            "chance": self.chance.to_json(),
            "ratio": self.ratio.to_json() if self.ratio else None,
            "than_chance": self.verdict,
        }


@dataclass(frozen=True)
class Drops:
    """All kinds that occur, those dropped most against chance first."""

    rows: tuple[Drop, ...]

    def table(self) -> str:
        """A Markdown table with a line that explains it."""
        head = ["kind", "tokens", "prompts", "dropped", "by chance", "ratio", "than chance"]
        rows = [
            [r.kind, f"{r.tokens:,}", str(r.prompts), f"{r.dropped:.3f}", show(r.chance), show(r.ratio, 2), r.verdict]
            for r in self.rows
        ]
        return f"{markdown(head, rows)}\n\n{DROPS_NOTE}"

    def to_json(self) -> dict[str, Any]:
        """Plain values; chance is [mean, low, high], a ratio [mean, low, high, n]."""
        return {"drops": [row.to_json() for row in self.rows]}


def dropped_more_than_chance(masked: Sequence[Masked], labels: Sequence[str] = (), seed: int = 0) -> Drops:
    """Drop rates by kind against random masks that drop as many tokens of each prompt.

    labels: the task's label words, so that they are a kind of their own. InputError without a prompt.
    """
    if not masked:
        raise InputError("no masks to report on: give at least one prompt with its mask")
    tokens, dropped = np.zeros((2, len(masked), len(KINDS)), dtype=np.int64)
    for p, each in enumerate(masked):
        for kind, keep in zip(kinds_of_tokens(each.prompt, labels), each.keep, strict=True):
            tokens[p, KINDS.index(kind)] += 1
            dropped[p, KINDS.index(kind)] += not keep
    rng, lost = np.random.default_rng(seed), dropped.sum(1)
    by_chance = np.zeros((RESAMPLES, len(KINDS)))
    for have, lose in zip(tokens, lost, strict=True):
        by_chance += rng.multivariate_hypergeometric(have, lose, size=RESAMPLES)
    expected = tokens * (lost / tokens.sum(1))[:, None]
    weights = draws(len(masked), seed)
    rows = []
    for k in np.flatnonzero(tokens.sum(0)):
        mean, count, prompts = expected[:, k].sum(), int(tokens[:, k].sum()), int((tokens[:, k] > 0).sum())
        low, high = np.percentile(by_chance[:, k], [(100 - LEVEL) / 2, (100 + LEVEL) / 2]) / count
        ratio = None
        if mean:
            with np.errstate(invalid="ignore"):  # 0 / 0 in resamples without this kind
                resampled = (weights @ dropped[:, k]) / (weights @ expected[:, k])
            ratio = figure(float(dropped[:, k].sum() / mean), resampled, prompts)
        chance = Interval(float(mean / count), float(low), float(high))
        rows.append(Drop(KINDS[k], count, prompts, float(dropped[:, k].sum() / count), chance, ratio))
    return Drops(tuple(sorted(rows, key=lambda row: -row.ratio.mean if row.ratio else 0)))


# --- what it costs -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cost:
    """What one group of dropped tokens was worth.

    Attributes:
        group: a kind, or a shot by its number from 1, or EVERYTHING.
        tokens, prompts: how many tokens were put back, in how many prompts.
        gain: fall of the mean NLL of the gold answers in nats; n = prompts * queries.
        per_thousand: the same by 1,000 tokens put back.
    """

    group: str
    tokens: int
    prompts: int
    gain: Figure
    per_thousand: Figure


@dataclass(frozen=True)
class Costs:
    """All groups, the largest gain first; `left_out`: how many groups of single prompts the limit left unmeasured."""

    task: str
    target: str
    by: str
    left_out: int
    rows: tuple[Cost, ...]

    def table(self) -> str:
        head = [f"{self.by} put back", "tokens", "prompts", "gain", "by 1,000 tokens"]
        rows = [
            [r.group, f"{r.tokens:,}", str(r.prompts), show(r.gain, sign="+"), show(r.per_thousand, 2, "+")]
            for r in self.rows
        ]
        left_out = f" {self.left_out} groups were not measured." if self.left_out else ""
        return f"{markdown(head, rows)}\n\n{COSTS_NOTE.format(by=self.by)}{left_out}"

    def to_json(self) -> dict[str, Any]:
        """Plain values; a figure is [mean, low, high, n]."""
        rows = [asdict(r) | {"gain": r.gain.to_json(), "per_thousand": r.per_thousand.to_json()} for r in self.rows]
        return asdict(self) | {"rows": rows}


def costly_omissions(
    task: Task,
    target: Target,
    masked: Sequence[Masked],
    by: str = "kind",
    *,
    cells: ResultCache | None = None,
    progress: Progress = silent,
    limit: int | None = None,
    seed: int = 0,
) -> Costs:
    """Put the dropped tokens back, one group at a time, and see how much better the target answers the task's queries.

    Args:
        masked: prompts of the task's demonstrations; groups of one prompt are measured before those of the next.
        by: "kind" or "shot".
        cells: where finished scores are looked up and kept, so that a run that was cut off goes on.
        limit: at most so many groups, each counted once per prompt; a group costs one pass over all queries.

    Raises InputError when there is nothing to put back, or `by` or `limit` is not one.
    """
    if by not in ("kind", "shot") or (limit is not None and limit < 1):
        raise InputError(f"cannot put back by {by!r} with limit {limit}; by: kind or shot, limit: at least 1")
    cells = cells or ResultCache()
    jobs = [(each, *group) for each in masked for group in _groups(each, by, task.labels)]
    if not jobs:
        raise InputError("these masks drop nothing, so no omission can have a cost: compress the prompts first")
    found: dict[str, list[tuple[int, NDArray[np.float64]]]] = {}
    for each, group, tokens in progress(jobs[:limit], total=len(jobs[:limit]), unit="group", desc=f"by {by}"):
        prompt, back = prompt_of(task, each.prompt.text), set(tokens)
        whole = [kept or i in back for i, kept in enumerate(each.keep)]
        short, long = (
            score_text(task, target, each.prompt.render(keep), prompt, cells).nll for keep in (each.keep, whole)
        )
        found.setdefault(group, []).append((len(tokens), short - long))
    rows = [_cost(group, measured, seed) for group, measured in found.items()]
    rows.sort(key=lambda row: -row.gain.mean)
    return Costs(task.name, target.name, by, len(jobs) - len(jobs[:limit]), tuple(rows))


def _groups(each: Masked, by: str, labels: Sequence[str]) -> Iterator[tuple[str, list[int]]]:
    """The dropped tokens of each kind or shot, and all of them."""
    kinds = kinds_of_tokens(each.prompt, labels)
    groups: dict[str, list[int]] = {}
    for i, token in enumerate(each.prompt.tokens):
        if not each.keep[i]:
            groups.setdefault(kinds[i] if by == "kind" else f"shot {token.part + 1}", []).append(i)
    yield from groups.items()
    if groups:
        yield EVERYTHING, [i for group in groups.values() for i in group]


def _cost(group: str, measured: Sequence[tuple[int, NDArray[np.float64]]], seed: int) -> Cost:
    """One row, from (tokens put back, gain [queries]) of each prompt that has the group."""
    tokens = np.array([[float(count)] for count, _ in measured])
    gains = np.stack([gain for _, gain in measured])
    resampled = Bootstrap(gains.shape[0], gains.shape[1], seed)
    means, n = resampled.means(gains), gains.size
    ratio = 1000 * float(gains.mean() / tokens.mean())
    per_thousand = figure(ratio, 1000 * means / resampled.means(tokens), n)
    return Cost(group, int(tokens.sum()), len(measured), figure(float(gains.mean()), means, n), per_thousand)
