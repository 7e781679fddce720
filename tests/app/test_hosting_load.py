"""A crowd at a hosted studio, short and with a scripted model; the whole is benchmarks/load.py."""

from __future__ import annotations

from pathlib import Path

from benchmarks.load import measure


def test_nobodys_save_is_refused_in_a_crowd(tmp_path: Path) -> None:
    figures = measure(people=12, seconds=6, folder=tmp_path, real=False)
    assert figures["saves"] > 0 and figures["refused"] == 0, figures
    assert figures["runs"] > 0 and figures["runs without an answer"] == 0, figures
