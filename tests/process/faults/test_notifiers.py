"""Notifiers in trouble: nothing is lost, and nobody else waits for them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from clawatch.domain.time import HOUR, MINUTE
from clawatch.testing.app import run_app
from clawatch.testing.clock import FakeClock

Until = Callable[..., Awaitable[Any]]
AGENTS = [f"a{n}" for n in range(4)]


async def unavailable() -> web.Response:
    return web.Response(status=503)


async def over_rate() -> web.Response:
    return web.Response(status=429, headers={"Retry-After": "1"})


async def slow() -> web.Response:
    await asyncio.sleep(60)
    return web.Response()


async def broken_off() -> web.Response:
    raise ConnectionResetError


@pytest.mark.parametrize("temper", [unavailable, over_rate, slow, broken_off])
async def test_a_notifier_in_trouble_delays_no_other_and_hears_everything_in_the_end(
    launcher: Any, hook_with: Any, until: Until, teller_of: Any, temper: Callable[[], Awaitable[web.Response]]
) -> None:
    well, ill = await hook_with(), await hook_with()
    ill.temper = temper
    daemon = await launcher.start({"notifiers": {
        "ill": {"use": "webhook", "url": ill.url, "timeout": "1s"}, "well": {"use": "webhook", "url": well.url},
    }})
    teller = teller_of(daemon)
    await until(lambda: tell_all(teller))
    await until(lambda: heard(well, AGENTS), 5.0)
    await until(lambda: was_tried(ill), 5.0)
    assert ill.heard == []
    await until(lambda: are(teller, {"ill": "retrying", "well": "ok"}), 5.0)
    ill.temper = None
    await until(lambda: heard(ill, AGENTS), 30.0)
    assert await daemon.stop() == 0


async def tell_all(teller: Any) -> bool:
    for agent in AGENTS:
        await teller.fail(agent)
    return True


async def are(teller: Any, states: dict[str, str]) -> bool:
    _, report = await teller.get("/api/system")
    return states == {part["name"]: part["state"] for part in report["parts"] if part["section"] == "notifiers"}


async def heard(hook: Any, agents: list[str]) -> bool:
    return set(agents) <= hook.alerts()


async def was_tried(hook: Any) -> bool:
    return bool(hook.tries)


async def test_a_receiver_that_accepts_and_says_nothing_holds_up_nobody(
    launcher: Any, hook: Any, until: Until, teller_of: Any
) -> None:
    """Half-open: its machine has gone without a word, the kernel still takes what is sent."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}/hook"
        daemon = await launcher.start({"notifiers": {
            "mute": {"use": "webhook", "url": url, "timeout": "1s"}, "well": {"use": "webhook", "url": hook.url},
        }})
        await until(lambda: tell_all(teller_of(daemon)))
        await until(lambda: heard(hook, AGENTS), 5.0)
        assert await daemon.stop() == 0  # what is under way does not hold it up either


def nobody_there() -> int:
    """A port that refuses connections."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


async def test_after_an_hour_of_outage_everything_is_told_in_order(
    tmp_path: Any, hook_with: Any, hook: Any, until: Until, teller_of: Any, clock: FakeClock
) -> None:
    port = nobody_there()
    config = {"notifiers": {
        "ill": {"use": "webhook", "url": f"http://127.0.0.1:{port}/hook"},
        "well": {"use": "webhook", "url": hook.url},
    }}
    async with run_app(tmp_path, config, clock) as app:
        teller = teller_of(app)
        for minute in range(HOUR // MINUTE):
            if minute % 10 == 0:
                await teller.fail(f"a{minute}")
            await app.settle()
            clock.advance(MINUTE)
        await until(lambda: resolved(hook, 6))
        late = await hook_with(port)

        async def has_heard() -> bool:
            clock.advance(MINUTE)
            return await resolved(late, 6)

        await until(has_heard)
    assert late.alerts() == hook.alerts()
    for agent in late.alerts():
        told = [h["data"]["reason"] for h in late.heard if h["data"]["alert"]["agentId"] == agent]
        assert told[0] == "fired"
        assert told[-1] == "resolved"


async def resolved(hook: Any, agents: int) -> bool:
    return len(hook.alerts("resolved")) >= agents


async def test_five_thousand_agents_stuck_at_once_are_one_summary_and_none_is_lost(
    tmp_path: Any, hook: Any, until: Until, teller_of: Any, clock: FakeClock
) -> None:
    config = {
        "notifiers": {"hook": {"use": "webhook", "url": hook.url}}, "storage": {"use": "sqlite", "sqlite": {}},
    }
    async with run_app(tmp_path, config, clock) as app:
        teller = teller_of(app)
        for hundred in range(50):
            events = [{"agentId": f"a{hundred}-{n}", "type": "heartbeat", "data": {}} for n in range(100)]
            async with teller.session.post(f"{app.url}/api/events", json=events) as answer:
                assert answer.status == 201
        await app.settle()
        clock.advance(6 * MINUTE)
        await app.settle()

        async def all_is_said() -> bool:
            clock.advance(100)
            return not (await teller.get("/api/system"))[1]["outbox"]

        await until(all_is_said, 100.0)
        alerts, cursor = set(), ""
        while cursor is not None:
            _, page = await teller.get(f"/api/alerts?state=firing{cursor}")
            alerts |= {alert["agentId"] for alert in page["alerts"]}
            cursor = f"&cursor={page['next']}" if page.get("next") else None
    assert len(alerts) == 5_000
    singly, summaries = hook.alerts(), [h["data"] for h in hook.heard if h["type"] == "summary"]
    assert len(singly) == 10
    assert summaries[-1]["text"].startswith("4990 more alerts of stuck")
    assert len(hook.heard) < 1_000  # the summary is edited as it grows, not with every alert
