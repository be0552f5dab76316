"""From the event that fires a rule to the request at the notifier, while others send 2,000 events a second."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from aiohttp import ClientSession

from benchmarks import servers
from benchmarks.clients import asking, post, receiving
from benchmarks.load import Plan
from benchmarks.machine import CLIENT_CORE, pin
from benchmarks.servers import KEY
from benchmarks.table import Row, percentile

RATE = 2_000
NOTIFIERS = 20
"""More than ten new alerts of one rule in 30 s become a summary, for each notifier: so there are several."""
ALERTS = 200
EVERY = 0.1


async def measure(home: Path, rounds: int) -> list[Row]:
    pin(CLIENT_CORE)
    p50, p99, refused = [], [], []
    for number in range(rounds):
        taken = await _round(home / str(number))
        p50.append(percentile(taken, 50))
        p99.append(percentile(taken, 99))
        refused.append(float(ALERTS - len(taken)))
    return [
        Row("event that fires a rule → request at the notifier, p50", tuple(p50), "ms"),
        Row("the same, p99", tuple(p99), "ms", "100 ms", "30 ms"),
        Row("alerts that were not told", tuple(refused), "", "0"),
    ]


async def _round(home: Path) -> list[float]:
    sent: dict[str, float] = {}
    taken: dict[str, float] = {}

    def heard(body: dict[str, Any], at: float) -> None:
        alert = body["data"]["alert"]
        if body["type"] == "alert.fired" and alert["agentId"] in sent:
            taken.setdefault(alert["agentId"], (at - sent[alert["agentId"]]) * 1000)

    async with receiving(heard) as hook, servers.daemon(home, _config(hook)) as daemon, asking(daemon.url) as session:
        seconds = ALERTS * EVERY + 4
        load = asyncio.create_task(
            servers.load(Plan(url=daemon.url, run="load", key=KEY, seconds=seconds, rate=RATE))
        )
        await asyncio.sleep(2)
        for number in range(ALERTS):
            await _fire(session, number, sent)
            await asyncio.sleep(EVERY)
        await load
        await asyncio.sleep(2)
    return list(taken.values())


def _config(hook: str) -> dict[str, Any]:
    names = [f"hook{number}" for number in range(NOTIFIERS)]
    return {
        "notifiers": {name: {"use": "webhook", "url": hook} for name in names},
        "routes": [
            {"match": {"agent": f"trouble-{number:02}-*"}, "notifiers": [name]} for number, name in enumerate(names)
        ],
    }


async def _fire(session: ClientSession, number: int, sent: dict[str, float]) -> None:
    """Four errors of a new agent; the last is the one that counts."""
    agent = f"trouble-{number % NOTIFIERS:02}-{number}"
    error = {"agentId": agent, "type": "error", "data": {"error": "it failed"}}
    await post(session, [error] * 3)
    sent[agent] = time.perf_counter()
    await post(session, [error])
