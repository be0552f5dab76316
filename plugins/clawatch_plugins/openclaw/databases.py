"""Transcripts in a database for each agent, as OpenClaw keeps them from 2026.8.1 on.

A row holds what was a line before. Rows are read by the time they were made, a little of the past again each time,
since several writers may be at work; whatever comes twice is told apart by its entry's id. Plain and synchronous: it
is worked in a thread.
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
from clawatch_plugins.openclaw.reading import decode

SLACK: Millis = MINUTE
PAGE = 1_000
LONGEST = 8 * 1024 * 1024
"""Characters of an entry that is still read."""
_RECENT = 20_000
_SESSIONS = 4_096
_EVENTS = (
    "SELECT session_id, seq, event_json, created_at FROM transcript_events "
    "WHERE (created_at, session_id, seq) > (?, ?, ?) AND length(event_json) <= ? "
    "ORDER BY created_at, session_id, seq LIMIT ?"
)
_NEEDED = frozenset({"session_id", "seq", "event_json", "created_at"})


class Place(Struct, frozen=True):
    """Behind which row to go on."""

    created_at: Millis
    session_id: str = ""
    seq: int = -1


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
        self._seen: OrderedDict[tuple[str, int, str], None] = OrderedDict()
        self._sessions: OrderedDict[str, Where] = OrderedDict()

    def read(self, place: Place) -> Page:
        """What was written behind a place. Raises sqlite3.Error or Unreadable."""
        with reading(self.path) as connection:
            if not columns(connection, "transcript_events") >= _NEEDED:
                raise Unreadable("it has no table transcript_events of the known form")
            key = (place.created_at, place.session_id, place.seq)
            rows = connection.execute(_EVENTS, (*key, LONGEST, PAGE)).fetchall()
            events = [event for row in rows for event in self._map(connection, row)]
        last = rows[-1] if rows else None
        after = place if last is None else Place(_whole(last[3]), str(last[0]), _whole(last[1]))
        return Page(events, after, len(rows) == PAGE)

    def _map(self, connection: sqlite3.Connection, row: tuple[object, ...]) -> Iterator[Event]:
        session_id, seq, raw, created_at = row
        if not isinstance(session_id, str) or not isinstance(raw, str | bytes):
            return
        entry = decode(raw)
        if entry is None or not self._is_new(session_id, _whole(seq), entry.get("id"), raw):
            return
        yield from self._transcripts.map(self._where(connection, session_id), entry, _whole(created_at))

    def _is_new(self, session_id: str, seq: int, entry_id: object, raw: str | bytes) -> bool:
        name = entry_id if isinstance(entry_id, str) else hash_value(raw)
        key = (session_id, seq, name)
        if key in self._seen:
            return False
        self._seen[key] = None
        if len(self._seen) > _RECENT:
            self._seen.popitem(last=False)
        return True

    def _where(self, connection: sqlite3.Connection, session_id: str) -> Where:
        known = self._sessions.get(session_id)
        if known is None:
            key, model = session_facts(connection, session_id)
            known = Where(
                gateway=self._gateway, agent=self._agent, session_id=session_id[:200], session_key=key, model=model
            )
            if key:
                self._sessions[session_id] = known
            if len(self._sessions) > _SESSIONS:
                self._sessions.popitem(last=False)
        return known


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
