"""What of a prompt is read for relevance: its units, what is asked, and what it says to do."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import regex

from ..prompt import Prompt
from ..prompt.cues import QUESTION_NAMES, asks, tells, waits
from ..prompt.languages import language_of
from ..prompt.pieces import is_function, is_record

_SUMMARY = regex.compile(
    r"summar|tl;? ?dr|abstract|highlights|key points|zusammenfass|kurzfass|résumé|resum|riassunt|samenvatting|podsumow"
    r"|özet|краткое|резюме|摘要|总结|總結|要約|まとめ|요약|ملخص|सारांश|สรุป",
    regex.IGNORECASE,
)
HEAD, HEADS = 80, 4  # characters of a key or tag, and how many of them are read with what they hold
_LABEL = regex.compile(r"\p{L}[\p{L}\p{M} ]{0,20}(?::\s+|：\s*)(?=\S)")
LABEL = 40  # characters of what only waits for an answer: "Answer:"


@dataclass(frozen=True)
class UnitsOf:
    """The units of a prompt that are read, and what they may answer.

    Attributes:
        units: [units] indices into `prompt.units`, in order: sentences, items, lines, rows, and whole
            records and functions.
        texts: [units].
        paths: [units] what each lies in, by the keys and tags above it; "" where it is no data.
        part_of: [units] which of `parts` each lies in.
        parts: texts of the parts that they lie in, headings included.
        part_index: [parts] indices into `prompt.parts`.
        questions, instructions: what is asked, and what is to be done.
        is_asked: whether one of the questions, or without any of the instructions, is a question.
        unit_of: [n] of each prompt token, its place in `units`; -1 of others.
        in_turn: [units] whether each is said in a conversation.
        by_asker: [units] whether who asks says it, by the labels of the turns.
    """

    units: list[int]
    texts: list[str]
    paths: list[str]
    part_of: list[int]
    parts: list[str]
    part_index: list[int]
    questions: list[str]
    instructions: list[str]
    is_asked: bool
    unit_of: list[int]
    in_turn: list[bool]
    by_asker: list[bool]

    @property
    def has_question(self) -> bool:
        """Whether something is asked, rather than to be done."""
        return self.is_asked and bool(self.questions)

    @property
    def is_order(self) -> bool:
        """Whether something is to be done with the text as a whole ("Summarise this"), and it is no talk."""
        return not self.is_asked and not self.is_talk

    @property
    def is_talk(self) -> bool:
        """Whether most units are said in a conversation."""
        return 2 * sum(self.in_turn) > len(self.in_turn)

    @property
    def asked(self) -> str:
        """All that is asked in one line; where nothing is, what is to be done."""
        return " ".join(" ".join(self.questions or self.instructions).split())

    @classmethod
    def of(cls, prompt: Prompt, split: Collection[int] = ()) -> UnitsOf:
        """Read instruction and question as what is asked; where a prompt is nothing else, the instruction's units.

        split: functions that are read line by line.
        """
        told = {"question", "instruction"}
        if all(part.role in told for part in prompt.parts):
            told = {"question"}
        units = [u for u in _scored(prompt, split) if prompt.parts[prompt.units[u].part].role not in told]
        asked = _questions(prompt)
        told_to = [_part_text(prompt, i) for i, part in enumerate(prompt.parts) if part.role == "instruction"]
        part_index = sorted({prompt.units[u].part for u in units})
        place = {part: i for i, part in enumerate(part_index)}
        unit_of = [-1] * len(prompt)
        for i, u in enumerate(units):
            unit = prompt.units[u]
            unit_of[unit.first : unit.last] = [i] * (unit.last - unit.first)
        return cls(
            units,
            [prompt.text[prompt.units[u].start : prompt.units[u].end] for u in units],
            [_path(prompt, u) for u in units],
            [place[prompt.units[u].part] for u in units],
            [_part_text(prompt, part) for part in part_index],
            part_index,
            [each.text for each in asked],
            told_to,
            any(each.is_question for each in asked or map(_Asked.of, told_to)),
            unit_of,
            [prompt.parts[prompt.units[u].part].role == "turn" for u in units],
            _by_asker(prompt, units),
        )


def _scored(prompt: Prompt, split: Collection[int]) -> list[int]:
    """The leaves, but of a record or function its whole: alone, a member or line says too little."""
    whole = {
        u
        for u, unit in enumerate(prompt.units)
        if unit.part >= 0 and u not in split and (is_record(prompt, u) or is_function(prompt, u))
    }
    chosen, inside = [], -1
    for u, unit in enumerate(prompt.units):
        if unit.first < inside or unit.first == unit.last or unit.part < 0:
            continue
        if u in whole or (unit.leaf and not unit.frame):
            chosen.append(u)
            inside = unit.last
    return chosen


def _path(prompt: Prompt, u: int) -> str:
    """The keys, tags or names above a unit of data, such as "services: db:"; it says too little without them."""
    heads: list[str] = []
    inner = prompt.units[u]
    while inner.parent >= 0 and prompt.parts[inner.part].role == "data":
        outer = prompt.units[inner.parent]
        first = prompt.units[inner.parent + 1]  # of what lies in it
        if outer.part >= 0 and (head := " ".join(prompt.text[outer.start : first.start][:HEAD].split()).strip("[{( ")):
            heads.append(head)
        inner = outer
    return " ".join(reversed(heads[:HEADS]))


def _by_asker(prompt: Prompt, units: Sequence[int]) -> list[bool]:
    said = [(part.role, part.speaker or prompt.text[part.start : part.head].strip()) for part in prompt.parts]
    spoken = [prompt.text[max(part.head, part.start) : part.end].strip() for part in prompt.parts]
    askers = {("turn", who) for (role, who), text in zip(said, spoken, strict=True) if role == "question" and text}
    return [bool(said[prompt.units[u].part][1]) and said[prompt.units[u].part] in askers for u in units]


def _questions(prompt: Prompt) -> list[_Asked]:
    """What the question parts ask; if they only say how to answer, what the instruction asks."""
    asked = [each for i, part in enumerate(prompt.parts) if part.role == "question" for each in _asked(prompt, i)]
    if not asked or any(each.is_question for each in asked):
        return asked
    told = [unit for unit in prompt.units if unit.leaf and unit.part >= 0 and not unit.frame]
    told = [unit for unit in told if prompt.parts[unit.part].role == "instruction"]
    before = [each for unit in told if (each := _Asked.of(prompt.text[unit.start : unit.end])).is_question]
    return [*before, *(each for each in asked if not (before and tells(each.text)))]


def _asked(prompt: Prompt, part: int) -> list[_Asked]:
    """Each question of a part that asks several; otherwise what it says, without its label and "Answer:"."""
    leaves = [unit for unit in prompt.units if unit.part == part and unit.leaf and not unit.frame]
    if not leaves:
        return [_Asked.of(_part_text(prompt, part))]
    texts = [prompt.text[unit.start : unit.end].strip() for unit in leaves]
    if len(texts) == 1 and waits(texts[0]) and len(texts[0]) <= LABEL and not _orders(texts[0]):
        return [_Asked(texts[0].rstrip(":： "), False)] if _SUMMARY.search(texts[0]) else []
    several = [each for text in texts if (each := _Asked.of(text)).is_question]
    if len(several) > 1:
        return several
    head = prompt.text[prompt.parts[part].start : max(prompt.parts[part].head, prompt.parts[part].start)]
    one = _Asked.of(prompt.text[leaves[0].start : leaves[-1].end].strip())
    return [_Asked(one.text, one.is_question or bool(QUESTION_NAMES.search(head.strip())))]


class _Asked(NamedTuple):
    """What is asked or to be done, without a label such as "Question:"; a label that says what to do is none."""

    text: str
    is_question: bool

    @classmethod
    def of(cls, text: str) -> _Asked:
        label = _LABEL.match(text)
        if label and not tells(f"{label[0]} this"):
            text, named = text[label.end() :], bool(QUESTION_NAMES.search(label[0]))
        else:
            named = False
        return cls(text, named or asks(text, language_of(text)))


def _orders(text: str) -> bool:
    """Whether it says what to do, in more than a word: "Write a summary:", but not "Answer:"."""
    return tells(text) and len(text.split()) > 2


def _part_text(prompt: Prompt, index: int) -> str:
    part = prompt.parts[index]
    return prompt.text[part.start : part.end].strip()
