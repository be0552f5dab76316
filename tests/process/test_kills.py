"""kill -9 at any moment: every acknowledged event is there once, and the alerts are those of an undisturbed run."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp

from clawatch.clock import SystemClock
from clawatch.domain.time import MINUTE, Millis, iso

KILLS = 20
ROUNDS = 40
WORKERS = 4
LOOPER, SPENDER, FAILING, STEADY = "looper", "spender", "failing", "steady"
ALERTING = 3
"""Of the four agents of each worker, so many come to an alert."""


def script(worker: int, start: Millis) -> list[dict[str, Any]]:
    """What four agents of different fate say, in order; the same in every run."""
    said: list[dict[str, Any]] = []
    for turn in range(ROUNDS):
        at = iso(start + turn * 1000)
        lines: list[tuple[str, str, dict[str, Any]]] = [
            (STEADY, "tool_call", {"toolName": "read", "arguments": {"line": turn}, "ok": True}),
            (LOOPER, "tool_call", {"toolName": "exec", "arguments": {"cmd": "make"}, "result": "no", "ok": True}),
            (SPENDER, "cost", {"costUsd": 0.5, "model": "m", "tokenCount": 10}),
        ]
        if turn % 5 == 0:
            lines.append((FAILING, "error", {"error": f"boom {turn}"}))
        for agent, kind, data in lines:
            said.append({
                "agentId": f"{agent}-{worker}", "type": kind, "timestamp": at, "data": data,
                "id": f"{agent}-{worker}-{turn}", "sessionId": "s",
            })
    return said


async def tell(events: list[dict[str, Any]], url: Callable[[], str], key: str, pace: float) -> int:
    """Send every event until it is acknowledged, whatever becomes of the daemon; how many tries it took."""
    tries = 0
    async with aiohttp.ClientSession(headers={"X-ClaWatch-Key": key}) as session:
        for event in events:
            acknowledged = False
            while not acknowledged:
                tries += 1
                try:
                    async with session.post(f"{url()}/api/events", json=event) as answer:
                        acknowledged = answer.status == 201
                except aiohttp.ClientError:
                    await asyncio.sleep(0.02)
            await asyncio.sleep(pace)
    return tries


async def stored(process: Any) -> Counter[str]:
    """The ids of all events, counted."""
    seen: Counter[str] = Counter()
    cursor = ""
    while True:
        page = await process.get(f"/api/events?limit=1000{cursor}")
        seen.update(event["id"] for event in page["events"])
        if not page.get("next"):
            return seen
        cursor = f"&cursor={page['next']}"


async def fired(process: Any) -> list[dict[str, Any]]:
    alerts: list[dict[str, Any]] = (await process.get("/api/alerts"))["alerts"]
    return alerts


def told(receiver: Any) -> set[str]:
    """The ids of the alerts that the webhook has heard of."""
    return {heard["data"]["alert"]["id"] for heard in receiver.heard if heard["data"].get("alert")}


async def run_through(
    launcher: Any, receiver: Any, until: Callable[..., Awaitable[Any]], kills: int
) -> tuple[Counter[str], Counter[tuple[str, str]]]:
    chance = random.Random(7)
    config = {"notifiers": {"hook": {"use": "webhook", "url": receiver.url}}, "rules": {"stuck": {"after": "10m"}}}
    current = await launcher.start(config)
    start = SystemClock().now().wall - MINUTE // 2
    workers = [script(i, start) for i in range(WORKERS)]
    pace = 0.15 if kills else 0.0
    tellers = [asyncio.create_task(tell(events, lambda: current.url, launcher.key, pace)) for events in workers]
    for _ in range(kills):
        await asyncio.sleep(chance.uniform(0.05, 0.6))
        await current.kill()
        current = await launcher.start(config)
    await asyncio.gather(*tellers)

    async def all_told() -> bool:
        alerts = {alert["id"] for alert in await fired(current)}
        return len(alerts) >= WORKERS * ALERTING and alerts <= told(receiver)

    await until(all_told, 60.0)
    ids, alerts = await stored(current), await fired(current)
    await current.stop()
    return ids, Counter((alert["type"], alert["agentId"]) for alert in alerts)


async def test_twenty_kills_under_load_lose_no_acknowledged_event_and_no_alert(
    tmp_path: Any, receiver: Any, until: Callable[..., Awaitable[Any]], launcher: Any
) -> None:
    ids, alerts = await run_through(launcher, receiver, until, KILLS)
    sent = {event["id"] for worker in range(WORKERS) for event in script(worker, 0)}
    assert set(ids) == sent
    assert set(ids.values()) == {1}

    launcher.home = tmp_path / "undisturbed"
    launcher.home.mkdir()
    undisturbed_ids, undisturbed_alerts = await run_through(launcher, receiver, until, kills=0)
    assert ids == undisturbed_ids
    assert alerts == undisturbed_alerts
