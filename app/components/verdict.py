"""What the panel beside Copy says of a run: what its mask costs, in lines that lead to their places. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from app.components.words import plural, shorten
from model.compress import Compressed, CompressRequest
from model.prompt import Prompt
from model.verdict import Loss, Verdict

_MOST_PLACES = 40  # of a line
_TASK = ("instruction", "question")  # roles in which no rule may be lost
_SENTENCES = ("sentence or line", "sentences or lines")
_BROKEN = "only a piece is left of"
_RULE = "with a negation, limit or condition"


@dataclass(frozen=True)
class Place:
    """Tokens [first, last) of the prompt, and how they begin."""

    text: str
    first: int
    last: int


@dataclass(frozen=True)
class VerdictLine:
    """Something to know about a mask.

    Attributes:
        level: "bad": it should not be sent so; "look": a person should look at it; "note".
        places: the first of its places. more: how many others there are.
        act: what a click on a place's button does: "keep" it, or "free" what was kept by hand.
    """

    level: str
    text: str
    places: tuple[Place, ...] = ()
    more: int = 0
    act: str = "keep"

    @classmethod
    def of(cls, level: str, text: str, places: Iterable[Place], act: str = "keep") -> VerdictLine:
        """With as many places as are shown."""
        places = tuple(places)
        return cls(level, text, places[:_MOST_PLACES], max(len(places) - _MOST_PLACES, 0), act)


@dataclass(frozen=True)
class _Judged:
    """A mask, what it costs, and what a person fixed of it."""

    prompt: Prompt
    keep: Sequence[bool]
    pins: Mapping[int, bool]
    verdict: Verdict


def verdict_panel(result: Compressed) -> dict[str, Any]:
    """The panel of a run as the canvas is sent it: `lines`, and what a click on "keep all rules" keeps, possible from
    `clean` percent on."""
    return _panel(_Judged(result.prompt, result.trace.keep, result.request.pins, result.verdict))


def mask_panel(request: CompressRequest, keep: Sequence[bool], pins: Mapping[int, bool]) -> dict[str, Any]:
    """The panel of a person's mask of what was asked; pins: what they fixed."""
    fixed, asked = {**request.fixed, **pins}, request.config.retention
    verdict = Verdict.of(request.prompt, keep, asked=asked, pins=fixed, least=request.rules.least)
    return _panel(_Judged(request.prompt, keep, pins, verdict))


def _panel(mask: _Judged) -> dict[str, Any]:
    lines = sorted(_lines(mask), key=lambda line: ("bad", "look", "note").index(line.level))
    return {
        "level": lines[0].level if lines and lines[0].level != "note" else "good",
        "headline": _headline(mask.verdict, lines),
        "lines": list(map(asdict, lines)),
        "rules": [[place.first, place.last] for place in _lost_rules(mask)],
        "clean": math.ceil(100 * mask.verdict.shortest),
    }


def _lost_rules(mask: _Judged) -> Iterator[Place]:
    """What is lost of the task, and of all sentences with a rule."""
    prompt, verdict = mask.prompt, mask.verdict
    for role in _TASK:
        yield from _gaps(prompt, mask.keep, role)
    yield from _units(prompt, [*verdict.rules_gone, *verdict.rules_broken])


def _headline(verdict: Verdict, lines: Sequence[VerdictLine]) -> str:
    whole = " and ".join(role for role in _TASK if getattr(verdict, f"{role}_whole"))
    looks = [line for line in lines if line.level != "note"]
    if not looks:
        return f"Good to send: {f'{whole} whole, ' if whole else ''}no negation, limit or condition lost."
    if looks[0].level == "bad":
        broken = "sentences are broken" if looks[0].text.startswith(_BROKEN) else "something of the task is lost"
        return f"Look before you send it: {broken}."
    return f"{f'{whole.capitalize()} whole. ' if whole else ''}{plural(len(looks), 'thing')} to look at:"


def _lines(mask: _Judged) -> Iterator[VerdictLine]:
    verdict, prompt = mask.verdict, mask.prompt
    if verdict.over_budget:
        asked, kept = verdict.asked or 0, verdict.kept_share
        yield VerdictLine("look", f"longer than asked, {kept:.0%} instead of {asked:.0%}: {verdict.over_budget}")
    for role in _TASK:
        if getattr(verdict, f"{role}_whole") is False:
            yield VerdictLine.of("bad", f"the {role} is not whole", _gaps(prompt, mask.keep, role))
    yield from _rules(prompt, verdict.rules_gone, "dropped")
    yield from _rules(prompt, verdict.rules_broken, "not whole")
    if verdict.fragments:
        count = plural(len(verdict.fragments), *_SENTENCES)
        yield VerdictLine.of("bad", f"{_BROKEN} {count}", _units(prompt, verdict.fragments))
    if verdict.broken_by_pins:
        count = plural(len(verdict.broken_by_pins), *_SENTENCES)
        yield VerdictLine.of("look", f"taken apart by what you fixed: {count}", _units(prompt, verdict.broken_by_pins))
    if code := list(_shortened_code(mask)):
        yield VerdictLine.of("look", "code is shortened, and the model has not learnt what of code is needed", code)
    yield from _gone(prompt, verdict)
    yield from _dropped(mask)
    if mine := list(_by_hand(mask)):
        yield VerdictLine.of("note", f"kept by you: {plural(len(mine), 'place')}", mine, act="free")


def _shortened_code(mask: _Judged) -> Iterator[Place]:
    """The parts that are code and not whole."""
    for part in mask.prompt.parts:
        tokens = range(part.first, part.last)
        if part.role == "code" and any(not mask.keep[i] and not mask.prompt.tokens[i].text.isspace() for i in tokens):
            yield _place(mask.prompt, part.first, part.last)


def _gone(prompt: Prompt, verdict: Verdict) -> Iterator[VerdictLine]:
    """What occurs nowhere in the result any more."""
    for losses, name in (
        (verdict.identifiers_gone, "identifier"),
        (verdict.numbers_gone, "number"),
        (verdict.names_gone, "name"),
    ):
        if losses:
            text = f"{plural(len(losses), name)} gone: {_listed(losses)}"
            yield VerdictLine.of("note", text, _units(prompt, losses, own=True))


def _rules(prompt: Prompt, losses: Sequence[Loss], what: str) -> Iterator[VerdictLine]:
    """Lost rules: of the task, and of everything else."""
    for level, is_task, where in (("bad", True, " of the task"), ("look", False, "")):
        roles = (prompt.parts[prompt.tokens[loss.token].part].role for loss in losses)
        some = [loss for loss, role in zip(losses, roles, strict=True) if (role in _TASK) == is_task]
        if some:
            count = plural(len(some), *_SENTENCES)
            yield VerdictLine.of(level, f"{count}{where} {_RULE} {what}", _units(prompt, some))


def _dropped(mask: _Judged) -> Iterator[VerdictLine]:
    """Sentences, items and lines of which nothing is left."""
    keep, prompt = mask.keep, mask.prompt
    units = [unit for unit in prompt.units if unit.leaf and not unit.frame and unit.first < unit.last]
    gone = [unit for unit in units if not any(keep[unit.first : unit.last])]
    if gone:
        places = (_place(prompt, unit.first, unit.last) for unit in gone)
        yield VerdictLine.of(
            "note", f"{len(gone):,} of {len(units):,} sentences, items and lines dropped whole", places
        )


def _gaps(prompt: Prompt, keep: Sequence[bool], role: str) -> Iterator[Place]:
    """The units of a role that have lost words."""
    for unit in prompt.units:
        if unit.leaf and unit.part >= 0 and prompt.parts[unit.part].role == role:
            if any(not keep[i] and not prompt.tokens[i].text.isspace() for i in range(unit.first, unit.last)):
                yield _place(prompt, unit.first, unit.last)


def _units(prompt: Prompt, losses: Sequence[Loss], own: bool = False) -> Iterator[Place]:
    """The units in which something was lost; own: named by what was lost, and not by how they begin."""
    for loss in losses:
        at = prompt.unit_of[loss.token]
        first, last = (prompt.units[at].first, prompt.units[at].last) if at >= 0 else (loss.token, loss.token + 1)
        yield Place(shorten(loss.text, 60), first, last) if own else _place(prompt, first, last)


def _by_hand(mask: _Judged) -> Iterator[Place]:
    """Runs of tokens that a person has kept, each within one unit."""
    prompt, run = mask.prompt, list[int]()
    for i in sorted(i for i, keep in mask.pins.items() if keep):
        if run and (run[-1] + 1 != i or prompt.unit_of[i] != prompt.unit_of[run[0]]):
            yield _place(prompt, run[0], run[-1] + 1)
            run = []
        run.append(i)
    if run:
        yield _place(prompt, run[0], run[-1] + 1)


def _place(prompt: Prompt, first: int, last: int) -> Place:
    return Place(shorten(prompt.text[prompt.tokens[first].start : prompt.tokens[last - 1].end], 90), first, last)


def _listed(losses: Sequence[Loss]) -> str:
    more = f" and {len(losses) - 4} more" if len(losses) > 4 else ""
    return ", ".join(shorten(loss.text, 24) for loss in losses[:4]) + more
