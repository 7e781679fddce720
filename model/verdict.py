"""What a mask costs, in words: what was asked and kept, what was protected, what is gone, what a person should look at.

No torch: a verdict is read off a prompt and a mask, whoever made it.

>>> from model.prompt import parse
>>> prompt = parse("Answer briefly.\\n\\nThe fee is 44 EUR. Never pay in cash.\\n\\nHow much is it?")
>>> verdict = Verdict.of(prompt, [t.start < 15 or 17 <= t.start < 35 or t.start > 58 for t in prompt.tokens], asked=0.7)
>>> [loss.text for loss in verdict.rules_gone], verdict.numbers_gone
(['Never pay in cash.'], ())
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import regex

from .prompt import Prompt
from .prompt.pieces import PieceSet
from .prompt.pins import pins_for_task
from .prompt.selection import Selection
from .prompt.token_kinds import kinds_of_tokens

SHOWN = 3  # of what is gone, in a line
_IDENTIFIER = regex.compile(r"(?=.*\d)(?=.*\p{L}).*|.*(?:[@\\_]|://|\w/\w|\w\.\w).*", regex.DOTALL)
_VARIABLE = regex.compile(r"\{.*\}|\$\{.*\}|<\|.*\|>", regex.DOTALL)
_SPACE = regex.compile(r"\s")
_ROLE_NAMES = {"question": "question", "instruction": "instruction"}


@dataclass(frozen=True)
class Loss:
    """Something that is gone: its text, and the first of its prompt tokens."""

    text: str
    token: int


@dataclass(frozen=True)
class PartVerdict:
    """What is left of a part.

    Attributes:
        name: its heading or label, or its role and number.
        tokens, kept: prompt tokens.
        units, units_dropped: sentences, items, lines, records; of them those of which nothing is left.
    """

    role: str
    name: str
    first: int
    tokens: int
    kept: int
    units: int
    units_dropped: int


@dataclass(frozen=True)
class Verdict:
    """What a mask costs.

    Attributes:
        asked: share of the prompt tokens (or of the reader's, where one was named) that was asked for; None = "auto".
        tokens, kept: prompt tokens.
        reader: (name, before, after) in the reader's tokens; None where no reader was named.
        protected: tokens that stay whatever is asked: instruction, question, pins, and what belongs to them.
        shortest: share at which instruction, question and every guarded sentence are whole.
        parts: what is left of each.
        instruction_whole, question_whole: None where the prompt has none.
        rules_gone: sentences with a negation, limit or condition of which nothing is left.
        rules_broken: those of which something is left, but not all.
        numbers_gone, names_gone, identifiers_gone: that no longer occur anywhere in the result; each token is in one.
        fragments: sentences thinned below their least share, and lines or records that are not whole.
        broken_by_pins: what must stand or fall as one, but a pin took apart.
    """

    asked: float | None
    tokens: int
    kept: int
    reader: tuple[str, int, int] | None
    protected: int
    shortest: float
    parts: tuple[PartVerdict, ...]
    instruction_whole: bool | None
    question_whole: bool | None
    rules_gone: tuple[Loss, ...]
    rules_broken: tuple[Loss, ...]
    numbers_gone: tuple[Loss, ...]
    names_gone: tuple[Loss, ...]
    identifiers_gone: tuple[Loss, ...]
    fragments: tuple[Loss, ...]
    broken_by_pins: tuple[Loss, ...]

    @classmethod
    def of(
        cls,
        prompt: Prompt,
        keep: Sequence[bool],
        *,
        asked: float | None,
        pins: Mapping[int, bool] | None = None,
        least: float = 0.0,
        reader: tuple[str, int, int] | None = None,
    ) -> Verdict:
        """Read the verdict off a mask [n].

        Args:
            pins: as they were in force, those of rules and of a person.
            least: share of a sentence that must stay if any of it does.
        """
        pins = dict(pins or {})
        pieces = PieceSet.of(prompt, "unit", pins=pins)
        sorts = _sorts(prompt)
        left = {token.text for token, kept in zip(prompt.tokens, keep, strict=True) if kept}
        rules = [u for u in _leaves(prompt) if prompt.units[u].guard]
        return cls(
            asked=asked,
            tokens=len(prompt) - len(prompt.joints),
            kept=sum(keep) - sum(keep[i] for i in prompt.joints),
            reader=reader,
            protected=Selection(pieces).size,
            shortest=_shortest(prompt),
            parts=tuple(_parts(prompt, keep)),
            instruction_whole=_role_whole(prompt, keep, "instruction"),
            question_whole=_role_whole(prompt, keep, "question"),
            rules_gone=tuple(_loss(prompt, u) for u in rules if not _kept(prompt, keep, u)),
            rules_broken=tuple(_loss(prompt, u) for u in rules if 0 < _kept(prompt, keep, u) < _size(prompt, u)),
            numbers_gone=_gone(prompt, keep, left, [sort == "number" for sort in sorts]),
            names_gone=_gone(prompt, keep, left, [sort == "name" for sort in sorts]),
            identifiers_gone=_gone(prompt, keep, left, [sort == "identifier" for sort in sorts]),
            fragments=tuple(_loss(prompt, u) for u in _fragments(prompt, keep, pins, least)),
            broken_by_pins=tuple(_loss(prompt, u) for u in pieces.broken(keep) if _has_pin(prompt, u, pins)),
        )

    @property
    def kept_share(self) -> float:
        """In the unit that was asked in: the reader's tokens where one was named, else prompt tokens."""
        if self.reader is not None:
            return self.reader[2] / max(self.reader[1], 1)
        return self.kept / max(self.tokens, 1)

    @property
    def warnings(self) -> tuple[str, ...]:
        """One line for each thing that a person should look at; () = nothing."""
        lines = []
        if self.over_budget:
            lines.append(f"asked {self.asked:.0%}, kept {self.kept_share:.0%}: {self.over_budget}")
        for whole, name in ((self.instruction_whole, "instruction"), (self.question_whole, "question")):
            if whole is False:
                lines.append(f"the {name} is not whole")
        for losses, what in (
            (self.rules_gone, "gone, with a negation, limit or condition"),
            (self.rules_broken, "broken, with a negation, limit or condition"),
            (self.fragments, "only a fragment left of"),
            (self.broken_by_pins, "taken apart by a pin"),
        ):
            if losses:
                lines.append(f"{what}: {_listed(losses)}")
        return tuple(lines)

    @property
    def over_budget(self) -> str:
        """Why more is kept than was asked for; "" = it is not."""
        total = self.reader[1] if self.reader else self.tokens
        if self.asked is None or self.kept_share * total <= self.asked * total + 1:
            return ""
        share = self.protected / max(self.tokens, 1)
        if self.protected >= self.kept:
            return f"what is protected is {share:.0%} alone"
        if self.question_whole is not None:
            return "less would leave nothing that may answer"
        return "the shortest piece that can stay is longer"

    def lines(self) -> list[str]:
        """Everything, a line each, the most important first."""
        reader = f"; {self.reader[1]:,} -> {self.reader[2]:,} tokens for {self.reader[0]}" if self.reader else ""
        asked = "as long as the model is sure" if self.asked is None else f"asked {self.asked:.0%}"
        lines = [
            f"{asked}, kept {self.kept_share:.0%}: {self.tokens:,} -> {self.kept:,} prompt tokens{reader}",
            f"protected: {self.protected:,} tokens; clean from {self.shortest:.0%} on",
            *self.warnings,
        ]
        for losses, what in (
            (self.identifiers_gone, "identifiers"),
            (self.numbers_gone, "numbers"),
            (self.names_gone, "names"),
        ):
            if losses:
                lines.append(f"{what} gone: {_listed(losses)}")
        lines += [
            f"{part.name}: {part.kept:,} of {part.tokens:,} tokens, {part.units_dropped} of {part.units} units dropped"
            for part in self.parts
        ]
        return lines

    def summary(self) -> list[str]:
        """Two lines: how long it is, and what to look at."""
        lines = self.lines()
        if warnings := self.warnings:
            return [lines[0], "; ".join(warnings)]
        whole = [name for name in ("instruction", "question") if getattr(self, f"{name}_whole")]
        rules = "no negation, limit or condition lost"
        return [lines[0], ", ".join([f"{' and '.join(whole)} whole"] * bool(whole) + [rules])]

    def to_json(self) -> dict[str, Any]:
        """Plain values, the warnings among them."""
        return {**asdict(self), "kept_share": round(self.kept_share, 6), "warnings": list(self.warnings)}


def _leaves(prompt: Prompt) -> list[int]:
    return [u for u, unit in enumerate(prompt.units) if unit.leaf and unit.first < unit.last]


def _kept(prompt: Prompt, keep: Sequence[bool], u: int) -> int:
    return sum(keep[prompt.units[u].first : prompt.units[u].last])


def _size(prompt: Prompt, u: int) -> int:
    return prompt.units[u].last - prompt.units[u].first


def _loss(prompt: Prompt, u: int) -> Loss:
    unit = prompt.units[u]
    return Loss(prompt.text[unit.start : unit.end], unit.first)


def _has_pin(prompt: Prompt, u: int, pins: Mapping[int, bool]) -> bool:
    return any(i in pins for i in range(prompt.units[u].first, prompt.units[u].last))


def _fragments(prompt: Prompt, keep: Sequence[bool], pins: Mapping[int, bool], least: float) -> Iterator[int]:
    """Whole units that are taken apart, and sentences of whose words less than the least share stays.

    Quotes, brackets and full stops are no words: they come and go with what they belong to.
    """
    pieces = PieceSet.of(prompt, "token", least=least, pins=pins)
    thinned = {pieces.tokens[group.first][0]: group for group in pieces.thinned}
    for u in _leaves(prompt):
        unit = prompt.units[u]
        if not 0 < _kept(prompt, keep, u) < _size(prompt, u):
            continue
        groups = [thinned[i] for i in range(unit.first, unit.last) if i in thinned]
        words = [sum(keep[i] for p in range(g.first, g.last) for i in pieces.tokens[p]) for g in groups]
        if unit.whole or any(kept < group.least for kept, group in zip(words, groups, strict=True)):
            yield u


def _gone(prompt: Prompt, keep: Sequence[bool], left: set[str], which: Sequence[bool]) -> tuple[Loss, ...]:
    """The texts of some tokens that were dropped everywhere, each once, at its first place."""
    found: dict[str, Loss] = {}
    for i, token in enumerate(prompt.tokens):
        if which[i] and not keep[i] and token.text not in left:
            found.setdefault(token.text, Loss(token.text, i))
    return tuple(found.values())


def _sorts(prompt: Prompt) -> list[str]:
    """Of each token "identifier", "number" (quantities and dates among them), "name" or something else."""
    kinds = kinds_of_tokens(prompt)
    return [_sort(token.text, kind) for token, kind in zip(prompt.tokens, kinds, strict=True)]


def _sort(text: str, kind: str) -> str:
    if len(text) > 2 and (_VARIABLE.fullmatch(text) or (_IDENTIFIER.fullmatch(text) and not _SPACE.search(text))):
        return "identifier"
    return "number" if any(character.isdecimal() for character in text) else kind


def _role_whole(prompt: Prompt, keep: Sequence[bool], role: str) -> bool | None:
    """Whether the words of all parts with a role stay (line breaks do not count); None where there is no such part."""
    parts = [part for part in prompt.parts if part.role == role]
    if not parts:
        return None
    return all(keep[i] or prompt.tokens[i].text.isspace() for part in parts for i in range(part.first, part.last))


def _parts(prompt: Prompt, keep: Sequence[bool]) -> Iterator[PartVerdict]:
    """What is left of each part; one without a heading is called by its role, with a number if there are several."""
    leaves: dict[int, list[int]] = {}
    for u in _leaves(prompt):
        leaves.setdefault(prompt.units[u].part, []).append(u)
    many, seen = Counter(part.role for part in prompt.parts), Counter[str]()
    for i, part in enumerate(prompt.parts):
        seen[part.role] += 1
        head = prompt.text[part.start : part.head].strip() if part.head > part.start else ""
        name = head[:60] or (part.role if many[part.role] == 1 else f"{part.role} {seen[part.role]}")
        dropped = sum(not _kept(prompt, keep, u) for u in leaves.get(i, ()))
        size, kept = part.last - part.first, sum(keep[part.first : part.last])
        yield PartVerdict(part.role, name, part.first, size, kept, len(leaves.get(i, ())), dropped)


def _shortest(prompt: Prompt) -> float:
    """The share that instruction, question and all guarded sentences take, with the frames they need."""
    task = pins_for_task(prompt)
    selection = Selection(pieces := PieceSet.of(prompt, "unit", pins=task))
    guarded = [range(unit.first, unit.last) for unit in prompt.units if unit.leaf and unit.guard]
    inside = {i for tokens in guarded for i in tokens}
    for piece, tokens in enumerate(pieces.tokens):
        if tokens[0] in inside:
            selection.add(piece)
    return selection.size / max(len(prompt), 1)


def _listed(losses: Sequence[Loss]) -> str:
    shown = [" ".join(loss.text.split()) for loss in losses[:SHOWN]]
    listed = ", ".join(f"“{text[:60]}…”" if len(text) > 60 else f"“{text}”" for text in shown)
    return listed + (f" and {len(losses) - SHOWN} more" if len(losses) > SHOWN else "")
