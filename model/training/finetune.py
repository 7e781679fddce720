"""Learning from corrections: a new checkpoint that decides more like the people who corrected its parent.

The corrected mask is clean data under the same noise as in training (hide states at random, recover them). Only the
tokens that the person decided are learnt from it. The token denoiser learns; a unit head goes over to the new
checkpoint as it is. Of the others the new model is to think what its parent thought,
seeing the same states (learning without forgetting, Li and Hoiem 2016, arXiv 1606.09282): a token left alone may only
have been good enough. So that a few prompts of one kind do not change what it makes of others, it also rehearses the
parent's judgement of the prompts in `REHEARSED`, which nobody corrected.

Corrections of masks of whole units teach the unit head (`model.training.corrected_units`), and the token denoiser only
where it has a say: in demonstrations, and in masks of single tokens.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ..compress import Compressor, CompressRequest
from ..denoiser.checkpoint import save_checkpoint
from ..denoiser.hierarchy import needs_tokens
from ..denoiser.unit_head import UnitHead
from ..errors import InputError
from ..prompt import parse
from ..prompt.pieces import Rules
from ..prompt.pins import pins_for_task
from .batches import Item
from .corrected_units import CorrectedUnits, fit_corrected_units
from .corrections import CorrectedPrompt, read_corrections
from .fit import Epoch, FitConfig, FitProgress, fit
from .holdout import held_out_prompts

TOUCHED = 3.0  # how much a token that the person decided counts against one left alone
RETENTIONS = (0.2, 0.35, 0.5, 0.7)  # at which each correction is learnt, besides its own
REHEARSED = Path(__file__).parent / "rehearsal"


@dataclass(frozen=True)
class FinetuneConfig:
    """Fine-tune on people's corrections.

    Attributes:
        corrections: JSONL file, see `model.training.corrections`.
        out: folder of the new checkpoint; must not exist.
        parent: checkpoint to go on from; None: the shipped one.
        validation: share of the prompts that is held out, at least one and never all. The text of a prompt decides
            whether it is one of them, see `model.training.holdout`.
        seed: decides the noise.
        resumable: keep a state file beside `out`, so that the same run goes on where it was interrupted. Otherwise
            nothing is left of a run that did not finish.
        fit: how to optimise; its seed is replaced by `seed`.
    """

    corrections: Path
    out: Path
    parent: Path | None = None
    validation: float = 0.2
    seed: int = 0
    resumable: bool = False
    fit: FitConfig = FitConfig(epochs=12, patience=4, rate=1e-4)

    def __post_init__(self) -> None:
        if not 0 < self.validation < 1:
            raise InputError(f"validation {self.validation:g} must be between 0 and 1")


@dataclass(frozen=True)
class HeldOut:
    """A correction that was kept apart, and what both models make of its prompt.

    Attributes:
        before, after: share of its tokens that the person would have to change.
        person, text_before, text_after: the prompt as the person left it, and as the two models shorten it.
        sha256: of the prompt, which several people may have corrected.
    """

    before: float
    after: float
    person: str
    text_before: str
    text_after: str
    sha256: str


@dataclass(frozen=True)
class FineTuned:
    """A new checkpoint and what it learned.

    Attributes:
        checkpoint, folder: its id and where it is.
        parent: id of the checkpoint that it comes from.
        train, held_out: how many corrections were learnt from and how many kept apart; no prompt is in both.
        agreement_before, agreement_after: share of tokens on which the model decides like the person, asked for a mask
            as long as the person's; mean over the tokens of the held-out corrections.
        edit_rate_before, edit_rate_after: share of tokens that the person would have to change, the model asked as it
            was for the correction (length, steps, threshold, seed), without the person's pins.
        epochs: training and validation loss of each epoch.
        seconds: wall time.
        data: sha256 of the corrections file.
        held: the corrections that were kept apart, one by one.
    """

    checkpoint: str
    folder: Path
    parent: str
    train: int
    held_out: int
    agreement_before: float
    agreement_after: float
    edit_rate_before: float
    edit_rate_after: float
    epochs: list[Epoch]
    seconds: float
    data: str
    held: tuple[HeldOut, ...] = ()

    def summary(self) -> str:
        """What was learnt, for a person at a terminal."""
        return (
            f"{self.folder}: checkpoint {self.checkpoint}, made of {self.parent} and {self.train} corrections in "
            f"{self.seconds:.0f} s\non {self.held_out} held-out corrections: "
            f"agreement {self.agreement_before:.1%} -> {self.agreement_after:.1%}, "
            f"edit rate {self.edit_rate_before:.1%} -> {self.edit_rate_after:.1%}"
        )

    def to_json(self) -> dict[str, object]:
        record = asdict(self) | {"folder": str(self.folder)}
        del record["held"]  # people's texts
        return record


def finetune(config: FinetuneConfig, progress: FitProgress | None = None) -> FineTuned:
    """Learn from the corrections and save a new checkpoint.

    Args:
        progress: called after each step with (step, all steps, loss); what it raises ends the run, and no checkpoint
            is written then.
    Raises InputError when the file or a record in it is not valid, `out` is there already, or fewer than two prompts
    were corrected.
    """
    began = time.perf_counter()
    if config.out.exists() or config.out.is_symlink():
        raise InputError(f"{config.out} is there already; checkpoints are never overwritten, so name another folder")
    corrections, data = read_corrections(config.corrections)
    learnt, held = hold_out(corrections, config)
    parent = Compressor.load(config.parent)
    before, masks_before = agreement_with_people(parent, held), _masks(parent, held)
    items, valid = (
        [
            item
            for correction in side
            if _by_tokens(correction, parent)
            for item in items_of_correction(correction, parent)
        ]
        for side in (learnt, held)
    )
    fitting = replace(config.fit, seed=config.seed)
    start = parent.checkpoint
    state = _state(config, data, start.id) if config.resumable else None
    student = deepcopy(start.denoiser)
    history: list[Epoch] = []
    if items:
        items, valid = items + rehearsal(parent), valid or rehearsal(parent)
        history = fit(
            student, start.collator, items, valid, fitting, parent=start.denoiser, state=state, progress=progress
        )
    student.half().float()  # as the new checkpoint will hold it
    head, of_units = _fit_units(parent, learnt, held, config.seed, None if items else progress)
    history = history or of_units
    child = Compressor(replace(start, denoiser=student, unit_head=head))
    after, masks_after = agreement_with_people(child, held), _masks(child, held)
    rates = _wrong(held, masks_before), _wrong(held, masks_after)
    metrics = {
        "agreement_before": round(before, 4),
        "agreement_after": round(after, 4),
        "edit_rate_before": round(rates[0], 4),
        "edit_rate_after": round(rates[1], 4),
        "epochs": [asdict(epoch) for epoch in history],
    }
    meta = {
        "parent": start.id,
        "base": start.meta.get("base"),
        "licence": start.meta.get("licence"),
        "data": data,
        "corrections": {"train": len(learnt), "held_out": len(held)},
        "metrics": metrics,
        "fit": asdict(fitting),
    }
    new = save_checkpoint(config.out, student, start.collator.tokenizer, meta, unit_head=head)
    if state is not None:
        _forget_states(config.out)
    seconds = time.perf_counter() - began
    return FineTuned(
        new, config.out, start.id, len(learnt), len(held),
        before, after, *rates, history, seconds, data,
        tuple(map(_held_out, held, masks_before, masks_after)),
    )  # fmt: skip


def _fit_units(
    parent: Compressor,
    learnt: Sequence[CorrectedPrompt],
    held: Sequence[CorrectedPrompt],
    seed: int,
    progress: FitProgress | None,
) -> tuple[UnitHead | None, list[Epoch]]:
    """The unit head after the corrections that it had to decide; the parent's where there are none."""
    head = parent.checkpoint.unit_head
    if head is None:
        return head, []

    def units(corrections: Sequence[CorrectedPrompt]) -> list[CorrectedUnits]:
        own = [c for c in corrections if _by_units(c, parent)]
        read = (CorrectedUnits.of(parent.relevance, c.prompt, c.keep, c.touched, c.asked.retention) for c in own)
        return [each for each in read if each is not None]

    to_learn = units(learnt)
    if not to_learn:
        return head, []
    texts = [path.read_text(encoding="utf-8") for path in sorted(REHEARSED.glob("*.txt"))]
    nobody = (
        CorrectedUnits.of(parent.relevance, prompt, [False] * len(prompt), [False] * len(prompt), retention)
        for prompt in map(parse, texts)
        for retention in RETENTIONS
    )
    rehearsed = [each for each in nobody if each is not None]
    return fit_corrected_units(head, to_learn, units(held), rehearsed, seed, progress)


def _by_tokens(correction: CorrectedPrompt, parent: Compressor) -> bool:
    """Whether the token denoiser had a say in the mask, so that it has to learn the correction."""
    rules = Rules(**correction.rules)
    return not _by_units(correction, parent) or needs_tokens(correction.prompt, rules.granularity)


def _by_units(correction: CorrectedPrompt, parent: Compressor) -> bool:
    """Whether the unit head had a say in it."""
    return parent.checkpoint.unit_head is not None and not Rules(**correction.rules).free


def _state(config: FinetuneConfig, data: str, parent: str) -> Path:
    """Where an interrupted run is kept: a run with other data, parent or settings has another file."""
    config.out.parent.mkdir(parents=True, exist_ok=True)
    run = json.dumps([data, parent, config.validation, config.seed, asdict(config.fit)])
    return config.out.with_name(f"{config.out.name}.{hashlib.sha256(run.encode()).hexdigest()[:8]}.state")


def _forget_states(out: Path) -> None:
    """Remove the states of all runs that would have made this checkpoint."""
    for path in out.parent.iterdir():
        if re.fullmatch(rf"{re.escape(out.name)}\.[0-9a-f]{{8}}\.state", path.name):
            path.unlink(missing_ok=True)


# --- what is learnt ----------------------------------------------------------------------------------------


def hold_out(
    corrections: Sequence[CorrectedPrompt], config: FinetuneConfig
) -> tuple[list[CorrectedPrompt], list[CorrectedPrompt]]:
    """Corrections to learn from and to hold out; a prompt is wholly on one side, whoever corrected it.

    Raises InputError when fewer than two prompts were corrected.
    """
    prompts = {c.sha256 for c in corrections}
    if len(prompts) < 2:
        many = f"{len(corrections)} corrections of one prompt" if prompts else "no submitted or accepted correction"
        raise InputError(
            f"{config.corrections} holds {many}; learning needs corrections of at least 2 prompts, because one of "
            "them is held out to measure it"
        )
    apart = held_out_prompts(prompts, config.validation)
    return [c for c in corrections if c.sha256 not in apart], [c for c in corrections if c.sha256 in apart]


def items_of_correction(correction: CorrectedPrompt, compressor: Compressor) -> list[Item]:
    """The person's mask, and masks of other lengths: what the parent decides around the tokens that were touched."""
    own = Item(correction.prompt, correction.keep, [TOUCHED if touched else 0.0 for touched in correction.touched])
    fixed = {i: correction.keep[i] for i, touched in enumerate(correction.touched) if touched}
    others = [r for r in RETENTIONS if abs(r - own.retention) > 0.05]
    masks = [_mask(compressor, correction, retention, fixed) for retention in others]
    return [own, *(replace(own, keep=mask) for mask in masks if any(mask))]


def rehearsal(compressor: Compressor) -> list[Item]:
    """Masks of prompts of other kinds, of which nothing is to change; each at every other length."""
    items = []
    for i, path in enumerate(sorted(REHEARSED.glob("*.txt"))):
        text = path.read_text(encoding="utf-8")
        for retention in RETENTIONS[i % 2 :: 2]:
            result = compressor.compress(text, retention)
            items.append(Item(result.prompt, result.trace.keep, [0.0] * len(result.prompt)))
    return items


# --- how good it is ----------------------------------------------------------------------------------------


Mask = tuple[bool, ...]


def agreement_with_people(compressor: Compressor, corrections: Sequence[CorrectedPrompt]) -> float:
    """Share of tokens on which the model, asked for as long a mask as the person's, decides like the person."""
    lengths = [sum(c.keep) / len(c.keep) for c in corrections]
    return 1 - _wrong(corrections, [_mask(compressor, c, n, {}) for c, n in zip(corrections, lengths, strict=True)])


def edit_rate(compressor: Compressor, corrections: Sequence[CorrectedPrompt]) -> float:
    """Share of tokens that the person would have to change if this model were asked as the model was then."""
    return _wrong(corrections, _masks(compressor, corrections))


def _masks(compressor: Compressor, corrections: Sequence[CorrectedPrompt]) -> list[Mask]:
    """What this model decides, asked as the model was then."""
    return [_mask(compressor, c, c.asked.retention, {}) for c in corrections]


def _wrong(corrections: Sequence[CorrectedPrompt], masks: Sequence[Mask]) -> float:
    """Share of all tokens on which the masks are not the people's."""
    differ = [sum(a != b for a, b in zip(m, c.keep, strict=True)) for c, m in zip(corrections, masks, strict=True)]
    return sum(differ) / sum(map(len, masks))


def _held_out(correction: CorrectedPrompt, before: Mask, after: Mask) -> HeldOut:
    person, old, new = (correction.prompt.render(mask) for mask in (correction.keep, before, after))
    was, now = (_wrong([correction], [mask]) for mask in (before, after))
    return HeldOut(was, now, person, old, new, correction.sha256)


def _mask(compressor: Compressor, correction: CorrectedPrompt, retention: float, pins: Mapping[int, bool]) -> Mask:
    """The model's mask, asked as it was for the correction, at another length.

    Instruction and question, if the model's mask kept them whole then, were pinned by rule, as they are here.
    """
    task, asked = pins_for_task(correction.prompt), correction.asked
    request = CompressRequest(
        correction.prompt, retention, asked.steps, asked.threshold, asked.temperature, asked.seed,
        keep_task=all(correction.model[i] for i in task), pins=pins, **correction.rules,
    )  # fmt: skip
    return compressor.run(request).trace.keep
