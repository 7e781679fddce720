"""What is known of units before anything is learnt, in logits that are added to the unit head's.

The head has learnt from questions over documents. These are for what it has not seen: orders ("Summarise this"), talk
and wishes at its end, data, output and logs, diffs, and instructions without a text. They were set by hand, on prompts
written for it; `benchmarks.lookups` measures those for data.
"""

from __future__ import annotations

from collections.abc import Sequence

import regex
import torch
from torch import Tensor

from ..prompt import Prompt
from ..relevance.features import STATIC, Relevance, standardised
from ..relevance.lexical import density, named, share_of_names, terms
from ..relevance.prompt_reading import UnitsOf

UNREAD = ("code", "data")  # roles that neither the question reader nor what is central says anything of
PROSE = ("text", "document")  # roles whose first sentences say most
ENDS, FACTS = ".!?。！？।…:：", 0.4  # what sentences end with, and the least share of a row's words
CHANGE = 3.0  # of what a diff changes: the lines around it only say where
ALARM = 3.0  # of lines that say what went wrong, where not most do
_WRONG = regex.compile(
    r"""(?<![\w.])(?:\w*error|err(?:no)?|fail(?:ed|ure|s)?|\w*exception|fatal|panic|denied|\w*refused|time(?:d\ )?out
    |cannot|can't|could\ not|unable|undefined|not\ found|no\ such|missing|invalid|abort(?:ed)?|traceback|killed
    |crash(?:ed)?|warn(?:ing)?)\b""",
    regex.IGNORECASE | regex.VERBOSE,
)
NAMED = 4.0  # of data that has the rarest word of the question: there it is a name, not a way to say something
GUARD = 2.5  # of a guard where there is no question, so that less says what counts
RULE = 5.0  # of a guard of an instruction, which holds whatever is asked
TALK = 0.5  # share of that in what others than the asker say in a conversation: "no problem" is no rule
ASKER = 1.5  # of what the asker has said before: a wish is answered by what was wished
REPLIED = 1.5  # of the last that was said to the asker, who goes on from there
DENSE = 2.0  # of what tells much for its length in a talk, by its standard deviations: "Sure, thanks!" tells least
FACT = 0.5  # of names and numbers, where nothing is asked
LEAD, LEADING = 0.1, 20  # how much each sentence of a part is behind the one before it, and up to which one


def prior(prompt: Prompt, units: UnitsOf, relevance: Relevance) -> Tensor:
    """fp32 [units]"""
    if not units.units:
        return torch.zeros(0)
    bonus = CHANGE * torch.tensor([float(prompt.units[u].kind == "change") for u in units.units])
    asker, talk = (torch.tensor(which, dtype=torch.bool) for which in (units.by_asker, units.in_turn))
    if bool(asker.any()):
        bonus = bonus + REPLIED * talk * (relevance.part_of == relevance.part_of[talk].max())
    guards = torch.tensor([float(prompt.units[u].guard) for u in units.units])
    words = [terms(f"{path} {text}") for path, text in zip(units.paths, units.texts, strict=True)]
    if units.has_question:
        data = torch.tensor([float(_is_data(prompt, u)) for u in units.units])
        bonus = bonus + ALARM * torch.tensor(_alarms(prompt, units.units))
        rules = torch.tensor([prompt.parts[prompt.units[u].part].role == "instruction" for u in units.units])
        return bonus + NAMED * data * named(words, terms(units.asked)) + RULE * guards * rules
    bonus = bonus + GUARD * guards * torch.where(talk & ~asker, TALK, 1.0) + ASKER * asker
    if units.is_talk:
        return bonus + DENSE * talk * _telling(units.texts, words)
    roles = [prompt.parts[prompt.units[u].part].role for u in units.units]
    return bonus + _on_the_whole(relevance, roles, _facts(units.texts))


def _alarms(prompt: Prompt, units: Sequence[int]) -> list[float]:
    """[units] 1 of lines of output or logs that say what went wrong, and of what a line "...:" among them is above."""
    found, leads = [], False
    for u in units:
        unit = prompt.units[u]
        text = prompt.text[unit.start : unit.end]
        is_line = prompt.parts[unit.part].role in UNREAD or text[-1] not in ENDS or text[-1] == ":"
        wrong = is_line and bool(_WRONG.search(text))
        found.append(float(wrong or leads))
        leads = wrong and text[-1] == ":"
    return found if 2 * sum(found) <= len(found) else [0.0] * len(found)


def _telling(texts: Sequence[str], words: Sequence[Sequence[str]]) -> Tensor:
    """[units] how much each tells for its length: rare words, and names and numbers behind its first word."""
    return standardised(density(words)) + FACT * _facts(texts)


def _facts(texts: Sequence[str]) -> Tensor:
    """[units] names and numbers in each behind its first word, by its standard deviations."""
    return standardised(torch.tensor([share_of_names(text.partition(" ")[2]) for text in texts]))


def _is_data(prompt: Prompt, u: int) -> bool:
    """Whether a unit lies in data or code, or reads like a row: no sentence, and mostly names and numbers."""
    unit = prompt.units[u]
    text = prompt.text[unit.start : unit.end]
    return prompt.parts[unit.part].role in UNREAD or (text[-1] not in ENDS and share_of_names(text) >= FACTS)


def _on_the_whole(relevance: Relevance, roles: list[str], facts: Tensor) -> Tensor:
    """[units] how much each says of the text as a whole: what is like the rest, has facts, and in prose comes early."""
    central = relevance.static[:, STATIC.index("centrality, standardised")]
    sizes = torch.bincount(relevance.part_of)
    place = torch.arange(len(roles)) - (sizes.cumsum(0) - sizes)[relevance.part_of]
    read = torch.tensor([role not in UNREAD for role in roles], dtype=torch.bool)
    prose = torch.tensor([role in PROSE for role in roles], dtype=torch.bool)
    return (central + FACT * facts) * read - LEAD * place.clamp(max=LEADING) * prose
