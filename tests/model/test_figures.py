"""Means with their intervals, and Markdown tables."""

from __future__ import annotations

import numpy as np
import pytest

from model.evaluation.metrics.bootstrap import Interval
from model.evaluation.metrics.figures import Figure, markdown, mean_of, show


def test_the_interval_of_a_mean_is_about_two_standard_errors_wide() -> None:
    values = np.random.default_rng(0).normal(0.5, 1.0, size=400)
    found = mean_of(values, seed=1)
    assert found.low is not None and found.high is not None
    assert found.mean == pytest.approx(values.mean()) and found.n == 400
    assert found.high - found.low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)
    assert found == mean_of(values, seed=1) != mean_of(values, seed=2)


def test_differences_of_pairs_do_not_vary_with_the_samples() -> None:
    values = np.random.default_rng(0).normal(size=30)
    found = mean_of((values + 0.25) - values)
    assert (found.low, found.high) == pytest.approx((0.25, 0.25))


def test_one_sample_has_no_interval() -> None:
    assert mean_of([0.5]) == Figure(0.5, None, None, 1)
    assert mean_of([0.5]).to_json() == [0.5, None, None, 1]


def test_figures_as_text() -> None:
    assert show(Interval(0.5, 0.25, 1), 2, "+") == "+0.50 [+0.25, +1.00]"
    assert show(Figure(0.5, None, None, 1)) == "0.500" and show(None) == ""


def test_a_table_is_aligned_and_no_cell_breaks_it() -> None:
    lines = markdown(["kind", "n"], [["a|b", "1"], ["line\nbreak", "10"]]).split("\n")
    assert lines[2] == "| a\\|b       | 1  |"
    assert len({len(line) for line in lines}) == 1 and len(lines) == 4
