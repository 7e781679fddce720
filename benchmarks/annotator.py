"""Does a model learn from 20 corrections? A simulated annotator corrects support cases, a kind of prompt it never saw.

    python -m benchmarks.annotator [--data DATA] [--prompts 20] [--held 20] [--seeds 0 1 2] [--json OUT]

The annotator's rule: keep every proper name (people, places, companies) and every negation, drop greetings and
fillers. As a person in the studio would, it pins the tokens of the model's mask that break the rule, presses
Re-denoise, and goes on until none does; what is not pinned is the model's, and so is the length.

With --kind tickets the prompts ask about several tickets, and the annotator decides whole sentences: requests stay,
greetings go. That is the unit head's to learn.

Prompts are put together from the lists of benchmarks/help_desk.py. Each seed splits every list in two, sentences,
fillers, names, places, companies and products alike: what the model learns from and what it is measured on share none.

Printed per seed, with paired 95 % bootstrap intervals over prompts:
- edit rate before and after on held-out corrections: share of tokens on which the model, asked as it was for the
  correction, differs from the annotator's mask;
- fresh: the same where the annotator corrects the new model's own masks, and the share of tokens that it has to pin;
- with --data: the same model's edit rate against the teacher's masks of GSM8K prompts, which it should not unlearn.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.help_desk import KINDS, Case, cases, halves
from model.compress import Compressor, CompressRequest
from model.data.fewshot import load_dataset
from model.diffusion.trace import SamplerConfig
from model.evaluation.metrics.bootstrap import Bootstrap, Interval
from model.prompt import Prompt
from model.record import RULES
from model.teacher.pairs import read_pairs
from model.training.finetune import FinetuneConfig, finetune

PAIRS = Path(__file__).parent.parent / "pairs"
RETENTIONS = (0.35, 0.5, 0.65)
STEPS = 8


# --- the annotator -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Corrected:
    """A case with the model's and the annotator's masks, what the annotator pinned, and how the model was asked."""

    case: Case
    asked: SamplerConfig
    model: list[bool]
    human: list[bool]
    pins: dict[int, bool]

    @property
    def rate(self) -> float:
        """Share of tokens that are not as the model had them."""
        return differing(self.model, self.human)

    @property
    def pinned(self) -> float:
        """Share of tokens that the annotator pinned."""
        return len(self.pins) / len(self.model)

    def record(self, checkpoint: str) -> dict[str, Any]:
        """As `python -m annotations export` writes it."""
        prompt = self.case.prompt
        return {
            "id": uuid.UUID(int=random.Random(prompt.text).getrandbits(128)).hex,
            "revision": 1,
            "status": "submitted",
            "prompt": prompt.text,
            "offsets": [[token.start, token.end] for token in prompt.tokens],
            "shot_starts": [shot.start for shot in prompt.parts],
            "model_mask": "".join("01"[k] for k in self.model),
            "human_mask": "".join("01"[k] for k in self.human),
            "pins": {str(i): keep for i, keep in self.pins.items()},
            "retention": self.asked.retention,
            "steps": self.asked.steps,
            "threshold": self.asked.threshold,
            "seed": self.asked.seed,
            **{name: CompressRequest.__dataclass_fields__[name].default for name in RULES},
            "checkpoint": checkpoint,
            "annotator": "rule",
            "created_at": "2026-01-01T00:00:00Z",
        }


def correct(compressor: Compressor, case: Case, retention: float) -> Corrected:
    """Pin what breaks the rule and let the model decide the rest again, until nothing breaks it."""
    pins: dict[int, bool] = {}
    trace = first = compressor.compress(case.prompt, retention, STEPS, keep_task=False).trace
    while wrong := {i: keep for i, keep in case.rule.items() if trace.keep[i] != keep}:
        pins |= wrong
        trace = compressor.compress(case.prompt, retention, STEPS, keep_task=False, pins=pins).trace
    return Corrected(case, first.config, list(first.keep), list(trace.keep), pins)


def differing(one: Sequence[bool], other: Sequence[bool]) -> float:
    return sum(a != b for a, b in zip(one, other, strict=True)) / len(one)


# --- before and after --------------------------------------------------------------------------------------

Goal = tuple[Prompt, float, Sequence[bool]]  # prompt, retention asked for, wanted mask


def rates(compressor: Compressor, goals: Sequence[Goal]) -> np.ndarray:
    """[goals, 1] edit rates."""
    masks = [compressor.compress(prompt, share, STEPS, keep_task=False).trace.keep for prompt, share, _ in goals]
    return np.array([[differing(mask, goal[2])] for mask, goal in zip(masks, goals, strict=True)])


def gsm8k_goals(data: Path) -> list[Goal]:
    """The teacher's masks of GSM8K prompts that passed its filter."""
    rows = load_dataset(data, "gsm8k")
    pairs = [pair for path in sorted(PAIRS.glob("*.jsonl")) for pair in read_pairs(path)]
    return [
        (pair.prompt(rows), share, pair.found.masks[share])
        for pair in pairs
        if pair.shot.dataset == "gsm8k"
        for share in pair.held()
    ]


def compare(before: np.ndarray, after: np.ndarray, seed: int) -> dict[str, Any]:
    bootstrap = Bootstrap(len(before), 1, seed)
    return {
        "prompts": len(before),
        "before": bootstrap.interval(before).to_json(),
        "after": bootstrap.interval(after).to_json(),
        "after - before": bootstrap.difference(after, before).to_json(),
    }


def measure(
    seed: int, flags: argparse.Namespace, folder: Path, goals: Sequence[Goal], say: Callable[[str], None]
) -> dict[str, Any]:
    """One annotator's day: correct, learn, measure."""
    rng = random.Random(f"annotator:{seed}")
    mine, theirs = halves(rng)
    parent = Compressor.load(flags.checkpoint)
    learnt = [correct(parent, case, rng.choice(RETENTIONS)) for case in cases(mine, flags.prompts, rng, flags.kind)]
    held = [correct(parent, case, rng.choice(RETENTIONS)) for case in cases(theirs, flags.held, rng, flags.kind)]
    file = folder / f"{seed}.jsonl"
    identity = parent.checkpoint.id
    file.write_text("".join(json.dumps(c.record(identity)) + "\n" for c in learnt), encoding="utf-8")
    wanted = [(c.case.prompt, c.asked.retention, c.human) for c in held]
    elsewhere = rates(parent, goals) if goals else None
    made = finetune(FinetuneConfig(file, folder / str(seed), flags.checkpoint, seed=seed))
    say(f"seed {seed}: {made.summary()}")
    child = Compressor.load(made.folder)
    again = [correct(child, c.case, c.asked.retention) for c in held]
    before, fresh = (np.array([[c.rate] for c in some]) for some in (held, again))
    found = {
        "seed": seed,
        "seconds": round(made.seconds, 1),
        "held out": compare(before, rates(child, wanted), seed),
        "fresh": compare(before, fresh, seed),
        "pinned": compare(*(np.array([[c.pinned] for c in some]) for some in (held, again)), seed),
    }
    if elsewhere is not None:
        found["gsm8k"] = compare(elsewhere, rates(child, goals), seed)
    return found


def table(found: dict[str, Any]) -> str:
    lines = []
    for name in ("held out", "fresh", "pinned", "gsm8k"):
        if name in found:
            row = found[name]
            cells = [_cell(Interval(*row[column])) for column in ("before", "after", "after - before")]
            lines.append(f"  {name:9} {row['prompts']:3} masks   {cells[0]} -> {cells[1]}   difference {cells[2]}")
    return "\n".join(lines)


def _cell(value: Interval) -> str:
    assert value.low is not None and value.high is not None
    return f"{value.mean:.1%} [{value.low:.1%}, {value.high:.1%}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder that holds gsm8k/")
    parser.add_argument("--kind", choices=sorted(KINDS), default="mail", help="what is corrected (default mail)")
    parser.add_argument("--prompts", type=int, default=20, help="corrections to learn from")
    parser.add_argument("--held", type=int, default=20, help="corrections to measure on")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--checkpoint", type=Path, help="the model to correct (default: the shipped one)")
    parser.add_argument("--json", type=Path, metavar="OUT")
    flags = parser.parse_args()
    goals = gsm8k_goals(flags.data) if flags.data else []
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in flags.seeds:
            results.append(measure(seed, flags, Path(folder), goals, print))
            print(table(results[-1]), flush=True)
    if flags.json:
        flags.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
