"""Varied copies of a labelled prompt keep the same words."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from model.data.fewshot import TEMPLATES, Dataset, FewShot, draw, load_dataset
from model.prompt import Prompt
from model.teacher.score import Case
from model.training.augment import augmented


def demonstrations(prompt: Prompt, keep: list[bool], shot: FewShot, data: Dataset) -> dict[str, list[Any]]:
    """Row -> its kept tokens as (place in the row's text or answer, token), and whether its frame is kept."""
    found: dict[str, list[Any]] = {}
    for block in prompt.parts:
        text = prompt.text[block.start : block.end]
        row = next(row for row in shot.rows if _cut(shot, data, row) in text)
        words, answer = _cut(shot, data, row), data[row].answer
        first = block.start + text.index(words)
        second = block.start + text.rindex(answer)
        kept: list[Any] = []
        frame = []
        for token, k in zip(prompt.tokens[block.first : block.last], keep[block.first : block.last], strict=True):
            for name, start, length in (("text", first, len(words)), ("answer", second, len(answer))):
                if start <= token.start < start + length:
                    kept += [(name, token.start - start, token.text)] if k else []
                    break
            else:
                frame.append(k)
        found[row] = [kept, frame]
    return found


def _cut(shot: FewShot, data: Dataset, row: str) -> str:
    """A row's text as the prompt shows it."""
    before, between, _ = TEMPLATES[shot.template]
    query = shot.query(data[row])
    return query[len(before) : len(query) - len(between)]


@pytest.mark.parametrize("template", range(len(TEMPLATES)))
@pytest.mark.parametrize("name", ["sst-2", "agnews", "gsm8k"])
def test_a_varied_copy_keeps_the_same_words_of_each_demonstration(data: Path, name: str, template: int) -> None:
    loaded = load_dataset(data, name)
    seen, orders, sizes = set(), set(), set()
    for seed in range(40):
        rng = random.Random(seed)
        shot = draw(loaded, rng, shots=4, template=template)
        prompt = Case.of(shot, loaded).prompt
        spare = rng.randrange(5)  # a shot of which nothing is kept; 4 = none
        keep = [t.part != spare and rng.random() < 0.4 for t in prompt.tokens]
        before = demonstrations(prompt, keep, shot, loaded)
        new, mask = augmented(shot, prompt, keep, loaded, rng)
        after = demonstrations(new, mask, shot, loaded)
        assert len(mask) == len(new) and new is not prompt
        for row, (kept, frame) in after.items():
            old = before[row][1]
            assert kept == before[row][0] and set(frame) == {2 * sum(old) >= len(old)}
        lost = before.keys() - after.keys()
        assert all(not kept and not any(frame) for kept, frame in (before[row] for row in lost))
        seen.add(new.text[: new.text.index(_cut(shot, loaded, next(iter(after))))])
        orders.add(list(after) == [row for row in before if row in after])
        sizes.add(len(lost))
    assert len(seen) >= 8 and False in orders and {0, 1} <= sizes
