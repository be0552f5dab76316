"""Transcripts in a database for each agent, as OpenClaw keeps them from 2026.8.1 on.

A row holds what was a line before. Rows are read in the order in which they came to stand (the rowid), so that reading
on costs nothing however much there is. A session that is written anew may take the place of the newest rows; that shows
at the row read last, and then what was written since, and a little before, is read once more. Whatever comes twice is
told apart by its entry's id. Plain and synchronous: it is worked in a thread.
"""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from clawatch.domain.events import Event
from clawatch.domain.hashing import hash_value
from clawatch.domain.time import MINUTE, Millis
from clawatch_plugins.openclaw.database import columns, reading
from clawatch_plugins.openclaw.entries import Transcripts
from clawatch_plugins.openclaw.identity import Where
from clawatch_plugins.openclaw.reading import decode, instant

SLACK: Millis = MINUTE
PAGE = 1_000
LONGEST = 8 * 1024 * 1024
"""Characters of an entry that is still read."""
_RECENT = 20_000
_SESSIONS = 4_096
_EVENTS = (
    "SELECT rowid, session_id, seq, created_at, CASE WHEN length(event_json) <= ? THEN event_json END "
    "FROM transcript_events WHERE rowid > ? AND created_at >= ? ORDER BY rowid LIMIT ?"
)
_LAST = "SELECT session_id, seq, created_at FROM transcript_events WHERE rowid = ?"
_NEEDED = frozenset({"session_id", "seq", "event_json", "created_at"})
_COPIES = ("fork", "rewind", "compaction")
"""Why a session may begin with what was written, and counted, in the one before."""


class Place(Struct, frozen=True, omit_defaults=True):
    """Behind which row to go on."""

    row: int = 0
    guard: str = ""
    """What that row was."""
    newest: Millis = 0
    """When the newest row so far was made."""
    floor: Millis = 0
    """What was made before is passed by, until everything has been looked through once."""


class Page(Struct, frozen=True):
    events: list[Event]
    next: Place
    has_more: bool


class Unreadable(Exception):
    """The database is none that we know how to read."""


class Database:
    """One agent's."""

    def __init__(self, path: Path, gateway: str, agent: str, keep_text: bool) -> None:
        self.path = path
        self._gateway = gateway
        self._agent = agent
        self._transcripts = Transcripts(keep_text)
        self._seen: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._sessions: OrderedDict[str, tuple[Where, Millis]] = OrderedDict()

    def read(self, place: Place) -> Page:
        """What stands behind a place. Raises sqlite3.Error or Unreadable."""
        with reading(self.path) as connection:
            if not columns(connection, "transcript_events") >= _NEEDED:
                raise Unreadable("it has no table transcript_events of the known form")
            if place.guard and place.guard != _guard(connection.execute(_LAST, (place.row,)).fetchone()):
                place = Place(floor=max(0, place.newest - SLACK), newest=place.newest)
            rows = connection.execute(_EVENTS, (LONGEST, place.row, place.floor, PAGE)).fetchall()
            events = [event for row in rows for event in self._map(connection, row)]
        has_more = len(rows) == PAGE
        return Page(events, _behind(place, rows, has_more), has_more)

    def _map(self, connection: sqlite3.Connection, row: tuple[object, ...]) -> Iterator[Event]:
        _, session_id, seq, created_at, raw = row
        if not isinstance(session_id, str) or not isinstance(raw, str | bytes):
            return
        entry = decode(raw)
        if entry is None or not self._is_new(session_id, _whole(seq), entry.get("id"), raw):
            return
        where, copied = self._where(connection, session_id)
        if not copied or copied <= (instant(entry, "timestamp") or copied):
            yield from self._transcripts.map(where, entry, _whole(created_at))

    def _is_new(self, session_id: str, seq: int, entry_id: object, raw: str | bytes) -> bool:
        key = (session_id, entry_id if isinstance(entry_id, str) else f"{seq}:{hash_value(raw)}")
        if key in self._seen:
            return False
        self._seen[key] = None
        if len(self._seen) > _RECENT:
            self._seen.popitem(last=False)
        return True

    def _where(self, connection: sqlite3.Connection, session_id: str) -> tuple[Where, Millis]:
        """The session, and before when its entries were copied (0: none were)."""
        known = self._sessions.get(session_id)
        if known is None:
            key, model = session_facts(connection, session_id)
            where = Where(
                gateway=self._gateway, agent=self._agent, session_id=session_id[:200], session_key=key, model=model
            )
            known = where, _copied_before(connection, session_id)
            if key:
                self._sessions[session_id] = known
            if len(self._sessions) > _SESSIONS:
                self._sessions.popitem(last=False)
        return known


def _behind(place: Place, rows: list[tuple[object, ...]], has_more: bool) -> Place:
    """The place behind these rows; once everything was looked through, nothing is passed by any more."""
    last = rows[-1] if rows else None
    return Place(
        row=place.row if last is None else _whole(last[0]),
        guard=place.guard if last is None else _guard(last[1:4]),
        newest=max([place.newest, *(_whole(row[3]) for row in rows)]),
        floor=place.floor if has_more else 0,
    )


def _guard(row: tuple[object, ...] | None) -> str:
    return "" if row is None else hash_value([str(value) for value in row])[:16]


def _copied_before(connection: sqlite3.Connection, session_id: str) -> Millis:
    if not columns(connection, "session_windows") >= {"session_id", "previous_session_id", "reason", "created_at"}:
        return 0
    row = connection.execute(
        "SELECT created_at FROM session_windows WHERE session_id = ? AND previous_session_id IS NOT NULL "
        "AND reason IN (?, ?, ?)", (session_id, *_COPIES),
    ).fetchone()
    return 0 if row is None else _whole(row[0])


def session_facts(connection: sqlite3.Connection, session_id: str) -> tuple[str, str]:
    """A session's key and model, from whichever table this version has; empty where none tells."""
    for table, its_id, model in (
        ("session_windows", "session_id", "model"), ("session_nodes", "current_session_id", "''"),
        ("sessions", "session_id", "model"),
    ):
        there = columns(connection, table)
        if {its_id, "session_key"} <= there:
            what = model if model in there or model == "''" else "''"
            query = f"SELECT session_key, {what} FROM {table} WHERE {its_id} = ? LIMIT 1"  # noqa: S608 - our own names
            row = connection.execute(query, (session_id,)).fetchone()
            if row is not None:
                return _text(row[0]), _text(row[1])
    return "", ""


def _text(value: object) -> str:
    return value[:500] if isinstance(value, str) else ""


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0
