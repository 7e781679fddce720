"""Several threads ask one compressor at the same time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from model.compress import Compressor, CompressRequest, Run
from model.diffusion.trace import Step
from tests.support.tiny import tiny_checkpoint

COMPRESSOR = Compressor(tiny_checkpoint())
TEXT = "Lund has 120 beds. Ystad has 80 beds.\n\nHow many beds has Lund?"


def test_runs_do_not_wait_for_each_other() -> None:
    meeting = threading.Barrier(2, timeout=20)  # broken if one run ends before the other begins

    def result() -> str:
        run = COMPRESSOR.run(CompressRequest(TEXT, 0.5))
        return Run(run.request, after_meeting(run), run.checkpoint).result().text

    def after_meeting(run: Run) -> Iterator[Step]:
        meeting.wait()
        yield from run

    with ThreadPoolExecutor(2) as threads:
        one, other = threads.map(lambda _: result(), range(2))
    assert one == other == COMPRESSOR.compress(TEXT, 0.5).text
