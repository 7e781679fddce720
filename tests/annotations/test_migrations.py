"""Migrations, from the oldest schema that was ever released: what was in it is there afterwards, word for word."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from annotations.errors import StoreError
from annotations.results import Filter
from annotations.store import Store, migrations
from annotations.store.engine import connect, for_writing
from annotations.store.migrations import MIGRATIONS, migrate
from annotations.store.tables import StoreTable
from model.compress import PAPER, CompressRequest
from model.record import CorrectionRecord
from tests.support.databases import KINDS, database
from tests.support.saving import fields
from tests.support.voting import ballot

ROOT = Path(__file__).resolve().parents[2]

# A database of version 1, as `.dump` wrote it. Never change it.
VERSION_1 = r"""
CREATE TABLE schema_version (version INTEGER PRIMARY KEY, applied_at TEXT);
INSERT INTO schema_version VALUES(1,'2026-11-22T03:00:00.000000Z');
CREATE TABLE prompts (key TEXT PRIMARY KEY, sha256 TEXT NOT NULL, text TEXT NOT NULL, offsets TEXT NOT NULL, shot_starts TEXT NOT NULL, tokens INTEGER NOT NULL);
INSERT INTO prompts VALUES('4ed1e0f1','c76bb646b545d35f75325c2a3d4ede85451b81bf8348eecbdf5cf051152ad7a3','Be <b>brief</b>; it''s ${1+1}.','[0,2,3,5]','[0]',2);
INSERT INTO prompts VALUES('77b0c5aa','14e7327e2eb7ae7942f53461947111421ed7b2b00c49ef056f33f051dae56781','שלום 👩‍👧','[0,4,5,8]','[]',2);
CREATE TABLE revisions (correction_id TEXT NOT NULL, revision INTEGER NOT NULL, status TEXT NOT NULL, prompt_key TEXT NOT NULL REFERENCES prompts (key), prompt_sha256 TEXT NOT NULL, model_mask TEXT NOT NULL, human_mask TEXT NOT NULL, pins TEXT NOT NULL, retention DOUBLE PRECISION NOT NULL, steps INTEGER NOT NULL, threshold DOUBLE PRECISION NOT NULL, seed BIGINT NOT NULL, checkpoint TEXT NOT NULL, annotator TEXT NOT NULL, seconds DOUBLE PRECISION NOT NULL, note TEXT NOT NULL, reviewer TEXT NOT NULL, review_note TEXT NOT NULL, created_at TEXT NOT NULL, content TEXT NOT NULL, PRIMARY KEY (correction_id, revision), CHECK (status IN ('draft', 'submitted', 'accepted', 'rejected')), CHECK ((status = 'draft') = (revision = 0)));
INSERT INTO revisions VALUES('00000000000000000000000000000001',1,'submitted','4ed1e0f1','c76bb646b545d35f75325c2a3d4ede85451b81bf8348eecbdf5cf051152ad7a3','11','01','{"0":false}',0.5,8,0.25,9223372036854775807,'base','Ann',12.5,'line one
line two','','','2026-11-22T03:01:00.000000Z','c1');
INSERT INTO revisions VALUES('00000000000000000000000000000001',2,'accepted','4ed1e0f1','c76bb646b545d35f75325c2a3d4ede85451b81bf8348eecbdf5cf051152ad7a3','11','01','{"0":false}',0.5,8,0.25,9223372036854775807,'base','Ann',12.5,'line one
line two','Bob','fine','2026-11-22T03:02:00.000000Z','c1');
INSERT INTO revisions VALUES('00000000000000000000000000000002',0,'draft','77b0c5aa','14e7327e2eb7ae7942f53461947111421ed7b2b00c49ef056f33f051dae56781','10','10','{}',0.1,1,0.0,0,'base','Ann',0.0,'','','','2026-11-22T03:03:00.000000Z','c2');
CREATE TABLE checkpoints (id TEXT PRIMARY KEY, path TEXT NOT NULL, parent TEXT REFERENCES checkpoints (id), created_at TEXT NOT NULL, metrics TEXT NOT NULL, status TEXT NOT NULL, served_at TEXT, CHECK (status IN ('available', 'served', 'rolled back')));
INSERT INTO checkpoints VALUES('base','/models/base',NULL,'2026-11-22T03:00:00.000000Z','{"loss": 0.5}','available',NULL);
INSERT INTO checkpoints VALUES('one','/models/one','base','2026-11-22T03:04:00.000000Z','{}','served','2026-11-22T03:05:00.000000Z');
CREATE TABLE uses (checkpoint_id TEXT NOT NULL REFERENCES checkpoints (id), correction_id TEXT NOT NULL, revision INTEGER NOT NULL, PRIMARY KEY (checkpoint_id, correction_id, revision), FOREIGN KEY (correction_id, revision) REFERENCES revisions (correction_id, revision));
INSERT INTO uses VALUES('one','00000000000000000000000000000001',1);
CREATE INDEX ix_prompts_sha256 ON prompts (sha256);
CREATE UNIQUE INDEX one_draft ON revisions (annotator, prompt_sha256) WHERE revision = 0;
CREATE INDEX ix_revisions_created_at ON revisions (created_at);
CREATE INDEX ix_revisions_prompt_key ON revisions (prompt_key);
CREATE UNIQUE INDEX one_served ON checkpoints (status) WHERE status = 'served';
"""  # noqa: E501


@pytest.fixture(params=KINDS)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty database."""
    with database(request.param, tmp_path) as url:
        made = connect(url)
        yield made
        made.dispose()


@pytest.fixture
def oldest(engine: Engine) -> Engine:
    """A database of version 1 with something in it."""
    with for_writing(engine).begin() as connection:
        for statement in VERSION_1.strip().split(";\n"):
            connection.exec_driver_sql(statement.rstrip(";"))
    return engine


def _columns(connection: Connection) -> dict[str, dict[str, bool]]:
    """Table -> column -> whether it may be NULL."""
    inspector = inspect(connection)
    return {
        table: {column["name"]: column["nullable"] for column in inspector.get_columns(table)}
        for table in inspector.get_table_names()
        if table != "schema_version"
    }


def _schema(engine: Engine) -> tuple[object, ...]:
    with engine.connect() as connection:
        inspector = inspect(connection)
        names = sorted(inspector.get_table_names())
        indexes = {
            (i["name"], tuple(i["column_names"]), i["unique"]) for name in names for i in inspector.get_indexes(name)
        }
        keys = {(name, tuple(inspector.get_pk_constraint(name)["constrained_columns"])) for name in names}
        foreign = {
            (name, tuple(key["constrained_columns"]), key["referred_table"])
            for name in names
            for key in inspector.get_foreign_keys(name)
        }
        return _columns(connection), indexes, keys, foreign


def test_the_dump_is_what_migration_1_makes(oldest: Engine, tmp_path: Path) -> None:
    """Nobody edited a migration that was released."""
    if oldest.dialect.name != "sqlite":
        pytest.skip("compared on SQLite")
    fresh = connect(f"sqlite:///{tmp_path}/fresh.sqlite3")
    with for_writing(fresh).begin() as connection:
        MIGRATIONS[0](connection)
        connection.execute(text("CREATE TABLE schema_version (version INTEGER PRIMARY KEY, applied_at TEXT)"))
    assert _schema(fresh) == _schema(oldest)


def test_from_the_oldest_schema(oldest: Engine) -> None:
    assert migrate(oldest) == len(MIGRATIONS) == migrate(oldest)
    store = Store(oldest)
    first, second = store.history("0" * 31 + "1")
    assert (first.prompt, first.note) == ("Be <b>brief</b>; it's ${1+1}.", "line one\nline two")
    assert (first.seed, first.pins, first.seconds, first.threshold) == (2**63 - 1, {0: False}, 12.5, 0.25)
    assert (second.status, second.reviewer, second.review_note) == ("accepted", "Bob", "fine")
    draft = store.get("0" * 31 + "2")
    assert (draft.prompt, draft.offsets, draft.status) == ("שלום 👩‍👧", ((0, 4), (5, 8)), "draft")
    for correction in (first, second, draft):
        assert CorrectionRecord.from_fields(correction.to_fields()) == correction
    assert {entry.id[-1]: entry.edits for entry in store.find().entries} == {"1": 1, "2": 0}  # counted by migration 3
    assert store.checkpoint("base").metrics == {"loss": 0.5} and store.checkpoint("one").corrections == 1
    assert store.keys(Filter(("accepted",), unused_by="one")) == [] and store.add_prompts([("new", 1.0)]).new == 1
    with pytest.raises(SQLAlchemyError, match="append-only"), for_writing(oldest).begin() as connection:
        connection.execute(text("UPDATE revisions SET edits = 0"))
    store.discard_draft("Ann", draft.prompt_sha256)


def _rows(engine: Engine) -> dict[str, list[str]]:
    """Table -> its rows."""
    with engine.connect() as connection:
        names = set(inspect(connection).get_table_names()) - {"schema_version"}
        return {name: sorted(repr(row) for row in connection.execute(text(f"SELECT * FROM {name}"))) for name in names}


@pytest.mark.parametrize("version", range(2, len(MIGRATIONS)))
def test_from_every_schema_since(oldest: Engine, version: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "MIGRATIONS", MIGRATIONS[:version])
        assert migrate(oldest) == version
    before = _rows(oldest)
    assert migrate(oldest) == len(MIGRATIONS)
    after = _rows(oldest)
    for name in set(before) - {"revisions"}:  # which got columns
        assert after[name] == before[name]
    store = Store(oldest)
    corrections = [*store.history("0" * 31 + "1"), store.get("0" * 31 + "2")]
    assert [correction.revision for correction in corrections] == [1, 2, 0]
    for correction in corrections:  # a mask of tokens alone, as all were then
        assert correction.rules == dict(PAPER)
        CompressRequest(correction.prompt, correction.retention, **correction.rules)
    saved = store.submit(fields("Be brief.", granularity="part", guards=True, least=0.25)).correction
    assert store.get(saved.id) == saved and saved.rules["granularity"] == "part" and saved.rules["guards"] is True


def test_from_the_schema_before_votes(oldest: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "MIGRATIONS", MIGRATIONS[:3])
        migrate(oldest)
    with for_writing(oldest).begin() as connection:
        queued = f"INSERT INTO queue VALUES ('{'a' * 64}', 'Prompt', 0.5, 'file', '2026-11-22T03:05:00.000000Z')"
        connection.execute(text(queued))
        skipped = f"INSERT INTO assignments VALUES ('{'a' * 64}', 'Ann', 'skipped', '2026-11-22T03:05:00.000000Z')"
        connection.execute(text(skipped))
    before = _rows(oldest)
    assert "votes" not in before and all(before.values())  # something in every table
    migrate(oldest)
    store, after = Store(oldest), _rows(oldest)
    revisions = zip(before.pop("revisions"), after.pop("revisions"), strict=True)
    assert all(new.startswith(old.removesuffix(")")) for old, new in revisions)
    assert all(after[name] == before[name] for name in before if name not in ("queue", "schema_version"))
    assert not after["votes"] and store.progress("Ann").mine_skipped == 1 and store.waiting()[0].text == "Prompt"
    saved = store.vote(ballot())
    for table in ("votes", "revisions"):
        refused = pytest.raises(SQLAlchemyError, match=f"{table} are append-only")
        with refused, for_writing(oldest).begin() as connection:
            connection.execute(text(f"UPDATE {table} SET seconds = 0"))
    assert store.votes().votes == (saved,)


def test_old_and_new_databases_end_alike(oldest: Engine, tmp_path: Path) -> None:
    migrate(oldest)
    fresh = connect(f"sqlite:///{tmp_path}/fresh.sqlite3")
    migrate(fresh)
    if oldest.dialect.name == "sqlite":
        assert _schema(oldest) == _schema(fresh)
    with oldest.connect() as connection:
        declared = {
            name: {column.name: bool(column.nullable) for column in table.columns}
            for name, table in StoreTable.metadata.tables.items()
        }
        columns = _columns(connection)
        primary = {name: set(table.primary_key.columns.keys()) for name, table in StoreTable.metadata.tables.items()}
        for name in declared:  # SQLite calls a primary key of text nullable
            for key in primary[name]:
                columns[name][key] = False
        assert columns == declared


def test_a_newer_database_is_refused(engine: Engine) -> None:
    migrate(engine)
    with for_writing(engine).begin() as connection:
        connection.execute(text(f"INSERT INTO schema_version VALUES ({len(MIGRATIONS) + 1}, '')"))
    with pytest.raises(StoreError, match="update the program"):
        migrate(engine)


def test_a_failing_migration_leaves_nothing(oldest: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE half (id INTEGER)"))
        connection.execute(text("DELETE FROM uses"))
        connection.execute(text("INSERT INTO nowhere VALUES (1)"))

    migrate(oldest)
    monkeypatch.setattr(migrations, "MIGRATIONS", (*MIGRATIONS, broken))
    for _ in range(2):
        with pytest.raises(StoreError, match="nowhere"):
            migrate(oldest)
    with oldest.connect() as connection:
        assert not inspect(connection).has_table("half")
        assert connection.execute(text("SELECT COUNT(*) FROM uses")).scalar() == 1
        assert connection.execute(text("SELECT MAX(version) FROM schema_version")).scalar() == len(MIGRATIONS)


def test_processes_that_start_at_once(oldest: Engine) -> None:
    url = oldest.url.render_as_string(hide_password=False)
    code = "import sys; from annotations.store import open_store; print(open_store(sys.argv[1]).find().total)"
    started = [
        subprocess.Popen([sys.executable, "-c", code, url], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    assert [process.communicate(timeout=120) for process in started] == [(b"2\n", b"")] * 2
    with oldest.connect() as connection:
        versions = connection.execute(text("SELECT version FROM schema_version ORDER BY version")).scalars().all()
    assert versions == list(range(1, len(MIGRATIONS) + 1))
