"""A restart: what is kept, and how the connected hear of it."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

from aiohttp import ClientSession, WSMsgType

GOING_AWAY = (1001, 1012)


async def test_x_10_a_restart_keeps_agents_events_costs_alerts_and_acknowledgements(
    launcher: Any, until: Any
) -> None:
    daemon = await launcher.start()
    await daemon.post("/api/events", {"agentId": "a", "agentName": "Anna", "type": "cost",
                                      "data": {"costUsd": 1.25, "tokenCount": 70, "model": "m"}})
    await daemon.post("/api/agents/a/pause")
    await daemon.post("/api/events", [{"agentId": "b", "type": "error", "data": {"error": "boom"}}] * 4)
    [alert] = await until(lambda: found(daemon, "/api/alerts", "alerts"))
    await daemon.post(f"/api/alerts/{alert['id']}/acknowledge")
    await daemon.post("/api/silences", {"duration": "1h", "agent": "c"})
    before = await everything(daemon)
    assert await daemon.stop() == 0

    again = await launcher.start()
    after = await everything(again)
    assert await again.stop() == 0
    assert after == before
    assert [one["acknowledged"] for one in after["/api/alerts"]["alerts"]] == [True]
    assert after["/api/costs"]["totalUsd"] == 1.25


async def test_x_10_a_live_client_is_closed_cleanly_and_goes_on_by_its_cursor(launcher: Any) -> None:
    daemon = await launcher.start()
    headers = {"X-ClaWatch-Key": launcher.key}
    async with ClientSession(headers=headers) as session, session.ws_connect(f"{daemon.url}/ws") as ws:
        await ws.send_json({"type": "subscribe", "topics": ["events"]})
        cursor = (await ws.receive_json(timeout=5))["cursor"]
        assert await daemon.stop() == 0
        farewell = await ws.receive(timeout=5)
        assert (farewell.type, farewell.data in GOING_AWAY) == (WSMsgType.CLOSE, True)

    again = await launcher.start()
    await again.post("/api/events", {"agentId": "a", "type": "heartbeat", "id": "e1"})
    async with ClientSession(headers=headers) as session, session.ws_connect(f"{again.url}/ws") as ws:
        await ws.send_json({"type": "subscribe", "topics": ["events"], "cursor": cursor})
        heard = await of_type(ws, "event")
        assert heard["data"]["agentId"] == "a"
    await again.stop()


async def test_a_login_link_leads_to_the_port_that_the_daemon_was_given(launcher: Any, daemon: Any) -> None:
    """The file says port 0, which is no place to go to."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "clawatch", "login", "--config", str(launcher.home / "config.yaml"),
        stdout=asyncio.subprocess.PIPE, env=dict(os.environ),
    )
    out, _ = await child.communicate()
    assert out.decode().startswith(f"{daemon.url}/login#")


async def everything(daemon: Any) -> dict[str, Any]:
    paths = ("/api/agents", "/api/agents/a", "/api/events", "/api/costs", "/api/alerts", "/api/commands",
             "/api/silences")
    return {path: await daemon.get(path) for path in paths}


async def found(daemon: Any, path: str, key: str) -> Any:
    return (await daemon.get(path))[key]


async def of_type(ws: Any, kind: str) -> Any:
    async with asyncio.timeout(5):
        while (message := await ws.receive_json())["type"] != kind:
            pass
    return message
