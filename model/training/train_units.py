"""From answers by reference to a checkpoint with a new unit head: read, fit, calibrate, measure, save."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..compress import SHIPPED_ENCODER, SHIPPED_READER
from ..data.asked import AskedData
from ..denoiser.checkpoint import load_checkpoint, save_checkpoint
from ..denoiser.unit_head import UnitHeadConfig
from ..devices import pick_device
from ..errors import InputError
from ..relevance.encoder import SentenceEncoder
from ..relevance.question_reader import QuestionReader
from ..teacher.answers import AnsweredUnits, read_answers
from .calibration import platt_scaled, reliability
from .fit_units import UnitFitConfig, fit_units, measured, new_head
from .unit_examples import UnitExample, read_examples

REMEMBERED = 2**30  # bytes of embeddings; documents recur among prompts


@dataclass(frozen=True)
class TrainUnitsConfig:
    """Train a unit head.

    Attributes:
        pairs: files of `teach --kinds`.
        data: folder that the pairs refer to.
        out: folder of the new checkpoint; must not exist.
        parent: checkpoint whose token denoiser stays as it is; None: the shipped one.
        anew: begin with a new head, instead of the parent's.
        encoder: Hugging Face sentence encoder whose embeddings a new head reads; None: the shipped one.
        reader: the shipped question reader has a say, too.
        features: folder for what the encoder makes of the prompts, from where an interrupted run goes on; None: beside
            `out`.
        fit: how to learn.
    """

    pairs: tuple[Path, ...]
    data: Path
    out: Path
    parent: Path | None = None
    anew: bool = True
    encoder: str | None = None
    reader: bool = True
    features: Path | None = None
    fit: UnitFitConfig = UnitFitConfig()


def train_units(config: TrainUnitsConfig) -> dict[str, Any]:
    """Train, print how it goes, save the checkpoint; returns its metrics.

    Raises InputError when `out` exists, a file is missing or there is nothing to learn or to validate.
    """
    if config.out.exists():
        raise InputError(f"{config.out} is there already; checkpoints are never overwritten, so name another folder")
    parent = load_checkpoint(config.parent)
    pairs = [pair for path in config.pairs for pair in read_answers(path)]
    encoder = _encoder(config)
    reader = QuestionReader.load(encoder) if config.reader and not config.encoder else None
    learnt = _read(config, [pair for pair in pairs if pair.split == "train"], encoder, None)
    valid = _read(config, [pair for pair in pairs if pair.split == "valid"], encoder, reader)
    if not learnt or not valid:
        raise InputError(f"{len(learnt)} prompts to learn from and {len(valid)} to validate: at least one of each")
    width = int(learnt[0].relevance.vectors.shape[1])
    name = SHIPPED_READER if reader else ""
    shape = UnitHeadConfig(encoder=config.encoder or SHIPPED_ENCODER, width=width, reader=name)
    start = new_head(learnt, shape, config.fit.seed) if config.anew or not parent.unit_head else parent.unit_head
    head, losses = fit_units(learnt, config.fit, start)
    before = reliability(head, valid)
    head = platt_scaled(head, valid)
    metrics = {
        "loss": [round(loss, 4) for loss in losses],
        "answers_kept": {kind: [round(share, 4) for share in row] for kind, row in measured(head, valid).items()},
        "calibration_error": [round(before.error, 4), round(reliability(head, valid).error, 4)],
    }
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in config.pairs)).hexdigest()
    meta = {**parent.meta, "parent": parent.id, "data": digest, "unit_metrics": metrics, "unit_fit": asdict(config.fit)}
    save_checkpoint(config.out, parent.denoiser, parent.collator.tokenizer, meta, unit_head=head)
    print(metrics)
    return metrics


def _encoder(config: TrainUnitsConfig) -> SentenceEncoder:
    encoder = SentenceEncoder.load(config.encoder, pick_device())
    encoder.remember(REMEMBERED)
    return encoder


def _read(
    config: TrainUnitsConfig, pairs: list[AnsweredUnits], encoder: SentenceEncoder, reader: QuestionReader | None
) -> list[UnitExample]:
    """reader: for prompts that it has not learnt from; what its logits count for is fitted on those."""
    folder = config.features or config.out.with_name(f"{config.out.name}.features")
    return read_examples(AskedData(config.data), pairs, encoder, folder, reader)
