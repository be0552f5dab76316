"""What the writer knows: the ledger's books, read from the file and kept in bounded caches."""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Generic, TypeVar

from clawatch.domain.agents import Agent
from clawatch.domain.alerts import Alert
from clawatch.domain.events import Event, Ident
from clawatch.domain.journal import Measures
from clawatch.domain.ledger import Cell, CounterState, SessionKey
from clawatch.domain.runs import Run
from clawatch.domain.sketches import Sketch
from clawatch.domain.spans import Kept
from clawatch.domain.time import MINUTE, Millis
from clawatch_plugins.sqlite.codec import agent_from, alert_from, event_from, run_from
from clawatch_plugins.sqlite.schema import MEASURES

K = TypeVar("K")
V = TypeVar("V")
_CACHED = 20_000
_CACHED_SKETCHES = 4_000
"""A busy day's is a kilobyte."""
_CHUNK = 500


class Recent(Generic[K, V]):
    """A dict of what was used last, at most ``size`` of it."""

    def __init__(self, size: int = _CACHED) -> None:
        self._size = size
        self._kept: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        value = self._kept.get(key)
        if value is not None:
            self._kept.move_to_end(key)
        return value

    def update(self, values: Mapping[K, V]) -> None:
        self._kept.update(values)
        while len(self._kept) > self._size:
            self._kept.popitem(last=False)

    def clear(self) -> None:
        self._kept.clear()


class SqliteBooks:
    """Implements ``ledger.Books`` on the writer's connection. Caches change only after a commit, sketches before it."""

    def __init__(self, con: sqlite3.Connection) -> None:
        self._con = con
        self.store_id, self.kept, pruned_to = read_meta(con)
        first, last = con.execute("SELECT (SELECT min(seq) FROM journal), (SELECT max(seq) FROM journal)").fetchone()
        self.head: int = max(last or 0, pruned_to)
        self.tail: int = first or self.head + 1
        self.agent_keys: dict[str, int] = {name: key for key, name in con.execute("SELECT key, name FROM agent_names")}
        self.agents: dict[str, Agent] = {agent.id: agent for agent in read_agents(con)}
        self.model_keys: Recent[str, int] = Recent()
        self.counters: Recent[str, CounterState] = Recent()
        self.sessions: Recent[SessionKey, tuple[int, int]] = Recent()
        """Session → (its key, its best rank)."""
        self.gauge_keys: Recent[str, int] = Recent()
        self.sketches: Recent[tuple[Millis, int, int], Sketch] = Recent(_CACHED_SKETCHES)
        """(grain, bucket, agent) → its latencies. They grow in place, so a failed transaction makes them all void."""
        self.found: dict[Ident, int] = {}
        """The idents of the present transaction that are known."""

    def next_key(self, table: str) -> int:
        """The first integer key that no row of this table has."""
        [newest] = self._con.execute(f"SELECT max(key) FROM {table}").fetchone()  # noqa: S608 (a constant)
        return (newest or 0) + 1

    def model_key(self, name: str) -> int | None:
        return self._key(self.model_keys, "models", name)

    def gauge_key(self, name: str) -> int | None:
        return self._key(self.gauge_keys, "gauge_names", name)

    def _key(self, cache: Recent[str, int], table: str, name: str) -> int | None:
        known = cache.get(name)
        if known is None:
            row = self._con.execute(f"SELECT key FROM {table} WHERE name = ?", (name,)).fetchone()  # noqa: S608
            if row is not None:
                known = row[0]
                cache.update({name: row[0]})
        return known

    def look_up(self, names: Iterable[Ident]) -> None:
        """Find many idents at once, for ``seq_of``."""
        self.found = {}
        rest = iter(names)
        while chunk := tuple(islice(rest, _CHUNK)):
            marks = ", ".join("?" * len(chunk))
            rows = self._con.execute(f"SELECT ident, seq FROM idents WHERE ident IN ({marks})", chunk)  # noqa: S608
            self.found.update(rows)

    # -- ledger.Books

    def seq_of(self, ident: Ident) -> int | None:
        return self.found.get(ident)

    def event(self, seq: int) -> Event | None:
        row = self._con.execute(
            "SELECT coalesce(c.body, j.body) FROM journal j LEFT JOIN completed c ON c.seq = j.seq"
            " WHERE j.seq = ? AND j.kind = 'event'",
            (seq,),
        ).fetchone()
        return None if row is None else event_from(row[0])

    def agent(self, agent_id: str) -> Agent | None:
        return self.agents.get(agent_id)

    def run(self, agent_id: str, run_id: str) -> Run | None:
        row = self._con.execute("SELECT body FROM runs WHERE id = ? AND agent = ?", (run_id, agent_id)).fetchone()
        return None if row is None else run_from(row[0])

    def alert(self, alert_id: str) -> Alert | None:
        row = self._con.execute("SELECT body FROM alerts WHERE id = ?", (alert_id,)).fetchone()
        return None if row is None else alert_from(row[0])

    def counter(self, series: str) -> CounterState | None:
        known = self.counters.get(series)
        if known is None:
            row = self._con.execute("SELECT started, value FROM counters WHERE series = ?", (series,)).fetchone()
            known = None if row is None else CounterState(*row)
        return known

    def session_rank(self, session: SessionKey) -> int | None:
        known = self.session(session)
        return None if known is None else known[1]

    def session_cells(self, session: SessionKey) -> Mapping[Cell, Measures]:
        known = self.session(session)
        if known is None:
            return {}
        rows = self._con.execute(
            f"SELECT minute, m.name, {', '.join(MEASURES)} FROM session_cells"  # noqa: S608 (constants)
            " JOIN models m ON m.key = model WHERE session = ?",
            (known[0],),
        )
        return {(minute * MINUTE, model): measures_from(sums) for minute, model, *sums in rows}

    def session(self, session: SessionKey) -> tuple[int, int] | None:
        """A session's key and its best rank."""
        known = self.sessions.get(session)
        agent = self.agent_keys.get(session[0])
        if known is None and agent is not None:
            known = self._con.execute(
                "SELECT key, rank FROM session_ranks WHERE agent = ? AND session = ?", (agent, session[1])
            ).fetchone()
            if known is not None:
                self.sessions.update({session: known})
        return known


def measures_from(sums: Iterable[int | float]) -> Measures:
    """From columns in the order of ``MEASURES``. A sum beyond 63 bits has become a float in SQLite."""
    return Measures(**dict(zip(MEASURES, map(int, sums), strict=True)))


def read_meta(con: sqlite3.Connection) -> tuple[str, Kept, int]:
    """The store's id, from when on each grain is kept, and up to which seq the journal is pruned."""
    meta = dict(con.execute("SELECT name, value FROM meta"))
    kept = Kept(**{grain: meta.get(f"kept_{grain}", 0) for grain in ("events", "minutes", "hours")})
    return meta["id"], kept, meta.get("pruned_to", 0)


def read_agents(con: sqlite3.Connection) -> list[Agent]:
    return [agent_from(body) for (body,) in con.execute("SELECT body FROM agents")]
