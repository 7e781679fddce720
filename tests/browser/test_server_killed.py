"""What was said to be saved is there after the server was killed: the load test of benchmarks/saving.py, short."""

from __future__ import annotations

from pathlib import Path

from benchmarks.saving import measure


def test_nothing_said_to_be_saved_is_lost_when_the_server_is_killed(tmp_path: Path) -> None:
    figures = measure(people=4, seconds=6, folder=tmp_path)
    assert figures["of these before the kill"] > 0
    assert figures["said to be saved"] > figures["of these before the kill"], "and after it the server serves again"
    assert figures["found"] == figures["said to be saved"] and figures["lost"] == figures["duplicates"] == 0
    assert not figures["refusals"]
