"""One fact in a long text (Kamradt 2023, "needle in a haystack"), all of it made here: paragraphs about towns that do
not exist, each with a fact of the same kind as the one that is asked for, so that only the name tells them apart.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from ...errors import InputError
from . import grading
from .layouts import arrange
from .reading import SHORT_ANSWER, place_of, question_prompt
from .request import TaskRequest
from .task import EvaluationPrompt, Task

LAYOUT = "plain"
FILLERS = 6  # sentences of a paragraph besides its fact; about 85 words, 110 subwords
MOST = 1000  # paragraphs
INSTRUCTION = "Answer the question from the text."

_STARTS = ("Bra", "Cor", "Del", "Fen", "Gal", "Hol", "Ild", "Jor", "Kel", "Lun", "Mor", "Nev", "Ost", "Pel", "Quin")
_MIDDLES = ("a", "den", "ing", "e", "or", "is", "um", "ven", "al", "ber")
_ENDS = ("burg", "mere", "ton", "wick", "ford", "stead", "holm", "vale", "moor", "haven", "gate", "field")
_SUBJECTS = (
    *("The baker", "A retired teacher", "The ferryman", "The council", "Nobody", "The younger gardener"),
    *("A visitor from the coast", "The choir", "The night porter", "An old map", "The postmaster", "Every child"),
)
_VERBS = (
    *("talks about", "has painted", "remembers", "complains about", "looks after", "has measured", "forgot"),
    *("was proud of", "writes letters about", "would rather avoid", "counts", "dreams of"),
)
_OBJECTS = (
    *("the stone bridge", "the apple market", "the long winter", "the clock above the school", "the wet meadows"),
    *("the brass band", "the road to the quarry", "the price of bread", "the geese by the mill", "the new roof"),
    *("the empty theatre", "the garden of the inn"),
)
_ENDINGS = (
    *("on most evenings", "since the flood", "when it rains", "without saying why", "in spite of the cost"),
    *("as people there do", "before the harvest", "with great care", "every other year", "long after dark"),
)
# A fact with its name and value, and what is asked about it in other words.
_FACTS = (
    ("The strongroom of the library in {name} opens with the number {value}.",
     "Which code lets one into the vault of {name}'s library?"),
    ("In {name} the last ferry of the day leaves at pier {value}.", "From which pier does {name}'s final boat depart?"),
    ("The mayor's telephone in {name} has the extension {value}.",
     "What does one dial to be put through to the head of {name}'s council?"),
    ("Exactly {value} books are kept in the tower of {name}.", "How many volumes does the tower in {name} hold?"),
    ("The oldest tree of {name} was planted in the year {value}.", "When did {name}'s most ancient tree get planted?"),
)  # fmt: skip


@dataclass(frozen=True)
class Fact:
    name: str
    value: str
    kind: int

    @property
    def statement(self) -> str:
        return _FACTS[self.kind][0].format(name=self.name, value=self.value)

    @property
    def question(self) -> str:
        return _FACTS[self.kind][1].format(name=self.name)


def load(request: TaskRequest) -> Task:
    """Needs no data. options.documents: paragraphs of the text, of about 85 words each; options.place: the one with the
    fact that is asked for.

    Raises InputError for a text that would be too long.
    """
    options = request.options
    if options.documents > MOST:
        raise InputError(f"{options.documents} documents are more than the {MOST} that needle writes")
    prompts = tuple(_prompt(i, request) for i in range(request.prompts))
    return Task(request.name, prompts, (), (), grade=grading.short_answer, new_tokens=SHORT_ANSWER)


def _prompt(index: int, request: TaskRequest) -> EvaluationPrompt:
    options, rng = request.options, random.Random(f"needle:{request.seed}:{index}")
    kind = rng.randrange(len(_FACTS))
    values = rng.sample(range(1000, 100_000), options.documents)
    facts = [Fact(name, str(value), kind) for name, value in zip(_names(options.documents, rng), values, strict=True)]
    asked = facts[place_of(options, rng)]
    return question_prompt(
        index,
        arrange([("", _paragraph(fact, rng)) for fact in facts], options.layout or LAYOUT),
        asked.question,
        (asked.value,),
        instruction=INSTRUCTION,
        first=options.question_first,
    )


def _names(count: int, rng: random.Random) -> list[str]:
    """Different invented towns."""
    every = [start + middle + end for start in _STARTS for middle in _MIDDLES for end in _ENDS]
    return rng.sample(every, count)


def _paragraph(fact: Fact, rng: random.Random) -> str:
    """Sentences about a town, one of them its fact."""
    sentences = [_filler(fact.name, rng) for _ in range(FILLERS)]
    sentences.insert(rng.randrange(FILLERS + 1), fact.statement)
    return " ".join(sentences)


def _filler(name: str, rng: random.Random) -> str:
    parts: Sequence[str] = [rng.choice(words) for words in (_SUBJECTS, _VERBS, _OBJECTS, _ENDINGS)]
    where = rng.choice((f"in {name}", "here", "in that town", "beyond the river"))
    return f"{parts[0]} {where} {parts[1]} {parts[2]} {parts[3]}."
