"""What relates each unit of a prompt to what is asked, to the other units, and to what is kept and dropped so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from .encoder import SentenceEncoder
from .lexical import overlap, share_of_names, terms
from .question_reader import QuestionReader
from .reading import Reading, read_units

SCALES = (1.5, 5.0, 15.0, 40.0)  # standard deviations, in units, of the averages over neighbours
CHUNK = 1024  # units compared at once with those kept
ORDERED = 4.0  # "Summarise this" is like no sentence of a text: there likeness says nothing, and the reader has its say
VIEWS = ("alone", "in context", "of the stretch around")
STATIC = (
    *(
        f"{name}, {view}"
        for view in VIEWS
        for name in (
            "likeness",
            "likeness, standardised",
            "likeness, rank",
            "below the likest",
            "below the likest of its part",
            "likeness of the unit before",
            "likeness of the unit after",
            *(f"likeness over {scale:g} units" for scale in SCALES),
        )
    ),
    "part's likeness",
    "part's likeness, standardised",
    "part's likeness, rank",
    "below the likest part",
    "likeness of unit and part",
    "likeness of unit and part, rank",
    "words",
    "words, standardised",
    "words, rank",
    "rarest word shared",
    *(f"words over {scale:g} units" for scale in SCALES),
    "part's words, standardised",
    "words and likeness",
    "centrality, standardised",
    "centrality in the part, standardised",
    "instruction's likeness, standardised",
    "first of its part",
    "last of its part",
    "place in the part",
    "place in the prompt",
    "length",
    "length, standardised",
    "names and numbers",
    "units",
    "parts",
    "units in the part",
    "a question is asked",
    "questions",
)
DYNAMIC = (
    "likeness to the likest kept",
    "likeness to the likest dropped",
    "its question is answered so far",
    "beyond what answers the questions so far",
    "something is kept",
    "something of its part is kept",
    "share of its part that is kept",
    "the unit before is kept",
    "the unit after is kept",
    "share that is kept",
    "share that is dropped",
    "budget left",
)


@dataclass(frozen=True)
class Relevance:
    """Features of the units of one prompt, on the CPU.

    Attributes:
        static: fp32 [units, len(STATIC)], about the size of 1.
        vectors: fp32 [units, width], the units' embeddings, each read alone.
        asked: fp32 [units, width], the embedding of the question likest to each unit; 0 where nothing is asked.
        likeness: fp32 [units, questions], of the units read alone, standardised for each question.
        part_of: int64 [units], each unit's part.
        read: fp32 [units], the question reader's logits, ORDERED times as large for an order; 0 where none reads.
    """

    static: Tensor
    vectors: Tensor
    asked: Tensor
    likeness: Tensor
    part_of: Tensor
    read: Tensor

    @classmethod
    def of(
        cls,
        encoder: SentenceEncoder,
        units: Sequence[str],
        part_of: Sequence[int],
        parts: Sequence[str],
        questions: Sequence[str] = (),
        instructions: Sequence[str] = (),
        reader: QuestionReader | None = None,
        is_order: bool = False,
        paths: Sequence[str] = (),
    ) -> Relevance:
        """Read a prompt once: its units, its parts, the questions and the instructions.

        Args:
            units: in the order of the prompt.
            part_of: the index of each unit's part, ascending.
            parts: with their headings. A unit is looked for in its part; it has no context if it is not there.
            questions: what is asked; of several, the one likest to a unit counts for it. Without any, the
                instructions are what is asked; beside one, they say nothing about which units are wanted.
            reader: reads each part again, together with what is asked.
            is_order: nothing is asked, but something is to be done with the text as a whole.
            paths: what stands above each unit, such as its keys, and is read with it; () = nothing.
        """
        asked = list(questions) or list(instructions)
        instructions = () if questions else instructions
        part = torch.tensor(list(part_of), dtype=torch.long)
        named = [
            f"{path} {unit}" if path else unit for path, unit in zip(paths or [""] * len(units), units, strict=True)
        ]
        reading = read_units(encoder, units, part_of, parts, [*asked, *instructions], named)
        queries = reading.queries
        columns = (
            _likeness(reading, queries[: len(asked)], part)
            | _words(named, parts, asked, part)
            | _centrality(reading.alone, queries[len(asked) :], part, len(parts))
            | _shape(units, part, len(parts), bool(questions), len(asked))
        )
        columns["words and likeness"] = (columns["words, standardised"] + columns["likeness of unit and part"]) / 2
        centred = reading.alone @ queries[: len(asked)].T
        centred = centred - centred.mean(0)
        likeness = centred / (centred.square().mean(0).sqrt() + 1e-4)
        nearest_question = queries[likeness.argmax(1)] if asked else torch.zeros_like(reading.alone)
        static = torch.stack([columns[name] for name in STATIC], 1)
        together = " ".join(" ".join(asked).split())
        read = reader.logits(together, units, part_of, parts) if reader and together else torch.zeros(len(part))
        return cls(static, reading.alone, nearest_question, likeness, part, (ORDERED if is_order else 1.0) * read)

    def dynamic(self, kept: Tensor, dropped: Tensor, budget_left: float = 0.0) -> Tensor:
        """Features of the state of a mask: fp32 [units, len(DYNAMIC)].

        Args:
            kept, dropped: bool [units], disjoint; the rest is undecided.
            budget_left: share of the whole that may still be kept, 0-1.
        """
        number = int(self.part_of.max()) + 1 if len(kept) else 0
        columns = (
            nearest(self.vectors, kept),
            nearest(self.vectors, dropped),
            *_answered(self.likeness, kept),
            kept.any().float().expand(len(kept)),
            (_mean(kept.float(), self.part_of, number) > 0).float(),
            _mean(kept.float(), self.part_of, number),
            *_neighbours(kept.float(), self.part_of, torch.zeros(len(kept))),
            kept.float().mean().expand(len(kept)),
            dropped.float().mean().expand(len(kept)),
            torch.full((len(kept),), budget_left),
        )
        return torch.stack(columns, 1)


def nearest(vectors: Tensor, chosen: Tensor) -> Tensor:
    """Largest likeness of each vector [n, width] to the chosen ones [n] other than itself: [n], 0 without any."""
    others = chosen.nonzero()[:, 0]
    best = torch.zeros(len(vectors))
    if not len(others):
        return best
    for start in range(0, len(vectors), CHUNK):
        products = vectors[start : start + CHUNK] @ vectors[others].T
        itself = torch.arange(start, start + len(products))[:, None] == others
        best[start : start + CHUNK] = products.masked_fill(itself, 0).amax(1)
    return best


def _answered(likeness: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:
    """How well the question likest to each unit is answered by what is kept, and what the unit adds to any question."""
    if not kept.any() or not likeness.shape[1]:
        return torch.zeros(len(kept)), torch.zeros(len(kept))
    best = likeness[kept].amax(0)
    return best[likeness.argmax(1)], (likeness - best).amax(1)


# --- groups of columns -------------------------------------------------------------------------------------


def _likeness(reading: Reading, queries: Tensor, part: Tensor) -> dict[str, Tensor]:
    views = [_best(seen @ queries.T) for seen in (reading.alone, reading.context, reading.around)]
    parts = _best(reading.parts @ queries.T)
    theirs = parts[part]
    part_z, together = standardised(theirs), standardised(views[0] + views[1] + theirs)
    columns = [_view(own, part, len(parts), view) for view, own in zip(VIEWS, views, strict=True)]
    return {
        **columns[0],
        **columns[1],
        **columns[2],
        "part's likeness": theirs,
        "part's likeness, standardised": part_z,
        "part's likeness, rank": _rank(theirs),
        "below the likest part": _below(part_z),
        "likeness of unit and part": together,
        "likeness of unit and part, rank": _rank(together),
    }


def _view(likeness: Tensor, part: Tensor, parts: int, view: str) -> dict[str, Tensor]:
    z = standardised(likeness)
    before, after = _neighbours(z, part, z - 1)
    columns = {
        "likeness": likeness,
        "likeness, standardised": z,
        "likeness, rank": _rank(likeness),
        "below the likest": _below(z),
        "below the likest of its part": z - _most(z, part, parts),
        "likeness of the unit before": before,
        "likeness of the unit after": after,
        **{f"likeness over {scale:g} units": smoothed(z, scale) for scale in SCALES},
    }
    return {f"{name}, {view}": column for name, column in columns.items()}


def _words(units: Sequence[str], parts: Sequence[str], asked: Sequence[str], part: Tensor) -> dict[str, Tensor]:
    questions = [terms(question) for question in asked]
    shares, rarest = overlap([terms(unit) for unit in units], questions)
    own = _best(shares)
    theirs = _best(overlap([terms(text) for text in parts], questions)[0])[part]
    z = standardised(own)
    return {
        "words": own,
        "words, standardised": z,
        "words, rank": _rank(own),
        "rarest word shared": _best(rarest),
        **{f"words over {scale:g} units": smoothed(z, scale) for scale in SCALES},
        "part's words, standardised": standardised(theirs),
    }


def _centrality(vectors: Tensor, instructions: Tensor, part: Tensor, parts: int) -> dict[str, Tensor]:
    middle = vectors.mean(0) if len(vectors) else vectors.sum(0)
    middles = _mean(vectors, part, parts, spread=False)
    return {
        "centrality, standardised": standardised(vectors @ middle),
        "centrality in the part, standardised": standardised((vectors * middles[part]).sum(1)),
        "instruction's likeness, standardised": standardised(_best(vectors @ instructions.T)),
    }


def _shape(units: Sequence[str], part: Tensor, parts: int, question: bool, asked: int) -> dict[str, Tensor]:
    count = len(units)
    place = torch.arange(count, dtype=torch.float)
    size = torch.bincount(part, minlength=parts)
    start = size.cumsum(0) - size
    inside = place - start[part]
    length = torch.tensor([float(len(unit.encode())) for unit in units]).log1p()

    def same(value: float) -> Tensor:
        return torch.full((count,), float(value))

    return {
        "first of its part": (inside == 0).float(),
        "last of its part": (inside == size[part] - 1).float(),
        "place in the part": inside / size[part].clamp(min=1),
        "place in the prompt": place / max(1, count),
        "length": length,
        "length, standardised": standardised(length),
        "names and numbers": torch.tensor([share_of_names(unit) for unit in units]),
        "units": same(count).log1p(),
        "parts": same(parts).log1p(),
        "units in the part": size[part].float().log1p(),
        "a question is asked": same(question),
        "questions": same(asked).log1p(),
    }


# --- along the prompt --------------------------------------------------------------------------------------


def standardised(values: Tensor) -> Tensor:
    """Values [n] less their mean, by their standard deviation; 0 where all are the same."""
    if len(values) < 2:
        return torch.zeros_like(values)
    centred = values - values.mean()
    return centred / (centred.square().mean().sqrt() + 1e-4)


def smoothed(values: Tensor, scale: float) -> Tensor:
    """Averages over neighbours [n], weighted by a Gaussian with a standard deviation of `scale`; ends are repeated."""
    if not len(values):
        return values
    reach = int(3 * scale)
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / scale).square())
    padded = torch.cat([values[:1].expand(reach), values, values[-1:].expand(reach)])
    return F.conv1d(padded[None, None], (kernel / kernel.sum())[None, None])[0, 0]


def _best(likeness: Tensor) -> Tensor:
    """The largest of each row [n, questions]: [n], 0 without questions."""
    return likeness.amax(1) if likeness.shape[1] else torch.zeros(len(likeness))


def _rank(values: Tensor) -> Tensor:
    """0 for the largest, towards 1 for the smallest; the earlier first where they are the same."""
    order = values.argsort(descending=True, stable=True)
    return torch.empty_like(values).scatter_(0, order, torch.arange(len(values)) / max(1, len(values)))


def _below(values: Tensor) -> Tensor:
    return values - values.max() if len(values) else values


def _most(values: Tensor, part: Tensor, parts: int) -> Tensor:
    """The largest of each unit's part."""
    most = torch.full((parts,), -torch.inf).scatter_reduce(0, part, values, "amax")
    return most[part]


def _mean(values: Tensor, part: Tensor, parts: int, spread: bool = True) -> Tensor:
    """Of values [n, ...], the mean of each part, [parts, ...]; or of each unit's part, [n, ...]."""
    size = torch.bincount(part, minlength=parts).clamp(min=1)
    total = torch.zeros(parts, *values.shape[1:]).index_add(0, part, values)
    mean = total / size.view(-1, *[1] * (values.dim() - 1))
    return mean[part] if spread else mean


def _neighbours(values: Tensor, part: Tensor, alone: Tensor) -> tuple[Tensor, Tensor]:
    """The values of the units before and after in the same part; `alone` where there is none."""
    together = part[1:] == part[:-1]
    before, after = alone.clone(), alone.clone()
    before[1:] = torch.where(together, values[:-1], alone[1:])
    after[:-1] = torch.where(together, values[1:], alone[:-1])
    return before, after
