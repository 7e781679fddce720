"""What a denoiser is shown of a mask while it learns."""

from __future__ import annotations

import torch
from tiny import PROMPT, tiny_checkpoint

from model.fit import _noisy
from model.pins import pins_for_task
from model.prompt import parse
from model.schedule import DROP, KEEP, MASK

TASK = pins_for_task(parse(PROMPT))


def shown(keep: list[bool], taught: list[float] | None = None) -> list[set[int]]:
    """States that each token was shown in, over many draws of noise."""
    prompt, generator = parse(PROMPT), torch.Generator().manual_seed(0)
    draws = [
        _noisy(tiny_checkpoint().encoder, [(prompt, keep, taught)], generator, torch.device("cpu")).states[0].tolist()
        for _ in range(30)
    ]
    return [set(states) for states in zip(*draws, strict=True)]


def test_the_task_is_shown_as_kept_as_pins_would_keep_it() -> None:
    keep = [i in TASK or i % 2 == 0 for i in range(len(parse(PROMPT)))]
    for i, states in enumerate(shown(keep)):
        assert states == ({KEEP} if i in TASK else {MASK, KEEP if keep[i] else DROP})


def test_what_a_person_decided_about_the_task_is_to_be_learnt() -> None:
    n = len(parse(PROMPT))
    dropped, touched = min(TASK), max(TASK)
    keep = [i != dropped for i in range(n)]
    states = shown(keep, [float(i == touched) for i in range(n)])
    assert states[dropped] == {MASK, DROP} and states[touched] == {MASK, KEEP}
