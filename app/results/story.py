"""What a study says, for somebody who knows none of its measures: a sentence, then a row a length. Pure.

Better or worse is said only where the 95 % interval of the paired difference says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.components import table
from model.evaluation.report.curves import METHOD_NAMES, method_name

OWN = "diffumask"
_KINDS = {  # what the prompts of a task are made of
    "nq": "documents that look alike",
    "gsm8k": "worked maths problems",
    "agnews": "labelled news",
}
_NOT_COMPARED = ("full", "zero", OWN)
_COLUMNS = ("Prompts*", "Left#", "What it is still worth", "Ahead of", "Behind", "Cannot be told from")
_NOWHERE = "no other way is better for certain"


@dataclass(frozen=True)
class Glance:
    """A run at one length.

    Attributes:
        kind: what its prompts are made of.
        left: the share of them that was asked for.
        worth: what they are still worth, in words.
        ahead, behind, even: other methods at the same length.
    """

    kind: str
    left: float
    worth: str
    ahead: tuple[str, ...]
    behind: tuple[str, ...]
    even: tuple[str, ...]


def glances(report: Mapping[str, Any]) -> list[Glance]:
    """Every run in which DiffuMask was measured, at each length."""
    return [
        _glance(run, row)
        for run in report["runs"]
        for row in run["rows"]
        if row["method"] == OWN and row["retention"] is not None
    ]


def _glance(run: Mapping[str, Any], row: Mapping[str, Any]) -> Glance:
    found: dict[str, list[str]] = {"ahead": [], "behind": [], "even": []}
    for name, (_, low, high) in _against(run, row):
        if low is None or high is None or low <= 0 <= high:
            found["even"].append(name)
        else:  # the other less DiffuMask; of a likelihood's negative, less is better
            found["ahead" if (low > 0) == lower_is_better(run) else "behind"].append(name)
    return Glance(
        kind_of(run),
        row["retention"],
        worth(run, row),
        tuple(found["ahead"]),
        tuple(found["behind"]),
        tuple(found["even"]),
    )


def _against(run: Mapping[str, Any], row: Mapping[str, Any]) -> Iterator[tuple[str, Sequence[float | None]]]:
    """Each other method, and its difference to DiffuMask; one that has no lengths to choose is compared at its own."""
    for other in run["rows"]:
        base, name = other["method"].partition("@")[0], method_name(other["method"])
        if base in _NOT_COMPARED:
            continue
        if other["retention"] == row["retention"] and (measured := other["differences"].get(OWN)):
            yield name, measured
        if other["retention"] is None and (measured := row["differences"].get(base)):
            mean, low, high = measured
            yield (
                f"{name} at {other['tokens_kept']:.0%}",
                (-mean, None if high is None else -high, -low if low else low),
            )


def _mirrored(difference: Sequence[float | None]) -> tuple[float | None, float | None, float | None]:
    """
    >>> _mirrored([0.2, 0.1, None])
    (-0.2, None, -0.1)
    """
    mean, low, high = (None if end is None else -end for end in difference)
    return mean, high, low


def lower_is_better(run: Mapping[str, Any]) -> bool:
    """Of the measure that differences are in."""
    return str(run["differences_in"]).startswith("NLL")


def kind_of(run: Mapping[str, Any]) -> str:
    """What the prompts of a run are made of, and who reads them."""
    config = run["config"]
    if config["target"] == "none":
        return _plain(run)
    return f"{_plain(run)} (read by {METHOD_NAMES.get(config['target'], config['target'])})"


def _plain(run: Mapping[str, Any]) -> str:
    task, documents = run["config"]["task"], run["config"].get("documents", "")
    kind = _KINDS.get(task, str(METHOD_NAMES.get(task, task)))
    return f"{documents} {kind}".strip() if task == "nq" else kind


def worth(run: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    """What is left at this length, in words; "" where nothing that can be said in words was measured."""
    measures = row["measures"]
    whole: Mapping[str, Any] = next((each["measures"] for each in run["rows"] if each["method"] == "full"), {})
    if kept := measures.get("answer kept"):
        return f"the answer to {_hundred(kept)} of 100 questions is still there"
    if kept := measures.get("benefit kept"):
        return f"{kept[0]:.0%} of what the whole prompt helps"
    right = next((name for name in ("acc. cal.", "acc. raw") if measures.get(name)), "")
    if not right:
        return ""
    full = f", {_hundred(whole[right])} with the whole" if whole.get(right) else ""
    return f"{_hundred(measures[right])} of 100 answers are right{full}"


def _hundred(value: Sequence[float]) -> str:
    return f"{100 * value[0]:.0f}"


# --- the sentence ------------------------------------------------------------------------------------------


def opening(report: Mapping[str, Any]) -> str:
    """A sentence on the whole study: what is still worth how much, and where something else is better."""
    found = glances(report)
    if not found:
        return "DiffuMask was not measured in this study."
    said = list(filter(None, map(_said, report["runs"])))
    said = [part.replace(" cut to ", " that DiffuMask cut to ", 1) for part in said[:1]] + said[1:]
    lost = {glance.kind: dict.fromkeys(glance.behind) for glance in found if glance.behind}
    losses = [f"with {kind}, {_listed(list(others))} {'is' if len(others) == 1 else 'are'} better"
              for kind, others in lost.items()]  # fmt: skip
    sentence = "; ".join(filter(None, (_listed(said), _listed(losses) or _NOWHERE)))
    return f"{sentence[0].upper()}{sentence[1:]}."


def _said(run: Mapping[str, Any]) -> str:
    """A run at its second length, as part of the sentence; "" where it measured no share of anything."""
    rows = [row for row in run["rows"] if row["method"] == OWN and row["retention"] is not None]
    if not rows:
        return ""
    row = rows[min(1, len(rows) - 1)]
    cut = f"{_plain(run)} cut to {row['retention']:.0%}"
    if kept := row["measures"].get("answer kept"):
        return f"{cut} still hold the answer to {_hundred(kept)} of 100 questions"
    if kept := row["measures"].get("benefit kept"):
        return f"{cut} help {_hundred(kept)}% as much as whole ones"
    return ""


def _listed(parts: Sequence[str]) -> str:
    return ", ".join(parts[:-1]) + " and " * (len(parts) > 1) + parts[-1] if parts else ""


# --- the table ---------------------------------------------------------------------------------------------


def story(report: Mapping[str, Any]) -> str:
    """The sentence, a table of all runs, and what one has to know of them."""
    rows = [
        ("", (each.kind, f"{each.left:.0%}", each.worth, *map(_or_none, (each.ahead, each.behind, each.even))))
        for each in glances(report)
    ]
    notes = [run["note"] for run in report["runs"] if run.get("note")]
    blocks = [table.paragraph(opening(report), "heading")]
    if rows:
        blocks += [table.rows("At a glance", _COLUMNS, rows), table.paragraph(_EXPLAINED, "quiet")]
    return table.content(*blocks, *(table.paragraph(_noted(report, note), "quiet") for note in dict.fromkeys(notes)))


_EXPLAINED = (
    "Ahead and behind: the 95 % interval of the paired difference at the same length lies on one side of 0. Right "
    "answers are counted, ahead and behind is judged by how sure the reader is of them."
)


def _noted(report: Mapping[str, Any], note: str) -> str:
    kinds = _listed(list(dict.fromkeys(_plain(run) for run in report["runs"] if run.get("note") == note)))
    return f"{kinds[0].upper()}{kinds[1:]}: {note[0].lower()}{note[1:]}"


def _or_none(names: Sequence[str]) -> str:
    return ", ".join(names) or "–"
