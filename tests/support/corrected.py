"""Records of corrections for tests, as an export writes them."""

from __future__ import annotations

import hashlib
import json
import uuid
from pathlib import Path
from typing import Any

from model.prompt import Prompt, parse
from model.training.corrections import CorrectedPrompt, read_corrections


def bits(mask: Any) -> str:
    return "".join("01"[bool(keep)] for keep in mask)


def fields_for(parsed: Prompt, before: Any, after: Any, **given: Any) -> dict[str, Any]:
    """A record as the export writes it; what changed is pinned."""
    pairs = zip(before, after, strict=True)
    return {
        "id": uuid.uuid4().hex,
        "revision": 1,
        "status": "submitted",
        "prompt": parsed.text,
        "prompt_sha256": hashlib.sha256(parsed.text.encode()).hexdigest(),
        "offsets": [[token.start, token.end] for token in parsed.tokens],
        "shot_starts": [shot.start for shot in parsed.parts],
        "model_mask": bits(before),
        "human_mask": bits(after),
        "pins": {str(i): bool(human) for i, (model, human) in enumerate(pairs) if model != human},
        "retention": 0.5,
        "steps": 4,
        "threshold": 0.0,
        "seed": 3,
        "checkpoint": "tiny",
        "annotator": "Ann",
        "seconds": 2.5,
        "note": "",
        "reviewer": "",
        "review_note": "",
        "created_at": "2026-11-22T03:05:00.000000Z",
    } | given


def plain(**given: Any) -> dict[str, Any]:
    """A correction of "Be brief." that keeps the second word instead of the first."""
    return fields_for(parse("Be brief."), [1, 0, 1], [0, 1, 1], **given)


def write(path: Path, *records: Any) -> Path:
    lines = (r if isinstance(r, str) else json.dumps(r) for r in records)
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def read(tmp_path: Path, *records: Any) -> list[CorrectedPrompt]:
    return read_corrections(write(tmp_path / "corrections.jsonl", *records))[0]
