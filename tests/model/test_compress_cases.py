"""Prompts as people write them, compressed by the shipped model: what must survive does, at several lengths."""

from __future__ import annotations

from functools import cache

import pytest

from model.compress import Compressor
from tests.support.case_prompts import CASES
from tests.support.case_rules import Case, faults

RUNS = [
    pytest.param(
        case,
        share,
        id=f"{case.name}-{share:.0%}",
    )
    for case in CASES
    for share in case.retentions
]


@cache
def compressor() -> Compressor:
    return Compressor.load(device="cpu")


@pytest.mark.parametrize(("case", "share"), RUNS)
def test_what_must_survive_does(case: Case, share: float) -> None:
    if case.contexts:
        result = compressor().compress_prompt(case.contexts, question=case.question, rate=share)
        text, source = result["compressed_prompt"], "\n\n".join([*case.contexts, case.question])
        size, asked, excuse = result["compressed_tokens"], share * result["origin_tokens"], False
    else:
        short = compressor().compress(case.text, share)
        text, source = short.text, case.text
        size, asked = sum(short.trace.keep), share * len(short.prompt)
        excuse = any(line.startswith("asked") for line in short.warnings)
    assert not list(faults(case, source, text)), text
    assert size <= asked + 1e-6 or excuse


def test_there_are_cases_of_every_kind() -> None:
    assert len(CASES) >= 30 and len({case.name for case in CASES}) == len(CASES)
