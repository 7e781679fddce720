"""Which model is served, and fine-tuning as a job of the service, with scripted models."""

from __future__ import annotations

import hashlib
import itertools
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import text

from annotations.errors import NotFoundError, StoreError
from annotations.files.scratch import scratch_folder
from annotations.store import Store, open_store
from app.background.finetuning import CANCELLED, DONE, FAILED, RUNNING, Lesson
from app.settings import Settings
from app.studio import Studio
from model.compress import CompressRequest
from model.errors import InputError
from model.training.finetune import FineTuned
from model.training.fit import Epoch
from model.training.holdout import is_held_out
from tests.support.saving import fields
from tests.support.scripted import ScriptedCompressor

PATIENCE = 60.0


def load(folder: Path | None = None) -> Any:
    """A scripted model whose id is what its folder holds; "scripted" is shipped."""
    made = ScriptedCompressor()
    if folder is not None:
        if not folder.is_dir():
            raise InputError(f"there is no checkpoint {folder}")
        made.checkpoint = SimpleNamespace(**{**vars(made.checkpoint), "id": (folder / "id").read_text()})
    return made


class Learner:
    """Stands in for model.training.finetune: a step whenever it is allowed one."""

    def __init__(self, steps: int = 2):
        self.steps, self.go = steps, threading.Semaphore(0)
        self.seen: list[Any] = []
        self.error: Exception | None = None
        self.id = "a" * 12

    def __call__(
        self, file: Path, out: Path, parent: Path | None, lesson: Lesson, progress: Callable[..., None]
    ) -> FineTuned:
        self.seen.append((file.read_text().splitlines(), parent, lesson))
        for step in range(1, self.steps + 1):
            assert self.go.acquire(timeout=PATIENCE)
            progress(step, self.steps, 1 / step)
        if self.error:
            raise self.error
        out.mkdir()
        (out / "id").write_text(self.id)
        epochs = [Epoch(0, 1.0, 0.9)]
        return FineTuned(self.id, out, "?", 2, 1, 0.5, 0.75, 0.5, 0.25, epochs, 0.1, "d" * 64)

    def run(self) -> None:
        for _ in range(self.steps):
            self.go.release()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(f"sqlite:///{tmp_path}/store.sqlite3")


@pytest.fixture
def learner() -> Learner:
    return Learner()


def studio(tmp_path: Path, store: Store, learner: Any = None, **settings: Any) -> Studio:
    return Studio(Settings(data=tmp_path, **settings), load, lambda: store, learner)


def learnable() -> Iterator[str]:
    """Prompts that are never held out for their text."""
    texts = (f"Prompt {uuid.uuid4().hex}." for _ in itertools.count())
    return (text for text in texts if not is_held_out(hashlib.sha256(text.encode()).hexdigest(), 0.5))


def correct(store: Store, count: int = 3) -> list[tuple[str, int]]:
    saved = [store.submit(fields(text)).correction for text in itertools.islice(learnable(), count)]
    return [(one.id, one.revision) for one in saved]


def teach(made: Studio, learner: Learner, id: str) -> None:
    """Fine-tune to a checkpoint of this id."""
    learner.id = id
    made.finetuning.start(Lesson(unused=False))
    learner.run()
    made.finetuning.wait(PATIENCE)
    assert made.finetuning.job and made.finetuning.job.state == DONE, made.finetuning.job


# --- the job -----------------------------------------------------------------------------------------------


def test_a_job_learns_what_was_chosen_and_its_checkpoint_is_registered(
    tmp_path: Path, store: Store, learner: Learner
) -> None:
    made = studio(tmp_path, store, learner)
    keys = correct(store)
    rejected = store.submit(fields("Bad.")).correction
    store.review(rejected.id, 1, "rejected", "Rita")
    made.finetuning.start(Lesson(held_out=0.4, epochs=3, seed=5))
    with pytest.raises(InputError, match="running already"):
        made.finetuning.start(Lesson())
    learner.go.release()
    while not (job := made.finetuning.job) or not job.step:
        assert job and job.alive
    assert (job.state, job.step, job.total, job.loss) == (RUNNING, 1, 2, 1.0)
    learner.go.release()
    made.finetuning.wait(PATIENCE)
    job = made.finetuning.job
    assert job and job.state == DONE and job.result and job.corrections == 3
    ((lines, parent, lesson),) = learner.seen
    assert len(lines) == 3 and parent is None and (lesson.held_out, lesson.epochs, lesson.seed) == (0.4, 3, 5)
    new = store.checkpoint("a" * 12)
    assert (new.parent, new.path, new.corrections) == ("scripted", "checkpoints/" + "a" * 12, 2)
    assert new.metrics["edit_rate_before"] == 0.5 and new.metrics["edit_rate_after"] == 0.25
    learnt, held = made.finetuning.split(keys, 0.4)
    assert set(store.used_by(new.id)) == set(learnt) and len(held) == 1
    assert job.result.folder == tmp_path / "checkpoints" / new.id and (job.result.folder / "id").is_file()
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == [new.id], "no scratch is left"
    assert made.compressor.checkpoint.id == "scripted", "nothing is promoted by itself"
    made.served.promote(new.id)
    assert made.finetuning.choose(Lesson()) == held, "what was measured on is not used up"
    assert len(made.finetuning.choose(Lesson(unused=False))) == 3
    with pytest.raises(InputError, match="nothing to learn"):
        made.finetuning.start(Lesson())
    made.finetuning.dismiss()
    assert made.finetuning.job is None


def test_the_same_weights_again_are_the_same_checkpoint(tmp_path: Path, store: Store, learner: Learner) -> None:
    made = studio(tmp_path, store, learner)
    correct(store)
    teach(made, learner, "b" * 12)
    teach(made, learner, "b" * 12)
    assert sorted(one.id for one in store.checkpoints()) == ["b" * 12, "scripted"]


def test_cancel_leaves_nothing(tmp_path: Path, store: Store, learner: Learner) -> None:
    made = studio(tmp_path, store, learner)
    correct(store)
    made.finetuning.start(Lesson())
    made.finetuning.cancel()
    learner.run()
    made.finetuning.wait(PATIENCE)
    assert made.finetuning.job and made.finetuning.job.state == CANCELLED
    assert list((tmp_path / "checkpoints").iterdir()) == [] and len(store.checkpoints()) == 1
    teach(made, learner, "c" * 12)  # and it can be started again


@pytest.mark.parametrize(
    ("error", "says"), [(InputError("too few prompts"), "too few"), (ZeroDivisionError("secret"), "log says more")]
)
def test_a_failed_job_says_why(tmp_path: Path, store: Store, learner: Learner, error: Exception, says: str) -> None:
    made = studio(tmp_path, store, learner)
    correct(store)
    learner.error = error
    made.finetuning.start(Lesson())
    learner.run()
    made.finetuning.wait(PATIENCE)
    job = made.finetuning.job
    assert job and job.state == FAILED and says in job.message and "secret" not in job.message


# --- the served model --------------------------------------------------------------------------------------


def test_promote_survives_a_restart_and_rolls_back(tmp_path: Path, store: Store, learner: Learner) -> None:
    made = studio(tmp_path, store, learner)
    correct(store)
    teach(made, learner, "b" * 12)
    assert made.served.promote("b" * 12) == "b" * 12
    teach(made, learner, "c" * 12)
    assert learner.seen[1][1] == tmp_path / "checkpoints" / ("b" * 12), "it goes on from the served one"
    made.served.promote("c" * 12)
    assert [one.id for one in store.lineage("c" * 12)] == ["c" * 12, "b" * 12, "scripted"]
    again = studio(tmp_path, store)
    assert again.compressor.checkpoint.id == "c" * 12 and not again.served.note
    assert again.served.roll_back() == "b" * 12 == again.compressor.checkpoint.id
    assert again.served.roll_back() == "scripted" == again.compressor.checkpoint.id
    with pytest.raises(StoreError, match="no earlier"):
        again.served.roll_back()
    assert studio(tmp_path, store).compressor.checkpoint.id == "scripted"


def test_a_run_ends_with_the_model_it_began_with(tmp_path: Path, store: Store, learner: Learner) -> None:
    made = studio(tmp_path, store, learner)
    correct(store)
    teach(made, learner, "b" * 12)
    ask = CompressRequest("Q: one?\nA: two\n\nQ: three?\nA:", 0.5, 4)
    run = made.start(ask)
    steps = made.denoise(run)
    next(steps)
    made.served.promote("b" * 12)
    list(steps)
    after = made.start(ask)
    list(made.denoise(after))
    assert (run.checkpoint, after.checkpoint) == ("scripted", "b" * 12) and run.trace


def test_the_queue_is_measured_by_the_served_model(tmp_path: Path, store: Store, learner: Learner) -> None:
    made = studio(tmp_path, store, learner)
    correct(store)
    teach(made, learner, "b" * 12)
    store.add_prompts([("One two three.", 0.123)])
    for change in (lambda: made.promote("b" * 12), made.roll_back):
        item = store.waiting()[0]
        store.set_uncertainty(item.id, 0.123)
        change()
        if thread := made.gauge._thread:
            thread.join(60)
        assert store.waiting()[0].uncertainty not in (None, 0.123)


def test_a_promoted_checkpoint_that_is_gone_is_said_and_the_shipped_one_served(
    tmp_path: Path, store: Store, learner: Learner
) -> None:
    made = studio(tmp_path, store, learner)
    correct(store)
    teach(made, learner, "b" * 12)
    made.served.promote("b" * 12)
    (tmp_path / "checkpoints" / ("b" * 12)).rename(tmp_path / "elsewhere")
    again = studio(tmp_path, store)
    assert again.compressor.checkpoint.id == "scripted" and "b" * 12 in again.served.note
    with pytest.raises(InputError, match="no checkpoint"):
        again.served.promote("b" * 12)
    (tmp_path / "elsewhere").rename(tmp_path / "checkpoints" / ("b" * 12))
    assert studio(tmp_path, store).compressor.checkpoint.id == "b" * 12, "the choice was not forgotten"
    assert again.served.promote("b" * 12) and not again.served.note


def test_a_roll_back_that_cannot_be_loaded_changes_nothing(tmp_path: Path, store: Store, learner: Learner) -> None:
    made = studio(tmp_path, store, learner)
    correct(store)
    for id in ("b" * 12, "c" * 12):
        teach(made, learner, id)
        made.served.promote(id)
    (tmp_path / "checkpoints" / ("b" * 12)).rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="no checkpoint"):
        made.served.roll_back()
    served = store.served()
    assert made.compressor.checkpoint.id == "c" * 12 and served and served.id == "c" * 12


def test_the_environment_has_the_last_word(tmp_path: Path, store: Store, learner: Learner) -> None:
    made = studio(tmp_path, store, learner)
    correct(store)
    teach(made, learner, "b" * 12)
    made.served.promote("b" * 12)
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "id").write_text("e" * 12)
    fixed = studio(tmp_path, store, checkpoint=folder)
    assert fixed.compressor.checkpoint.id == "e" * 12 and "DIFFUMASK_CHECKPOINT" in fixed.served.note
    for change in (lambda: fixed.served.promote("b" * 12), fixed.served.roll_back):
        with pytest.raises(InputError, match="DIFFUMASK_CHECKPOINT"):
            change()
    assert studio(tmp_path, store).compressor.checkpoint.id == "b" * 12


def test_a_store_that_fails_stops_nobody_from_compressing(tmp_path: Path) -> None:
    def broken() -> Store:
        raise StoreError("no database")

    made = Studio(Settings(data=tmp_path), load, broken)
    assert made.compressor.checkpoint.id == "scripted"
    with pytest.raises(StoreError):
        made.served.promote("b" * 12)


def test_only_registered_checkpoints_are_promoted(tmp_path: Path, store: Store) -> None:
    made = studio(tmp_path, store)
    assert made.compressor and [one.id for one in store.checkpoints()] == ["scripted"]
    for id in ("../../etc", "b" * 12):
        with pytest.raises(NotFoundError):
            made.served.promote(id)


def test_what_a_killed_server_left_of_a_job_is_removed_and_said(tmp_path: Path, store: Store) -> None:
    """The scratch folder, with people's prompts in it; not that of a server that is still at work."""
    left = tmp_path / "checkpoints" / ".making-left"
    left.mkdir(parents=True)
    (left / "corrections.jsonl").write_text("a secret prompt")
    made = studio(tmp_path, store)
    with scratch_folder(tmp_path / "checkpoints", ".making-") as alive:
        made.finetuning.recover()
        assert alive.exists() and not left.exists()
    job = made.finetuning.job
    assert job is not None and job.state == FAILED and "stopped in the middle" in job.message
    made.finetuning.dismiss()
    made.finetuning.recover()
    assert made.finetuning.job is None


def test_a_correction_that_cannot_be_learnt_is_left_out(tmp_path: Path, store: Store, learner: Learner) -> None:
    made = studio(tmp_path, store, learner)
    correct(store)
    with store._write() as session:  # as versions before this one took it
        session.execute(text("DROP TRIGGER revisions_no_UPDATE"))
        session.execute(text("UPDATE revisions SET human_mask = '0000', pins = '{}' WHERE rowid = 1"))
    before = len(store.keys())
    teach(made, learner, "b" * 12)
    (lines, _, _) = learner.seen[-1]
    assert len(lines) == before - 1


def test_a_promotion_on_one_server_reaches_the_other(
    tmp_path: Path, store: Store, learner: Learner, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = studio(tmp_path, store, learner), studio(tmp_path, open_store(f"sqlite:///{tmp_path}/store.sqlite3"))
    correct(store)
    assert other.compressor.checkpoint.id == "scripted"
    teach(one, learner, "b" * 12)
    one.promote("b" * 12)
    assert other.compressor.checkpoint.id == "scripted", "it does not ask the store for every visitor"
    monkeypatch.setattr(other.served, "_look_at", 0.0)
    assert other.compressor.checkpoint.id == "b" * 12
    one.roll_back()
    monkeypatch.setattr(other.served, "_look_at", 0.0)
    assert other.compressor.checkpoint.id == "scripted"
