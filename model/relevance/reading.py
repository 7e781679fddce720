"""Read a prompt with a sentence encoder: each unit alone, each unit in its context, each part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from .encoder import ReadAs, SentenceEncoder, Span

SHORT = 300  # characters; a part below that, such as a turn or a row, is read together with its neighbours
TOGETHER = 1200  # characters of short parts that are read together


@dataclass(frozen=True)
class Reading:
    """Embeddings of length 1, fp32 on the CPU.

    Attributes:
        alone: [units, width], each unit as if nothing stood around it: best for whole sentences.
        context: [units, width], as it reads in its part, or among its neighbours: best for fragments and turns.
        around: [units, width], the stretch that it was read in: its part, or several short ones.
        parts: [parts, width].
        queries: [queries, width], read as what is asked.
    """

    alone: Tensor
    context: Tensor
    around: Tensor
    parts: Tensor
    queries: Tensor


@dataclass
class Window:
    """A stretch of text that is read at once: one part, or several short ones."""

    text: str
    spans: list[Span]
    units: list[int]
    parts: list[int]


def read_units(
    encoder: SentenceEncoder,
    units: Sequence[str],
    part_of: Sequence[int],
    parts: Sequence[str],
    queries: Sequence[str] = (),
    named: Sequence[str] = (),
) -> Reading:
    """Every subword is read twice: in its unit and in its part.

    Args:
        part_of: the index of each unit's part, ascending.
        parts: with their headings. A unit is looked for in its part; it has no context if it is not there.
        named: the units as they are read alone, with what they need to be understood; () = as they are.
    """
    windows = list(windows_of(units, part_of, parts))
    passages = [*(named or units), *(window.text for window in windows)]
    kinds: list[ReadAs] = ["passage" if i < len(passages) else "query" for i in range(len(passages) + len(queries))]
    spans: list[Sequence[Span]] = [*(() for _ in units), *(window.spans for window in windows), *(() for _ in queries)]
    whole, inside = encoder.read([*passages, *queries], spans, kinds)
    alone, texts, asked = whole.split([len(units), len(windows), len(queries)])
    located = [unit for window in windows for unit in window.units]
    context, around = alone.clone(), alone.clone()
    context[located] = inside
    around[located] = texts[[i for i, window in enumerate(windows) for _ in window.units]]
    part_vectors = _means(context, torch.tensor(list(part_of), dtype=torch.long), len(parts))
    single = [i for i, window in enumerate(windows) if len(window.parts) == 1]
    part_vectors[[windows[i].parts[0] for i in single]] = texts[single]
    return Reading(alone, context, around, part_vectors, asked)


def windows_of(units: Sequence[str], part_of: Sequence[int], parts: Sequence[str]) -> Iterator[Window]:
    """The stretches that units are read in, in order; see `read_units`."""
    own: list[list[int]] = [[] for _ in parts]
    for unit, part in enumerate(part_of):
        own[part].append(unit)
    window = Window("", [], [], [])
    for part, text in enumerate(parts):
        if window.parts and (len(text) >= SHORT or len(window.text) + len(text) >= TOGETHER):
            yield window
            window = Window("", [], [], [])
        _append(window, part, text, [(unit, units[unit]) for unit in own[part]])
        if len(text) >= SHORT:
            yield window
            window = Window("", [], [], [])
    if window.parts:
        yield window


def _append(window: Window, part: int, text: str, units: list[tuple[int, str]]) -> None:
    """Add a part to a window, and the places of its units."""
    window.text += "\n" if window.text else ""
    offset, at = len(window.text), 0
    for unit, words in units:
        start = text.find(words, at)
        if start >= 0:
            at = start + len(words)
            window.spans.append((offset + start, offset + at))
            window.units.append(unit)
    window.text += text
    window.parts.append(part)


def _means(vectors: Tensor, part: Tensor, parts: int) -> Tensor:
    """Each part's mean, of length 1: [parts, width]."""
    return F.normalize(torch.zeros(parts, vectors.shape[1]).index_add(0, part, vectors), dim=1)
