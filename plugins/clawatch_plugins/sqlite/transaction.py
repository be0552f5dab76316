"""One transaction: a posting, and the statements that write it down."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from operator import attrgetter
from typing import Any

from clawatch.domain.events import Event
from clawatch.domain.journal import Entry, EntryKind, Measures
from clawatch.domain.ledger import Posting, SessionKey
from clawatch.domain.spans import Kept
from clawatch.domain.time import DAY, HOUR, MINUTE, Millis
from clawatch_plugins.sqlite.books import SqliteBooks
from clawatch_plugins.sqlite.bulk import Bulk
from clawatch_plugins.sqlite.codec import counted_column, text_of
from clawatch_plugins.sqlite.figures import write_gauges, write_latencies
from clawatch_plugins.sqlite.schema import MEASURES

_ADD = ", ".join(f"{name} = {name} + excluded.{name}" for name in MEASURES)
_columns = attrgetter(*MEASURES)
_WIDTH = 3 + len(MEASURES)


def _put(table: str, *columns: str, keys: int = 1) -> Bulk:
    """Insert, or replace all columns but the first (so many), which are the primary key."""
    update = ", ".join(f"{column} = excluded.{column}" for column in columns[keys:])
    insert = f"INSERT INTO {table} ({', '.join(columns)})"
    return Bulk(insert, len(columns), f"ON CONFLICT ({', '.join(columns[:keys])}) DO UPDATE SET {update}")


_JOURNAL = Bulk("INSERT INTO journal", 10)
_COMPLETED = _put("completed", "seq", "body")
_IDENTS = Bulk("INSERT OR REPLACE INTO idents", 2)
_AGENT_NAMES = Bulk("INSERT INTO agent_names", 2)
_MODELS = Bulk("INSERT INTO models", 2)
_GAUGE_NAMES = Bulk("INSERT INTO gauge_names", 2)
_AGENTS = _put("agents", "agent", "body")
_ALERTS = _put("alerts", "id", "agent", "state", "fired_at", "resolved_at", "body")
_COMMANDS = _put("commands", "id", "agent", "open", "requested_at", "changed_at", "body")
_RUNS = _put("runs", "id", "agent", "created_at", "updated_at", "place", "body", keys=2)
_COUNTERS = _put("counters", "series", "started", "value", "touched")
_SESSIONS = _put("session_ranks", "key", "agent", "session", "rank", "touched")
_CELLS = Bulk(
    "INSERT INTO session_cells", _WIDTH, f"ON CONFLICT (session, minute, model) DO UPDATE SET {_ADD}"
)  # fmt: skip
_ROLLUPS = {
    grain: Bulk(f"INSERT INTO {table}", _WIDTH, f"ON CONFLICT (bucket, agent, model) DO UPDATE SET {_ADD}")
    for grain, table in ((MINUTE, "minutes"), (HOUR, "hours"), (DAY, "days"))
}
_OUTBOX = Bulk("INSERT OR REPLACE INTO outbox (id, notifier, thread, next_at, attempts, body)", 6)
_OFFSETS = _put("offsets", "consumer", "seq")


class Transaction:
    """What several writers have asked for, gathered, written and committed together."""

    def __init__(self, con: sqlite3.Connection, books: SqliteBooks) -> None:
        self.con = con
        self.books = books
        self.posting = Posting(books, books.head + 1, 0)
        self.pruned_to: int | None = None
        self.kept: Kept | None = None
        self.forgets_sessions = False
        """Idle sessions or counters are deleted in it: what the caches hold of them is void."""
        self._new_agents: dict[str, int] = {}
        self._new_models: dict[str, int] = {}
        self._new_gauges: dict[str, int] = {}
        self._new_sessions: dict[SessionKey, tuple[int, int]] = {}

    def write(self) -> None:
        """Write down what has been posted."""
        posting = self.posting
        if posting.entries:
            self._write_journal()
            self._write_agents()
            self._write_sums()
        if posting.counters:
            rows = [(s, c.started, c.value, posting.now) for s, c in posting.counters.items()]
            _COUNTERS.write(self.con, rows)
        if posting.session_ranks:
            self._write_sessions()
        if posting.alerts or posting.commands or posting.runs:
            self._write_things()
        if posting.outbox:
            waiting = posting.outbox.values()
            _OUTBOX.write(
                self.con, [(o.id, o.notifier, o.thread, o.next_at, o.attempts, text_of(o)) for o in waiting]
            )
        _OFFSETS.write(self.con, list(posting.offsets.items()))
        self._write_names()

    def _write_journal(self) -> None:
        posting = self.posting
        _JOURNAL.write(self.con, [self._row(entry) for entry in posting.entries])
        _IDENTS.write(self.con, list(posting.idents.items()))
        if posting.completed:
            _COMPLETED.write(self.con, [(seq, text_of(event)) for seq, event in posting.completed.items()])
            spending = [(seq,) for seq, event in posting.completed.items() if event.usage is not None]
            self.con.executemany("UPDATE journal SET spends = 1 WHERE seq = ?", spending)
            moved = [(seq,) for seq, event in posting.completed.items() if event.is_moved]
            self.con.executemany("UPDATE journal SET hidden = 1 WHERE seq = ?", moved)

    def _row(self, entry: Entry) -> tuple[Any, ...]:
        body = entry.body
        agent = self._agent_key(entry.agent_id)
        text, counted = text_of(body), counted_column(entry.counted)
        if not isinstance(body, Event):
            return (entry.seq, entry.at, entry.kind.value, agent, None, None, None, None, text, counted)
        return (
            entry.seq, entry.at, EntryKind.EVENT.value, agent, body.type.value, body.at, int(body.is_hidden),
            None if body.usage is None else 1, text, counted,
        )  # fmt: skip

    def _write_agents(self) -> None:
        here = [(self._agent_key(name), text_of(agent)) for name, agent in self.posting.agents.items() if agent]
        _AGENTS.write(self.con, here)
        for name, agent in self.posting.agents.items():
            if agent is None:
                self.con.execute("DELETE FROM agents WHERE agent = ?", (self._agent_key(name),))

    def _write_sums(self) -> None:
        sums: dict[Millis, dict[tuple[int, int, int], Measures]] = {grain: {} for grain in _ROLLUPS}
        for (minute, agent_id, model), added in self.posting.rollups.items():
            agent_key, model_key = self._agent_key(agent_id), self._model_key(model)
            for grain, rows in sums.items():
                key = (minute // grain, agent_key, model_key)
                rows[key] = rows[key] + added if key in rows else added
        for grain, rows in sums.items():
            _ROLLUPS[grain].write(self.con, _sum_rows(rows.items()))
        if self.posting.latencies:
            latencies = {(at, self._agent_key(name)): sketch for (at, name), sketch in self.posting.latencies.items()}
            write_latencies(self.con, self.books.sketches, latencies)
        if self.posting.gauges:
            gauges = {
                (at, self._agent_key(agent_id), self._gauge_key(name)): gauge
                for (at, agent_id, name), gauge in self.posting.gauges.items()
            }
            write_gauges(self.con, gauges)

    def _write_sessions(self) -> None:
        posting = self.posting
        rows = []
        new = 0
        for session, rank in posting.session_ranks.items():
            known = self.books.session(session)
            if known is None:
                key = self.books.next_key("session_ranks") + new
                new += 1
            else:
                key = known[0]
            self._new_sessions[session] = (key, rank)
            rows.append((key, self._agent_key(session[0]), session[1], rank, posting.now))
            if session in posting.superseded:
                self.con.execute("DELETE FROM session_cells WHERE session = ?", (key,))
            cells = posting.session_cells.get(session, {})
            _CELLS.write(
                self.con,
                _sum_rows(((key, minute // MINUTE, self._model_key(m)), s) for (minute, m), s in cells.items()),
            )
        _SESSIONS.write(self.con, rows)

    def _write_things(self) -> None:
        posting = self.posting
        _ALERTS.write(
            self.con,
            [(a.id, a.agent_id, a.state.value, a.fired_at, a.resolved_at, text_of(a)) for a in posting.alerts.values()],
        )
        _COMMANDS.write(
            self.con,
            [
                (c.id, c.agent_id, int(c.is_open), c.requested_at, c.changed_at, text_of(c))
                for c in posting.commands.values()
            ],
        )
        _RUNS.write(
            self.con,
            [
                (r.id, r.agent_id, r.created_at, r.updated_at, r.place.id, text_of(r))
                for r in posting.runs.values()
                if r is not None
            ],
        )
        for (agent_id, run_id), run in posting.runs.items():
            if run is None:
                self.con.execute("DELETE FROM runs WHERE id = ? AND agent = ?", (run_id, agent_id))

    def _write_names(self) -> None:
        _AGENT_NAMES.write(self.con, [(key, name) for name, key in self._new_agents.items()])
        _MODELS.write(self.con, [(key, name) for name, key in self._new_models.items()])
        _GAUGE_NAMES.write(self.con, [(key, name) for name, key in self._new_gauges.items()])

    def _agent_key(self, name: str) -> int:
        """Keys of agents are never given up, so there are as many as the books know."""
        known = self.books.agent_keys.get(name) or self._new_agents.get(name)
        if known is None:
            known = self._new_agents[name] = len(self.books.agent_keys) + len(self._new_agents) + 1
        return known

    def _model_key(self, name: str) -> int:
        known = self.books.model_key(name) or self._new_models.get(name)
        if known is None:
            known = self._new_models[name] = self.books.next_key("models") + len(self._new_models)
        return known

    def _gauge_key(self, name: str) -> int:
        known = self.books.gauge_key(name) or self._new_gauges.get(name)
        if known is None:
            known = self._new_gauges[name] = self.books.next_key("gauge_names") + len(self._new_gauges)
        return known

    def forsake(self) -> None:
        """After a failure: what the books may have of it already is void."""
        self.books.sketches.clear()

    def adopt(self) -> None:
        """After the commit: the books know what has been written."""
        books, posting = self.books, self.posting
        if posting.entries:
            books.head = posting.entries[-1].seq
        books.agent_keys.update(self._new_agents)
        books.model_keys.update(self._new_models)
        books.gauge_keys.update(self._new_gauges)
        for name, agent in posting.agents.items():
            if agent is None:
                books.agents.pop(name, None)
            else:
                books.agents[name] = agent
        if self.forgets_sessions:
            books.sessions.clear()
            books.counters.clear()
        books.sessions.update(self._new_sessions)
        books.counters.update(posting.counters)
        if self.pruned_to is not None:
            books.tail = self.pruned_to + 1
        books.kept = self.kept or books.kept


def _sum_rows(sums: Iterable[tuple[tuple[int, int, int], Measures]]) -> list[tuple[Any, ...]]:
    return [(*key, *_columns(measures)) for key, measures in sums if measures]
