"""What is known of units before anything is learnt, in logits that are added to the unit head's.

The head has learnt from questions over documents. These are for what it has not seen: orders ("Summarise this"),
wishes at the end of a conversation, and diffs.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..prompt import Prompt
from ..relevance.features import STATIC, Relevance
from ..relevance.prompt_reading import UnitsOf

UNREAD = ("code", "data")  # roles that neither the question reader nor what is central says anything of
PROSE = ("text", "document")  # roles whose first sentences say most
CHANGE = 3.0  # of what a diff changes: the lines around it only say where
GUARD = 2.0  # of a guard where there is no question, so that less says what counts
TALK = 0.5  # share of that in what others than the asker say in a conversation: "no problem" is no rule
ASKER = 1.5  # of what the asker has said before: a wish is answered by what was wished
LEAD, LEADING = 0.1, 20  # how much each sentence of a part is behind the one before it, and up to which one


def prior(prompt: Prompt, units: UnitsOf, relevance: Relevance) -> Tensor:
    """fp32 [units]"""
    bonus = CHANGE * torch.tensor([float(prompt.units[u].kind == "change") for u in units.units])
    if units.has_question:
        return bonus
    roles = [prompt.parts[prompt.units[u].part].role for u in units.units]
    guards = torch.tensor([float(prompt.units[u].guard) for u in units.units])
    asker = torch.tensor(units.by_asker, dtype=torch.bool)
    talk = torch.tensor([role == "turn" for role in roles], dtype=torch.bool) & ~asker
    bonus = bonus + GUARD * guards * torch.where(talk, TALK, 1.0) + ASKER * asker
    return bonus if bool(asker.any()) else bonus + _on_the_whole(relevance, roles)


def _on_the_whole(relevance: Relevance, roles: list[str]) -> Tensor:
    """[units] how much each says of the text as a whole: what is like the rest, and in prose what comes early."""
    central = relevance.static[:, STATIC.index("centrality, standardised")]
    sizes = torch.bincount(relevance.part_of)
    place = torch.arange(len(roles)) - (sizes.cumsum(0) - sizes)[relevance.part_of]
    read = torch.tensor([role not in UNREAD for role in roles], dtype=torch.bool)
    prose = torch.tensor([role in PROSE for role in roles], dtype=torch.bool)
    return central * read - LEAD * place.clamp(max=LEADING) * prose
