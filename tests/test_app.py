"""The composition root: what a reload takes over, and what starts on a disk that is full."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from clawatch.app import Daemon, work
from clawatch.assembly import Kept, Relay
from clawatch.chores import forget_sessions
from clawatch.config.loading import load
from clawatch.domain.access import Principal, Scope
from clawatch.domain.alerts import Reason
from clawatch.domain.commands import CommandType
from clawatch.domain.deliveries import Outgoing
from clawatch.domain.events import Event, EventType, Facts
from clawatch.domain.journal import Entry, Unit
from clawatch.domain.time import DAY
from clawatch.ports import StorePort, StoreUnavailable
from clawatch.testing.clock import FakeClock
from clawatch.testing.memory import MemoryStore
from clawatch.web.connections import listen

OWNER = Principal(name="owner", user="olga", scopes=frozenset(Scope))


def waiting(notifier: str, now: int) -> Outgoing:
    return Outgoing(id="out_1", notifier=notifier, thread="t", reason=Reason.NOTICE, created_at=now, next_at=now)


@asynccontextmanager
async def working(home: Path, store: StorePort, clock: FakeClock, **config: Any) -> AsyncIterator[Daemon]:
    """A daemon on a store that is there already, as after a reload."""
    file = home / "config.yaml"
    file.write_text(json.dumps({"server": {"port": 0}, "data_dir": str(home), "storage": {"use": "memory"}, **config}))
    relay = Relay()
    store.listen(relay)
    sock = listen("127.0.0.1", 0)
    log = structlog.get_logger("clawatch")
    try:
        async with work(load(file, environ={}), Kept(store, relay, sock), clock, log) as daemon:
            yield daemon
    finally:
        sock.close()


async def test_a_reload_waits_for_what_is_still_being_written(tmp_path: Path, clock: FakeClock) -> None:
    class Writing(MemoryStore):
        """Has an event on its way when the daemon begins."""

        on_its_way = (Event(agent_id="late", type=EventType.HEARTBEAT, at=1),)

        async def commit(self, unit: Unit, now: int) -> list[Entry]:
            batch, self.on_its_way = self.on_its_way, ()
            if batch:
                await self.append(batch, now)
            return await super().commit(unit, now)

    async with working(tmp_path, Writing(), clock) as daemon:
        assert [agent.id for agent in daemon.core.queries.agents(OWNER)] == ["late"]


async def test_what_waits_for_a_notifier_that_is_gone_is_dropped_at_start(tmp_path: Path, clock: FakeClock) -> None:
    store = MemoryStore()
    hook = {"use": "webhook", "url": "http://127.0.0.1:9/"}
    async with working(tmp_path, store, clock, notifiers={"old": hook}):
        pass
    await store.commit(Unit(outbox=(waiting("old", clock.now().wall + 1),)), clock.now().wall)
    async with working(tmp_path, store, clock, notifiers={"new": hook}):
        assert await store.outbox_size() == 0


async def test_a_full_disk_keeps_it_neither_from_starting_nor_from_ending(tmp_path: Path, clock: FakeClock) -> None:
    class Full(MemoryStore):
        is_full = False

        async def commit(self, unit: Unit, now: int) -> list[Entry]:
            self._refuse()
            return await super().commit(unit, now)

        async def put_secret(self, name: str, value: str) -> None:
            self._refuse()
            await super().put_secret(name, value)

        def _refuse(self) -> None:
            if self.is_full:
                raise StoreUnavailable("disk is full")

    store = Full()
    async with working(tmp_path, store, clock):
        store.is_full = True
    hook = {"use": "webhook", "url": "http://127.0.0.1:9/"}
    async with working(tmp_path, store, clock, notifiers={"hook": hook}) as daemon, asyncio.timeout(5):
        while (await daemon.core.queries.system()).status != "degraded":
            await asyncio.sleep(0.01)


async def test_sessions_are_forgotten_when_nothing_more_is_heard_of_them(tmp_path: Path, clock: FakeClock) -> None:
    """Other agents stay, and so do those whose owner has paused them."""
    beats = [
        Event(agent_id=agent, type=EventType.HEARTBEAT, at=0, facts=Facts(kind=kind))
        for agent, kind in (("session", "claude-code"), ("held", "claude-code"), ("worker", "script"))
    ]
    async with working(tmp_path, MemoryStore(), clock) as daemon:
        await daemon.core.ingest.accept(beats, OWNER)
        await daemon.core.commands.control("held", CommandType.PAUSE, OWNER)
        clock.advance(29 * DAY)
        await forget_sessions(daemon.core, 30 * DAY)
        assert len(daemon.fleet) == 3
        clock.advance(2 * DAY)
        await forget_sessions(daemon.core, 30 * DAY)
        assert {agent.id for agent in daemon.fleet} == {"held", "worker"}


async def test_what_is_too_old_goes_soon_after_the_start(tmp_path: Path, clock: FakeClock) -> None:
    async with working(tmp_path, MemoryStore(), clock) as daemon:
        runs = daemon.scheduler.next_runs()
        for job in ("retention", "sessions"):
            assert (runs[job] - datetime.now(UTC)).total_seconds() < 120
