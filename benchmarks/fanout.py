"""From an event to every client that listens: how long, how many, at what memory, beside a bare broadcast."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

from aiohttp import ClientSession

from benchmarks import servers
from benchmarks.clients import asking, post
from benchmarks.listeners import Listener, listening
from benchmarks.machine import CLIENT_CORE, pin, resident
from benchmarks.servers import Server
from benchmarks.table import Row, percentile

CHANNEL = "/api/ws/agents"
CLIENTS = 1_000
RATE = 10
"""Frames a second to each."""
SECONDS = 10.0
IDLE = 5_000
CROWD = 200
"""Clients at saturation."""
BATCH = 100
FLOOD = 5.0
CONFIG: dict[str, Any] = {"apis": {"devskyy": {"anonymous_websocket": "always"}}}


async def measure(home: Path, rounds: int) -> list[Row]:
    pin(CLIENT_CORE)
    taken: dict[str, list[float]] = {}
    for number in range(rounds):
        for what, figure in (await _round(home / str(number))).items():
            taken.setdefault(what, []).append(figure)
    return [
        Row(f"{CLIENTS} clients, {RATE} frames/s each: event → client, p50", tuple(taken["p50"]), "ms"),
        Row("the same, p99", tuple(taken["p99"]), "ms", "25 ms"),
        Row("p99 of the others beside one that takes nothing", tuple(taken["beside"]), "ms", "as without"),
        Row("memory a client", tuple(taken["memory"]), "KiB", "20 KB"),
        Row("idle clients held", tuple(taken["idle"]), "", "5,000"),
        Row(f"saturation, {CROWD} clients", tuple(taken["saturation"]), "frames/s"),
        Row("a bare aiohttp broadcast", tuple(taken["bare"]), "frames/s"),
        Row("ratio", tuple(s / b for s, b in zip(taken["saturation"], taken["bare"], strict=True)), "", "0.7"),
    ]


async def _round(home: Path) -> dict[str, float]:
    figures: dict[str, float] = {}
    async with servers.daemon(home / "paced", CONFIG) as daemon, asking(daemon.url) as session:
        before = resident(daemon.pid)
        clock = Clockwork(session)
        async with listening(daemon.url, CHANNEL, CLIENTS, clock.heard):
            figures["memory"] = (resident(daemon.pid) - before) / CLIENTS / 1024
            figures["p50"], figures["p99"] = await clock.run()
            async with _stalled(daemon):
                _, figures["beside"] = await clock.run()
        figures["idle"] = float(await _hold_idle(daemon))
    async with servers.daemon(home / "flooded", CONFIG) as daemon, asking(daemon.url) as session:
        flips = _flips()
        figures["saturation"] = await _saturate(
            daemon, CHANNEL, lambda: post(session, [next(flips) for _ in range(BATCH)])
        )
    async with servers.process("benchmarks.broadcast", log=home / "log") as bare, ClientSession(bare.url) as session:
        frames = [_example()] * BATCH
        figures["bare"] = await _saturate(bare, "/ws", lambda: _say(session, frames))
    return figures


class Clockwork:
    """Changes an agent's status at a steady pace, and times how long each change takes to every client."""

    def __init__(self, session: ClientSession) -> None:
        self._session = session
        self._sent: dict[str, float] = {}
        self._taken: list[float] = []
        self._number = 0

    async def run(self) -> tuple[float, float]:
        """p50 and p99 in milliseconds."""
        self._taken.clear()
        began = time.perf_counter()
        for step in range(int(SECONDS * RATE)):
            await asyncio.sleep(max(0.0, began + step / RATE - time.perf_counter()))
            agent = f"clock-{self._number}"
            self._number += 1
            self._sent[agent] = time.perf_counter()
            await post(self._session, [{"agentId": agent, "type": "heartbeat"}])
        await asyncio.sleep(1)
        expected = int(SECONDS * RATE) * CLIENTS
        if len(self._taken) < expected:
            raise RuntimeError(f"{expected - len(self._taken)} of {expected} frames did not arrive")
        return percentile(self._taken, 50), percentile(self._taken, 99)

    def heard(self, payload: bytes, at: float) -> None:
        start = payload.find(b'"agent_id":"')
        if start >= 0:
            agent = payload[start + 12 : payload.index(b'"', start + 12)].decode()
            self._taken.append((at - self._sent[agent]) * 1000)


@asynccontextmanager
async def _stalled(daemon: Server) -> AsyncIterator[Listener]:
    async with listening(daemon.url, CHANNEL, 1, lambda payload, at: None) as [listener]:
        assert listener.transport is not None
        listener.transport.pause_reading()
        yield listener


async def _hold_idle(daemon: Server) -> int:
    """How many clients of a quiet channel are there, and still are after a while."""
    async with listening(daemon.url, CHANNEL, IDLE, lambda payload, at: None) as listeners:
        await asyncio.sleep(3)
        return sum(one.transport is not None and not one.transport.is_closing() for one in listeners)


async def _saturate(server: Server, path: str, say: Any) -> float:
    """Frames a second that reach the clients together while the sender says as much as is taken."""
    async with listening(server.url, path, CROWD, lambda payload, at: None) as listeners:
        began = time.perf_counter()
        while time.perf_counter() - began < FLOOD:
            await say()
        heard = sum(one.frames for one in listeners)
        return heard / (time.perf_counter() - began)


async def _say(session: ClientSession, frames: list[dict[str, Any]]) -> None:
    async with session.post("/say", json=frames) as answer:
        await answer.read()


def _flips() -> Iterator[dict[str, Any]]:
    """Each of as many agents as a batch holds changes its status in turn, so that every event is a frame."""
    for status in cycle(("running", "idle")):
        for number in range(BATCH):
            yield {"agentId": f"flip-{number}", "type": "status_change", "data": {"status": status}}


def _example() -> dict[str, Any]:
    """As long as one of the door's frames."""
    return json.loads(
        '{"type":"agent_status_update","agent_id":"flip-10","status":"running","data":{"agent_type":"","task_id":null,'
        '"prompt_preview":null,"started_at":"2026-01-01T00:00:00.000Z"},"timestamp":"2026-01-01T00:00:00.000Z"}'
    )
