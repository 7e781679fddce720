"""The benchmark's bookkeeping, on a tiny model; never how fast anything is."""

from __future__ import annotations

import json
import operator
import random
from pathlib import Path

import pytest

from model.denoiser.checkpoint import save_checkpoint
from model.errors import InputError
from model.evaluation.timing.bench import PLAIN_PASS, BenchConfig, bench, few_shot, problem
from tests.support.tiny import tiny_checkpoint

SIGNS = {"*": operator.mul, "+": operator.add, "-": operator.sub}


def saved(folder: Path) -> Path:
    checkpoint = tiny_checkpoint()
    save_checkpoint(folder / "tiny", checkpoint.denoiser, checkpoint.collator.tokenizer, {})
    return folder / "tiny"


def test_every_method_has_a_row_at_every_length(tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    config = BenchConfig((40, 90), (1, 64), ("diffumask", "exact"), repeat=2, checkpoint=saved(tmp_path), json=out)
    report = bench(config)
    methods = [PLAIN_PASS, *(f"DiffuMask, {n} steps{how}" for how in (", exact", "") for n in (1, 64))]
    assert [(row.tokens, row.method) for row in report.rows] == [(n, m) for n in (40, 90) for m in methods]
    found = {(row.tokens, row.method): row for row in report.rows}
    for n in (40, 90):
        assert found[n, PLAIN_PASS].ratio == 1 and found[n, PLAIN_PASS].equal is None
        exact = found[n, "DiffuMask, 64 steps, exact"]
        assert exact.equal == exact.f1 == 1
        assert found[n, "DiffuMask, 1 steps"].passes == 1
        assert 0 <= (found[n, "DiffuMask, 64 steps"].equal or -1) <= 1
        assert (found[n, "DiffuMask, 64 steps"].passes or 99) <= (exact.passes or 0)
    assert all(row.rounds == 2 and row.seconds > 0 for row in report.rows)
    assert set(report.memory) == {40, 90} and min(report.memory.values()) > 50 and report.load > 0
    assert [row["method"] for row in json.loads(out.read_text())["rows"]] == methods * 2
    assert report.table().count("\n| 90 |") == len(methods)


def test_what_takes_too_long_is_extrapolated_and_marked(tmp_path: Path) -> None:
    config = BenchConfig((40, 400), (1,), ("exact",), repeat=3, limit=1e-6, checkpoint=saved(tmp_path))
    report = bench(config)
    plain, short, _, long = report.rows
    assert (plain.rounds, short.rounds, long.rounds) == (3, 1, 0)
    assert long.seconds == pytest.approx(10 * short.seconds)
    assert f"~{long.seconds:.3g}" in report.table() and f"~{short.seconds:.3g}" not in report.table()


@pytest.mark.parametrize("tokens", [1, 128, 512])
def test_prompts_have_the_length_asked_for(tokens: int) -> None:
    prompt = few_shot(tokens)
    assert len(prompt) == tokens and prompt == few_shot(tokens)
    assert tokens < 30 or prompt != few_shot(tokens, seed=1)


def test_worked_answers_are_right() -> None:
    for seed in range(40):
        question, answer = problem(random.Random(seed))
        last = answer.rsplit("#### ", 1)[1]
        for equation in (part for part in answer.split(". ") if " = " in part):
            (a, sign, b), result = equation.split(" = ")[0].split()[-3:], equation.split(" = ")[1].split()[0]
            assert SIGNS[sign](int(a), int(b)) == int(result.strip(".,"))
        assert last.isdigit() and question.endswith("Answer:")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"methods": ("guess",)}, "unknown method guess; known: diffumask"),
        ({"steps": (65,)}, "steps 65 must be"),
        ({"retention": 0.0}, "retention 0 must be"),
        ({"repeat": 0}, "at least one round"),
        ({"limit": float("nan")}, "limit above 0"),
    ],
)
def test_wrong_settings(wrong: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        BenchConfig(**wrong)
