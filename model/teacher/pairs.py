"""Training pairs on disk, and the loop that makes them.

One line of JSON per prompt: a reference to the prompt (data set, rows, template), its sha256, and for each retention
the masks that were tried, best first: [bits as a string of 0 and 1, s(z) in nats, how it was made]. No text of the data
sets is stored.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tqdm import tqdm

from ..compress import Compressor
from ..data.fewshot import TRAIN_TASKS, Dataset, FewShot, draw, load_dataset
from ..errors import InputError
from ..llm.causal import Target
from ..llm.load import load_target
from ..prompt import Prompt
from .proposals import coherent, denoised, self_information
from .score import Case
from .search import (
    Labelled,
    Propose,
    ScoredMask,
    Scorer,
    TeacherConfig,
    explore,
    held_out,
    label,
    left_to_right_pruning,
    random_pruning,
)

TEACHING_METHODS = ("hierarchical", "explore", "classic", "random")
PAIR_BEGINS = '{"shot": {'


@dataclass(frozen=True)
class Pair:
    """A prompt by reference, and what the teacher found for it.

    Attributes:
        shot: the prompt; sha256: of its text.
        found: the masks and their scores.
        seconds: that labelling took.
    """

    shot: FewShot
    sha256: str
    found: Labelled
    seconds: float = 0.0

    @classmethod
    def of(cls, shot: FewShot, prompt: Prompt, found: Labelled, seconds: float) -> Pair:
        """With scores rounded as they are written."""
        tried = {r: [replace(m, score=round(m.score, 4)) for m in masks] for r, masks in found.tried.items()}
        digest = hashlib.sha256(prompt.text.encode()).hexdigest()
        return cls(shot, digest, Labelled(tried, round(found.full, 4), round(found.zero, 4)), round(seconds, 1))

    def to_json(self) -> str:
        masks = {
            r: [["".join("01"[k] for k in m.keep), m.score, m.source] for m in masks]
            for r, masks in self.found.tried.items()
        }
        known = {"shot": self.shot.to_json(), "sha256": self.sha256, "masks": masks}
        return json.dumps({**known, "full": self.found.full, "zero": self.found.zero, "seconds": self.seconds})

    @classmethod
    def from_json(cls, line: str) -> Pair:
        record = json.loads(line)
        tried = {
            float(r): [ScoredMask([bit == "1" for bit in bits], score, source) for bits, score, source in masks]
            for r, masks in record.pop("masks").items()
        }
        if not all(tried.values()):
            raise ValueError("a retention without a mask")
        found = Labelled(tried, record.pop("full"), record.pop("zero"))
        return cls(**{**record, "shot": FewShot.from_json(record["shot"]), "found": found})

    def prompt(self, data: Dataset) -> Prompt:
        """Write the prompt again. InputError when it is not the one that was labelled."""
        prompt = Case.of(self.shot, data).prompt
        if hashlib.sha256(prompt.text.encode()).hexdigest() != self.sha256:
            raise InputError(f"the rows of {self.shot.dataset} are not those that this pair was made from")
        if any(len(mask.keep) != len(prompt) for masks in self.found.tried.values() for mask in masks):
            raise InputError(f"a mask for {self.shot.dataset} has not one bit for each of {len(prompt)} tokens")
        return prompt

    def held(self, margin: float = 0.1) -> list[float]:
        """The retentions whose best mask passes the filter: better than no demonstrations, or as good as the full
        prompt within `margin` nats."""
        bar = min(self.found.zero, self.found.full - margin)
        return [r for r, tried in self.found.tried.items() if tried[0].score > bar]


def read_pairs(path: Path) -> list[Pair]:
    """All whole lines of a pairs file; a last line that was cut off by an interruption is passed over."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as e:
        raise InputError(f"cannot read the pairs in {path}: {e}") from e
    pairs = []
    for i, line in enumerate(lines, start=1):
        try:
            pairs.append(Pair.from_json(line))
        except (ValueError, KeyError, TypeError, AttributeError) as e:
            last = i == len(lines)  # without a line break: "" if the file is whole
            if not (last and line[: len(PAIR_BEGINS)] == PAIR_BEGINS[: len(line)]):
                raise InputError(f"{path} line {i} is not a pair ({e!r}); remove it") from e
    return pairs


@dataclass(frozen=True)
class TeachConfig:
    """A labelling run. The same seed draws the same prompts, so a rerun goes on where the last one ended.

    Attributes:
        data: folder with gsm8k/ and train_tasks/.
        out: JSONL file that finished pairs are appended to.
        tasks: data sets, drawn in turn.
        targets: names for `load_target`; s(z) is their mean.
        pairs: how many there shall be in the end.
        method: "hierarchical", "explore", or a reference: "classic", "random".
        checkpoint: of the denoiser that proposes half of the masks that "explore" scores; None: the shipped one.
    """

    data: Path
    out: Path
    tasks: tuple[str, ...] = TRAIN_TASKS
    targets: tuple[str, ...] = ("smollm2", "gemma3")
    pairs: int = 100
    seed: int = 0
    method: str = "hierarchical"
    checkpoint: Path | None = None
    device: str | None = None
    teacher: TeacherConfig = TeacherConfig()

    def __post_init__(self) -> None:
        if unknown := set(self.tasks) - set(TRAIN_TASKS):
            raise InputError(f"cannot teach on {', '.join(sorted(unknown))}; training tasks: {', '.join(TRAIN_TASKS)}")
        if self.method not in TEACHING_METHODS:
            raise InputError(f"unknown method {self.method!r}; use {', '.join(TEACHING_METHODS)}")
        if not self.tasks or not self.targets:
            raise InputError("name at least one task and one target LLM")
        if self.pairs < 1:
            raise InputError(f"pairs {self.pairs} must be at least 1")


def teach(config: TeachConfig) -> None:
    """Label prompts until there are `config.pairs`; each finished one is on disk before the next begins."""
    sets = {name: load_dataset(config.data, name) for name in config.tasks}
    finished = _mended(config.out) if config.out.exists() else []
    for number, (pair, shot) in enumerate(zip(finished, _prompts(config, sets), strict=False), start=1):
        if pair.shot != shot:
            raise InputError(
                f"{config.out} line {number} is of a run with another seed or other tasks; name another file, or go on "
                "with the settings of that run"
            )
    done = len(finished)
    if done >= config.pairs:
        return
    targets = [load_target(name, config.device, fast=True) for name in config.targets]
    propose = proposals(config) if config.method == "explore" else None
    config.out.parent.mkdir(parents=True, exist_ok=True)
    with open(config.out, "a", encoding="utf-8") as file, tqdm(total=config.pairs, initial=done, unit="pair") as bar:
        for i, shot in enumerate(_prompts(config, sets)):
            if i < done:
                continue
            bar.set_description(shot.dataset)
            data = sets[shot.dataset]
            start = time.perf_counter()
            found = _label(config, targets, propose, shot, data, random.Random(f"{config.seed}:{i}:queries"))
            pair = Pair.of(shot, Case.of(shot, data).prompt, found, time.perf_counter() - start)
            file.write(pair.to_json() + "\n")
            file.flush()
            os.fsync(file.fileno())
            bar.update()


def _prompts(config: TeachConfig, sets: dict[str, Dataset]) -> Iterator[FewShot]:
    for i in range(config.pairs):
        rng = random.Random(f"{config.seed}:{i}")
        yield draw(sets[config.tasks[i % len(config.tasks)]], rng)


def _mended(path: Path) -> list[Pair]:
    """The pairs in the file, which is cut back to whole lines if an interruption left half of one."""
    pairs = read_pairs(path)
    whole = "".join(pair.to_json() + "\n" for pair in pairs)
    if path.read_text(encoding="utf-8") != whole:
        temporary = path.with_suffix(".mending")
        temporary.write_text(whole, encoding="utf-8")
        temporary.replace(path)
    return pairs


def proposals(config: TeachConfig) -> Propose:
    """The denoiser's masks and random coherent ones, in turn."""
    compressor = Compressor.load(config.checkpoint, config.device)
    information = self_information(load_dataset(config.data, name) for name in dict.fromkeys(config.tasks))

    def propose(case: Case, retention: float, rng: random.Random) -> Iterator[tuple[str, list[bool]]]:
        yield denoised(case, retention, compressor, None)
        while True:
            yield coherent(case, retention, information, rng)
            yield denoised(case, retention, compressor, rng)

    return propose


def _label(
    config: TeachConfig,
    targets: Sequence[Target],
    propose: Propose | None,
    shot: FewShot,
    data: Dataset,
    rng: random.Random,
) -> Labelled:
    scorer = Scorer(targets, Case.of(shot, data), held_out(shot, data), config.teacher, rng)
    if propose is not None:
        return explore(scorer, propose, config.teacher, rng)
    if config.method == "hierarchical":
        return label(scorer, config.teacher, rng)
    n = len(scorer.case.prompt)
    levels = config.teacher.retentions
    masks = left_to_right_pruning(scorer, levels) if config.method == "classic" else random_pruning(n, levels, rng)
    tried = {r: [ScoredMask(keep, scorer(keep), config.method)] for r, keep in masks.items()}
    return Labelled(tried, scorer([True] * n), scorer([False] * n))
