"""The audit ledger: which runs began and ended, and how. It holds no text, and is there on recent builds by default."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from clawatch.domain.events import Event
from clawatch.domain.time import Millis
from clawatch_plugins.openclaw.database import columns, reading
from clawatch_plugins.openclaw.following import run_began, run_ended
from clawatch_plugins.openclaw.identity import DEFAULT_AGENT, Where

PAGE = 1_000
_NEEDED = ("sequence", "occurred_at", "kind", "action", "status", "run_id")
_WANTED = ("error_code", "agent_id", "session_key", "session_id")
_ENDS = {
    "succeeded": "completed", "failed": "failed", "cancelled": "cancelled", "timed_out": "failed", "blocked": "failed",
    "unknown": "failed",
}


def read_ledger(path: Path, gateway: str, after: int, since: Millis) -> tuple[list[Event], int, bool]:
    """The runs told of behind a row; the last row read, and whether there is more. Raises sqlite3.Error.

    Worked in a thread.
    """
    with reading(path) as connection:
        there = columns(connection, "audit_events")
        if not there >= set(_NEEDED):
            return [], after, False
        (newest,) = connection.execute("SELECT max(sequence) FROM audit_events").fetchone()
        if isinstance(newest, int) and newest < after:
            after = 0  # another ledger has taken its place
        rows = _rows(connection, there, after, since)
    events = [event for row in rows if (event := _event(row, gateway)) is not None]
    last = rows[-1]["sequence"] if rows else after
    return events, last if isinstance(last, int) else after, len(rows) == PAGE


def _rows(
    connection: sqlite3.Connection, there: frozenset[str], after: int, since: Millis
) -> list[dict[str, object]]:
    names = [*_NEEDED, *(name for name in _WANTED if name in there)]
    query = (
        f"SELECT {', '.join(names)} FROM audit_events "  # noqa: S608 - our own names
        "WHERE sequence > ? AND kind = 'agent_run' AND occurred_at >= ? ORDER BY sequence LIMIT ?"
    )
    found = connection.execute(query, (after, since, PAGE)).fetchall()
    return [dict(zip(names, row, strict=True)) for row in found]


def _event(row: dict[str, object], gateway: str) -> Event | None:
    said = {name: value for name, value in row.items() if isinstance(value, str)}
    at, run_id = row["occurred_at"], said.get("run_id", "")[:200]
    if not run_id or not isinstance(at, int) or at <= 0:
        return None
    where = Where(
        gateway=gateway, agent=said.get("agent_id", "")[:200] or DEFAULT_AGENT,
        session_id=said.get("session_id", "")[:200], session_key=said.get("session_key", "")[:500],
    )
    if said.get("action") == "agent.run.started":
        return run_began(where, run_id, at)
    if said.get("action") == "agent.run.finished":
        status = _ENDS.get(said.get("status", ""), "failed")
        return run_ended(where, run_id, at, status, said.get("error_code", "")[:200])
    return None
