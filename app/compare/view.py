"""The figures and words of the Compare tab. Pure: no Gradio, no model, no database."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from annotations.ranking import LEAST_VOTES, RankedArm
from annotations.standings import Standing
from app.answering.agreement import LEAST_ANSWERS, share_with_interval
from app.compare.sides import ComparedSide, Prices
from app.components import table
from app.components.words import plural

Way = tuple[Sequence[ComparedSide], Sequence[bool]]  # finished sides, and whether each agrees with the full prompt's

_PAIR_COLUMNS = ("Pair*", "Model", "First wins#", "Second wins#", "Equal#", "Both bad#", "Votes#", "First wins, 95 %#")
_RANK_COLUMNS = ("Method*", "Wins against an average other#", "95 % interval#", "Won#", "Lost#", "Equal#", "Votes#")
_WAY_COLUMNS = (
    "Way*", "Answers as the full prompt's#", "Tokens sent#", "To the first word#", "Whole answer#", "1,000 calls#",
)  # fmt: skip
_RANKED = (
    "A method's chance to win against an average one of the others (Bradley-Terry; equally good or bad is half a win "
    f"for each), with its 95 % interval (votes resampled); it is said from {LEAST_VOTES} votes on a method on. Votes "
    "of one person on the same prompt are not independent: with many of those, intervals are too narrow."
)
_NO_VOTES = "No votes yet: choose Blind arena, press Draw a pair, read both answers, and vote."


# --- one side ----------------------------------------------------------------------------------------------


def figures(side: ComparedSide) -> str:
    """What a finished side took, in a line."""
    about = "" if side.counted else "≈ "
    compressing = f", {side.compressing:.2f} s of it compressing" if side.compressing >= 0.005 else ""
    first = f"first word after {side.to_first:.2f} s{compressing}"
    return f"{about}{side.sent:,} tokens sent; {first}; {about}{side.answered:,} answered in {side.to_end:.2f} s"


def gain(sides: Sequence[ComparedSide], prices: Prices) -> str:
    """The shorter prompt against the longer one, compressing included, in words."""
    short, long = sorted(sides, key=lambda side: side.sent)
    saved = 1000 * (long.cost(prices) - short.cost(prices))
    fewer = long.sent - short.sent
    share = f" ({fewer / long.sent:.0%})" if long.sent else ""
    parts = [
        f"{fewer:,} token{'' if fewer == 1 else 's'} fewer{share}",
        f"the first word {_sooner(long.to_first - short.to_first)}",
        f"the whole answer {_sooner(long.to_end - short.to_end)}",
        f"{dollars(abs(saved))} {'less' if saved >= 0 else 'more'} per 1,000 calls",
    ]
    sentence = f"{short.arm.name} against {long.arm.name}: " + ", ".join(parts) + "."
    compressing = short.compressing + long.compressing
    return sentence + (" Time and cost of compressing are included." if compressing else "")


def _sooner(seconds: float) -> str:
    return f"{abs(seconds):.2f} s {'sooner' if seconds >= 0 else 'later'}"


def dollars(amount: float) -> str:
    """An amount of money.

    >>> dollars(1234.5), dollars(0.4567), dollars(0)
    ('$1,234.50', '$0.457', '$0.00')
    """
    return f"${amount:,.3f}" if 0 < amount < 0.9995 else f"${amount:,.2f}"


# --- all questions of a comparison -------------------------------------------------------------------------


def comparison_summary(ways: Sequence[Way], judge: str, prices: Prices) -> str:
    """What all answers say of each way, the full prompt first; "" where nothing has been answered."""
    if not ways or not ways[0][0]:
        return table.content()
    rows = [("", _way_row(i, sides, agreed, prices)) for i, (sides, agreed) in enumerate(ways) if sides]
    return table.content(
        table.paragraph(_said(ways), "heading"),
        table.paragraph(judge, "quiet"),
        table.rows("All questions", _WAY_COLUMNS, rows),
    )


def _said(ways: Sequence[Way]) -> str:
    """The first way beside the full prompt, as a sentence."""
    (full, _), (sides, agreed) = ways[0], ways[1]
    if not sides or not agreed:
        return "The full prompt is the reference: each answer is held against its own."
    shorter = 1 - fmean(side.sent for side in sides) / max(fmean(side.sent for side in full), 1)
    tokens = f"with {shorter:.0%} fewer tokens" if shorter > 0 else "with no fewer tokens"
    few = f": too few to tell, ask at least {LEAST_ANSWERS} questions" if len(agreed) < LEAST_ANSWERS else ""
    told = few or f" ({share_with_interval(sum(agreed), len(agreed))})"
    return f"{sides[0].arm.name} {tokens} answers {sum(agreed)} of {plural(len(agreed), 'question')} alike{told}."


def _way_row(at: int, sides: Sequence[ComparedSide], agreed: Sequence[bool], prices: Prices) -> tuple[str, ...]:
    alike = "the reference" if at == 0 else "–"
    if at and agreed:
        alike = f"{sum(agreed)} of {len(agreed)}: {share_with_interval(sum(agreed), len(agreed))}"
    about = "" if all(side.counted for side in sides) else "≈ "
    return (
        sides[0].arm.name,
        alike,
        f"{about}{fmean(side.sent for side in sides):,.0f}",
        f"{fmean(side.to_first for side in sides):.2f} s",
        f"{fmean(side.to_end for side in sides):.2f} s",
        dollars(1000 * fmean(side.cost(prices) for side in sides)),
    )


# --- the arena ---------------------------------------------------------------------------------------------


def standings_table(arms: Sequence[RankedArm]) -> str:
    """How all methods stand."""
    if not arms:
        return table.message(_NO_VOTES, "empty")
    return table.content(
        table.paragraph(_leader(arms), "heading"),
        table.rows("Standings", _RANK_COLUMNS, [("", _rank_row(arm)) for arm in arms]),
        table.paragraph(_RANKED, "quiet"),
    )


def pairs_table(pairs: Sequence[Standing]) -> str:
    """Who won how often against whom, with each model."""
    if not pairs:
        return table.message(_NO_VOTES, "empty")
    rows = [("", _pair_row(standing)) for standing in pairs]
    note = "Share of the votes that name a winner, with its 95 % interval (Wilson)."
    return table.content(table.rows("Pair by pair", _PAIR_COLUMNS, rows), table.paragraph(note, "quiet"))


def _leader(arms: Sequence[RankedArm]) -> str:
    votes = sum(arm.votes for arm in arms) // 2
    told = [arm for arm in arms if arm.share is not None]
    if not told:
        return f"{plural(votes, 'vote')}: too few to tell. Two methods need at least {LEAST_VOTES} each."
    first, rest = told[0], told[1:]
    if all(first.interval[0] > other.interval[1] for other in rest):
        return f"{plural(votes, 'vote')}: {first.name} is ahead of all others."
    return f"{plural(votes, 'vote')}: {first.name} leads, but its interval overlaps with others: nobody has won yet."


def _rank_row(arm: RankedArm) -> tuple[str, ...]:
    share, interval = f"too few to tell ({arm.votes} of {LEAST_VOTES} votes)", ""
    if arm.share is not None:
        share, interval = f"{arm.share:.0%}", f"{arm.interval[0]:.0%} to {arm.interval[1]:.0%}"
    return arm.name, share, interval, *map(str, (arm.wins, arm.losses, arm.ties, arm.votes))


def _pair_row(standing: Standing) -> tuple[str, ...]:
    wins = (standing.first_wins, standing.second_wins, standing.equal, standing.neither, standing.n)
    pair = f"{standing.first} : {standing.second}"
    return pair, standing.target, *map(str, wins), _share(standing)


def _share(standing: Standing) -> str:
    if standing.share is None or standing.decided < LEAST_VOTES:
        return "too few to tell"
    low, high = standing.interval
    return f"{standing.share:.0%} [{low:.0%}, {high:.0%}]"
