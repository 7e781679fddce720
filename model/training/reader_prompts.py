"""Prompts whose answers are known -> what the question reader learns from."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from tqdm import tqdm

from ..data.asked import AskedData
from ..data.asked_prompt import AskedPrompt
from ..prompt import parse
from ..relevance.encoder import SentenceEncoder
from ..relevance.prompt_reading import UnitsOf
from ..relevance.reading import windows_of
from ..teacher.answers import AnsweredUnits
from .reader_examples import ReaderExample, ReaderExamples

ROOM = 400  # subwords of a text in one window, beside the question
MOST_ASKED = 128  # subwords of a question


def read_prompts(data: AskedData, kinds: Iterable[str], splits: Iterable[str]) -> ReaderExamples:
    """All prompts of some kinds and splits, read as the compressor reads them."""
    found, encoder, every = ReaderExamples(), SentenceEncoder.load(device="cpu"), list(splits)
    for kind in kinds:
        for split in every:
            for asked in tqdm(data.prompts(kind, split), desc=f"{kind} {split}", unit="prompt"):
                _add(found, encoder, asked, split)
    return found


def _add(found: ReaderExamples, encoder: SentenceEncoder, asked: AskedPrompt, split: str) -> None:
    """Nothing is added where no unit answers or nothing is asked."""
    pair = AnsweredUnits.of(asked, split)
    units = UnitsOf.of(parse(asked.text))
    if pair is None or not units.asked:
        return
    answers = {unit for each in pair.answers for unit in each}
    numbers, wanted = [], []
    for window in windows_of(units.texts, units.part_of, units.parts):
        for ids, places, which in encoder.pieces(window.text, window.spans, ROOM):
            numbers.append(found.window(ids, places))
            wanted += [window.units[i] in answers for i in which]
    ids = encoder.question_ids(units.asked, MOST_ASKED)
    found.examples.append(ReaderExample(pair.kind, split, pair.every, ids, numbers, torch.tensor(wanted)))
