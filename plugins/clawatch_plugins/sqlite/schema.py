"""The tables, and how a file comes to have them."""

from __future__ import annotations

import secrets
import sqlite3
from pathlib import Path
from typing import Any

from clawatch.domain.time import DAY, HOUR, MINUTE
from clawatch.ports import ClaWatchError

APPLICATION_ID = 0x434C5741
"""``CLWA`` in the file's header (https://www.sqlite.org/fileformat.html#application_id)."""
MIGRATION_SET = "clawatch"
_FIRST_MEASURES = (
    "events", "errors", "tool_calls", "messages", "cost", "past_cost", "input", "output", "cache_read", "cache_write",
    "tokens", "unpriced",
)  # fmt: skip
MEASURES = (*_FIRST_MEASURES, "revenue")
"""Columns of a sum, named after the fields of ``journal.Measures``."""
GRAINS = {MINUTE: "minute", HOUR: "hour", DAY: "day"}
"""How the names of a grain's tables begin."""
_SUMS = ", ".join(f"{name} INTEGER NOT NULL" for name in _FIRST_MEASURES)
_ROLLUP = f"""(
    bucket INTEGER NOT NULL, agent INTEGER NOT NULL, model INTEGER NOT NULL, {_SUMS},
    PRIMARY KEY (bucket, agent, model)) WITHOUT ROWID"""
"""``bucket`` counts the table's own grain since the epoch."""

FIRST = f"""
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;

CREATE TABLE agent_names (key INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE models (key INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE agents (agent INTEGER PRIMARY KEY, body TEXT NOT NULL);

CREATE TABLE journal (
    seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL, agent INTEGER NOT NULL,
    type TEXT, happened INTEGER, hidden INTEGER, spends INTEGER, body TEXT NOT NULL, counted);
CREATE INDEX journal_agent ON journal (agent, seq);
CREATE INDEX journal_spends ON journal (happened) WHERE spends = 1;
CREATE TABLE completed (seq INTEGER PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE idents (ident BLOB PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE minutes {_ROLLUP};
CREATE TABLE hours {_ROLLUP};
CREATE TABLE days {_ROLLUP};
CREATE TABLE counters (
    series TEXT PRIMARY KEY, started INTEGER NOT NULL, value INTEGER NOT NULL, touched INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE session_ranks (
    key INTEGER PRIMARY KEY, agent INTEGER NOT NULL, session TEXT NOT NULL, rank INTEGER NOT NULL,
    touched INTEGER NOT NULL, UNIQUE (agent, session));
CREATE TABLE session_cells (
    session INTEGER NOT NULL, minute INTEGER NOT NULL, model INTEGER NOT NULL, {_SUMS},
    PRIMARY KEY (session, minute, model)) WITHOUT ROWID;

CREATE TABLE alerts (
    id TEXT PRIMARY KEY, agent TEXT NOT NULL, state TEXT NOT NULL, fired_at INTEGER NOT NULL,
    resolved_at INTEGER NOT NULL, body TEXT NOT NULL);
CREATE INDEX alerts_fired ON alerts (fired_at, id);
CREATE INDEX alerts_open ON alerts (id) WHERE state <> 'resolved';
CREATE TABLE commands (
    id TEXT PRIMARY KEY, agent TEXT NOT NULL, open INTEGER NOT NULL, requested_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL, body TEXT NOT NULL);
CREATE INDEX commands_requested ON commands (requested_at, id);
CREATE INDEX commands_agent ON commands (agent, requested_at, id);
CREATE INDEX commands_open ON commands (id) WHERE open = 1;
CREATE TABLE runs (
    id TEXT NOT NULL, agent TEXT NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
    place TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (id, agent));
CREATE INDEX runs_created ON runs (created_at, place);
CREATE INDEX runs_agent ON runs (agent, created_at, place);

CREATE TABLE outbox (
    place INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, notifier TEXT NOT NULL, thread TEXT NOT NULL,
    next_at INTEGER NOT NULL, attempts INTEGER NOT NULL, holder TEXT, claimed_until INTEGER, body TEXT NOT NULL);
CREATE INDEX outbox_thread ON outbox (notifier, thread, place);
CREATE TABLE refs (
    notifier TEXT NOT NULL, thread TEXT NOT NULL, ref TEXT NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (notifier, thread)) WITHOUT ROWID;
CREATE TABLE offsets (consumer TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE silences (id TEXT PRIMARY KEY, expires_at INTEGER NOT NULL, body TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE keys (name TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE secrets (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE logins (code_hash TEXT PRIMARY KEY, expires_at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE ended_logins (id TEXT PRIMARY KEY, expires_at INTEGER NOT NULL) WITHOUT ROWID;
"""
"""``body`` is the value as JSON; ``journal.counted`` is JSON too, or the bare minute of one plain event."""


def first(db: Any) -> None:
    for statement in FIRST.split(";"):
        db.conn.execute(statement)
    db.conn.execute("INSERT INTO meta VALUES ('id', ?)", (secrets.token_hex(6),))
    db.conn.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def marks(db: Any) -> None:
    db.conn.execute(
        "CREATE TABLE marks (source TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, "
        "PRIMARY KEY (source, name)) WITHOUT ROWID"
    )


def latencies_and_gauges(db: Any) -> None:
    """``bins`` is a packed sketch; its sum and ends are microseconds. ``last_at`` is in milliseconds."""
    for table in ("minutes", "hours", "days", "session_cells"):
        db.conn.execute(f"ALTER TABLE {table} ADD COLUMN revenue INTEGER NOT NULL DEFAULT 0")
    db.conn.execute("CREATE TABLE gauge_names (key INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)")
    for grain in GRAINS.values():
        db.conn.execute(
            f"CREATE TABLE {grain}_latencies (bucket INTEGER NOT NULL, agent INTEGER NOT NULL, total INTEGER NOT NULL,"
            " low INTEGER NOT NULL, high INTEGER NOT NULL, bins BLOB NOT NULL,"
            " PRIMARY KEY (bucket, agent)) WITHOUT ROWID"
        )
        db.conn.execute(
            f"CREATE TABLE {grain}_gauges (bucket INTEGER NOT NULL, agent INTEGER NOT NULL, name INTEGER NOT NULL,"
            " count INTEGER NOT NULL, sum REAL NOT NULL, last REAL NOT NULL, last_at INTEGER NOT NULL,"
            " rise INTEGER NOT NULL, PRIMARY KEY (bucket, agent, name)) WITHOUT ROWID"
        )


RUN_KIND = "coalesce(json_extract(body, '$.kind'), 'task')"
RUN_STATUS = "coalesce(json_extract(body, '$.status'), 'pending')"
"""What a run's body leaves out where it is the default."""
RUN_IS_OURS = "json_extract(body, '$.by') IS NOT NULL AND json_extract(body, '$.ended_at') IS NULL"
"""Of a run that somebody asked for here, and that goes on."""


def runs_by_kind(db: Any) -> None:
    db.conn.execute(f"CREATE INDEX runs_kind ON runs ({RUN_KIND}, created_at, place)")
    db.conn.execute(f"CREATE INDEX runs_ours ON runs (created_at, place) WHERE {RUN_IS_OURS}")


_RECORDINGS = """
CREATE TABLE recordings (
    key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, node_id TEXT NOT NULL, owner TEXT NOT NULL,
    stage TEXT NOT NULL, created_at INTEGER NOT NULL, version INTEGER NOT NULL, body TEXT NOT NULL);
CREATE INDEX recordings_node ON recordings (node_id, created_at, id);
CREATE INDEX recordings_created ON recordings (created_at, id);
CREATE TABLE recording_blocks (
    place INTEGER PRIMARY KEY, recording INTEGER NOT NULL, kind INTEGER NOT NULL, key INTEGER NOT NULL,
    part INTEGER NOT NULL, body BLOB NOT NULL, UNIQUE (recording, kind, key, part));
CREATE TABLE recording_agents (
    recording INTEGER NOT NULL, ident NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (recording, ident)) WITHOUT ROWID;
"""


def recordings(db: Any) -> None:
    """``kind``, ``key`` and ``part`` are ``domain.recordings.Block``'s; ``ident`` is an agent's id, a UUID as bytes."""
    for statement in _RECORDINGS.split(";"):
        db.conn.execute(statement)


MIGRATIONS = (first, marks, runs_by_kind, latencies_and_gauges, recordings)
"""In order; what has been released is never changed, only followed by another."""


def prepare(con: sqlite3.Connection, path: Path) -> None:
    """Bring the file up to date. Raises ClaWatchError when it is not ours to touch."""
    if not _pending(con, path):
        return
    from sqlite_utils import Database, Migrations  # takes a tenth of a second, and is needed once per release

    migrations = Migrations(MIGRATION_SET)
    for migration in MIGRATIONS:
        migrations(name=migration.__name__)(migration)
    # Not in WAL mode yet: a transaction around them all keeps two processes that open a new file apart.
    con.execute("BEGIN IMMEDIATE")
    try:
        migrations.apply(Database(con, recursive_triggers=False, execute_plugins=False))
        con.execute("COMMIT")
    except BaseException:
        con.execute("ROLLBACK")
        raise


def _pending(con: sqlite3.Connection, path: Path) -> bool:
    tables = {name for (name,) in con.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    [application_id] = con.execute("PRAGMA application_id").fetchone()
    if not tables:
        return True
    if application_id != APPLICATION_ID or "_sqlite_migrations" not in tables:
        raise ClaWatchError(
            f"{path} is the database of another program; set storage.sqlite.path to a file for ClaWatch alone"
        )
    applied = {
        name
        for (name,) in con.execute("SELECT name FROM _sqlite_migrations WHERE migration_set = ?", (MIGRATION_SET,))
    }
    known = {migration.__name__ for migration in MIGRATIONS}
    if applied - known:
        raise ClaWatchError(
            f"{path} was written by a newer ClaWatch (it has the migration {min(applied - known)!r}); "
            "install that version, or restore a backup made before the upgrade"
        )
    return applied != known
