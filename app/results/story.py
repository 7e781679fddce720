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
_SAID = {  # measures that can be said in words
    "answer kept": "the answer is still there",
    "benefit kept": "as helpful as the whole",
    "acc. cal.": "right answers",
    "acc. raw": "right answers",
}
_NOT_COMPARED = ("full", "zero", OWN)
_COLUMNS = ("Prompts*", "What is left is still worth", "Ahead of", "Behind", "No difference can be told")
_NOWHERE = "no other way is better for certain"


Lengths = Mapping[str, Sequence[float]]  # method -> the shares of the prompt at which that holds


@dataclass(frozen=True)
class Glance:
    """A run.

    Attributes:
        kind: what its prompts are made of, and who reads them.
        lengths: the shares of them that were asked for.
        worth: what they are still worth at these lengths, in words.
        ahead, behind, even: where DiffuMask is ahead of another method, behind it, or cannot be told from it.
    """

    kind: str
    lengths: tuple[float, ...]
    worth: str
    ahead: Lengths
    behind: Lengths
    even: Lengths


def glances(report: Mapping[str, Any]) -> list[Glance]:
    """Every run in which DiffuMask was measured."""
    return [_glance(run, rows) for run in report["runs"] if (rows := own_rows(run))]


def own_rows(run: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """DiffuMask's, a row a length."""
    return [row for row in run["rows"] if row["method"] == OWN and row["retention"] is not None]


def _glance(run: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Glance:
    found: dict[str, dict[str, list[float]]] = {"ahead": {}, "behind": {}, "even": {}}
    for row in rows:
        for name, difference in _against(run, row):
            place = _place(difference, lower_is_better(run))
            found[place].setdefault(name, []).append(row["retention"])
    lengths = tuple(row["retention"] for row in rows)
    return Glance(kind_of(run), lengths, worth(run, rows), **found)


def _place(difference: Sequence[float | None], lower: bool) -> str:
    """Where DiffuMask stands, from what another method has more than it; lower: less is better."""
    _, low, high = difference
    if low is None or high is None or low <= 0 <= high:
        return "even"
    return "ahead" if (low > 0) == lower else "behind"


def _against(run: Mapping[str, Any], row: Mapping[str, Any]) -> Iterator[tuple[str, Sequence[float | None]]]:
    """Each other method, and its difference to DiffuMask; one that has no lengths to choose is compared at its own."""
    for other in run["rows"]:
        base, name = other["method"].partition("@")[0], method_name(other["method"])
        if base in _NOT_COMPARED:
            continue
        if other["retention"] == row["retention"] and (measured := other["differences"].get(OWN)):
            yield name, measured
        if other["retention"] is None and (measured := row["differences"].get(base)):
            yield f"{name} at {other['tokens_kept']:.0%}", _mirrored(measured)


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


def worth(run: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    """What is left at each length, in words; "" where nothing that can be said in words was measured."""
    for measure, said in _SAID.items():
        kept = [(row["retention"], row["measures"].get(measure)) for row in rows]
        if all(value for _, value in kept):
            shares = _listed([f"{_hundred(value)}% at {length:.0%}" for length, value in kept])
            whole: Any = next((row["measures"].get(measure) for row in run["rows"] if row["method"] == "full"), None)
            full = f"; {_hundred(whole)}% with the whole" if whole and measure.startswith("acc") else ""
            return f"{said}: {shares}{full}"
    return ""


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
    rows = own_rows(run)
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
        ("", (each.kind, each.worth, *(_where(each, found) for found in (each.ahead, each.behind, each.even))))
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


def _where(glance: Glance, found: Lengths) -> str:
    """Methods, each with the lengths at which that holds unless it holds at all of them."""
    said = []
    for name, lengths in found.items():
        some = _listed([f"{length:.0%}" for length in lengths])
        said.append(name if len(lengths) == len(glance.lengths) else f"{name} (at {some})")
    return ", ".join(said) or "–"
