"""How much memory: after the start, and with 10,000 agents whose windows are full."""

from __future__ import annotations

import asyncio
from pathlib import Path

from benchmarks import bodies, servers
from benchmarks.clients import asking, post, time_gets
from benchmarks.machine import resident
from benchmarks.table import Row

AGENTS = 10_000
EVENTS_EACH = 20
BATCH = 500


async def measure(home: Path, rounds: int) -> list[Row]:
    idle, busy = [], []
    for number in range(rounds):
        async with servers.daemon(home / str(number)) as daemon, asking(daemon.url) as session:
            await time_gets(daemon.url, "/api/agents", 3)
            await asyncio.sleep(1)
            idle.append(resident(daemon.pid) / 2**20)
            stream = bodies.events("memory", AGENTS)
            for _ in range(AGENTS * EVENTS_EACH // BATCH):
                await post(session, [next(stream) for _ in range(BATCH)])
            await time_gets(daemon.url, "/api/agents", 3)
            busy.append(resident(daemon.pid) / 2**20)
    return [
        Row("resident memory, idle", tuple(idle), "MiB", "100 MB"),
        Row(f"with 10,000 agents, {EVENTS_EACH} events each", tuple(busy), "MiB", "300 MB"),
    ]
