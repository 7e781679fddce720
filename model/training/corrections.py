"""People's corrections as fine-tuning needs them, from the JSONL file that `python -m annotations export` writes.

`model.record` checks each line. Here a record becomes the prompt in this version's tokens, the mask that the person
wants, the tokens that the person decided, and how the model was asked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..diffusion.trace import SamplerConfig
from ..errors import InputError
from ..prompt import Prompt, parse
from ..record import CorrectionRecord

LEARNT = ("submitted", "accepted")  # statuses of corrections that are learnt from

Spans = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class CorrectedPrompt:
    """What one person says about the mask of one prompt.

    Attributes:
        id, revision: of the record.
        sha256: of the prompt's text in UTF-8; corrections of one prompt by several people share it.
        prompt: the n tokens and the shots.
        model: [n] the mask that the model proposed.
        keep: [n] the mask that the person wants.
        pins: token -> keep, as far as the person fixed them; agrees with `keep`.
        asked, rules: how the model was asked for its mask, and how pieces were made.
    """

    id: str
    revision: int
    sha256: str
    prompt: Prompt
    model: tuple[bool, ...]
    keep: tuple[bool, ...]
    pins: Mapping[int, bool]
    asked: SamplerConfig
    rules: Mapping[str, Any]

    @property
    def touched(self) -> list[bool]:
        """[n] True where the person decided: at the pins, since the studio pins every token that a person edits, and
        the model moved the others in reply. A mask without pins, made elsewhere, is the person's where it differs."""
        if self.pins:
            return [i in self.pins for i in range(len(self.keep))]
        return [a != b for a, b in zip(self.model, self.keep, strict=True)]


def read_corrections(path: Path) -> tuple[list[CorrectedPrompt], str]:
    """The corrections to learn from, in the file's order, and the sha256 of the file.

    Of several revisions of one id the latest counts. Drafts do not count, and neither does a correction whose latest
    revision was rejected. Raises InputError that names the line of the first record that is not valid.
    """
    data, lines = _read(path)
    latest: dict[str, tuple[CorrectionRecord, CorrectedPrompt]] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = CorrectionRecord.from_line(line)
            corrected = corrected_prompt(record)
            before = latest[record.id][0] if record.id in latest else None
            if before and before.revision == record.revision and before != record:
                raise InputError(f"id: revision {record.revision} of it is there twice, with other contents")
        except InputError as error:
            raise InputError(f"{path} line {number}: {error}") from None
        if record.status != "draft" and (before is None or before.revision < record.revision):
            latest[record.id] = (record, corrected)
    to_learn = [corrected for record, corrected in latest.values() if record.status in LEARNT]
    return to_learn, hashlib.sha256(data).hexdigest()


def corrected_prompt(record: CorrectionRecord) -> CorrectedPrompt:
    """What there is to learn from a record, with its masks and pins on the tokens of this version.

    Raises InputError when the masks cannot be carried over to these tokens, nothing is kept, or the model cannot be
    asked in this way any more.
    """
    prompt = _parsed(record)
    model, human, pins = _bits(record.model_mask), _bits(record.human_mask), record.pins
    spans = [(token.start, token.end) for token in prompt.tokens]
    if list(record.offsets) != spans:  # another version split the text into other tokens
        overlaps = _overlaps(record.offsets, spans)
        changed = [any(human[i] != model[i] for i in old) for old in overlaps]
        human = _carried(human, overlaps, prompt)
        model = tuple(keep != differs for keep, differs in zip(human, changed, strict=True))
        pins = {new: human[new] for new, old in enumerate(overlaps) if any(i in pins for i in old)}
    if not any(human):
        raise InputError("human_mask: keeps no token at all, which nothing can be learnt from")
    asked = SamplerConfig(record.retention, record.steps, record.threshold, seed=record.seed)
    return CorrectedPrompt(
        record.id, record.revision, record.prompt_sha256, prompt, model, human, pins, asked, record.rules
    )


def _parsed(record: CorrectionRecord) -> Prompt:
    """The prompt, with the roles of its parts where these begin as the record says."""
    prompt = parse(record.prompt)
    same = {0, *record.shot_starts} == {0, *(part.start for part in prompt.parts)}
    return prompt if same else parse(record.prompt, record.shot_starts)


def _read(path: Path) -> tuple[bytes, list[str]]:
    """The bytes of the file, and its lines."""
    try:
        data = path.read_bytes()
        return data, data.decode("utf-8").split("\n")
    except OSError as error:
        raise InputError(f"cannot read the corrections in {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text (offset {error.start}); give a JSONL file") from error


def _bits(mask: str) -> tuple[bool, ...]:
    return tuple(mark == "1" for mark in mask)


def _overlaps(old: Spans, new: Spans) -> list[list[int]]:
    """For each new span the old ones that share a character with it; both are in order."""
    overlaps, first = [], 0
    for start, end in new:
        while first < len(old) and old[first][1] <= start:
            first += 1
        i = first
        while i < len(old) and old[i][0] < end:
            i += 1
        overlaps.append(list(range(first, i)))
    return overlaps


def _carried(human: Sequence[bool], overlaps: Sequence[Sequence[int]], prompt: Prompt) -> tuple[bool, ...]:
    """The person's mask on this version's tokens, where it says the same about every part of a token."""
    keep = []
    for token, old in zip(prompt.tokens, overlaps, strict=True):
        states = {human[i] for i in old}
        if len(states) != 1:
            what = "says both keep and drop" if states else "says nothing"
            raise InputError(
                f"offsets: another version split this prompt into tokens, and of characters {token.start} to "
                f"{token.end}, one token here, its mask {what}; correct the prompt again"
            )
        keep.append(states.pop())
    return tuple(keep)
