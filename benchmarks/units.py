"""What the unit head keeps: answers per kind of prompt, what more steps add, and whether its probabilities hold.

    python -m benchmarks.units --data DATA [--kinds nq8,xquad-de,qmsum] [--prompts 100] [--json OUT]

Only prompts that were never learnt. Printed, for each kind: the share of questions that are answered by what is kept of
the documents at 5, 10, 20 and 35 % of their tokens (of meetings: of the gold turns' tokens), decided in 1, 4 and 8
steps, with what the last ones add by a paired 95 % bootstrap interval; and a reliability diagram over all units.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from model.compress import Compressor
from model.data.asked import KINDS, AskedData
from model.denoiser.unit_head import UnitHead
from model.evaluation.metrics.bootstrap import Bootstrap
from model.teacher.answers import AnsweredUnits
from model.training.calibration import reliability
from model.training.fit_units import RATES, answers_kept
from model.training.unit_examples import UnitExample, read_examples

STEPS = (1, 4, 8)
USUAL = ("nq8", "xquad-en", "xquad-de", "redundant-unseen", "qmsum")


def examples(compressor: Compressor, data: AskedData, kind: str, most: int, folder: Path) -> list[UnitExample]:
    """The first prompts of a kind that have an answer to find."""
    encoder = compressor.encoder
    assert encoder is not None
    pairs: list[AnsweredUnits] = []
    for asked in data.prompts(kind, "test"):
        pair = AnsweredUnits.of(asked, "test") if len(pairs) < most else None
        pairs += [pair] if pair is not None else []
    return read_examples(data, pairs, encoder, folder, compressor.reader)


def measure(head: UnitHead, some: list[UnitExample]) -> dict[str, Any]:
    """Per number of steps, the mean at each of RATES; and what the most steps add to one."""
    kept = {n: np.array([[answers_kept(head, each, rate, n) for rate in RATES] for each in some]) for n in STEPS}
    bootstrap = Bootstrap(len(some), 1, 0)
    adds = [bootstrap.difference(kept[STEPS[-1]][:, [i]], kept[1][:, [i]]).to_json() for i in range(len(RATES))]
    return {"prompts": len(some), "steps": {str(n): kept[n].mean(0).round(4).tolist() for n in STEPS}, "adds": adds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--kinds", default=",".join(USUAL), help=f"of {', '.join(KINDS)}")
    parser.add_argument("--prompts", type=int, default=100, help="of each kind at the most")
    parser.add_argument("--checkpoint", type=Path, help="default: the shipped one")
    parser.add_argument("--json", type=Path, metavar="OUT")
    flags = parser.parse_args()
    compressor, data = Compressor.load(flags.checkpoint), AskedData(flags.data)
    head = compressor.checkpoint.unit_head
    assert head is not None
    found: dict[str, Any] = {"checkpoint": compressor.checkpoint.id, "rates": RATES, "kinds": {}}
    every: list[UnitExample] = []
    with tempfile.TemporaryDirectory() as folder:
        for kind in flags.kinds.split(","):
            some = examples(compressor, data, kind, flags.prompts, Path(folder))
            every += some
            found["kinds"][kind] = measure(head, some)
            print(kind, json.dumps(found["kinds"][kind]), flush=True)
    found["reliability"] = asdict(reliability(head, every))
    print("expected calibration error", round(found["reliability"]["error"], 4))
    if flags.json:
        flags.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
