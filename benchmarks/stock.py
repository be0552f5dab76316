"""A store with much in it, made in minutes rather than a month: real rows, multiplied by SQL."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from itertools import islice
from pathlib import Path

from clawatch_plugins.clawatch.parsing import parse
from clawatch_plugins.sqlite.schema import MEASURES
from clawatch_plugins.sqlite.store import SqliteStore

from benchmarks import bodies
from clawatch.domain.access import Principal, Scope
from clawatch.domain.events import Event, Origin
from clawatch.domain.time import DAY, HOUR, MINUTE, Millis
from clawatch.ingest import Ingest

TEMPLATE = 10_000
"""Rows that are stored as any others; all further ones are copies of these."""
EVENTS_KEPT: Millis = 30 * DAY
MINUTES_KEPT: Millis = 31 * DAY
HOURS_KEPT: Millis = 400 * DAY
AGENTS = 100


def fill(data_dir: Path, number: int) -> None:
    """Make the store of a daemon that has run for 400 days with 100 busy agents and keeps ``number`` events.

    The events are spread evenly over 30 days; every agent has spent something in each minute, hour and day that
    rollups are kept for.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    path = data_dir / "clawatch.db"
    asyncio.run(_begin(path))
    con = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode = MEMORY", "synchronous = OFF", "cache_size = -2000000", "temp_store = MEMORY"):
        con.execute(f"PRAGMA {pragma}")
    now = time.time_ns() // 1_000_000
    con.execute("BEGIN")
    _multiply(con, number, now)
    _roll_up(con, now)
    con.execute("COMMIT")
    con.execute("ANALYZE")
    con.execute("PRAGMA journal_mode = WAL")
    con.close()


async def _begin(path: Path) -> None:
    from clawatch.clock import SystemClock

    store = await SqliteStore.open(path)
    ingest = Ingest(store, SystemClock(), (), lambda event: event)
    who = Principal(name="bench", user="bench", scopes=frozenset({Scope.INGEST}))
    stream = bodies.events("template", AGENTS)
    for _ in range(TEMPLATE // 1000):
        body = json.dumps(list(islice(stream, 1000))).encode()
        events: list[Event] = parse(body, False, time.time_ns() // 1_000_000, Origin.LIVE).events
        await ingest.accept(events, who)
    await store.close()


def _multiply(con: sqlite3.Connection, number: int, now: Millis) -> None:
    indexes = con.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'journal' AND sql IS NOT NULL"
    ).fetchall()
    for name, _ in indexes:
        con.execute(f"DROP INDEX {name}")
    for copy in range(1, number // TEMPLATE):
        con.execute(
            "INSERT INTO journal SELECT seq + ?, at, kind, agent, type, happened, hidden, spends, body, counted"
            " FROM journal WHERE seq <= ?",
            (copy * TEMPLATE, TEMPLATE),
        )
    step = EVENTS_KEPT / number
    con.execute("UPDATE journal SET at = ? + CAST(seq * ? AS INTEGER)", (now - EVENTS_KEPT, step))
    con.execute("UPDATE journal SET happened = at")
    con.execute(
        "INSERT OR IGNORE INTO idents SELECT randomblob(16), seq FROM journal WHERE seq > ? ORDER BY 1", (TEMPLATE,)
    )
    for _, sql in indexes:
        con.execute(sql)
    con.execute("INSERT OR REPLACE INTO offsets VALUES ('rules', (SELECT max(seq) FROM journal))")


def _roll_up(con: sqlite3.Connection, now: Millis) -> None:
    spent = {"events": 8, "cost": 10_000, "input": 4000, "output": 200, "tokens": 4200}
    values = ", ".join(str(spent.get(name, 0)) for name in MEASURES)
    [(model,)] = con.execute("SELECT max(key) FROM models").fetchall()
    tables = (("minutes", MINUTE, MINUTES_KEPT), ("hours", HOUR, HOURS_KEPT), ("days", DAY, HOURS_KEPT))
    for table, grain, kept in tables:
        con.execute(
            "WITH RECURSIVE bucket(n) AS (SELECT ? UNION ALL SELECT n + 1 FROM bucket WHERE n < ?)"
            f" INSERT OR IGNORE INTO {table} SELECT n, a.key, ?, {values} FROM bucket CROSS JOIN agent_names a",
            ((now - kept) // grain, now // grain, model),
        )
