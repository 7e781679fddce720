"""Numbered migrations. Never edit one that was released: add another at the end of `MIGRATIONS`.

Each runs in a transaction of its own under the write lock, and the same transaction writes its number into
schema_version. Several processes may start together: one migrates, the others wait and find the work done. The SQL is
what SQLite and PostgreSQL have in common; where they differ, both versions are written out.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from annotations.errors import StoreError
from annotations.store.engine import first_line, for_writing
from model.fields import now

_NEWEST = text("SELECT COALESCE(MAX(version), 0) FROM schema_version")


def migrate(engine: Engine) -> int:
    """Bring the database to the newest schema and return its number.

    Raises StoreError when it cannot be opened, or is of a newer version than this program knows.
    """
    try:
        while (version := _version(engine)) < len(MIGRATIONS):
            _step(engine)
    except SQLAlchemyError as error:
        where = engine.url.render_as_string()
        raise StoreError(f"cannot open the database {where}: {first_line(error)}") from error
    if version > len(MIGRATIONS):
        raise StoreError(
            f"the database has schema version {version}, but this program knows {len(MIGRATIONS)}: update the program"
        )
    return version


def _version(engine: Engine) -> int:
    """The schema version; 0 = nothing there yet."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("schema_version"):
            return 0
        return int(connection.execute(_NEWEST).scalar_one())


def _step(engine: Engine) -> None:
    """Apply the next migration, unless another process has done it meanwhile."""
    with for_writing(engine).begin() as connection:
        connection.execute(
            text("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY, applied_at TEXT)")
        )
        done = int(connection.execute(_NEWEST).scalar_one())
        if done < len(MIGRATIONS):
            MIGRATIONS[done](connection)
            row = {"version": done + 1, "at": now()}
            connection.execute(text("INSERT INTO schema_version VALUES (:version, :at)"), row)


def _corrections(connection: Connection) -> None:
    """1: prompts, revisions, checkpoints and what they were trained on."""
    for statement in (
        "CREATE TABLE prompts (key TEXT PRIMARY KEY, sha256 TEXT NOT NULL, text TEXT NOT NULL, offsets TEXT NOT NULL, "
        "shot_starts TEXT NOT NULL, tokens INTEGER NOT NULL)",
        "CREATE INDEX ix_prompts_sha256 ON prompts (sha256)",
        "CREATE TABLE revisions (correction_id TEXT NOT NULL, revision INTEGER NOT NULL, status TEXT NOT NULL, "
        "prompt_key TEXT NOT NULL REFERENCES prompts (key), prompt_sha256 TEXT NOT NULL, model_mask TEXT NOT NULL, "
        "human_mask TEXT NOT NULL, pins TEXT NOT NULL, retention DOUBLE PRECISION NOT NULL, steps INTEGER NOT NULL, "
        "threshold DOUBLE PRECISION NOT NULL, seed BIGINT NOT NULL, checkpoint TEXT NOT NULL, annotator TEXT NOT NULL, "
        "seconds DOUBLE PRECISION NOT NULL, note TEXT NOT NULL, reviewer TEXT NOT NULL, review_note TEXT NOT NULL, "
        "created_at TEXT NOT NULL, content TEXT NOT NULL, PRIMARY KEY (correction_id, revision), "
        "CHECK (status IN ('draft', 'submitted', 'accepted', 'rejected')), CHECK ((status = 'draft') = (revision = 0))"
        ")",
        "CREATE UNIQUE INDEX one_draft ON revisions (annotator, prompt_sha256) WHERE revision = 0",
        "CREATE INDEX ix_revisions_created_at ON revisions (created_at)",
        "CREATE INDEX ix_revisions_prompt_key ON revisions (prompt_key)",
        "CREATE TABLE checkpoints (id TEXT PRIMARY KEY, path TEXT NOT NULL, parent TEXT REFERENCES checkpoints (id), "
        "created_at TEXT NOT NULL, metrics TEXT NOT NULL, status TEXT NOT NULL, served_at TEXT, "
        "CHECK (status IN ('available', 'served', 'rolled back')))",
        "CREATE UNIQUE INDEX one_served ON checkpoints (status) WHERE status = 'served'",
        "CREATE TABLE uses (checkpoint_id TEXT NOT NULL REFERENCES checkpoints (id), correction_id TEXT NOT NULL, "
        "revision INTEGER NOT NULL, PRIMARY KEY (checkpoint_id, correction_id, revision), "
        "FOREIGN KEY (correction_id, revision) REFERENCES revisions (correction_id, revision))",
    ):
        connection.execute(text(statement))


def _queue(connection: Connection) -> None:
    """2: prompts to correct, and who has them."""
    for statement in (
        "CREATE TABLE queue (id TEXT PRIMARY KEY, text TEXT NOT NULL, uncertainty DOUBLE PRECISION, "
        "source TEXT NOT NULL, created_at TEXT NOT NULL)",
        "CREATE TABLE assignments (queue_id TEXT NOT NULL REFERENCES queue (id), annotator TEXT NOT NULL, "
        "state TEXT NOT NULL, changed_at TEXT NOT NULL, PRIMARY KEY (queue_id, annotator), "
        "CHECK (state IN ('assigned', 'skipped', 'done')))",
    ):
        connection.execute(text(statement))


def _append_only(connection: Connection) -> None:
    """3: the number of edits as a column, and a guard: the database itself refuses to change a revision."""
    connection.execute(text("ALTER TABLE revisions ADD COLUMN edits INTEGER NOT NULL DEFAULT 0"))
    update = text("UPDATE revisions SET edits = :edits WHERE correction_id = :id AND revision = :revision")
    masks = text("SELECT correction_id, revision, model_mask, human_mask FROM revisions")
    for row in connection.execute(masks).all():
        edits = sum(a != b for a, b in zip(row.model_mask, row.human_mask, strict=True))
        if edits:
            connection.execute(update, {"edits": edits, "id": row.correction_id, "revision": row.revision})
    guards = _SQLITE_GUARDS if connection.dialect.name == "sqlite" else _POSTGRESQL_GUARDS
    for statement in guards:
        connection.exec_driver_sql(statement)


_SQLITE_GUARDS = tuple(
    f"CREATE TRIGGER revisions_no_{verb} BEFORE {verb} ON revisions WHEN OLD.revision > 0 "
    "BEGIN SELECT RAISE(ABORT, 'revisions are append-only'); END"
    for verb in ("UPDATE", "DELETE")
)
_POSTGRESQL_GUARDS = (
    "CREATE FUNCTION refuse_change() RETURNS trigger AS $$ BEGIN "
    "RAISE EXCEPTION 'revisions are append-only'; END $$ LANGUAGE plpgsql",
    "CREATE TRIGGER revisions_append_only BEFORE UPDATE OR DELETE ON revisions "
    "FOR EACH ROW WHEN (OLD.revision > 0) EXECUTE FUNCTION refuse_change()",
)


def _votes(connection: Connection) -> None:
    """4: votes of blind comparisons, append-only too."""
    for statement in (
        "CREATE TABLE votes (id TEXT PRIMARY KEY, target TEXT NOT NULL, left_name TEXT NOT NULL, "
        "right_name TEXT NOT NULL, winner TEXT NOT NULL, blind BOOLEAN NOT NULL, annotator TEXT NOT NULL, "
        "seconds DOUBLE PRECISION NOT NULL, created_at TEXT NOT NULL, note TEXT NOT NULL, question TEXT NOT NULL, "
        "left_answer TEXT NOT NULL, right_answer TEXT NOT NULL, left_text TEXT NOT NULL, right_text TEXT NOT NULL, "
        "prompt TEXT NOT NULL, CHECK (winner IN ('left', 'right', 'equal', 'neither')), "
        "CHECK (left_name <> right_name))",
        "CREATE INDEX ix_votes_created_at ON votes (created_at)",
    ):
        connection.execute(text(statement))
    guards = _SQLITE_VOTE_GUARDS if connection.dialect.name == "sqlite" else _POSTGRESQL_VOTE_GUARDS
    for statement in guards:
        connection.exec_driver_sql(statement)


_SQLITE_VOTE_GUARDS = tuple(
    f"CREATE TRIGGER votes_no_{verb} BEFORE {verb} ON votes BEGIN SELECT RAISE(ABORT, 'votes are append-only'); END"
    for verb in ("UPDATE", "DELETE")
)
_POSTGRESQL_VOTE_GUARDS = (
    "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger AS $$ BEGIN "
    "RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME || ' are append-only'; END $$ LANGUAGE plpgsql",
    "CREATE TRIGGER votes_append_only BEFORE UPDATE OR DELETE ON votes FOR EACH ROW EXECUTE FUNCTION refuse_change()",
)


def _rules(connection: Connection) -> None:
    """5: how pieces were made when a mask was proposed; before, masks were made of single tokens."""
    for column in (
        "granularity TEXT NOT NULL DEFAULT 'token'",
        "guards BOOLEAN NOT NULL DEFAULT FALSE",
        "least DOUBLE PRECISION NOT NULL DEFAULT 0",
        "least_demonstration DOUBLE PRECISION NOT NULL DEFAULT 0",
    ):
        connection.execute(text(f"ALTER TABLE revisions ADD COLUMN {column}"))


def _hosting(connection: Connection) -> None:
    """6: contributions with their licence, tombstones, the audit log, owners of queued prompts; what has a tombstone
    may be deleted, and what a checkpoint was trained on stays known after that."""
    for statement in (
        "CREATE TABLE contributions (correction_id TEXT PRIMARY KEY, owner TEXT NOT NULL, licence TEXT NOT NULL, "
        "contributed_at TEXT NOT NULL)",
        "CREATE TABLE tombstones (id TEXT PRIMARY KEY, erased_by TEXT NOT NULL, erased_at TEXT NOT NULL)",
        "CREATE TABLE audit (id TEXT PRIMARY KEY, at TEXT NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL, "
        "subject TEXT NOT NULL, detail TEXT NOT NULL)",
        "CREATE INDEX ix_audit_at ON audit (at)",
        "ALTER TABLE queue ADD COLUMN owner TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE queue ADD COLUMN sha256 TEXT NOT NULL DEFAULT ''",
        "UPDATE queue SET sha256 = id",
        "CREATE INDEX ix_queue_sha256 ON queue (sha256)",
        "CREATE INDEX ix_revisions_annotator ON revisions (annotator)",
        "CREATE TABLE kept_uses (checkpoint_id TEXT NOT NULL REFERENCES checkpoints (id), correction_id TEXT NOT NULL, "
        "revision INTEGER NOT NULL, PRIMARY KEY (checkpoint_id, correction_id, revision))",
        "INSERT INTO kept_uses SELECT checkpoint_id, correction_id, revision FROM uses",
        "DROP TABLE uses",
        "ALTER TABLE kept_uses RENAME TO uses",
    ):
        connection.execute(text(statement))
    for statement in _SQLITE_ERASURE if connection.dialect.name == "sqlite" else _POSTGRESQL_ERASURE:
        connection.exec_driver_sql(statement)


_SQLITE_ERASURE = (
    "DROP TRIGGER revisions_no_DELETE",
    "CREATE TRIGGER revisions_no_DELETE BEFORE DELETE ON revisions WHEN OLD.revision > 0 "
    "AND NOT EXISTS (SELECT 1 FROM tombstones WHERE id = OLD.correction_id) "
    "BEGIN SELECT RAISE(ABORT, 'revisions are append-only'); END",
    "DROP TRIGGER votes_no_DELETE",
    "CREATE TRIGGER votes_no_DELETE BEFORE DELETE ON votes "
    "WHEN NOT EXISTS (SELECT 1 FROM tombstones WHERE id = OLD.id) "
    "BEGIN SELECT RAISE(ABORT, 'votes are append-only'); END",
)
_POSTGRESQL_ERASURE = tuple(
    statement
    for table, key, condition in (("revisions", "correction_id", "WHEN (OLD.revision > 0) "), ("votes", "id", ""))
    for statement in (
        f"CREATE FUNCTION refuse_change_of_{table}() RETURNS trigger AS $$ BEGIN "
        f"IF TG_OP = 'DELETE' AND EXISTS (SELECT 1 FROM tombstones WHERE id = OLD.{key}) THEN RETURN OLD; END IF; "
        f"RAISE EXCEPTION '{table} are append-only'; END $$ LANGUAGE plpgsql",
        f"DROP TRIGGER {table}_append_only ON {table}",
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW {condition}EXECUTE FUNCTION refuse_change_of_{table}()",
    )
)

MIGRATIONS: tuple[Callable[[Connection], None], ...] = (_corrections, _queue, _append_only, _votes, _rules, _hosting)
