"""ClawdNet beside the other doors, X-01 to X-06, X-08 to X-10: one fleet, one set of keys, limits of its own."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse
from clawatch_plugins.clawdnet.words import ACTIVITY_OF, GONE, WORD_OF

from clawatch.domain.agents import Status
from clawatch.domain.time import MINUTE, iso
from clawatch.testing.app import run_app

WORDS = {"online", "busy", "offline", "pending"}


async def test_x_01_an_agent_of_another_door_is_known_here(door: Any) -> None:
    """X-01: in ``agents``, over REST, and to dashboards that are connected already."""
    dashboard = await door.enter()
    await door.cw.say("a", "message", message="hello")
    frame = await dashboard.next()
    assert frame == {"type": "status", "agent_id": "a", "status": "online", "timestamp": frame["timestamp"]}
    assert (await (await door.connect()).next())["agents"] == ["a"]
    assert (await door.metrics("a"))["summary"]["total_messages"] == 1


async def test_x_01_metrics_and_errors_of_another_door_are_told_in_frames(door: Any) -> None:
    dashboard = await door.enter()
    at = iso(door.cw.clock.now().wall)
    await door.cw.say("a", "metrics", messages_1h=3, memory_mb=2.5, unit="MB")
    assert await dashboard.next() == {
        "type": "metrics", "agent_id": "a", "timestamp": at, "data": {"messages_1h": 3, "memory_mb": 2.5},
    }  # fmt: skip
    await door.cw.say("a", "error", error="boom")
    assert (await dashboard.hear("error"))["data"] == {"error_type": "error", "message": "boom"}
    await door.cw.say("a", "tool_call", toolName="draw", ok=False)
    assert (await dashboard.hear("error"))["data"] == {
        "error_type": "skill_failure", "skill": "draw", "message": "failed",
    }  # fmt: skip


def test_x_02_the_tables_of_words_are_total_and_know_no_foreign_ones() -> None:
    """X-02: both ways."""
    assert set(WORD_OF) == set(Status)
    assert {*WORD_OF.values(), GONE} <= WORDS
    assert set(ACTIVITY_OF) == WORDS


async def test_x_02_every_status_is_told_in_a_word_of_this_door(door: Any) -> None:
    dashboard = await door.enter()
    for word in ("pending", "idle", "running", "paused", "stopped", "error"):
        await door.cw.say("a", "status_change", status=word)
    told = [frame["status"] for frame in await dashboard.until_pong()]
    assert told == ["pending", "online", "online", "offline", "offline", "online"]


async def test_x_03_a_pause_elsewhere_is_told_here_at_once(door: Any) -> None:
    """X-03: within a second; and that it goes on."""
    await door.cw.say("a")
    dashboard = await door.enter()
    async with asyncio.timeout(1):
        await door.cw.post("/api/agents/a/pause")
        assert (await dashboard.next())["status"] == "offline"
        await door.cw.post("/api/agents/a/resume")
        assert (await dashboard.next())["status"] == "online"


async def test_a_change_is_told_even_where_the_word_stays(door: Any) -> None:
    await door.cw.say("a")
    await door.cw.post("/api/agents/a/pause")
    dashboard = await door.enter()
    await door.cw.post("/api/agents/a/stop")
    assert (await dashboard.next())["status"] == "offline"


async def test_a_silent_agent_is_offline_until_it_is_heard(door: Any) -> None:
    bot, dashboard = await door.pair()
    await bot.say("status", agent_id="a", status="online")
    await bot.until_pong()
    await dashboard.until_pong()
    door.cw.clock.advance(10 * MINUTE)
    await door.cw.settle()
    assert (await dashboard.next())["status"] == "offline"
    assert (await bot.next())["status"] == "offline"
    await bot.say("metrics", agent_id="a", data={"messages_1h": 1})
    await bot.until_pong()
    assert [frame["type"] for frame in await dashboard.until_pong()] == ["metrics", "status"]
    assert dashboard.heard[-2]["status"] == "online"


async def test_a_removed_agent_goes_offline(door: Any) -> None:
    await door.cw.say("a")
    dashboard = await door.enter()
    assert (await door.cw.ask("DELETE", "/api/agents/a")).status == 200
    assert (await dashboard.next())["status"] == "offline"


async def test_x_06_a_revoked_key_does_not_stay_connected(limits: Any, run_cw: Any) -> None:
    """X-06: one store of keys for all doors; keys are looked at again every few seconds."""
    limits(recheck_every=0.05)
    async with run_cw() as cw:
        ws = await cw.session.ws_connect(f"{cw.url}/telemetry")
        await ws.send_json({"type": "auth", "token": await cw.make_key("read", name="gone-soon")})
        await ws.receive_json(timeout=5)
        assert (await cw.ask("DELETE", "/api/keys/gone-soon")).status == 200
        assert (await ws.receive_json(timeout=5))["data"]["error_type"] == "invalid_token"
        assert await close_code(ws) == 1008


async def test_x_09_connections_elsewhere_do_not_count_here(door: Any) -> None:
    """X-09: five of this door, whatever there are of others."""
    for _ in range(6):
        await door.cw.connect()
    for _ in range(5):
        await door.enter()


async def test_x_10_a_restart_ends_connections_cleanly(tmp_path: Path) -> None:
    """X-10: 1001."""
    async with ClientSession() as session:
        async with run_app(tmp_path) as app:
            ws = await session.ws_connect(f"{app.url}/telemetry")
            await ws.send_json({"type": "auth", "token": app.key})
            await ws.receive_json(timeout=5)
            ended = asyncio.create_task(close_code(ws))
        assert await ended == 1001


async def close_code(ws: ClientWebSocketResponse) -> int | None:
    async for _ in ws:
        pass
    return ws.close_code


async def test_storms_leave_nothing_behind(tmp_path: Path) -> None:
    """CN-22, CN-23: floods, cuts and wrong tokens; no connection, task or place stays taken."""
    async with run_app(tmp_path) as app, ClientSession() as session:
        before = len(asyncio.all_tasks())

        async def storm(n: int) -> None:
            ws = await session.ws_connect(f"{app.url}/telemetry")
            await ws.send_json({"type": "auth", "token": app.key if n % 3 else "wrong"})
            for _ in range(n % 40):
                await ws.send_json({"type": "metrics", "agent_id": f"a{n % 7}", "data": {"messages_1h": n}})
            if n % 2:
                ws._response.connection.transport.abort()  # type: ignore[union-attr]
            await ws.close()

        for wave in range(8):
            await asyncio.gather(*(storm(wave * 20 + n) for n in range(20)), return_exceptions=True)
        async with asyncio.timeout(20):
            while len(asyncio.all_tasks()) > before:
                await asyncio.sleep(0.05)
        for _ in range(5):
            ws = await session.ws_connect(f"{app.url}/telemetry")
            await ws.send_json({"type": "auth", "token": app.key})
            assert (await ws.receive_json(timeout=5))["type"] == "auth_success"
