"""Votes of blind comparisons: saved for good and once, summed up whichever side, exported whole and harmless."""

from __future__ import annotations

import csv
import doctest
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from annotations import standings, votes
from annotations.cli import main
from annotations.errors import ExportError, RecordError, StoreError
from annotations.files.export import export_votes
from annotations.files.formats import unguarded
from annotations.standings import Standing, sign_test, wilson
from annotations.store import Store, open_store
from annotations.votes import VOTE_COLUMNS, Vote, Winner
from model.fields import from_json
from tests.support.saving import HOSTILE
from tests.support.voting import ballot

ROOT = Path(__file__).resolve().parents[2]
WINNERS = get_args(Winner)
TEXT = st.lists(
    st.one_of(st.sampled_from(HOSTILE), st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))),
    max_size=3,
).map("".join)
FILLED = TEXT.filter(str.strip)
NAME = TEXT.map(lambda text: "n" + text[:100])


@st.composite
def ballots(draw: st.DrawFn, names: st.SearchStrategy[str] = NAME) -> dict[str, Any]:
    """What any client may send."""
    left, right = draw(st.lists(names, min_size=2, max_size=2, unique=True))
    return ballot(
        id=draw(st.uuids()).hex,
        prompt=draw(FILLED),
        question=draw(TEXT),
        target=draw(NAME),
        left={"name": left, "text": draw(TEXT), "answer": draw(TEXT)},
        right={"name": right, "text": draw(TEXT), "answer": draw(TEXT)},
        winner=draw(st.sampled_from(WINNERS)),
        blind=draw(st.booleans()),
        annotator=draw(NAME),
        seconds=draw(st.floats(0, 1e7)),
        note=draw(TEXT),
    )


def _filled(*sent: dict[str, Any]) -> Store:
    store = open_store("sqlite://")
    for fields in sent:
        store.vote(fields)
    return store


def _without_time(vote: Vote) -> dict[str, Any]:
    fields = vote.to_fields()
    del fields["created_at"]
    return fields


# --- saving ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_texts_come_back(store: Store, hostile: str) -> None:
    sides = {"left": "l", "right": "r"}
    sent = ballot(
        **{side: {"name": name + hostile, "text": hostile, "answer": hostile} for side, name in sides.items()},
        **{name: hostile for name in ("prompt", "question", "target", "annotator", "note")},
    )
    saved = store.vote(sent)
    assert _without_time(saved) == sent
    assert store.votes(annotator=hostile).votes == (saved,)
    [standing] = store.vote_summary()
    assert (standing.target, standing.first, standing.second) == (hostile, "l" + hostile, "r" + hostile)


@settings(max_examples=25, deadline=None)
@given(ballots())
def test_any_vote_is_saved_once(sent: dict[str, Any]) -> None:
    store = open_store("sqlite://")
    saved = store.vote(sent)
    assert _without_time(saved) == sent and store.vote(sent) == saved
    assert store.vote({**sent, "seconds": sent["seconds"] + 1}) == saved  # the click that came twice
    page = store.votes()
    assert (page.votes, page.total) == ((saved,), 1)
    for change in ({"winner": WINNERS[WINNERS.index(sent["winner"]) - 1]}, {"note": sent["note"] + "x"}):
        with pytest.raises(RecordError, match="^id: belongs to another vote"):
            store.vote({**sent, **change})
    assert store.votes().votes == (saved,)


def test_what_may_be_left_out() -> None:
    sent = {name: value for name, value in ballot().items() if name not in ("question", "seconds")}
    saved = _filled().vote({**sent, "created_at": "1999-01-01T00:00:00Z"})
    assert (saved.question, saved.seconds, saved.note) == ("", 0.0, "") and saved.created_at > "2026"


SIDE = {"name": "A", "text": "", "answer": ""}
BAD: tuple[tuple[str, Any], ...] = (
    ("id", "ABC"),
    ("id", 5),
    ("prompt", " \n"),
    ("prompt", "x" * 1_000_001),
    ("question", None),
    ("question", "\0"),
    ("target", ""),
    ("target", "x" * 201),
    ("winner", "both"),
    ("winner", ["left"]),
    ("blind", 1),
    ("blind", "false"),
    ("annotator", ""),
    ("annotator", "half \ud800"),
    ("seconds", -1),
    ("seconds", float("nan")),
    ("seconds", True),
    ("note", "x" * 10_001),
    ("left", "DiffuMask"),
    ("left.name", {**SIDE, "name": " "}),
    ("left.name", {"text": "", "answer": ""}),
    ("left.more", {**SIDE, "more": 1}),
    ("left.text", {**SIDE, "text": 5}),
    ("right.answer", {**SIDE, "answer": "x" * 100_001}),
    ("right.answer", {**SIDE, "answer": "\udfff"}),
    ("right.name", {**SIDE, "name": "Full prompt"}),  # that of the left
    ("more", 1),
)


@pytest.mark.parametrize(("name", "value"), BAD)
def test_bad_fields_are_refused_in_one_line(name: str, value: Any) -> None:
    store = _filled()
    with pytest.raises(RecordError) as error:
        store.vote(ballot(**{name.split(".")[0]: value}))
    message = str(error.value)
    assert message.replace("'", "").startswith(f"{name}: ") and message.isprintable() and len(message) < 200
    assert store.votes().total == 0


def test_newest_first_in_pages(store: Store) -> None:
    sent = [ballot(annotator=("Ann", "Bob")[i % 2]) for i in range(7)]
    for fields in sent:
        store.vote(fields)
    ids = [fields["id"] for fields in reversed(sent)]
    pages = [store.votes(limit=3, offset=offset) for offset in (0, 3, 6, 9)]
    assert [vote.id for page in pages for vote in page.votes] == ids and {page.total for page in pages} == {7}
    assert [vote.id for vote in store.votes(annotator="Bob").votes] == ids[1::2]
    assert store.votes(annotator="Bob", limit=0).total == 3 and store.votes(annotator="Eve").total == 0
    assert [vote.id for vote in store.all_votes("Bob")] == ids[1::2][::-1]
    assert [vote.id for vote in store.all_votes()] == ids[::-1]


# --- safety ------------------------------------------------------------------------------------------------


def test_the_database_refuses_to_change_a_vote(store: Store) -> None:
    saved = store.vote(ballot())
    for statement in ("UPDATE votes SET winner = 'right'", "DELETE FROM votes"):
        with pytest.raises(SQLAlchemyError, match="votes are append-only"), store._writer.begin() as connection:
            connection.execute(text(statement))
    assert store.votes().votes == (saved,)


def test_processes_vote_at_once_and_one_is_killed(url: str) -> None:
    """They also start at once, on a database that is not there yet, and some of their votes are the same."""
    shared = [ballot()["id"] for _ in range(5)]

    def start(annotator: str, count: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.support.voting", url, annotator, str(count), *shared]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, cwd=ROOT)

    worker, victim = start("Ann", 15), start("Victim", 1_000_000)
    assert victim.stdout is not None
    printed = [victim.stdout.readline() for _ in range(10)]
    victim.send_signal(signal.SIGKILL)
    printed += victim.communicate()[0].splitlines(keepends=True)
    output = worker.communicate(timeout=120)[0]
    assert worker.returncode == 0 and victim.returncode == -signal.SIGKILL
    ids = {line.decode().strip() for line in printed if line.endswith(b"\n")}
    ids |= set(output.decode().split())
    ids_in_store = [vote.id for vote in open_store(url).all_votes()]
    assert len(ids_in_store) == len(set(ids_in_store)) and ids <= set(ids_in_store) and set(shared) < ids
    assert len(ids_in_store) - len(ids) in (0, 1)  # the last may be saved, and not said to be


def test_the_same_vote_from_many_threads_is_one(store: Store) -> None:
    sent = ballot()
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: store.vote(sent).created_at, range(16)))) == 1
    assert store.votes().total == 1


# --- summary -----------------------------------------------------------------------------------------------


def _mirrored(sent: dict[str, Any]) -> dict[str, Any]:
    winner = {"left": "right", "right": "left"}.get(sent["winner"], sent["winner"])
    return {**sent, "left": sent["right"], "right": sent["left"], "winner": winner}


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(ballots(st.sampled_from(("left", "right", "equal", "Ä"))), st.booleans()), max_size=8))
def test_summary_does_not_know_the_sides(sent: list[tuple[dict[str, Any], bool]]) -> None:
    """Whichever votes are mirrored; the arms have misleading names."""
    sent = [({**fields, "id": f"{i:032}", "target": "t"}, swap) for i, (fields, swap) in enumerate(sent)]
    store = _filled(*(fields for fields, _ in sent))
    swapped = _filled(*(_mirrored(fields) if swap else fields for fields, swap in sent))
    for blind_only in (True, False):
        summary = store.vote_summary(blind_only)
        assert summary == swapped.vote_summary(blind_only)
        assert sum(standing.n for standing in summary) == sum(fields["blind"] or not blind_only for fields, _ in sent)
        assert all(standing.first < standing.second for standing in summary)


def test_summary_counts(store: Store) -> None:
    sent = [ballot("A", "B") for _ in range(4)] + [ballot("B", "A", winner="right") for _ in range(4)]
    sent += [ballot("B", "A"), ballot("A", "B", winner="right")]
    sent += [ballot("A", "B", winner="equal"), ballot("B", "A", winner="neither"), ballot("A", "B", blind=False)]
    sent += [ballot("B", "C", winner="equal"), ballot("A", "B", winner="right", target="other")]
    for fields in sent:
        store.vote(fields)
    summary = store.vote_summary()
    assert summary == [
        Standing("other", "A", "B", second_wins=1),
        Standing("tiny", "A", "B", first_wins=8, second_wins=2, equal=1, neither=1),
        Standing("tiny", "B", "C", equal=1),
    ]
    standing = summary[1]
    assert (standing.n, standing.decided, standing.share, standing.p) == (12, 10, 0.8, 0.109375)
    assert standing.interval == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert (summary[2].share, summary[2].interval, summary[2].p) == (None, (0.0, 1.0), 1.0)
    assert store.vote_summary(blind_only=False)[1] == Standing("tiny", "A", "B", 9, 2, 1, 1)


# Newcombe 1998, Statistics in Medicine 17, 857-872, table I, method 3
@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_as_published(successes: int, trials: int, low: float, high: float) -> None:
    assert wilson(successes, trials) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(0, 300), st.integers(0, 300))
def test_intervals_and_p_are_symmetric(wins: int, losses: int) -> None:
    low, high = wilson(wins, wins + losses)
    assert wilson(losses, wins + losses) == pytest.approx((1 - high, 1 - low))
    assert 0 <= low < high <= 1 and sign_test(wins, losses) == sign_test(losses, wins) <= 1
    if wins + losses:
        assert low <= wins / (wins + losses) + 1e-12 and wins / (wins + losses) <= high + 1e-12
    assert sign_test(wins + losses, 0) == min(1.0, 2 * 0.5 ** (wins + losses))
    if wins > losses:
        assert sign_test(wins + 1, losses) < sign_test(wins, losses) or sign_test(wins, losses) == 1


@given(st.integers(0, 6), st.integers(0, 6))
def test_sign_test_is_the_share_of_all_outcomes(wins: int, losses: int) -> None:
    """By counting: of all sequences of coin throws, those at least as uneven."""
    trials = wins + losses
    uneven = [abs(2 * bin(throws).count("1") - trials) >= abs(wins - losses) for throws in range(2**trials)]
    assert sign_test(wins, losses) == pytest.approx(sum(uneven) / len(uneven))


def test_many_votes() -> None:
    assert sign_test(20_000, 20_000) == 1.0 and sign_test(12_000, 10_000) < 1e-30 and sign_test(5000, 0) == 0.0
    assert sign_test(5200, 4800) == pytest.approx(6.6e-5, rel=0.05)  # normal approximation


def test_examples_in_docstrings() -> None:
    for module in (votes, standings):
        results = doctest.testmod(module)
        assert results.failed == 0 and results.attempted > 0


# --- export ------------------------------------------------------------------------------------------------


def _from_csv(path: Path) -> list[Vote]:
    content = path.read_bytes().decode("utf-8")
    assert content.startswith("\ufeff")
    made = []
    for row in csv.DictReader(io.StringIO(content[1:], newline="")):
        assert tuple(row) == VOTE_COLUMNS and not any(
            cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) for cell in row.values()
        )
        cells: dict[str, Any] = {name: unguarded(cell) for name, cell in row.items()}
        cells |= {"blind": {"True": True, "False": False}[cells["blind"]], "seconds": float(cells["seconds"])}
        for side in ("left", "right"):
            cells[side] = {name: cells.pop(f"{side}_{name}") for name in ("name", "text", "answer")}
        made.append(Vote.from_fields(cells))
    return made


def _from_jsonl(path: Path) -> list[Vote]:
    return [Vote.from_fields(from_json("record", line)) for line in path.read_text(encoding="ascii").splitlines()]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ballots(), max_size=4, unique_by=lambda fields: fields["id"]))
def test_any_votes_come_back_from_files(tmp_path: Path, sent: list[dict[str, Any]]) -> None:
    store = _filled(*sent)
    for name, read in (("x.jsonl", _from_jsonl), ("x.csv", _from_csv)):
        assert export_votes(store.all_votes(), tmp_path / name) == len(sent)
        assert read(tmp_path / name) == list(store.all_votes())
    assert sorted(os.listdir(tmp_path)) == ["x.csv", "x.jsonl"]


@pytest.mark.parametrize("name", ["x.jsonl", "x.csv"])
def test_a_failing_export_changes_nothing(tmp_path: Path, name: str) -> None:
    store = _filled(ballot())

    def breaking() -> Iterator[Vote]:
        yield from store.all_votes()
        raise StoreError("the database went away")

    for before in ([], [name]):
        with pytest.raises(StoreError):
            export_votes(breaking(), tmp_path / name)
        assert os.listdir(tmp_path) == before
        export_votes(store.all_votes(), tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    with pytest.raises(StoreError):
        export_votes(breaking(), tmp_path / name)
    assert (tmp_path / name).read_bytes() == whole


def test_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("DIFFUMASK_DATABASE_URL", f"sqlite:///{tmp_path}/store.sqlite3")
    assert main(["stats"]) == 0 and "votes        none" in capfd.readouterr().out
    store = open_store()
    first, second = store.vote(ballot(note="=1+1")), store.vote(ballot("Full\x1b[31m", annotator="Bob", blind=False))
    store.vote(ballot("Full\x1b[31m", winner="right"))
    assert main(["votes", str(tmp_path / "x.jsonl")]) == 0
    assert "3 votes written to" in capfd.readouterr().out and _from_jsonl(tmp_path / "x.jsonl")[:2] == [first, second]
    assert main(["votes", str(tmp_path / "x.csv"), "--annotator", "Bob"]) == 0
    assert "1 vote written to" in capfd.readouterr().out and _from_csv(tmp_path / "x.csv") == [second]
    assert main(["votes", "-", "--format", "csv", "--annotator", "Bob"]) == 0
    assert capfd.readouterr().out.encode() == (tmp_path / "x.csv").read_bytes()
    assert main(["stats"]) == 0
    out = capfd.readouterr().out
    assert "votes        3, 2 of them blind" in out and "\x1b" not in out
    assert "tiny: DiffuMask 35 % 0 : 1 Full prompt; 0 equal, 0 neither; 0.0% (0.0% to 79.3%), p = 1" in out.splitlines()
    assert main(["stats", "--json"]) == 0
    figures = json.loads(capfd.readouterr().out)["votes"]
    assert figures["total"] == 3 and [s["first_wins"] for s in figures["blind"]] == [1, 0]
    for mistake in (["x.parquet"], ["-"], ["folder"], ["nowhere/x.csv"], ["x.csv", "--annotator", "x" * 201]):
        assert main(["votes", *mistake]) == 2
        captured = capfd.readouterr()
        assert captured.out == "" and len(captured.err.splitlines()) == 1


def test_only_text_files(tmp_path: Path) -> None:
    for name in ("x.parquet", "x.doc", "folder"):
        with pytest.raises(ExportError):
            export_votes([], tmp_path / name)
    assert os.listdir(tmp_path) == []
