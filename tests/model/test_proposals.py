"""Masks that are worth trying: as long as asked, and made of shots that stay together."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from model.compress import PAPER, Compressor
from model.data.fewshot import draw, load_dataset
from model.teacher.pairs import TeachConfig, proposals
from model.teacher.proposals import coherent, denoised, self_information, shots_for
from model.teacher.score import Case
from tests.support.tiny import tiny_checkpoint

RETENTIONS = (0.01, 0.15, 0.4, 0.9, 1.0)


def case_of(data: Path, name: str, shots: int = 4, seed: int = 0) -> Case:
    rows = load_dataset(data, name)
    return Case.of(draw(rows, random.Random(seed), shots=shots), rows)


def kept_of(case: Case, keep: list[bool]) -> list[int]:
    """How many tokens of each shot are kept."""
    return [sum(keep[shot.first : shot.last]) for shot in case.prompt.parts]


@pytest.mark.parametrize("name", ["sst-2", "gsm8k"])
@pytest.mark.parametrize("retention", RETENTIONS)
def test_a_coherent_mask_has_its_length_and_whole_shots_are_whole(data: Path, name: str, retention: float) -> None:
    case = case_of(data, name)
    information = self_information([load_dataset(data, name)])
    kinds = set()
    for seed in range(40):
        source, keep = coherent(case, retention, information, random.Random(seed))
        kinds.add(source.split(", ")[1])
        assert sum(keep) == max(1, round(retention * len(case.prompt)))
        if source.startswith("whole"):
            parts = zip(kept_of(case, keep), case.prompt.parts, strict=True)
            assert sum(0 < kept < shot.last - shot.first for kept, shot in parts) <= 1
    assert kinds == {"head", "words", "the last one cut"}


def test_so_many_shots_are_taken_as_come_closest_to_the_fill(data: Path) -> None:
    case = case_of(data, "sst-2")
    sizes = [shot.last - shot.first for shot in case.prompt.parts]
    for budget in (1, sizes[2], sum(sizes)):
        assert shots_for(case, [2, 0, 1, 3], budget, 1e-9) == 1
        assert shots_for(case, [2, 0, 1, 3], budget, 1e9) == 4
    assert shots_for(case, [2, 0, 1, 3], sizes[2] + sizes[0], 1.0) == 2


@pytest.mark.parametrize("retention", RETENTIONS)
def test_the_denoiser_proposes_its_own_mask_and_what_it_makes_of_some_shots(data: Path, retention: float) -> None:
    compressor = Compressor(tiny_checkpoint())
    case = case_of(data, "sst-2")
    source, own = denoised(case, retention, compressor, None)
    assert source == "denoiser" and own == list(
        compressor.compress(case.prompt, retention, keep_task=False, **PAPER).trace.keep
    )
    spared = 0
    for seed in range(20):
        _, keep = denoised(case, retention, compressor, random.Random(seed))
        assert sum(keep) == sum(own)
        spared += any(not kept for kept in kept_of(case, keep))
    assert spared > 10 or retention > 0.5


def test_what_is_explored_is_half_the_denoisers_and_half_at_random(data: Path, tmp_path: Path) -> None:
    propose = proposals(TeachConfig(data, tmp_path / "pairs.jsonl", ("sst-2",), method="explore"))
    drawn = propose(case_of(data, "sst-2"), 0.3, random.Random(0))
    sources = [next(drawn)[0] for _ in range(9)]
    assert [source.startswith("denoiser") for source in sources] == [True, *[False, True] * 4]
