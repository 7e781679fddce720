"""Workspaces of several people in one store: who sees what, what is given, taken back and erased."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from annotations.errors import NotFoundError, RecordError, StoreError
from annotations.files.export import export
from annotations.files.importing import import_file
from annotations.results import Filter
from annotations.store import Store, Viewer, open_store
from tests.support.exported import NAMES, all_of
from tests.support.saving import fields
from tests.support.voting import ballot

SECRET = "A secret prompt about Zanzibar."


def people(store: Store) -> tuple[Store, Store, Store, Store]:
    ann, bob = store.seen_by(Viewer("hf:ann")), store.seen_by(Viewer("hf:bob"))
    return ann, bob, store.seen_by(Viewer("hf:rex", reviews=True)), store.seen_by(Viewer("hf:ada", True, True))


def test_nobody_sees_or_changes_anothers_work(store: Store) -> None:
    ann, bob, rex, _ = people(store)
    saved = ann.submit(fields(SECRET, annotator="hf:ann")).correction
    ann.save_draft(fields(f"{SECRET} Draft.", annotator="hf:ann"))
    ann.vote(ballot(annotator="hf:ann"))
    ann.add_prompts([(f"{SECRET} Queued.", None)])
    for other in (bob, rex):
        assert other.find().total == 0 and other.keys(history=True) == [] and other.history(saved.id) == ()
        assert list(other.fetch(store.keys())) == [] and other.draft("hf:ann", saved.prompt_sha256) is None
        assert other.mine("hf:ann", saved.prompt_sha256) is None and other.stats().prompts == 0
        assert other.stats().annotators == {} and other.stats().statuses == {} and not other.agreement().prompts
        assert other.votes().total == 0 and list(other.all_votes()) == [] and other.vote_summary(False) == []
        assert other.waiting() == other.unmeasured() == () and other.next_prompt(other._viewer.owner) is None  # type: ignore[union-attr]
        assert other.progress().total == 0 and other.stats().queue.total == 0
        for refused in (
            lambda other=other: other.get(saved.id),
            lambda other=other: other.review(saved.id, 1, "accepted", "hf:rex"),
            lambda other=other: other.submit(fields(SECRET, annotator="hf:ann")),
            lambda other=other: other.save_draft(fields(SECRET, annotator="hf:ann")),
            lambda other=other: other.discard_draft("hf:ann", saved.prompt_sha256),
            lambda other=other: other.contribute(saved.id, "CC-BY-4.0"),
            lambda other=other: other.erase(saved.id),
            lambda other=other: other.erase_person("hf:ann"),
            lambda other=other: other.vote(ballot(annotator="hf:ann")),
        ):
            with pytest.raises(StoreError):
                refused()
    assert store.get(saved.id) == saved and store.find().total == 2


def test_nobody_learns_by_guessing_whether_a_prompt_is_there(store: Store) -> None:
    ann, bob, _, ada = people(store)
    assert ann.add_prompts([(SECRET, None)]).new == 1
    assert bob.add_prompts([(SECRET, None)]).new == 1, "not: already there"
    assert ada.add_prompts([(SECRET, None)]).new == 1
    ann.submit(fields(SECRET, annotator="hf:ann"))
    assert ann.next_prompt("hf:ann") is None, "done in her own queue and in everybody's"
    assert bob.next_prompt("hf:bob") is not None


def test_what_is_contributed_waits_for_a_reviewer_and_is_then_shared(store: Store) -> None:
    ann, bob, rex, _ = people(store)
    id = ann.submit(fields(SECRET, annotator="hf:ann")).correction.id
    ann.contribute(id, "CC-BY-4.0")
    assert bob.find().total == 0 and rex.find().total == 1 and store.licence(id) == "CC-BY-4.0"
    with pytest.raises(RecordError, match="nobody reviews their own"):
        store.seen_by(Viewer("hf:ann", reviews=True)).review(id, 1, "accepted", "hf:ann")
    rex.review(id, 1, "accepted", "hf:rex")
    assert bob.get(id).status == "accepted" and bob.find(Filter(contributed=True)).total == 1
    ann.withdraw(id)
    assert bob.find().total == rex.find().total == 0 and not store.keys(Filter(contributed=True))


@pytest.mark.parametrize("name", NAMES)
def test_consent_goes_with_each_row(store: Store, tmp_path: Path, name: str) -> None:
    """Out of one store, through a file of each kind, into another; what is there already keeps its consent."""
    given = store.submit(fields("Given.", annotator="hf:ann")).correction.id
    store.submit(fields("Private.", annotator="hf:ann", licence="CC0-1.0", contributed_at="2026-11-22T03:05:00Z"))
    store.contribute(given, "CC-BY-4.0")
    store.seen_by(Viewer("hf:rex", reviews=True)).review(given, 1, "accepted", "hf:rex")
    rows = {row.prompt: row for row in all_of(store)}
    assert (rows["Given."].licence, rows["Private."].licence) == ("CC-BY-4.0", ""), "nobody sets it by submitting"
    assert rows["Given."].contributed_at and not rows["Private."].contributed_at
    assert [row.id for row in store.fetch(store.keys(Filter(contributed=True)))] == [given]
    export(all_of(store), tmp_path / name)
    other = open_store("sqlite://")
    assert import_file(other, tmp_path / name).added == 2 and all_of(other) == all_of(store)
    other.withdraw(given)
    assert import_file(other, tmp_path / name).already == 2 and not other.licence(given)


def test_what_is_erased_leaves_a_tombstone_and_no_text(store: Store, url: str, tmp_path: Path) -> None:
    ann, bob, *_ = people(store)
    store.add_checkpoint("base", "shipped")
    id = ann.submit(fields(SECRET, annotator="hf:ann", note="Zanzibar!")).correction.id
    ann.contribute(id, "CC-BY-4.0")
    ann.add_prompts([(SECRET, None)])
    store.add_checkpoint("taught", "x", "base", used=[(id, 1)])
    kept = bob.submit(fields("Bob's own.", annotator="hf:bob")).correction.id
    ann.erase(id)
    assert store.erased(id) and not store.licence(id) and store.keys() == [(kept, 1)] and not store.waiting()
    assert store.used_by("taught") == ((id, 1),), "what the model has learnt from stays known"
    assert store.import_many([_again(id)]) == [("refused", "it was erased here, and stays so")]
    with pytest.raises(NotFoundError):
        ann.erase(id)
    if url.startswith("sqlite"):
        for file in (tmp_path / "new folder").iterdir():
            assert b"Zanzibar" not in file.read_bytes(), file
    ann.submit(fields(SECRET, annotator="hf:ann"))
    ann.vote(ballot(annotator="hf:ann"))
    assert ann.erase_person("hf:ann") == 1 and ann.find().total == ann.votes().total == 0
    assert {entry.action for entry in store.audit()} == {"contribute", "erase"}


def _again(id: str) -> object:
    from tests.support.saving import correction

    return correction(SECRET, id=id)


def test_without_a_tombstone_the_database_refuses_to_delete(store: Store) -> None:
    store.submit(fields())
    with pytest.raises(SQLAlchemyError, match="append-only"), store._writer.begin() as connection:
        connection.execute(text("DELETE FROM revisions"))


def test_a_person_stores_so_much_and_no_more(store: Store) -> None:
    ann = store.seen_by(Viewer("hf:ann", stored=100))
    ann.submit(fields("x " * 40, annotator="hf:ann"))
    for more in (
        lambda: ann.submit(fields("y " * 40, annotator="hf:ann")),
        lambda: ann.save_draft(fields("y " * 40, annotator="hf:ann")),
        lambda: ann.add_prompts([("y " * 40, None)]),
    ):
        with pytest.raises(RecordError, match="characters"):
            more()
    assert store.find().total == 1


def test_a_store_that_must_not_write_says_why(store: Store) -> None:
    def full() -> None:
        raise StoreError("the disk is nearly full: nothing is saved until there is room")

    guarded = store.guarded(full)
    with pytest.raises(StoreError, match="nearly full"):
        guarded.submit(fields())
    assert guarded.find().total == 0
