"""People's corrections, as `python -m annotations export` writes them: one JSON object a line.

What the fields mean is said in annotations/record.py; that file and this one share nothing but the format. Here only
what learning needs is kept: the prompt in this version's tokens, the mask that the person wants, what the person
touched, and how the model was asked.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..diffusion.trace import SamplerConfig
from ..errors import InputError
from ..prompt import Prompt, parse

STATUSES = ("draft", "submitted", "accepted", "rejected")
LEARNT = ("submitted", "accepted")
OPTIONAL = ("prompt_sha256", "shot_starts", "pins", "seconds", "note", "reviewer", "review_note")
NEEDED = (
    *("id", "revision", "status", "prompt", "offsets", "model_mask", "human_mask"),
    *("retention", "steps", "threshold", "seed", "checkpoint", "annotator", "created_at"),
)
PROMPT_LIMIT = 1_000_000  # characters

_ID = re.compile(r"[0-9a-f]{32}")
_INDEX = re.compile(r"0|[1-9][0-9]{0,6}")

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
        asked: how the model was asked for its mask.
    """

    id: str
    revision: int
    sha256: str
    prompt: Prompt
    model: tuple[bool, ...]
    keep: tuple[bool, ...]
    pins: Mapping[int, bool]
    asked: SamplerConfig

    @property
    def touched(self) -> list[bool]:
        """[n] True where the person decided: the pins, since every edit in the studio is one, and what else moved is
        the model's answer to them. A mask without pins, made elsewhere, is the person's where it differs."""
        if self.pins:
            return [i in self.pins for i in range(len(self.keep))]
        return [a != b for a, b in zip(self.model, self.keep, strict=True)]


def read_corrections(path: Path) -> tuple[list[CorrectedPrompt], str]:
    """The corrections to learn from, in the file's order, and the sha256 of the file.

    Of several revisions of one id the latest counts. Drafts do not count, and neither does a correction whose latest
    revision was rejected. Raises InputError that names the line of the first record that is not valid.
    """
    try:
        data = path.read_bytes()
        lines = data.decode("utf-8").split("\n")
    except OSError as error:
        raise InputError(f"cannot read the corrections in {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text (offset {error.start}); give a JSONL file") from error
    latest: dict[str, tuple[dict[str, Any], CorrectedPrompt]] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            fields = _fields(line)
            correction = _correction(fields)
            before = latest.get(correction.id)
            if before and before[1].revision == correction.revision and before[0] != fields:
                raise InputError(f"id: revision {correction.revision} of it is there twice, with other contents")
        except InputError as error:
            raise InputError(f"{path} line {number}: {error}") from None
        if fields["status"] != "draft" and (before is None or before[1].revision < correction.revision):
            latest[correction.id] = (fields, correction)
    found = [correction for fields, correction in latest.values() if fields["status"] in LEARNT]
    return found, hashlib.sha256(data).hexdigest()


def _fields(line: str) -> dict[str, Any]:
    """The fields of one line, all there and of the right JSON type."""
    try:
        record = json.loads(line, parse_constant=_refuse, object_pairs_hook=_unique)
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        raise InputError(f"is not JSON ({str(error)[:80]})") from None
    if not isinstance(record, dict):
        raise InputError("is not an object with fields")
    for name in record:
        if name not in NEEDED and name not in OPTIONAL:
            raise InputError(f"{ascii(name)[:40]} is not a field of a correction")
    for name in NEEDED:
        if name not in record:
            raise InputError(f"{name}: is missing")
    return record


def _correction(record: Mapping[str, Any]) -> CorrectedPrompt:
    status, revision = record["status"], _whole("revision", record["revision"])
    if not isinstance(record["id"], str) or not _ID.fullmatch(record["id"]):
        raise InputError("id: is not 32 hexadecimal digits, small letters")
    if status not in STATUSES:
        raise InputError(f"status: is not one of {', '.join(STATUSES)}")
    if (status == "draft") != (revision == 0):
        raise InputError("revision: is 0 for a draft and at least 1 for everything else")
    prompt, digest = _prompt(record)
    spans = _spans(record["offsets"], len(prompt.text))
    model, human = (_mask(name, record[name], len(spans)) for name in ("model_mask", "human_mask"))
    pins = _pins(record.get("pins", {}), human)
    new = [(token.start, token.end) for token in prompt.tokens]
    if spans != new:  # another version split the text into other tokens
        over = _overlaps(spans, new)
        keep = _carried(human, over, prompt)
        changed = [any(human[i] != model[i] for i in old) for old in over]
        model = tuple(k != c for k, c in zip(keep, changed, strict=True))
        pins = {j: keep[j] for j, old in enumerate(over) if any(i in pins for i in old)}
        human = keep
    if not any(human):
        raise InputError("human_mask: keeps no token at all, which nothing can be learnt from")
    return CorrectedPrompt(record["id"], revision, digest, prompt, model, human, pins, _asked(record))


def _prompt(record: Mapping[str, Any]) -> tuple[Prompt, str]:
    text, starts = record["prompt"], record.get("shot_starts", [])
    if not isinstance(text, str) or len(text) > PROMPT_LIMIT:
        raise InputError(f"prompt: is not a text of at most {PROMPT_LIMIT:,} characters")
    if not isinstance(starts, list):
        raise InputError("shot_starts: is not a list")
    prompt = parse(text, starts)
    digest = hashlib.sha256(text.encode("utf-8")).hexdigest()
    if record.get("prompt_sha256") not in (None, digest):
        raise InputError("prompt_sha256: is not that of the prompt")
    return prompt, digest


def _asked(record: Mapping[str, Any]) -> SamplerConfig:
    share, threshold = (_number(name, record[name]) for name in ("retention", "threshold"))
    steps, seed = (_whole(name, record[name]) for name in ("steps", "seed"))
    return SamplerConfig(share, steps, threshold, seed=seed)


def _spans(value: Any, length: int) -> list[tuple[int, int]]:
    if not isinstance(value, list) or not value:
        raise InputError("offsets: is not a list of [start, end] with at least one token")
    spans, before = [], 0
    for i, span in enumerate(value):
        if not isinstance(span, list) or [type(end) for end in span] != [int, int]:
            raise InputError(f"offsets: token {i} is not [start, end]")
        if not before <= span[0] < span[1] <= length:
            raise InputError(f"offsets: token {i} is empty, overlaps the one before or lies outside the prompt")
        before = span[1]
        spans.append((span[0], span[1]))
    return spans


def _mask(name: str, value: Any, tokens: int) -> tuple[bool, ...]:
    if not isinstance(value, str) or value.strip("01"):
        raise InputError(f"{name}: is not a text of 0 and 1")
    if len(value) != tokens:
        raise InputError(f"{name}: has {len(value):,} marks, but there are {tokens:,} tokens")
    return tuple(mark == "1" for mark in value)


def _pins(value: Any, human: Sequence[bool]) -> dict[int, bool]:
    if not isinstance(value, dict):
        raise InputError("pins: is not an object of token index -> true or false")
    pins: dict[int, bool] = {}
    for key, keep in value.items():
        if not _INDEX.fullmatch(key) or int(key) >= len(human):
            raise InputError(f"pins: {ascii(key)[:40]} is not the index of a token")
        if not isinstance(keep, bool):
            raise InputError(f"pins: token {key} is not true or false")
        if human[int(key)] != keep:
            raise InputError(f"pins: token {key} is pinned to {'keep' if keep else 'drop'}, but human_mask differs")
        pins[int(key)] = keep
    return pins


def _overlaps(old: Spans, new: Spans) -> list[list[int]]:
    """For each new span the old ones that share a character with it; both are in order."""
    found, first = [], 0
    for start, end in new:
        while first < len(old) and old[first][1] <= start:
            first += 1
        i = first
        while i < len(old) and old[i][0] < end:
            i += 1
        found.append(list(range(first, i)))
    return found


def _carried(human: Sequence[bool], over: Sequence[Sequence[int]], prompt: Prompt) -> tuple[bool, ...]:
    """The person's mask on this version's tokens, where it says the same about every part of a token."""
    keep = []
    for token, old in zip(prompt.tokens, over, strict=True):
        states = {human[i] for i in old}
        if len(states) != 1:
            what = "says both keep and drop" if states else "says nothing"
            raise InputError(
                f"offsets: another version split this prompt into tokens, and of characters {token.start} to "
                f"{token.end}, one token here, its mask {what}; correct the prompt again"
            )
        keep.append(states.pop())
    return tuple(keep)


def _whole(name: str, value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**63:
        raise InputError(f"{name}: is not a whole number from 0 to 2^63 - 1")
    return value


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise InputError(f"{name}: is not a number from 0 to 1")
    return float(value)


def _refuse(constant: str) -> float:
    raise InputError(f"holds {constant}, which is not a number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) < len(pairs):
        raise InputError("has a field twice")
    return out
