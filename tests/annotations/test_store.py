"""The store: drafts, revisions, reviews, filters, figures, queue, checkpoints; on SQLite and PostgreSQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from annotations.agreement import krippendorff_agreement
from annotations.errors import ConflictError, NotFoundError, RecordError, StoreError
from annotations.results import TO_LEARN, Filter
from annotations.store import Store, open_store, queue
from annotations.store.statistics import GROUPS
from model.record import CorrectionRecord
from tests.support.saving import correction, fields

# --- saving ------------------------------------------------------------------------------------------------


def test_draft_is_one_per_annotator_and_prompt(store: Store) -> None:
    first = store.save_draft(fields(note="one")).correction
    second = store.save_draft(fields(note="two")).correction
    other = store.save_draft(fields(annotator="Bob")).correction
    assert store.draft("Ann", first.prompt_sha256) == second and store.draft("Bob", first.prompt_sha256) == other
    assert {entry.id for entry in store.find(Filter(("draft",))).entries} == {second.id, other.id}
    assert (second.revision, second.status, store.history(second.id)) == (0, "draft", ())
    store.discard_draft("Ann", first.prompt_sha256)
    assert store.draft("Ann", first.prompt_sha256) is None and store.get(other.id) == other
    store.discard_draft("Bob", first.prompt_sha256)
    with store._reader.connect() as connection:
        assert connection.execute(text("SELECT COUNT(*) FROM prompts")).scalar() == 0
    with pytest.raises(NotFoundError):
        store.get(second.id)


def test_submit_appends_and_repeats_change_nothing(store: Store) -> None:
    sent = fields()
    store.save_draft(sent)
    saved = store.submit(sent)
    assert saved.new and saved.correction.revision == 1 and saved.correction.status == "submitted"
    assert store.draft("Ann", saved.correction.prompt_sha256) is None
    again = [store.submit(sent), store.submit(sent, revision=1), store.submit({**sent, "seconds": 99.0})]
    assert all(s.correction == saved.correction and not s.new for s in again)
    edited = {**sent, "note": "better"}
    with pytest.raises(ConflictError):
        store.submit(edited, revision=1)
    with pytest.raises(ConflictError):
        store.submit(edited, revision=3)
    with pytest.raises(RecordError):
        store.submit(sent, revision=0)
    assert store.submit(edited, revision=2).new
    assert not store.submit(sent, revision=1).new  # a late repetition of the first
    assert [(c.revision, c.note) for c in store.history(sent["id"])] == [(1, ""), (2, "better")]
    assert store.get(sent["id"]).note == "better" and store.get(sent["id"], 1).note == ""


def test_an_unchanged_draft_is_none(store: Store) -> None:
    sent = fields()
    store.submit(sent)
    saved = store.save_draft(sent)  # the canvas's timer comes late
    assert not saved.new and saved.correction.revision == 1
    assert store.find(Filter(("draft",))).total == 0
    store.save_draft({**sent, "human_mask": "0111", "pins": {}})
    assert [entry.status for entry in store.find().entries] == ["draft", "submitted"]
    assert store.get(sent["id"]).human_mask == "1111"  # the draft replaces nothing


def test_mine_is_the_newest_revision_by_this_annotator(store: Store) -> None:
    first, second = (store.submit(fields(note=note)).correction for note in ("one", "two"))  # two ids, one prompt
    store.submit(fields(annotator="Bob"))
    store.save_draft(fields(note="draft"))
    assert first.id != second.id and store.mine("Ann", first.prompt_sha256) == second
    assert store.mine("Eve", first.prompt_sha256) is None


def test_an_id_belongs_to_one_annotator_and_prompt(store: Store) -> None:
    sent = fields()
    store.submit(sent)
    for stolen in ({**sent, "annotator": "Eve"}, fields("Another prompt", id=sent["id"])):
        for save in (store.submit, store.save_draft):
            with pytest.raises(RecordError, match="^id: "):
                save(stolen)
    assert len(store.history(sent["id"])) == 1


def test_the_client_does_not_review_itself(store: Store) -> None:
    saved = store.submit(fields(status="accepted", reviewer="Boss", revision=9, created_at="2000-01-01T00:00:00Z"))
    correction = saved.correction
    assert (correction.status, correction.reviewer, correction.revision) == ("submitted", "", 1)
    assert correction.created_at > "2026"


def test_review(store: Store) -> None:
    sent = fields()
    with pytest.raises(NotFoundError):
        store.review(sent["id"], 1, "accepted", "Bob")
    mine = store.submit(sent).correction
    verdict = store.review(mine.id, 1, "rejected", "Bob", "keep the name")
    assert verdict.new and verdict.correction.revision == 2
    assert not store.review(mine.id, 1, "rejected", "Bob", "keep the name").new
    with pytest.raises(ConflictError):
        store.review(mine.id, 1, "accepted", "Cy")
    store.review(mine.id, 2, "accepted", "Cy")
    assert [(c.status, c.annotator, c.reviewer) for c in store.history(mine.id)] == [
        ("submitted", "Ann", ""),
        ("rejected", "Ann", "Bob"),
        ("accepted", "Ann", "Cy"),
    ]
    assert store.get(mine.id, 1) == mine
    store.submit({**sent, "note": "new"})
    assert (store.get(mine.id).status, store.get(mine.id).reviewer) == ("submitted", "")
    for status, reviewer, note in (("draft", "Bob", ""), ("accepted", "", ""), ("accepted", "Bob", "\0")):
        with pytest.raises(RecordError):
            store.review(mine.id, 4, status, reviewer, note)


@pytest.mark.parametrize("change", ["UPDATE revisions SET note = 'x'", "DELETE FROM revisions"])
def test_the_database_refuses_to_change_a_revision(store: Store, change: str) -> None:
    saved = store.submit(fields()).correction
    with pytest.raises(SQLAlchemyError, match="append-only"), store._writer.begin() as connection:
        connection.execute(text(change))
    assert store.get(saved.id) == saved


def test_a_large_record() -> None:
    """A million characters of four bytes each, 100,000 tokens."""
    starts = range(0, 1_000_000, 10)
    big = fields("\U0001f600" * 1_000_000, offsets=[[i, i + 10] for i in starts], pins={}, note="\U0001f600" * 10_000)
    big |= {"model_mask": "01" * 50_000, "human_mask": "10" * 50_000}
    store = open_store("sqlite://")
    saved = store.submit(big).correction
    assert store.get(saved.id) == saved and saved.edits == 100_000
    assert CorrectionRecord.from_line(saved.to_line()) == saved


# --- reading -----------------------------------------------------------------------------------------------


def test_find_filters_and_pages(store: Store) -> None:
    given = [
        fields("Pay 100% now", annotator="Ann", checkpoint="a"),
        fields("Pay 1000 now", annotator="Bob", checkpoint="b", note="snake_case"),
        fields("Pay later", annotator="Bob", checkpoint="a", note="snakeXcase \\ "),
    ]
    ids = [store.submit(sent).correction.id for sent in given]
    store.review(ids[2], 1, "accepted", "Cy")

    def matching(**filter: Any) -> list[int]:
        return sorted(ids.index(entry.id) for entry in store.find(Filter(**filter)).entries)

    assert matching() == [0, 1, 2] == matching(since="2026-01-01", until="2999-12-31")
    assert matching(annotator="Bob") == [1, 2] and matching(annotator="bo") == []
    assert matching(checkpoint="a") == [0, 2] and matching(checkpoint="a", annotator="Bob") == [2]
    assert matching(statuses=("accepted",)) == [2] and matching(statuses=TO_LEARN) == [0, 1, 2]
    assert matching(text="0%") == [0] and matching(text="PAY") == [0, 1, 2] and matching(text="_c") == [1]
    assert matching(text="\\") == [2] and matching(text="bob") == [1, 2] and matching(text=ids[0]) == [0]
    today = store.get(ids[0]).created_at[:10]
    assert matching(since=today, until=today) == [0, 1, 2] and matching(until="2026-01-01") == [] == matching(
        since="2999-01-01"
    )
    assert matching(since=store.get(ids[1]).created_at) == [1, 2]
    pages = [store.find(offset=i, limit=2) for i in (0, 2, 4)]
    assert [len(page.entries) for page in pages] == [2, 1, 0] and {page.total for page in pages} == {3}
    assert [e.id for page in pages for e in page.entries] == [ids[2], ids[1], ids[0]]
    entry = store.find(Filter(annotator="Ann")).entries[0]
    assert (entry.start, entry.tokens, entry.edits, entry.revision) == ("Pay 100% now", 3, 1, 1)
    assert [key[0] for key in store.keys()] == ids and len(store.keys(history=True)) == 4


@pytest.mark.parametrize("bad", [{"statuses": ("x",)}, {"text": "\0"}, {"text": "x" * 2000}, {"since": "2026-13-01"}])
def test_bad_filters(bad: dict[str, Any]) -> None:
    with pytest.raises(RecordError):
        Filter(**bad)


def test_values_that_no_database_holds(store: Store) -> None:
    for id in ("\ud800", "\0", "x" * 10_000, "' OR 1=1 --"):
        for call in (store.get, store.checkpoint, store.serve):
            with pytest.raises(StoreError):
                call(id)
    with pytest.raises(StoreError):
        store.get("0" * 32, 2**70)
    with pytest.raises(StoreError):
        store.find(offset=2**70)


def test_fetch_keeps_the_order(store: Store) -> None:
    saved = [store.submit(fields(f"Prompt {i}")).correction for i in range(60)]
    keys = [(c.id, c.revision) for c in reversed(saved)]
    assert list(store.fetch(keys)) == saved[::-1]
    assert list(store.fetch([("0" * 32, 1), *keys[:1]])) == saved[-1:]


# --- agreement and statistics ------------------------------------------------------------------------------


def test_agreement(store: Store) -> None:
    assert store.agreement().same is None
    for annotator, mask in (("Ann", "1100"), ("Bob", "1101"), ("Cy", "1100")):
        sent = fields(annotator=annotator, human_mask="1111", pins={})
        store.submit(sent)  # overtaken by the next revision
        store.submit({**sent, "human_mask": mask})
    store.submit(fields("Only one person here", annotator="Ann"))
    rejected = store.submit(fields(annotator="Dan", human_mask="0011", pins={})).correction
    store.review(rejected.id, 1, "rejected", "Bob")
    measured = store.agreement()
    # by hand: the last token has one of three pairs agreeing; D_o = (2/3)/4 = 1/6, D_e = 2 * 5 * 7 / (12 * 11)
    assert measured.alpha == pytest.approx(1 - (1 / 6) / (70 / 132)) and measured.same == pytest.approx(10 / 12)
    assert [(p.annotators, p.tokens, p.alpha) for p in measured.prompts] == [(("Ann", "Bob", "Cy"), 4, measured.alpha)]


def test_agreement_of_equal_marks_is_not_defined() -> None:
    measured = krippendorff_agreement([("a", "", {"Ann": "11", "Bob": "11"})])
    assert measured.alpha is None and measured.same == 1


def test_stats(store: Store) -> None:
    assert store.stats().all.edit_rate == 0
    sent = fields()
    store.submit(sent)
    store.submit({**sent, "note": "again"})
    store.submit(fields(annotator="Bob", checkpoint="next", seconds=3))
    store.save_draft(fields("A draft"))
    stats = store.stats()
    assert stats.statuses == {"draft": 1, "submitted": 2} and (stats.prompts, stats.revisions) == (1, 3)
    assert (stats.all.corrections, stats.all.tokens, stats.all.edits, stats.all.seconds) == (2, 8, 2, 4.5)
    assert set(stats.annotators) == {"Ann", "Bob"} and stats.checkpoints["next"].edit_rate == 0.25


# --- queue -------------------------------------------------------------------------------------------------


def test_queue(store: Store) -> None:
    added = store.add_prompts([("sure", 0.1), ("unsure", 0.9), ("unknown", None), ("unsure", 0.5), ("\0", 1), (" ", 1)])
    assert (added.new, added.already, [place for place, _ in added.refused]) == (3, 1, [4, 5])
    assert store.add_prompts([("sure", 0.1)]).new == 0
    for uncertainty in (float("nan"), "0.5"):
        refused = store.add_prompts([("odd", uncertainty)])  # type: ignore[list-item]
        assert refused.refused == ((0, "uncertainty: is not a number"),)
    with pytest.raises(NotFoundError):
        store.set_uncertainty("nothing", 0.5)
    first = store.next_prompt("Ann")
    assert first is not None and first.text == "unsure" and store.next_prompt("Ann") == first  # still in hands
    second = store.next_prompt("Bob")
    assert second is not None and second.text == "sure"
    store.skip(second.id, "Bob")
    [unmeasured] = store.unmeasured()
    store.set_uncertainty(unmeasured.id, 0.0)
    offered = store.next_prompt("Bob")
    assert offered is not None and offered.text == "unknown" and store.unmeasured() == ()
    store.submit(fields("unsure", annotator="Ann"))
    assert store.next_prompt("Ann") == second  # skipped by Bob only
    progress = store.progress("Bob")
    assert (progress.total, progress.done, progress.assigned) == (3, 1, 2)
    assert (progress.mine_done, progress.mine_skipped) == (0, 1)
    store.done(second.id, "Ann")
    assert store.next_prompt("Ann") is None
    again = store.next_prompt("Ann", people=2)
    assert again is not None and again.text == "unknown"  # two people shall see each
    store.release(again.id, "Ann")
    assert store.progress("Ann").assigned == 1
    assert [item.text for item in store.waiting()] == ["unknown"]
    store.assign(second.id, "Ann")
    assert store.next_prompt("Ann") == second and [item.text for item in store.waiting()] == ["sure", "unknown"]
    for call in (store.skip, store.done, store.assign):
        with pytest.raises(NotFoundError):
            call("nothing", "Ann")
    store.forget_uncertainties()
    assert [item.text for item in store.unmeasured()] == ["sure", "unsure", "unknown"]


def test_a_prompt_left_lying_is_offered_to_others(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.add_prompts([("one", 1.0)])
    assert store.next_prompt("Ann") is not None and store.next_prompt("Bob") is None
    monkeypatch.setattr(queue, "LEASE", -queue.LEASE)
    assert store.next_prompt("Bob") is not None


def test_nobody_gets_the_same_prompt(store: Store) -> None:
    store.add_prompts((f"Prompt {i}", i / 10) for i in range(10))
    with ThreadPoolExecutor(10) as pool:
        items = list(pool.map(store.next_prompt, [f"Person {i}" for i in range(10)]))
    assert len({item.id for item in items if item}) == 10


# --- checkpoints -------------------------------------------------------------------------------------------


def test_checkpoints(store: Store) -> None:
    assert store.served() is None
    with pytest.raises(StoreError):
        store.roll_back()
    used = store.submit(fields()).correction
    unused = store.submit(fields("Another prompt")).correction
    store.add_checkpoint("base", "/base")
    store.serve("base")
    store.add_checkpoint("one", "/one", "base", {"loss": 0.5}, [(used.id, 1)])
    made = store.add_checkpoint("two", "/two", "one")
    assert (made.status, made.parent, store.checkpoint("one").corrections) == ("available", "one", 1)
    assert store.add_checkpoint("one", "/one", "base").metrics == {"loss": 0.5}
    assert [c.id for c in store.lineage("two")] == ["two", "one", "base"] and store.used_by("one") == ((used.id, 1),)

    def to_learn(checkpoint: str) -> set[str]:
        return {id for id, _ in store.keys(Filter(TO_LEARN, unused_by=checkpoint))}

    assert to_learn("base") == {used.id, unused.id} and to_learn("one") == to_learn("two") == {unused.id}
    store.review(used.id, 1, "accepted", "Bob")  # says the same, so it stays learned
    assert to_learn("two") == {unused.id}
    store.submit(fields(id=used.id, human_mask="1110"))
    assert to_learn("two") == {used.id, unused.id}
    with pytest.raises(ConflictError):
        store.add_checkpoint("one", "/elsewhere", "base")
    with pytest.raises(NotFoundError):
        store.add_checkpoint("three", "/three", "nobody")
    with pytest.raises(StoreError):
        store.add_checkpoint("three", "/three", "base", used=[(used.id, 99)])
    with pytest.raises(RecordError):
        store.add_checkpoint("three", "/three", metrics={"loss": float("nan")})
    with pytest.raises(NotFoundError):
        store.find(Filter(unused_by="nobody"))
    assert [c.id for c in store.checkpoints()] == ["two", "one", "base"]


def test_serve_and_roll_back(store: Store) -> None:
    store.add_checkpoint("base", "/base")
    store.add_checkpoint("one", "/one", "base")
    store.add_checkpoint("two", "/two", "one")
    for id in ("base", "two"):
        assert store.serve(id).status == "served"
    assert store.checkpoint("base").status == "available"
    assert store.roll_back().id == "base"  # served before, though not the parent
    assert store.checkpoint("two").status == "rolled back"
    with pytest.raises(StoreError, match="no earlier"):
        store.roll_back()
    served = store.served()
    assert served is not None and served.id == "base"
    store.serve("two")
    assert [c.status for c in store.checkpoints()] == ["served", "available", "available"]


def test_thousands_of_names_are_not_sent_to_everybody() -> None:
    store = open_store("sqlite://")
    store.import_many([correction(f"Prompt {i}.", annotator=f"{i:0199}") for i in range(300)])
    store.submit(fields("One more.", annotator="299".zfill(199)))
    names = store.stats().annotators
    assert len(names) == GROUPS and names["299".zfill(199)].corrections == 2, "those with most corrections"
