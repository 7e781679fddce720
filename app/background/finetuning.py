"""Learning from corrections in the background: one job at a time, which belongs to the studio and not to a visitor."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotations.errors import ExportError, RecordError, StoreError
from annotations.files.formats import write_jsonl
from annotations.files.scratch import remove_leftovers, scratch_folder
from annotations.results import TO_LEARN, Filter
from annotations.store import RevisionKey, Store
from app.background.priority import lower_priority
from app.background.served import Served
from app.hosting.learning import SHARE, capped, verdict
from app.hosting.mode import Hosting
from model.errors import InputError
from model.record import CorrectionRecord
from model.training.holdout import held_out_prompts, is_held_out

if TYPE_CHECKING:
    from model.training.finetune import FineTuned

RUNNING, CANCELLING, DONE, CANCELLED, FAILED = "running", "cancelling", "done", "cancelled", "failed"
CHECKPOINTS_FOLDER = "checkpoints"  # in the data folder
_SCRATCH = ".making-"
HELD_OUT = 0.2  # share of the prompts that are measured on, never learnt from
_NOTHING = "There is nothing to learn from: correct some prompts first, or choose more corrections."
_ONLY_MEASURED = (
    "There is nothing to learn from: at least one corrected prompt is only measured on, and one in "
    f"{round(1 / HELD_OUT)} of many. Correct more prompts."
)
_TOO_FEW = (
    "There is too little to learn from: only accepted contributions count, and nobody's may be more than "
    f"{SHARE:.0%} of them."
)
_INTERRUPTED = "The server stopped in the middle of fine-tuning. Nothing was changed: start it again."


@dataclass(frozen=True)
class Lesson:
    """What to learn from, and how.

    Attributes:
        statuses: of the corrections.
        unused: only those that neither the served checkpoint nor its ancestors learned from.
        held_out: share of the prompts to measure on, never learned from, see `model.training.holdout`.
        epochs: at the most.
        seed: decides the noise.
    """

    statuses: tuple[str, ...] = TO_LEARN
    unused: bool = True
    held_out: float = HELD_OUT
    epochs: int = 12
    seed: int = 0


@dataclass(frozen=True)
class FineTuningJob:
    """How far fine-tuning is.

    state: RUNNING, CANCELLING, DONE, CANCELLED or FAILED; message: why it failed; loss: of the last step.
    """

    state: str
    parent: str
    corrections: int
    message: str = ""
    step: int = 0
    total: int = 0
    loss: float | None = None
    result: FineTuned | None = None
    started: float = field(default_factory=time.monotonic)
    seconds: float = 0.0

    @property
    def alive(self) -> bool:
        """Whether it is still at work."""
        return self.state in (RUNNING, CANCELLING)


class _Cancelled(Exception):
    pass


class FineTuning:
    """The one job of the studio, and the last one's outcome. Safe to share between threads.

    learn: (corrections file, folder to make, folder of the parent or None, lesson, progress) -> FineTuned.
    """

    def __init__(self, served: Served, open_store: Callable[[], Store], learn: Callable[..., FineTuned] | None = None):
        self._served, self._open_store, self._learn = served, open_store, learn or _finetune
        self._lock = threading.Lock()
        self._job: FineTuningJob | None = None
        self._thread: threading.Thread | None = None

    @property
    def job(self) -> FineTuningJob | None:
        """The job as it is now; None = there was none, or its outcome was put away."""
        with self._lock:
            return self._job

    def choose(self, lesson: Lesson) -> list[RevisionKey]:
        """Id and revision of the corrections that a lesson is made of, those to measure on included: they are never
        used up. Raises StoreError, RecordError, InputError."""
        if not lesson.statuses:
            return []
        unused_by = self._served.compressor.checkpoint.id if lesson.unused else ""
        store = self._open_store()
        if not self._hosting.hosted:
            return store.keys(Filter(lesson.statuses, unused_by=unused_by))
        given = store.keys(Filter(("accepted",), unused_by=unused_by, contributed=True))
        named = ((record.id, record.revision, record.annotator) for record in store.fetch(given))
        return capped([((id, n), who) for id, n, who in named if not self._hosting.is_admin(who)])

    def split(self, keys: Sequence[RevisionKey], share: float) -> tuple[list[RevisionKey], list[RevisionKey]]:
        """Those to learn from, and those to measure on: nothing is learnt where all are prompts to measure on."""
        prompts = self._open_store().prompts_of(keys)
        apart = {sha256 for sha256 in prompts.values() if is_held_out(sha256, share)}
        if apart != set(prompts.values()):
            apart = held_out_prompts(prompts.values(), share)
        learnt = [key for key in keys if prompts.get(key) not in apart]
        return learnt, [key for key in keys if prompts.get(key) in apart]

    @property
    def _hosting(self) -> Hosting:
        return self._served.settings.hosting

    def _verdict(self, parent: Path | None, child: Path) -> dict[str, Any]:
        """What the admins' hold-out says, where strangers are served."""
        if not self._hosting.hosted:
            return {}
        store = self._open_store()
        there = store.fetch(store.keys(Filter(("submitted", "accepted"))))
        holdout = [record for record in there if self._hosting.is_admin(record.annotator)]
        return verdict(self._served.load(parent), self._served.load(child), holdout)

    def start(self, lesson: Lesson) -> None:
        """Begin. Raises InputError when a job runs already or there is nothing to learn; StoreError."""
        parent = self._served.compressor.checkpoint.id
        keys = self.choose(lesson)
        if not keys:
            raise InputError(_TOO_FEW if self._hosting.hosted else _NOTHING)
        if not self.split(keys, lesson.held_out)[0]:
            raise InputError(_ONLY_MEASURED)
        with self._lock:
            if self._job is not None and self._job.alive:
                raise InputError("Fine-tuning is running already; wait for it or cancel it.")
            self._job = FineTuningJob(RUNNING, parent, len(keys))
            self._thread = threading.Thread(target=self._run, args=(keys, lesson, parent), daemon=True)
            self._thread.start()

    def recover(self) -> None:
        """After a start: remove what a killed server left of its job, prompts included, and say that it failed."""
        if remove_leftovers(self._served.settings.data_folder / CHECKPOINTS_FOLDER, _SCRATCH):
            with self._lock:
                self._job = self._job or FineTuningJob(FAILED, "", 0, _INTERRUPTED)

    def cancel(self) -> None:
        """End the job after its present step; no checkpoint is left."""
        with self._lock:
            if self._job is not None and self._job.state == RUNNING:
                self._job = replace(self._job, state=CANCELLING)

    def dismiss(self) -> None:
        """Put the outcome of a finished job away; its checkpoint stays."""
        with self._lock:
            if self._job is not None and not self._job.alive:
                self._job = None

    def wait(self, seconds: float) -> None:
        """Until the job is over, but not longer."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _run(self, keys: Sequence[RevisionKey], lesson: Lesson, parent: str) -> None:
        lower_priority()
        try:
            result = self._make(keys, lesson, parent)
            self._change(state=DONE, result=result)
        except _Cancelled:
            self._change(state=CANCELLED)
        except (InputError, RecordError, StoreError, ExportError, OSError) as error:
            self._change(state=FAILED, message=str(error))
        except Exception:  # a job must end in a way that people can see
            logging.getLogger(__name__).exception("fine-tuning failed")
            self._change(state=FAILED, message="An unexpected error; the server's log says more.")

    def _make(self, keys: Sequence[RevisionKey], lesson: Lesson, parent: str) -> FineTuned:
        store, checkpoints = self._open_store(), self._served.settings.data_folder / CHECKPOINTS_FOLDER
        with scratch_folder(checkpoints, _SCRATCH) as scratch:
            file, out = scratch / "corrections.jsonl", scratch / "checkpoint"
            write_jsonl(file, _learnable(store.fetch(keys)))
            folder = self._served.folder(store.checkpoint(parent).path)
            try:
                result = self._learn(file, out, folder, lesson, self._progress)
            except InputError as error:  # the person has never seen the temporary file
                raise InputError(str(error).replace(str(file), "The choice")) from error
            final = checkpoints / result.checkpoint
            if not final.exists():  # else the same corrections gave the same weights before
                out.rename(final)
        path = f"{CHECKPOINTS_FOLDER}/{result.checkpoint}"
        metrics = {**_metrics(result), **self._verdict(folder, final)}
        store.add_checkpoint(result.checkpoint, path, parent, metrics, used=self.split(keys, lesson.held_out)[0])
        return replace(result, folder=final)

    def _progress(self, step: int, total: int, loss: float) -> None:
        with self._lock:
            assert self._job is not None
            if self._job.state == CANCELLING:
                raise _Cancelled
            self._job = replace(self._job, step=step, total=total, loss=float(loss))

    def _change(self, **fields: Any) -> None:
        with self._lock:
            assert self._job is not None
            self._job = replace(self._job, seconds=time.monotonic() - self._job.started, **fields)


def _learnable(corrections: Iterable[CorrectionRecord]) -> Iterator[CorrectionRecord]:
    """Without those that nothing can be learnt from: one of them must not stop all the others."""
    from model.training.corrections import corrected_prompt  # here, so that the studio opens without it

    for correction in corrections:
        try:
            corrected_prompt(correction)
        except InputError as error:
            logging.getLogger(__name__).warning("correction %s is left out: %s", correction.id, error)
        else:
            yield correction


def _metrics(result: FineTuned) -> dict[str, Any]:
    """What the store keeps of a fine-tuning."""
    rates = ("agreement_before", "agreement_after", "edit_rate_before", "edit_rate_after")
    counts = {"train": result.train, "held_out": result.held_out, "data": result.data}
    return {**{name: round(getattr(result, name), 4) for name in rates}, **counts, "seconds": round(result.seconds, 1)}


def _finetune(
    corrections: Path, out: Path, parent: Path | None, lesson: Lesson, progress: Callable[[int, int, float], None]
) -> FineTuned:
    from model.training.finetune import FinetuneConfig, finetune  # here, so that the studio opens without it

    standard = FinetuneConfig(corrections, out)
    config = replace(
        standard,
        parent=parent,
        validation=lesson.held_out,
        seed=lesson.seed,
        fit=replace(standard.fit, epochs=lesson.epochs),
    )
    return finetune(config, progress)
