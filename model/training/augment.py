"""Variety without labelling again: the same mask under another template, order or set of shots.

What the teacher says of a demonstration's text and answer does not depend on whether it is called "Article:" or "Q:".
"""

from __future__ import annotations

import random
from dataclasses import replace

from ..data.fewshot import TEMPLATES, Dataset, FewShot
from ..prompt import Prompt
from ..teacher.score import Case


def augmented(
    shot: FewShot, prompt: Prompt, keep: list[bool], data: Dataset, rng: random.Random
) -> tuple[Prompt, list[bool]]:
    """A varied copy of a labelled prompt, or the prompt itself where its tokens do not carry over."""
    rows = list(range(len(shot.rows)))
    rng.shuffle(rows)  # what a demonstration is worth does not depend on its place
    kept = {t.part for t, k in zip(prompt.tokens, keep, strict=True) if k}
    if rng.random() < 0.3:  # a shot of which nothing is kept may as well not be there
        spare = [r for r in rows if r not in kept]
        rows = [r for r in rows if r in kept or r != rng.choice(spare)]
    template = rng.randrange(len(TEMPLATES)) if rng.random() < 0.7 else shot.template
    varied = replace(shot, rows=tuple(shot.rows[r] for r in rows), template=template)
    new = Case.of(varied, data).prompt
    mask = _carry(_parts(shot, prompt, data), keep, _parts(varied, new, data), rows, len(new))
    return (new, mask) if mask is not None else (prompt, keep)


Parts = list[tuple[list[int], list[int], list[int]]]  # per shot: token indices of frame, text and answer


def _parts(shot: FewShot, prompt: Prompt, data: Dataset) -> Parts:
    parts: Parts = [([], [], []) for _ in shot.rows]
    fields = shot.fields(data)
    for i, token in enumerate(prompt.tokens):
        field = fields[token.part]
        inside = [a <= token.start < b for a, b in (field.text, field.answer)]
        parts[token.part][1 if inside[0] else 2 if inside[1] else 0].append(i)
    return parts


def _carry(old: Parts, keep: list[bool], new: Parts, rows: list[int], n: int) -> list[bool] | None:
    """The old mask on the new tokens; a frame is kept whole if most of it was. None if the texts do not match."""
    mask = [False] * n
    for place, row in enumerate(rows):
        for part in (1, 2):
            if len(old[row][part]) != len(new[place][part]):
                return None
            for i, j in zip(old[row][part], new[place][part], strict=True):
                mask[j] = keep[i]
        frame = old[row][0]
        most = 2 * sum(keep[i] for i in frame) >= len(frame) and any(keep[i] for i in sum(old[row], []))
        for j in new[place][0]:
            mask[j] = most
    return mask if any(mask) else None
