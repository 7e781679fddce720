"""The log of corrections: a new database is filled from it; nothing is lost or doubled, whatever is interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from annotations.cli import main
from annotations.errors import ExportError, StoreError
from annotations.files.publish import publish
from annotations.store import Store, Viewer, open_store
from annotations.sync.log import Sync, SyncReport
from annotations.sync.places import HUB_DATASETS, Folder, LogPlace, log_place
from model.hub import MovedError
from tests.support.exported import all_of, filled
from tests.support.hub_stand_in import Hub
from tests.support.saving import HOSTILE, correction, fields

ROOT = Path(__file__).resolve().parents[2]
DATASET = "ann/corrections"
SECRET = "A secret prompt about Zanzibar."


@pytest.fixture(params=["folder", "hub"])
def place(request: pytest.FixtureRequest, hub: Hub, tmp_path: Path) -> str:
    return str(tmp_path / "log") if request.param == "folder" else HUB_DATASETS + DATASET


def everything(store: Store) -> list[str]:
    """Revisions with their consent, as a set of lines."""
    return sorted(record.to_line() for record in store.fetch(store.keys(history=True)))


def logged(place: LogPlace) -> list[dict[str, object]]:
    """Every line of corrections in the log."""
    names = sorted(name for name in place.names() if name.startswith("corrections/"))
    return [json.loads(line) for name in names for line in place.read(name).splitlines()]


def full_store() -> Store:
    """Hostile texts, several revisions, a contribution that was accepted, one that was taken back."""
    store = filled()
    first, second = (store.submit(fields(f"{SECRET} {i}", annotator="hf:ann")).correction.id for i in range(2))
    for id in (first, second):
        store.contribute(id, "CC-BY-4.0")
    store.review(first, 1, "accepted", "hf:rex")
    store.withdraw(second)
    return store


def test_a_new_database_is_filled_from_the_log(place: str) -> None:
    store, other = full_store(), open_store("sqlite://")
    count = len(store.keys(history=True))
    assert Sync(store, log_place(place)).once() == SyncReport(0, count, 0)
    assert Sync(other, log_place(place)).once() == SyncReport(count, 0, 0)
    assert everything(other) == everything(store) and other.consents() == store.consents()
    for again in (Sync(store, log_place(place)), Sync(other, log_place(place))):
        assert again.once() == again.once() == SyncReport()
    assert len(logged(log_place(place))) == count


def test_consent_that_is_given_and_taken_back_follows(place: str) -> None:
    store = open_store("sqlite://")
    sync, id = Sync(store, log_place(place)), store.submit(fields(SECRET)).correction.id
    for licence in ("", "CC-BY-4.0", "", "CC0-1.0"):
        if licence:
            store.contribute(id, licence)
        else:
            store.withdraw(id)
        sync.once()
        fresh = open_store("sqlite://")
        Sync(fresh, log_place(place)).once()
        assert fresh.licence(id) == licence
        Sync(store, log_place(place)).once()
        assert store.licence(id) == licence, "what the database says of itself counts"


def test_what_is_erased_leaves_the_log(place: str, hub: Hub, tmp_path: Path) -> None:
    store, other = full_store(), open_store("sqlite://")
    sync, syncs_other = Sync(store, log_place(place)), Sync(other, log_place(place))
    sync.once(), syncs_other.once()
    ids = [record.id for record in all_of(store) if "Zanzibar" in record.prompt]
    for id in ids:
        store.erase(id)
    assert sync.once().erased == 1 and syncs_other.once().erased == len(ids)
    assert everything(other) == everything(store) and all(other.erased(id) for id in ids)
    held = [data for repo in hub.repos.values() for _, files in repo.commits for data in files.values()]
    held += [file.read_bytes() for file in (tmp_path / "log").rglob("*") if file.is_file()]
    assert held and not any(b"Zanzibar" in data for data in held), "in no commit, and in no file"
    assert Sync(open_store("sqlite://"), log_place(place)).once().taken == len(store.keys(history=True))


def test_several_servers_on_one_database(place: str, tmp_path: Path) -> None:
    stores = [open_store(f"sqlite:///{tmp_path}/store.sqlite3") for _ in range(3)]
    syncs = [Sync(store, log_place(place)) for store in stores]

    def work(sync: Sync, name: str) -> None:
        for i in range(4):
            sync.store.submit(fields(f"Prompt {i} of {name}"))
            with suppress(ExportError):  # too many at the same time: the next one does it
                sync.once()

    threads = [threading.Thread(target=work, args=(sync, str(i))) for i, sync in enumerate(syncs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    syncs[0].once()
    lines = Counter(line["id"] for line in logged(log_place(place)))
    assert len(lines) == 12 and set(lines.values()) == {1}


# --- what goes wrong ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [500, 503, 429, 409])
def test_a_commit_whose_answer_is_lost_is_not_made_twice(hub: Hub, status: int) -> None:
    store = full_store()
    sync = Sync(store, log_place(HUB_DATASETS + DATASET))
    hub.fail(r"POST /api/datasets/.*/commit", status, after=True, retry_after="0" if status == 429 else "")
    try:
        sync.once()
    except ExportError as error:
        assert "\n" not in str(error)
    sync.once()
    Sync(store, log_place(HUB_DATASETS + DATASET)).once()
    assert len(logged(log_place(HUB_DATASETS + DATASET))) == len(store.keys(history=True))


@pytest.mark.parametrize(
    ("request_", "status", "says"),
    [
        ("POST /api/repos/create", 401, "HF_TOKEN"),
        ("GET /api/datasets", 404, "on the Hub|answered 404"),
        ("POST .*/commit/", 500, "answered 500"),
        ("GET .*/resolve/", 500, "answered 500|cannot be reached"),
    ],
)
def test_errors_of_the_hub_are_one_line_and_lose_nothing(hub: Hub, request_: str, status: int, says: str) -> None:
    store = full_store()
    if "resolve" in request_:
        Sync(store, log_place(HUB_DATASETS + DATASET)).once()
    sync = Sync(store, log_place(HUB_DATASETS + DATASET))
    hub.fail(request_, status, times=50)
    with pytest.raises(ExportError, match=says) as error:
        sync.once()
    assert "\n" not in str(error.value)
    hub.faults.clear()
    sync.once()
    assert len(logged(log_place(HUB_DATASETS + DATASET))) == len(store.keys(history=True))


def test_a_public_data_set_gets_no_private_prompts(hub: Hub) -> None:
    hub.put(DATASET, {}, "dataset", private=False)
    with pytest.raises(ExportError, match="is public"):
        Sync(full_store(), log_place(HUB_DATASETS + DATASET)).once()
    assert hub.files(DATASET, "dataset") == {}


def test_lines_and_addresses_that_make_no_sense(tmp_path: Path) -> None:
    store, log = filled(HOSTILE[:3]), tmp_path / "log"
    Sync(store, Folder(log)).once()
    (log / "corrections" / "other.jsonl").write_bytes(
        b"\xff\n{}\n" + correction("Readable.").to_line().encode() + b"\n"
    )
    assert Sync(store, Folder(log)).once() == SyncReport(1, 0, 0), "of a damaged file what can be read"
    for address, says in (
        ("hf://models/a/b", "give a data set"),
        (f"{HUB_DATASETS}a", "no name"),
        (f"{log}/x.jsonl/y", "cannot"),
    ):
        (log / "x.jsonl").write_text("")
        with pytest.raises(ExportError, match=says):
            log_place(address).names()
    (log / "erased").mkdir(exist_ok=True)
    (log / "erased" / "bad.jsonl").write_text("[1]\n")
    with pytest.raises(ExportError, match="bad.jsonl is damaged"):
        Sync(open_store("sqlite://"), Folder(log)).once()


class Breaking(Folder):
    """A folder whose server is killed after so many files."""

    left = 0

    def change(self, add: object, remove: object) -> None:
        files = dict(list(add.items())[: self.left])  # type: ignore[attr-defined]
        super().change(files, ())
        raise MovedError("killed")


@pytest.mark.parametrize("files", [0, 1, 2])
def test_a_change_that_breaks_off_is_done_again(tmp_path: Path, files: int) -> None:
    store, folder = full_store(), Breaking(tmp_path / "log")
    Sync(store, Folder(tmp_path / "log")).once()
    store.erase(next(record.id for record in all_of(store) if "Zanzibar" in record.prompt))
    store.submit(fields("One more."))
    folder.left = files
    with pytest.raises(ExportError, match="too many servers"):
        Sync(store, folder).once()
    Sync(store, Folder(tmp_path / "log")).once()
    lines = Counter((line["id"], line["revision"]) for line in logged(Folder(tmp_path / "log")))
    assert set(lines) == set(store.keys(history=True)) and set(lines.values()) == {1}


def test_a_store_that_cannot_be_filled_says_so(tmp_path: Path) -> None:
    def full() -> None:
        raise StoreError("the disk is nearly full")

    Sync(full_store(), Folder(tmp_path / "log")).once()
    empty = open_store("sqlite://")
    with pytest.raises(StoreError, match="nearly full"):
        Sync(empty.guarded(full), Folder(tmp_path / "log")).once()
    assert Sync(empty, Folder(tmp_path / "log")).once().taken


def test_killed_again_and_again(tmp_path: Path) -> None:
    """Processes that save and synchronise are killed at any moment; what was said to be saved is in the log once."""
    url, log, said = f"sqlite:///{tmp_path}/store.sqlite3", tmp_path / "log", []
    for round in range(4):
        command = [sys.executable, "-m", "tests.support.syncing", url, str(log), f"p{round}"]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        ids = [process.stdout.readline().strip() for _ in range(3 + 5 * round)]
        time.sleep(0.02 * round)
        process.send_signal(signal.SIGKILL)
        rest, _ = process.communicate()
        said += [id for id in [*ids, *rest.split()] if len(id) == 32]
    Sync(open_store(url), Folder(log)).once()
    lines = Counter(line["id"] for line in logged(Folder(log)))
    assert set(said) <= set(lines) and set(lines.values()) == {1}
    fresh = open_store("sqlite://")
    Sync(fresh, Folder(log)).once()
    assert everything(fresh) == everything(open_store(url))


# --- publishing --------------------------------------------------------------------------------------------


def test_only_what_is_contributed_and_accepted_is_published(hub: Hub, tmp_path: Path) -> None:
    store = full_store()
    id = store.submit(fields("Given and accepted.", annotator="hf:ann")).correction.id
    store.contribute(id, "CC-BY-4.0")
    with pytest.raises(ExportError, match="no name"):
        publish(store, "corpus")
    store.seen_by(Viewer("hf:rex", reviews=True)).review(id, 1, "accepted", "hf:rex")
    assert publish(store, "ann/corpus", private=False) == 2
    files = hub.files("ann/corpus", "dataset")
    assert b"license: cc-by-4.0" in files["README.md"] and b"never contributed" not in files["README.md"]
    [data] = [name for name in files if name.startswith("data/")]
    (tmp_path / "x.parquet").write_bytes(files[data])
    from annotations.files.importing import import_file

    published = open_store("sqlite://")
    assert import_file(published, tmp_path / "x.parquet").added == 2
    assert {record.licence for record in all_of(published)} == {"CC-BY-4.0"}
    store.withdraw(id)
    assert publish(store, "ann/corpus") == 1
    assert len(hub.repos["dataset", "ann/corpus"].commits) == 2, "the row that was taken back is in no commit"
    for record in all_of(store):
        store.withdraw(record.id) if record.licence else None
    with pytest.raises(ExportError, match="nothing to publish"):
        publish(store, "ann/corpus")


def test_command_line(hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    database = ["--database", f"sqlite:///{tmp_path}/store.sqlite3"]
    store = open_store(database[1])
    id = store.submit(fields(SECRET)).correction.id
    assert main(["sync", HUB_DATASETS + DATASET, *database]) == 0 and "1 given" in capsys.readouterr().out
    assert main(["sync", "hf://spaces/x/y", *database]) == 2
    store.contribute(id, "CC-BY-4.0")
    assert main(["publish", "ann/corpus", *database]) == 2
    store.review(id, 1, "accepted", "Rex")
    assert main(["publish", "ann/corpus", *database]) == 0 and hub.repos["dataset", "ann/corpus"].private
    assert os.environ["HF_TOKEN"] not in capsys.readouterr().out
