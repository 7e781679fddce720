"""A scorer of a toy prompt, for tests of the score, the gates and the teacher."""

from __future__ import annotations

import random
from pathlib import Path

from model.data.fewshot import TEMPLATES, draw, load_dataset
from model.llm.causal import Target
from model.teacher.score import Case
from model.teacher.search import Scorer, TeacherConfig, held_out

SMALL = TeacherConfig(queries=4, gate_steps=2, gate_queries=4)


def scorer_for(
    target: Target, data: Path, name: str, config: TeacherConfig = SMALL, shots: int = 3, seed: int = 0
) -> Scorer:
    loaded = load_dataset(data, name)
    shot = draw(loaded, random.Random(seed), shots=shots, template=seed % len(TEMPLATES))
    return Scorer([target], Case.of(shot, loaded), held_out(shot, loaded), config, random.Random(seed))
