"""Two people of a hosted studio, over HTTP: what one does, the other neither sees nor changes; what learning asks."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from annotations.errors import StoreError
from annotations.results import Filter
from annotations.store import Store, Viewer, open_store
from app.api import Endpoints
from app.background.finetuning import Lesson
from app.hosting.people import Person, Role, acting_as
from app.studio import Studio
from model.compress import PAPER
from model.errors import InputError
from model.training.finetune import FineTuned
from tests.support.hosted import HOSTING, Stranger, hosted_studio, names_of, served
from tests.support.saving import fields
from tests.support.scripted import ScriptedCompressor
from tests.support.voting import ballot

SECRET = "A secret prompt about Zanzibar."


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return open_store(f"sqlite:///{tmp_path_factory.mktemp('store')}/store.sqlite3")


@pytest.fixture(scope="module")
def studio(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Studio:
    return hosted_studio(store, tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def url(studio: Studio) -> Iterator[str]:
    with served(studio) as url:
        yield url


READERS = {  # by which people see their own
    "CorrectionsEvents.refresh",
    "CorrectionsEvents.first_page",
    "CorrectionsEvents.turn",
    "CorrectionsEvents.pick",
    "CorrectEvents.greet",
    "AccountEvents.show",
    "Endpoints.corrections",
}


def test_what_one_person_does_is_nowhere_in_what_another_is_sent(url: str, studio: Studio, store: Store) -> None:
    """Every handler by index, with the other's name and id wherever a text or an event is asked for; the readers are
    asked by their owner, too, who is told."""
    names = names_of(studio)
    index = {name: i for i, name in names.items()}
    ann, bob = Stranger(url, "ann"), Stranger(url, "bob")
    done, saved = ann.ask(index["Endpoints.correct"], _sent(fields(SECRET, annotator="bob", note="Zanzibar")))
    assert done and saved[0]["annotator"] == "proxy:ann", "never what was typed"
    id, own = saved[0]["id"], store.seen_by(Viewer("proxy:ann"))
    own.save_draft(fields(f"{SECRET} Begun.", annotator="proxy:ann"))
    own.add_prompts([(f"{SECRET} Queued.", 1.0)])
    own.vote(ballot(annotator="proxy:ann", prompt=SECRET))
    before = _everything(store)
    for name, i in index.items():
        said = json.dumps(_called(bob, i, id))
        assert "Zanzibar" not in said and "gradio.FileData" not in said, name
    assert _everything(store) == before, "nor changed"
    told = {name for name in READERS if "Zanzibar" in json.dumps(_called(ann, index[name], id))}
    assert told == READERS, "or this test would find nothing, whatever bob is sent"


def _called(who: Stranger, index: int, id: str) -> list[Any]:
    """What somebody is told who calls a handler in several ways, guessing at a correction and at its owner."""
    blank, edits = who.blank(index), {"mask": "1", "pins": ".", "note": "", "seconds": 1, "correction": id}
    events = (None, {"id": f"{id}/1"}, {"page": 0}, edits)
    ways = [(blank, event) for event in events]
    ways += [([guess if value == "" else value for value in blank], None) for guess in (id, "proxy:ann") if "" in blank]
    return [who.ask(index, *way) for way in ways]


def _everything(store: Store) -> list[Any]:
    corrections = [store.history(entry.id) or store.get(entry.id) for entry in store.find().entries]
    return [corrections, store.waiting(), store.votes(), store.progress("proxy:ann"), store.consents()]


def _sent(record: dict[str, Any]) -> list[Any]:
    """The record as /correct takes it, field by field."""
    given = inspect.signature(Endpoints.correct).parameters.values()
    return [record.get(field.name, field.default) for field in list(given)[1:]]


def test_a_studio_that_is_read_only_or_full_says_so(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/store.sqlite3")
    for hosting, says in ((replace(HOSTING, read_only=True), "read-only"), (replace(HOSTING, disk_free=2**62), "full")):
        with pytest.raises(StoreError, match=says):
            hosted_studio(store, tmp_path, hosting).store.submit(fields())


# --- learning ----------------------------------------------------------------------------------------------


class Inverted(ScriptedCompressor):
    """A model that was taught the opposite."""

    def predictor(self, prompt: Any, retention: float, remember: bool = True) -> Any:
        predict = super().predictor(prompt, retention, remember)

        def inverted(states: Any) -> Any:
            right = predict(states)
            return right._replace(tokens=-right.tokens)

        return inverted


def _load(folder: Path | None = None) -> Any:
    made = ScriptedCompressor() if folder is None else Inverted()
    if folder is not None:
        made.checkpoint = SimpleNamespace(**{**vars(made.checkpoint), "id": folder.name})
    return made


def _learn(file: Path, out: Path, parent: Path | None, lesson: Lesson, progress: Any) -> FineTuned:
    out.mkdir()
    return FineTuned("b" * 12, out, "scripted", 2, 1, 0.5, 0.9, 0.5, 0.1, [], 0.1, "d" * 64)


def _teaching(tmp_path: Path) -> tuple[Studio, Store]:
    store = open_store(f"sqlite:///{tmp_path}/store.sqlite3")
    made = hosted_studio(store, tmp_path)
    return Studio(made.settings, load=_load, open_store=lambda: store, learn=_learn), store


def _poison(store: Store, people: list[str], count: int) -> None:
    """Inverted masks, contributed, and accepted by a reviewer who is in league with them."""
    for i in range(count):
        who = people[i % len(people)]
        theirs = store.seen_by(Viewer(who))
        id = theirs.submit(fields(f"Prompt number {i} says something.", annotator=who)).correction.id
        theirs.contribute(id, "CC-BY-4.0")
        store.seen_by(Viewer("proxy:rex", reviews=True)).review(id, 1, "accepted", "proxy:rex")


def _right(studio: Studio, store: Store, count: int) -> None:
    """The admin's hold-out: masks as the served model makes them."""
    for i in range(count):
        text = f"Hold {i}: some long informative words and a few so on to it"
        short = studio.compressor.compress(text, 0.5, keep_task=False, **PAPER)
        mask = "".join("1" if keep else "0" for keep in short.trace.keep)
        spans = [[token.start, token.end] for token in short.prompt.tokens]
        own = {**PAPER, "model_mask": mask, "human_mask": mask, "offsets": spans, "pins": {}, "annotator": "proxy:ada"}
        store.submit(fields(text, **own))


def test_one_persons_masks_are_too_little_to_learn_from(tmp_path: Path) -> None:
    studio, store = _teaching(tmp_path)
    assert studio.compressor.checkpoint.id == "scripted"
    _poison(store, ["proxy:mallory"], 24)
    with acting_as(Person("proxy:ada", Role.ADMIN)), pytest.raises(InputError, match="nobody's may be more than 25%"):
        studio.finetuning.start(Lesson())
    assert studio.compressor.checkpoint.id == "scripted" and len(store.checkpoints()) == 1


@pytest.mark.parametrize(("holdout", "says"), [(0, "at least 8 are needed"), (9, "worse than its parent")])
def test_a_checkpoint_of_poison_is_not_promoted(tmp_path: Path, holdout: int, says: str) -> None:
    studio, store = _teaching(tmp_path)
    _poison(store, [f"proxy:m{i}" for i in range(4)], 24)
    _right(studio, store, holdout)
    with acting_as(Person("proxy:ada", Role.ADMIN)):
        studio.finetuning.start(Lesson())
        studio.finetuning.wait(60)
        job = studio.finetuning.job
        assert job is not None and job.state == "done", job
        with pytest.raises(InputError, match=says):
            studio.promote("b" * 12)
    served = store.served()
    assert studio.compressor.checkpoint.id == "scripted" and served is not None and served.id == "scripted"


def test_what_is_not_contributed_is_neither_learnt_nor_exported(tmp_path: Path) -> None:
    studio, store = _teaching(tmp_path)
    _poison(store, [f"proxy:m{i}" for i in range(4)], 8)
    private = store.seen_by(Viewer("proxy:m0")).submit(fields(SECRET, annotator="proxy:m0")).correction
    store.review(private.id, 1, "accepted", "proxy:rex")
    assert len(studio.finetuning.choose(Lesson())) == 8
    admin = store.seen_by(Viewer("proxy:ada", True, True))
    assert len(admin.keys(Filter(contributed=True))) == 8 and len(admin.keys()) == 9
