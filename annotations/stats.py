"""`python -m annotations stats`: statistics of the store, as JSON and as text."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict

from annotations.results import Group
from annotations.standings import Standing
from annotations.store import Store


def printable(text: str) -> str:
    """A text without control characters, and without characters that the terminal's encoding lacks."""
    visible = "".join(c if c.isprintable() else "?" for c in text)
    encoding = sys.stdout.encoding or "utf-8"
    return visible.encode(encoding, errors="replace").decode(encoding)


def stats_fields(store: Store) -> dict[str, object]:
    """All statistics, fit for JSON."""
    stats, agreement = store.stats(), store.agreement()

    def rates(groups: Mapping[str, Group]) -> dict[str, object]:
        return {name: {**asdict(group), "edit_rate": group.edit_rate} for name, group in groups.items()}

    return {
        **asdict(stats),
        "all": {**asdict(stats.all), "edit_rate": stats.all.edit_rate},
        "annotators": rates(stats.annotators),
        "checkpoints": rates(stats.checkpoints),
        "agreement": asdict(agreement),
        "votes": {"total": store.votes(limit=0).total, "blind": [_standing(s) for s in store.vote_summary()]},
    }


def stats_table(store: Store) -> str:
    """The same as lines of text."""
    stats, agreement, standings = store.stats(), store.agreement(), store.vote_summary()
    counts = ", ".join(f"{count} {status}" for status, count in stats.statuses.items()) or "none"
    lines = [
        f"corrections  {counts}",
        f"prompts      {stats.prompts}, {stats.revisions} revisions",
        f"queue        {stats.queue.done} of {stats.queue.total} done, {stats.queue.assigned} in hands",
        f"agreement    {_agreement_line(agreement.alpha, agreement.same, len(agreement.prompts))}",
        f"votes        {_votes_line(store.votes(limit=0).total, standings)}",
    ]
    for title, groups in (("annotator", stats.annotators), ("checkpoint", stats.checkpoints)):
        if groups:
            lines += ["", f"{title:<30} corrections   tokens  changed  seconds each"]
            lines += [_group_line(name, group) for name, group in groups.items()]
    if standings:
        lines += ["", "blind votes (share of the first among the decided, 95 % interval, sign test)"]
        lines += [_standing_line(standing) for standing in standings]
    return "\n".join(lines)


def _agreement_line(alpha: float | None, same: float | None, prompts: int) -> str:
    if same is None:
        return "no prompt was corrected by two people yet"
    figure = "not defined (all marks are the same)" if alpha is None else f"{alpha:.3f}"
    return f"Krippendorff's alpha {figure}, same mark {same:.1%}, over {prompts} prompt{'s' * (prompts != 1)}"


def _group_line(name: str, group: Group) -> str:
    label = printable(name if len(name) <= 30 else name[:27] + "...")
    each = group.seconds / group.corrections
    return f"{label:<30} {group.corrections:>11} {group.tokens:>8} {group.edit_rate:>8.1%} {each:>13.1f}"


def _standing(standing: Standing) -> dict[str, object]:
    share = {"share": standing.share, "interval": standing.interval, "p": standing.p}
    return {**asdict(standing), "n": standing.n, **share}


def _votes_line(total: int, standings: list[Standing]) -> str:
    return f"{total}, {sum(standing.n for standing in standings)} of them blind" if total else "none"


def _standing_line(standing: Standing) -> str:
    low, high = standing.interval
    share = "-" if standing.share is None else f"{standing.share:.1%}"
    wins = f"{standing.first} {standing.first_wins} : {standing.second_wins} {standing.second}"
    others = f"{standing.equal} equal, {standing.neither} neither"
    return printable(f"{standing.target}: {wins}; {others}; {share} ({low:.1%} to {high:.1%}), p = {standing.p:.3g}")
