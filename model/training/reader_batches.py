"""Batches for the question reader: each question with windows of its text and, where there are few, of other texts."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from .reader_examples import ReaderExample, ReaderExamples

MOST_WINDOWS = 16  # of one example in a batch
FEW = 4  # windows; where there are fewer, windows of other texts are added
LONGEST = 512  # subwords in a window, question included
SAME = 0.5  # share of subwords by which two windows are taken for the same text


@dataclass(frozen=True)
class Frame:
    """Subwords around question and text: first, the prefix of a passage, last, and for padding."""

    first: tuple[int, ...] = (0,)
    passage: tuple[int, ...] = ()
    last: tuple[int, ...] = (2,)
    pad: int = 1


@dataclass(frozen=True)
class Rows:
    """Padded windows: ids, real [windows, width]; spans int64 [stretches, 3]: window, first, end."""

    ids: Tensor
    real: Tensor
    spans: Tensor

    def to(self, device: torch.device) -> Rows:
        return Rows(*(each.to(device, non_blocking=True) for each in (self.ids, self.real, self.spans)))


@dataclass(frozen=True)
class Batch:
    """Some examples' windows.

    Attributes:
        together: the question before each window.
        apart: the windows alone.
        asked: the questions alone, a row and a span for each example.
        counts: stretches of each example.
        wanted: fp32 [stretches].
        every: bool [examples].
    """

    together: Rows
    apart: Rows
    asked: Rows
    counts: list[int]
    wanted: Tensor
    every: Tensor

    def to(self, device: torch.device) -> Batch:
        together, apart, asked = (each.to(device) for each in (self.together, self.apart, self.asked))
        return Batch(together, apart, asked, self.counts, self.wanted.to(device), self.every.to(device))


class Batches:
    """Draws batches of at most so many subwords."""

    def __init__(self, data: ReaderExamples, frame: Frame, most: int, shares: dict[str, int], seed: int = 0):
        """shares: kind -> how often each of its prompts comes in an epoch."""
        self.data, self.frame, self.most, self.shares = data, frame, most, shares
        self.rng = random.Random(seed)
        self.bags = [set(ids) for ids in data.ids]
        self.sizes = [spans.shape[0] for spans in data.spans]

    def epoch(self, examples: Sequence[ReaderExample]) -> Iterator[Batch]:
        """Every example once for each share, in random order, those of like length together."""
        drawn = [e for e in examples for _ in range(self.shares.get(e.kind, 1))]
        chosen = [(e, self._windows(e, examples)) for e in drawn]
        chosen.sort(key=lambda pair: self._longest(*pair) * (1 + 0.2 * self.rng.random()))
        groups: list[list[tuple[ReaderExample, list[tuple[int, bool]]]]] = []
        used = self.most
        for example, windows in chosen:
            size = self._longest(example, windows) * len(windows)
            if used + size > self.most:
                groups.append([])
                used = 0
            groups[-1].append((example, windows))
            used += size
        self.rng.shuffle(groups)
        for group in groups:
            yield self.batch(group)

    def whole(self, example: ReaderExample) -> Batch:
        """One example with all of its own windows."""
        return self.batch([(example, [(i, True) for i in range(len(example.windows))])])

    def batch(self, group: Sequence[tuple[ReaderExample, list[tuple[int, bool]]]]) -> Batch:
        """group: examples and windows of each: the place among its own, or the number of another text's."""
        together: list[tuple[list[int], int]] = []
        apart: list[tuple[list[int], int]] = []
        wanted: list[Tensor] = []
        counts: list[int] = []
        for example, windows in group:
            offsets = torch.tensor([0, *[self.sizes[w] for w in example.windows]]).cumsum(0).tolist()
            before = len(wanted)
            for place, own in windows:
                number = example.windows[place] if own else place
                together.append((example.asked, number))
                apart.append(([], number))
                inside = example.wanted[offsets[place] : offsets[place + 1]] if own else torch.zeros(self.sizes[number])
                wanted.append(inside.float())
            counts.append(sum(map(len, wanted[before:])))
        questions = [torch.tensor([*self.frame.first, *example.asked, *self.frame.last]) for example, _ in group]
        spans = [torch.tensor([[i, 0, len(row)]]) for i, row in enumerate(questions)]
        every = torch.tensor([example.every for example, _ in group])
        return Batch(
            self._rows(together),
            self._rows(apart),
            _padded(questions, spans, self.frame.pad),
            counts,
            torch.cat(wanted),
            every,
        )

    def _rows(self, windows: Sequence[tuple[list[int], int]]) -> Rows:
        """windows: question's subwords and number of each."""
        rows: list[Tensor] = []
        spans: list[Tensor] = []
        for asked, number in windows:
            room = LONGEST - len(self.data.ids[number]) - len(self.frame.passage) - 3
            question = [*asked[:room], *self.frame.last] if asked else []
            before = [*self.frame.first, *question, *self.frame.passage]
            inside = self.data.spans[number] + len(before)
            spans.append(torch.cat([torch.full((len(inside), 1), len(rows)), inside], 1))
            rows.append(torch.tensor([*before, *self.data.ids[number], *self.frame.last]))
        return _padded(rows, spans, self.frame.pad)

    def _longest(self, example: ReaderExample, windows: list[tuple[int, bool]]) -> int:
        longest = max(len(self.data.ids[example.windows[place] if own else place]) for place, own in windows)
        return longest + len(example.asked) + 6

    def _windows(self, example: ReaderExample, examples: Sequence[ReaderExample]) -> list[tuple[int, bool]]:
        """All of its own or, of many, those that answer and others by chance; beside few, some of other examples."""
        own = list(range(len(example.windows)))
        if len(own) > MOST_WINDOWS:
            parts = example.wanted.split([self.sizes[w] for w in example.windows])
            answering = [i for i in own if bool(parts[i].any())]
            answering = sorted(self.rng.sample(answering, min(len(answering), MOST_WINDOWS // 2)))
            rest = [i for i in own if not bool(parts[i].any())]
            others = self.rng.sample(rest, min(len(rest), MOST_WINDOWS - len(answering)))
            return [(i, True) for i in sorted([*answering, *others])]
        found = [(i, True) for i in own]
        if len(own) < FEW and not example.every:
            found += [(i, False) for i in self._elsewhere(example, examples)]
        return found

    def _elsewhere(self, example: ReaderExample, examples: Sequence[ReaderExample]) -> list[int]:
        """Windows of other examples' texts."""
        found = []
        for _ in range(self.rng.randint(1, FEW)):
            other = self.rng.choice(examples)
            window = self.rng.choice(other.windows)
            bag = self.bags[window]
            if all(len(bag & self.bags[w]) < SAME * min(len(bag), len(self.bags[w])) for w in example.windows):
                found.append(window)
        return found


def _padded(rows: list[Tensor], spans: list[Tensor], pad: int) -> Rows:
    real = pad_sequence([torch.ones(len(row), dtype=torch.bool) for row in rows], True, False)
    return Rows(pad_sequence(rows, True, pad), real, torch.cat(spans))
