"""The store: the writer for what changes, the readers for what is asked."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from clawatch.domain.access import Key
from clawatch.domain.agents import Agent
from clawatch.domain.alerts import Alert, Silence
from clawatch.domain.commands import Command
from clawatch.domain.deliveries import Outgoing
from clawatch.domain.events import Event
from clawatch.domain.journal import Appended, Committed, Entry, Unit
from clawatch.domain.runs import Run, RunStatus, RunTotal
from clawatch.domain.time import Millis
from clawatch.ports import (
    AlertFilter,
    ClaWatchError,
    Costs,
    EventFilter,
    GaugePoint,
    LatencyPoint,
    Page,
    Point,
    RetentionPolicy,
    StoreHealth,
)
from clawatch_plugins.sqlite import access, figures, journal, lists, outbox, sums
from clawatch_plugins.sqlite.backup import back_up
from clawatch_plugins.sqlite.books import SqliteBooks, read_agents
from clawatch_plugins.sqlite.codec import alert_from, command_from, key_from, outgoing_from, silence_from
from clawatch_plugins.sqlite.opening import BUSY_TIMEOUT, WriterLock, explain, open_reader, open_writer
from clawatch_plugins.sqlite.pruning import prune
from clawatch_plugins.sqlite.readers import Readers
from clawatch_plugins.sqlite.recordings import SqliteRecordings
from clawatch_plugins.sqlite.writer import Append, Call, Commit, Writer


class SqliteStore:
    """The whole ``StorePort``. Make one with ``open``."""

    def __init__(self, path: Path, con: sqlite3.Connection, books: SqliteBooks) -> None:
        self._path = path
        self._con = con
        self._id = books.store_id
        self._head = books.head
        self._tail = books.tail
        self._listeners: list[Callable[[Committed], None]] = []
        self._lock = WriterLock(path)
        self._readers = Readers(lambda: open_reader(path))
        self._writer = Writer(con, books, self._lock, asyncio.get_running_loop(), self._release)
        self.recordings = SqliteRecordings(self._writer, self._readers)

    @classmethod
    async def open(cls, path: Path, durability: str = "full", busy_timeout: float = BUSY_TIMEOUT) -> SqliteStore:
        """Make or migrate the file. Raises ClaWatchError with one clear line when that cannot be."""
        con, books = await asyncio.to_thread(_open, path, durability, busy_timeout)
        return cls(path, con, books)

    async def close(self) -> None:
        """Write what is waiting and let go of the file."""
        await self._writer.close()
        await self._readers.close()
        with suppress(sqlite3.Error):
            await asyncio.to_thread(self._con.close)  # empties the log into the file: may take a moment
        self._lock.drop()

    def _release(self, committed: Committed | None, head: int, tail: int) -> None:
        self._head, self._tail = head, tail
        if committed is None:
            return
        for listener in self._listeners:
            try:
                listener(committed)
            except Exception as error:  # the commit stands, and its waiters must go on
                context = {"message": "a listener of the store failed", "exception": error}
                asyncio.get_running_loop().call_exception_handler(context)

    @property
    def id(self) -> str:
        return self._id

    @property
    def head(self) -> int:
        return self._head

    @property
    def tail(self) -> int:
        return self._tail

    def listen(self, listener: Callable[[Committed], None]) -> None:
        self._listeners.append(listener)

    # -- the journal

    async def append(self, batch: Sequence[Event], now: Millis, owner: str = "") -> list[Appended]:
        return await self._writer.do(Append(batch, now, owner)) if batch else []

    async def commit(self, unit: Unit, now: Millis) -> list[Entry]:
        return await self._writer.do(Commit(unit, now))

    async def read(self, after: int, limit: int) -> list[Entry]:
        return await self._readers.do(journal.read, after, limit)

    async def seq_before(self, instant: Millis) -> int:
        return await self._readers.do(journal.seq_before, instant, self._tail, self._head)

    async def offset(self, consumer: str) -> int | None:
        found: int | None = await self._one("SELECT seq FROM offsets WHERE consumer = ?", consumer)
        return found

    async def agents(self) -> list[Agent]:
        return await self._readers.do(read_agents)

    async def events(self, where: EventFilter, cursor: str | None, limit: int) -> Page[Entry]:
        return await self._readers.do(journal.events, where, cursor, limit, self._tail, self._head)

    # -- alerts, commands, runs

    async def alert(self, alert_id: str) -> Alert | None:
        body = await self._one("SELECT body FROM alerts WHERE id = ?", alert_id)
        return None if body is None else alert_from(body)

    async def alerts(self, where: AlertFilter, cursor: str | None, limit: int) -> Page[Alert]:
        return await self._readers.do(lists.alerts, where, cursor, limit)

    async def open_alerts(self) -> list[Alert]:
        return await self._readers.do(lists.open_alerts)

    async def command(self, command_id: str) -> Command | None:
        body = await self._one("SELECT body FROM commands WHERE id = ?", command_id)
        return None if body is None else command_from(body)

    async def commands(
        self, agent_id: str | None, cursor: str | None, limit: int, agents: tuple[str, ...] = ("*",)
    ) -> Page[Command]:
        return await self._readers.do(lists.commands, agent_id, agents, cursor, limit)

    async def open_commands(self) -> list[Command]:
        return await self._readers.do(lists.open_commands)

    async def run(self, run_id: str, agents: tuple[str, ...]) -> Run | None:
        return await self._readers.do(lists.run, run_id, agents)

    async def runs(
        self, agents: tuple[str, ...], cursor: str | None, limit: int, agent_id: str | None = None,
        kind: str | None = None, statuses: tuple[RunStatus, ...] = (),
    ) -> Page[Run]:
        return await self._readers.do(lists.runs, agent_id, agents, kind, statuses, cursor, limit)

    async def open_runs(self) -> list[Run]:
        return await self._readers.do(lists.open_runs)

    async def run_totals(self) -> list[RunTotal]:
        return await self._readers.do(lists.run_totals)

    # -- sums

    async def costs(self, since: Millis | None, until: Millis | None, agents: tuple[str, ...]) -> Costs:
        return await self._readers.do(sums.costs, since, until, agents)

    async def series(
        self, since: Millis, until: Millis, step: Millis, by: str, agents: tuple[str, ...]
    ) -> list[Point]:
        return await self._readers.do(sums.series, since, until, step, by, agents)

    async def latencies(
        self, since: Millis, until: Millis, step: Millis, by: str, agents: tuple[str, ...]
    ) -> list[LatencyPoint]:
        return await self._readers.do(figures.latencies, since, until, step, by, agents)

    async def gauges(
        self, since: Millis, until: Millis, step: Millis, agents: tuple[str, ...], names: tuple[str, ...] = ("*",)
    ) -> list[GaugePoint]:
        return await self._readers.do(figures.gauges, since, until, step, agents, names)

    # -- the outbox

    async def claim(self, notifier: str, now: Millis, limit: int, until: Millis, holder: str) -> list[Outgoing]:
        return await self._writer.do(Call(outbox.claim, (notifier, now, limit, until, holder)))

    async def settle(self, outgoing_id: str, now: Millis, next_at: Millis | None, ref: str | None) -> None:
        await self._writer.do(Call(outbox.settle, (outgoing_id, now, next_at, ref)))

    async def ref(self, notifier: str, thread: str) -> str | None:
        found: str | None = await self._one("SELECT ref FROM refs WHERE notifier = ? AND thread = ?", notifier, thread)
        return found

    async def outbox_size(self) -> int:
        return int(await self._one("SELECT count(*) FROM outbox"))

    async def outbox_oldest(self) -> Millis | None:
        body = await self._one("SELECT body FROM outbox ORDER BY place LIMIT 1")
        return None if body is None else outgoing_from(body).created_at

    # -- silences, keys, secrets, marks, logins

    async def silences(self) -> list[Silence]:
        return [silence_from(body) for (body,) in await self._all("SELECT body FROM silences")]

    async def put_silence(self, silence: Silence) -> None:
        await self._writer.do(Call(access.put_silence, (silence,)))

    async def delete_silence(self, silence_id: str) -> bool:
        return await self._writer.do(Call(access.delete_silence, (silence_id,)))

    async def keys(self) -> list[Key]:
        return [key_from(body) for (body,) in await self._all("SELECT body FROM keys ORDER BY name")]

    async def put_key(self, key: Key) -> None:
        await self._writer.do(Call(access.put_key, (key,)))

    async def delete_key(self, name: str) -> bool:
        return await self._writer.do(Call(access.delete_key, (name,)))

    async def secret(self, name: str) -> str | None:
        found: str | None = await self._one("SELECT value FROM secrets WHERE name = ?", name)
        return found

    async def put_secret(self, name: str, value: str) -> None:
        await self._writer.do(Call(access.put_secret, (name, value)))

    async def marks(self, source: str) -> dict[str, str]:
        return dict(await self._all("SELECT name, value FROM marks WHERE source = ?", source))

    async def put_marks(self, source: str, changes: Mapping[str, str | None]) -> None:
        await self._writer.do(Call(access.put_marks, (source, dict(changes))))

    async def put_login(self, code_hash: str, expires_at: Millis) -> None:
        await self._writer.do(Call(access.put_login, (code_hash, expires_at)))

    async def take_login(self, code_hash: str, now: Millis) -> bool:
        return await self._writer.do(Call(access.take_login, (code_hash, now)))

    async def end_login(self, login_id: str, expires_at: Millis) -> None:
        await self._writer.do(Call(access.end_login, (login_id, expires_at)))

    async def ended_logins(self) -> set[str]:
        return {login_id for (login_id,) in await self._all("SELECT id FROM ended_logins")}

    # -- upkeep

    async def prune(self, policy: RetentionPolicy, now: Millis, budget: int) -> int:
        return await self._writer.do(Call(prune, (policy, now, budget)))

    async def backup(self, target: Path) -> None:
        await asyncio.to_thread(back_up, self._path, target)

    async def health(self) -> StoreHealth:
        writer = self._writer
        return StoreHealth(
            ok=not writer.trouble, detail=writer.trouble, size_bytes=await asyncio.to_thread(_size, self._path),
            commits=writer.commits, commit_seconds=writer.commit_seconds,
        )

    # -- small questions

    async def _one(self, query: str, *arguments: object) -> Any:
        rows = await self._all(query, *arguments)
        return rows[0][0] if rows else None

    async def _all(self, query: str, *arguments: object) -> list[tuple[Any, ...]]:
        return await self._readers.do(lambda con: con.execute(query, arguments).fetchall())


def _open(path: Path, durability: str, busy_timeout: float) -> tuple[sqlite3.Connection, SqliteBooks]:
    con = open_writer(path, durability, busy_timeout)
    try:
        return con, SqliteBooks(con)
    except sqlite3.Error as error:
        con.close()
        raise ClaWatchError(explain(path, error)) from error


def _size(path: Path) -> int:
    """The file and its write-ahead log, in bytes."""
    return sum(part.stat().st_size for part in (path, path.with_name(path.name + "-wal")) if part.exists())
