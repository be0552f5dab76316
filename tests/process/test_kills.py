"""kill -9 at any moment: every acknowledged event is there once, and the alerts are those of an undisturbed run."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp

from clawatch.domain.time import iso, parse_iso

KILLS = 20
START = parse_iso("2026-03-09T14:00:00Z")
ROUNDS = 40
LOOPER, SPENDER, FAILING, STEADY = "looper", "spender", "failing", "steady"


def script(worker: int) -> list[dict[str, Any]]:
    """What four agents of different fate say, in order; the same in every run."""
    said: list[dict[str, Any]] = []
    for turn in range(ROUNDS):
        at = iso(START + turn * 1000)
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


async def fired(process: Any) -> Counter[tuple[str, str]]:
    alerts = (await process.get("/api/alerts"))["alerts"]
    return Counter((alert["type"], alert["agentId"]) for alert in alerts)


def told(receiver: Any) -> set[str]:
    """The ids of the alerts that the webhook has heard of."""
    return {heard["data"]["alert"]["id"] for heard in receiver.heard if heard["data"].get("alert")}


async def run_through(
    launcher: Any, receiver: Any, until: Callable[..., Awaitable[Any]], kills: int
) -> tuple[Counter[str], Counter[tuple[str, str]]]:
    chance = random.Random(7)
    config = {"notifiers": {"hook": {"use": "webhook", "url": receiver.url}}, "rules": {"stuck": {"after": "10m"}}}
    current = await launcher.start(config)
    workers = [script(i) for i in range(4)]
    pace = 0.15 if kills else 0.0
    tellers = [asyncio.create_task(tell(events, lambda: current.url, launcher.key, pace)) for events in workers]
    for _ in range(kills):
        await asyncio.sleep(chance.uniform(0.05, 0.6))
        await current.kill()
        current = await launcher.start(config)
    await asyncio.gather(*tellers)
    expected = len(workers) * 3

    async def all_told() -> bool:
        return len(await fired(current)) >= expected and len(told(receiver)) >= expected

    await until(all_told, 60.0)
    ids, alerts = await stored(current), await fired(current)
    await current.stop()
    return ids, alerts


async def test_twenty_kills_under_load_lose_no_acknowledged_event_and_no_alert(
    tmp_path: Any, receiver: Any, until: Callable[..., Awaitable[Any]], launcher: Any
) -> None:
    ids, alerts = await run_through(launcher, receiver, until, KILLS)
    heard_of = told(receiver)
    sent = {event["id"] for worker in range(4) for event in script(worker)}
    assert set(ids) == sent
    assert set(ids.values()) == {1}

    launcher.home = tmp_path / "undisturbed"
    launcher.home.mkdir()
    undisturbed_ids, undisturbed_alerts = await run_through(launcher, receiver, until, kills=0)
    assert ids == undisturbed_ids
    assert alerts == undisturbed_alerts
    assert len(heard_of) == sum(alerts.values()), "every alert was told at least once"
