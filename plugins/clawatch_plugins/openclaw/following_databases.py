"""The databases of one home, read on whenever they have changed, with durable places."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from clawatch.domain.events import Event
from clawatch.domain.time import SECOND, Millis
from clawatch.ports import ClaWatchError, Core
from clawatch_plugins.openclaw.audit import read_ledger
from clawatch_plugins.openclaw.database import Stamp, is_orphaned, stamp
from clawatch_plugins.openclaw.databases import Database, Place, Unreadable
from clawatch_plugins.openclaw.places import Home, ledger, stores

FIND_EVERY = 2.0
"""Seconds between two looks for agents that are new."""
AGAIN = 1.0
Take = Callable[[list[Event]], Awaitable[None]]


class Databases:
    """``since``: what is older is not read."""

    def __init__(self, home: Home, core: Core, take: Take, since: Millis, poll: Millis, keep_text: bool) -> None:
        self._home = home
        self._core = core
        self._source = home.marks
        self._take = take
        self._since = since
        self._poll = poll / SECOND
        self._keep_text = keep_text
        self._found: dict[str, Database] = {}
        self._looked = float("-inf")
        self._stamps: dict[Path, Stamp | None] = {}
        self.trouble: dict[str, str] = {}
        """What could not be read, by path, and why."""
        self.is_caught_up = asyncio.Event()

    @property
    def count(self) -> int:
        return len(self._found)

    async def run(self) -> None:
        """Read on, for ever."""
        while True:
            try:
                marks = await self._core.marks.read(self._source)
                while True:
                    await self.read_on(marks)
                    self.is_caught_up.set()
                    await asyncio.sleep(self._poll)
            except ClaWatchError as error:
                self._core.log.warning("openclaw.waits_for_store", why=str(error))
            except Exception:
                self._core.log.exception("openclaw.databases_failed")
            self._begin_anew()
            await asyncio.sleep(AGAIN)

    def _begin_anew(self) -> None:
        """What was read and not stored is read again."""
        self._found.clear()
        self._stamps.clear()
        self._looked = float("-inf")

    async def read_on(self, marks: dict[str, str]) -> None:
        """Everything that is new in any of them; ``marks`` are kept up to date."""
        self._find()
        for database in self._found.values():
            if self._has_changed(database.path):
                await self._guarded(database.path, lambda one=database: self._read_database(one, marks))  # type: ignore[misc]
        path = ledger(self._home.path)
        if self._has_changed(path):
            await self._guarded(path, lambda: self._read_ledger(path, marks))

    def _find(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._looked < FIND_EVERY:
            return
        self._looked = now
        for store in stores(self._home.path):
            if store.agent not in self._found and store.database.is_file():
                self._found[store.agent] = Database(store.database, self._home.name, store.agent, self._keep_text)

    def _has_changed(self, path: Path) -> bool:
        now = stamp(path)
        if now is None or self._stamps.get(path) == now:
            return False
        self._stamps[path] = now  # taken before reading: what is written meanwhile is a change
        return True

    async def _guarded(self, path: Path, read: Callable[[], Awaitable[None]]) -> None:
        """What cannot be read now is tried again; the others go on."""
        name = str(path.relative_to(self._home.path))
        try:
            await read()
        except (sqlite3.Error, Unreadable, OSError) as error:
            self._stamps.pop(path, None)
            why = f"{name}: it was left in the middle, start OpenClaw once" if is_orphaned(path) else f"{name}: {error}"
            if self.trouble.get(name) != why:
                self._core.log.warning("openclaw.database_unreadable", path=name, why=str(error))
            self.trouble[name] = why
        else:
            self.trouble.pop(name, None)

    async def _read_database(self, database: Database, marks: dict[str, str]) -> None:
        mark = f"database:{database.path.relative_to(self._home.path)}"
        place = _place(marks.get(mark, "")) or Place(floor=self._since)
        while True:
            page = await asyncio.to_thread(database.read, place)
            await self._take(page.events)
            if page.next != place:
                marks[mark] = msgspec.json.encode(page.next).decode()
                await self._core.marks.write(self._source, {mark: marks[mark]})
            place = page.next
            if not page.has_more:
                return

    async def _read_ledger(self, path: Path, marks: dict[str, str]) -> None:
        mark = "ledger"
        after = 0
        with suppress(ValueError):
            after = int(marks.get(mark, "0"))
        while True:
            events, last, has_more = await asyncio.to_thread(read_ledger, path, self._home.name, after, self._since)
            await self._take(events)
            if last != after:
                marks[mark] = str(last)
                await self._core.marks.write(self._source, {mark: marks[mark]})
            after = last
            if not has_more:
                return


def _place(mark: str) -> Place | None:
    try:
        return msgspec.json.decode(mark, type=Place) if mark else None
    except ValueError:
        return None
