"""What the unit head learns from: prompts read once by the frozen sentence encoder, and the units that are wanted."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from ..data.asked import AskedData
from ..data.asked_prompt import AskedPrompt
from ..errors import InputError
from ..prompt import parse
from ..relevance.encoder import SentenceEncoder
from ..relevance.features import DYNAMIC, STATIC, Relevance
from ..relevance.prompt_reading import UnitsOf
from ..relevance.question_reader import QuestionReader
from ..teacher.answers import AnsweredUnits


@dataclass(frozen=True)
class UnitExample:
    """A prompt as the unit head sees it, on the CPU.

    Attributes:
        kind: of prompt.
        relevance: what is known of its units before anything is decided; embeddings in fp16.
        wanted: bool [units, questions], which units answer which question.
        size: fp32 [units], prompt tokens.
        every: all wanted units are; otherwise one for each question is enough.
    """

    kind: str
    relevance: Relevance
    wanted: Tensor
    size: Tensor
    every: bool = False

    @classmethod
    def read(
        cls, encoder: SentenceEncoder, reader: QuestionReader | None, asked: AskedPrompt, pair: AnsweredUnits
    ) -> UnitExample:
        """Raises InputError when the prompt is not the one that the pair was made from."""
        pair.check(asked)
        units = UnitsOf.of(parse(asked.text))
        texts = units.texts, units.part_of, units.parts, units.questions, units.instructions
        known = Relevance.of(encoder, *texts, reader, units.is_order, units.paths)
        wanted = torch.zeros(len(units.units), len(pair.answers), dtype=torch.bool)
        for column, answers in enumerate(pair.answers):
            wanted[list(answers), column] = True
        owner = torch.tensor([unit for unit in units.unit_of if unit >= 0])
        size = torch.bincount(owner, minlength=len(units.units)).float()
        return cls(pair.kind, _halved(known), wanted, size, pair.every)

    def features(self, kept: Tensor, dropped: Tensor, budget_left: float) -> Tensor:
        """fp32 [units, features] in a state of the mask."""
        return torch.cat([self.relevance.static, self.relevance.dynamic(kept, dropped, budget_left)], 1)

    def still_wanted(self, kept: Tensor) -> Tensor:
        """fp32 [units] 1 where a unit answers a question that nothing kept answers."""
        if self.every:
            return self.wanted.any(1).float()
        answered = (self.wanted & kept[:, None]).any(0)
        return (self.wanted & ~answered).any(1).float()


def _halved(known: Relevance) -> Relevance:
    return replace(known, vectors=known.vectors.half(), asked=known.asked.half())


def read_examples(
    data: AskedData,
    pairs: Iterable[AnsweredUnits],
    encoder: SentenceEncoder,
    folder: Path,
    reader: QuestionReader | None = None,
) -> list[UnitExample]:
    """Read all prompts of the pairs; what is read is kept in `folder`, a file for each kind and split."""
    groups: dict[tuple[str, str], list[AnsweredUnits]] = defaultdict(list)
    for pair in pairs:
        groups[pair.kind, pair.split].append(pair)
    return [example for own in groups.values() for example in _group(data, own, encoder, folder, reader)]


def _group(
    data: AskedData,
    pairs: Sequence[AnsweredUnits],
    encoder: SentenceEncoder,
    folder: Path,
    reader: QuestionReader | None,
) -> list[UnitExample]:
    kind, split = pairs[0].kind, pairs[0].split
    settings = repr((sorted(pairs, key=lambda pair: pair.index), STATIC, DYNAMIC, encoder.width, reader is not None))
    path = folder / f"{kind}.{split}.{hashlib.sha256(settings.encode()).hexdigest()[:12]}.pt"
    if path.exists():
        return _load(path)
    by_index = {pair.index: pair for pair in pairs}
    found = []
    for asked in tqdm(data.prompts(kind, split), desc=f"reading {kind} {split}", total=len(pairs), unit="prompt"):
        if asked.index in by_index:
            found.append(UnitExample.read(encoder, reader, asked, by_index.pop(asked.index)))
    if by_index:
        raise InputError(f"{len(by_index)} prompts of {kind} {split} are not in the data: teach them again")
    _save(found, path)
    return found


def _save(examples: Sequence[UnitExample], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        {"kind": e.kind, "wanted": e.wanted, "size": e.size, "every": e.every, "relevance": vars(e.relevance)}
        for e in examples
    ]
    temporary = path.with_suffix(".writing")
    torch.save(rows, temporary)
    temporary.replace(path)


def _load(path: Path) -> list[UnitExample]:
    try:
        rows = torch.load(path, weights_only=True)
        return [UnitExample(**{**row, "relevance": Relevance(**row["relevance"])}) for row in rows]
    except Exception as error:  # torch raises many kinds, with long messages
        raise InputError(f"cannot read {path}; remove it, and it is made again") from error
