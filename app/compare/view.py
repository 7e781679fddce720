"""The figures and words of the Compare tab. Pure: no Gradio, no model, no database."""

from __future__ import annotations

from collections.abc import Sequence

from annotations.standings import Standing
from app.compare.sides import ComparedSide, Prices
from app.components import table

_COLUMNS = ("Pair*", "Model", "First wins#", "Second wins#", "Equal#", "Both bad#", "Votes#", "First wins, 95 %#")


def tiles(side: ComparedSide, prices: Prices) -> list[tuple[str, str]]:
    """Figures of a finished side, each with what it is."""
    about = "" if side.counted else "≈ "
    compressing = f", {side.compressing:.2f} s of it compressing" if side.compressing else ""
    return [
        (f"{about}{side.sent:,}", "tokens sent"),
        (f"{side.to_first:.2f} s", f"to the first word{compressing}"),
        (f"{side.to_end:.2f} s", f"in all, {about}{side.answered:,} tokens answered"),
        (dollars(1000 * side.cost(prices)), "per 1,000 calls"),
    ]


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


def votes_table(standings: Sequence[Standing]) -> str:
    """Who won how often."""
    if not standings:
        return table.message("No blind votes yet: tick Blind, press Compare, and vote.", "empty")
    note = "Share of the votes that name a winner, with its 95 % interval (Wilson)."
    rows = [("", _votes_row(standing)) for standing in standings]
    return table.content(table.rows("Blind votes", _COLUMNS, rows), table.paragraph(note, "quiet"))


def _votes_row(standing: Standing) -> tuple[str, ...]:
    wins = (standing.first_wins, standing.second_wins, standing.equal, standing.neither, standing.n)
    pair = f"{standing.first} : {standing.second}"
    return pair, standing.target, *map(str, wins), _share(standing)


def _share(standing: Standing) -> str:
    if standing.share is None:
        return "–"
    low, high = standing.interval
    return f"{standing.share:.0%} [{low:.0%}, {high:.0%}]"
