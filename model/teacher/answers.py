"""Pairs for the unit head: which units of a prompt answer what it asks, from the data sets' own answers and spans.

A pair is a nested order in short: the units that answer come first, one for each question, then the others that answer
too, then the rest. One line of JSON per prompt, by reference: kind and number by which `model.data.asked` draws it
again, its sha256, and the units of each question. No target language model is needed, and no text is stored.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..corpus.engines import run_tasks
from ..data.asked import AskedData
from ..data.asked_prompt import AskedPrompt
from ..data.kinds import LEARNT, SPLITS
from ..errors import InputError
from ..prompt import Prompt, parse
from ..relevance.encoder import Span
from ..relevance.prompt_reading import UnitsOf


@dataclass(frozen=True)
class AnsweredUnits:
    """A prompt by reference and which of its units are wanted.

    Attributes:
        kind, split, index: as `AskedData.prompts` counts.
        sha256: of its text.
        answers: for each question the units that answer it, numbered as in `UnitsOf`.
        every: all of them are wanted; otherwise one for each question is enough.
    """

    kind: str
    split: str
    index: int
    sha256: str
    answers: tuple[tuple[int, ...], ...]
    every: bool = False

    @classmethod
    def of(cls, asked: AskedPrompt, split: str) -> AnsweredUnits | None:
        """None where no unit answers: what does stands in a part that always stays, or in no unit."""
        prompt = parse(asked.text)
        units = UnitsOf.of(prompt)
        answers = tuple(_touched(prompt, units, spans) for spans in asked.answers)
        if not all(answers):
            return None
        return cls(asked.kind, split, asked.index, _sha256(asked.text), answers, asked.every)

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> AnsweredUnits:
        record: dict[str, Any] = json.loads(line)
        return cls(**{**record, "answers": tuple(tuple(map(int, units)) for units in record["answers"])})

    def check(self, asked: AskedPrompt) -> None:
        """InputError when the prompt is not the one that this was made from."""
        if _sha256(asked.text) != self.sha256:
            raise InputError(f"prompt {self.index} of {self.kind} is not the one in the pairs: teach it again")


def _touched(prompt: Prompt, units: UnitsOf, spans: Sequence[Span]) -> tuple[int, ...]:
    """The units that hold a token of any of the spans."""
    found = set()
    for token, unit in zip(prompt.tokens, units.unit_of, strict=True):
        if unit >= 0 and any(token.start < end and start < token.end for start, end in spans):
            found.add(unit)
    return tuple(sorted(found))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def read_answers(path: Path) -> list[AnsweredUnits]:
    """All whole lines; a last one that was cut off by an interruption is passed over."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the pairs in {path}: {error}") from error
    found = []
    for number, line in enumerate(lines[:-1], start=1):
        try:
            found.append(AnsweredUnits.from_json(line))
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path} line {number} is not a pair of `teach --kinds` ({error!r}); remove it") from error
    return found


Key = tuple[str, str, int]  # kind, split, index


@dataclass(frozen=True)
class AnswerWork:
    """Makes pairs; called in a worker, it returns the function that does so.

    Attributes:
        data: folder of the data sets.
        done: pairs that are there already.
        shares: each kind and split is cut into so many tasks.
    """

    data: str
    done: frozenset[Key]
    shares: int

    def __call__(self) -> Callable[[Key], tuple[Key, list[AnsweredUnits]]]:
        source = AskedData(Path(self.data))
        return lambda task: (task, list(self.pairs(source, *task)))

    def pairs(self, source: AskedData, kind: str, split: str, share: int) -> Iterator[AnsweredUnits]:
        """Those of every so-manieth prompt that are not there yet."""
        for asked in source.prompts(kind, split):
            if asked.index % self.shares == share and (kind, split, asked.index) not in self.done:
                pair = AnsweredUnits.of(asked, split)
                if pair is not None:
                    yield pair


def teach_answers(
    data: Path,
    out: Path,
    kinds: Sequence[str] = LEARNT,
    splits: Sequence[str] = SPLITS[:2],
    *,
    engine: str = "processes",
    workers: int = 1,
    address: str | None = None,
) -> None:
    """Append the pairs of all prompts of the kinds that are not in the file yet; each kind once it is whole.

    engine, workers, address: as of `model.corpus.engines.run_tasks`; the same pairs, whichever.
    Raises InputError for an unknown kind or a missing data set.
    """
    done = {(pair.kind, pair.split, pair.index) for pair in _mended(out)} if out.exists() else set()
    alone = engine == "processes" and workers == 1
    shares = 1 if alone else workers
    work = AnswerWork(str(data.resolve()), frozenset(done), shares)
    tasks = [(kind, split, share) for kind in kinds for split in splits for share in range(shares)]
    results = map(work(), tasks) if alone else run_tasks(work, tasks, engine=engine, workers=workers, address=address)
    out.parent.mkdir(parents=True, exist_ok=True)
    made: dict[tuple[str, str], list[list[AnsweredUnits]]] = defaultdict(list)
    with open(out, "a", encoding="utf-8") as file:
        for (kind, split, _), pairs in tqdm(results, total=len(tasks), unit="task"):
            made[kind, split].append(pairs)
            if len(made[kind, split]) == shares:
                whole = sorted(chain(*made.pop((kind, split))), key=lambda pair: pair.index)
                file.write("".join(pair.to_json() + "\n" for pair in whole))
                file.flush()


def _mended(path: Path) -> list[AnsweredUnits]:
    """The pairs in the file, which is cut back to whole lines if an interruption left half of one."""
    pairs = read_answers(path)
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        temporary = path.with_suffix(".mending")
        temporary.write_text(whole, encoding="utf-8")
        temporary.replace(path)
    return pairs
