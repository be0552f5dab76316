"""What people keep open: the list of 10,000 agents, costs and series, with little and with much stored."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiohttp import ClientSession

from benchmarks import bodies, servers
from benchmarks.clients import asking, post, time_gets
from benchmarks.load import Plan
from benchmarks.machine import CLIENT_CORE, pin
from benchmarks.servers import KEY
from benchmarks.stock import fill
from benchmarks.table import Row, percentile

AGENTS = 10_000
RATE = 2_000
POLLS = 100
LITTLE, MUCH = 100_000, 10_000_000


async def measure(home: Path, rounds: int, much: int = MUCH) -> list[Row]:
    pin(CLIENT_CORE)
    rows = [await _agents(home / "agents", rounds)]
    for number in (LITTLE, much):
        await asyncio.to_thread(_stock, home / str(number), number)
        rows += await _stored(home / str(number), number, rounds)
    return rows


def _stock(home: Path, number: int) -> None:
    """Made once, and kept where ``home`` is."""
    if not (home / "data").exists():
        fill(home / "data", number)


async def _agents(home: Path, rounds: int) -> Row:
    found = []
    async with servers.daemon(home) as daemon, asking(daemon.url) as session:
        await enrol(session)
        for number in range(rounds):
            seconds = POLLS * 0.15 + 4
            plan = Plan(url=daemon.url, run=f"load{number}", key=KEY, seconds=seconds, rate=RATE, agents=AGENTS)
            load = asyncio.create_task(servers.load(plan))
            await asyncio.sleep(1)
            await time_gets(daemon.url, "/api/agents", 5, 0.1)  # what changed while nobody asked is no longer new
            found.append(percentile(await time_gets(daemon.url, "/api/agents", POLLS, 0.1), 99))
            await load
    return Row("`GET /api/agents`, 10,000 agents, 2,000 events/s, p99", tuple(found), "ms", "25 ms")


async def enrol(session: ClientSession) -> None:
    stream = bodies.events("enrol", AGENTS)
    for _ in range(AGENTS // 500):
        await post(session, [next(stream) for _ in range(500)])


async def _stored(home: Path, number: int, rounds: int) -> list[Row]:
    now = datetime.now(UTC)
    year, month = (f"{now - timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}" for days in (400, 30))
    costs = f"/api/costs?from={year}"
    series = f"/api/costs/series?from={month}&step=1d&by=agent"
    starts: list[float] = []
    found: dict[str, list[float]] = {costs: [], series: [], "/api/events?limit=100": []}
    for _ in range(rounds):
        began = time.perf_counter()
        async with servers.daemon(home) as daemon:
            starts.append(time.perf_counter() - began)
            for path, figures in found.items():
                await time_gets(daemon.url, path, 3)
                figures.append(percentile(await time_gets(daemon.url, path, POLLS), 99))
    names = ("costs over 400 days", "series over 30 days, by agent", "the newest 100 events")
    floors = ("50 ms", "50 ms", "")
    return [
        Row(f"start-up with {number:,} events", tuple(starts), "s", "2 s"),
        *(
            Row(f"{name}, {number:,} events, p99", tuple(figures), "ms", floor)
            for name, floor, figures in zip(names, floors, found.values(), strict=True)
        ),
    ]
