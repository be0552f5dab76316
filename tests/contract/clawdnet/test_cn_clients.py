"""The client that the contract shows, unchanged but for the URL and the token, run by Node; and the same in Python."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

DRIVER = Path(__file__).parent / "driver.mjs"
PATIENCE = 20.0
"""Seconds; Node takes its time to start where others are at work."""


def _node() -> list[str]:
    """Node, with its WebSocket; it is there by itself from version 22 on."""
    path = shutil.which("node")
    if path is None:
        return []
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    major = int((re.match(r"v(\d+)", said) or ["", "0"])[1])
    if major < 20:
        return []
    return [path] if major >= 22 else [path, "--experimental-websocket", "--no-warnings"]


NODE = _node()


@asynccontextmanager
async def dashboard(url: str, token: str) -> AsyncIterator[Any]:
    """The contract's client; call what this gives for what it shows next."""
    process = await asyncio.create_subprocess_exec(*NODE, str(DRIVER), url, token, stdout=asyncio.subprocess.PIPE)

    async def shown() -> Any:
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            while (line := await process.stdout.readline()) == b'["pong"]\n':
                pass
        return json.loads(line)

    try:
        yield shown
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.skipif(not NODE, reason="no Node of version 20 or later is installed")
async def test_the_contracts_client_shows_what_bots_say(door: Any, frames: Any) -> None:
    """CN-02, CN-03, CN-08, CN-11, CN-12, CN-16, CN-18: it never subscribes, and keeps itself alive."""
    await door.cw.say("other", "status_change", status="running")
    async with dashboard(f"{door.cw.url}/telemetry".replace("http", "ws", 1), door.cw.key) as shown:
        assert await shown() == ["Connected, agents:", ["other"]]
        bot = await door.enter()
        for frame in frames.values():
            await bot.ws.send_json(frame)
        assert await shown() == ["dashboard", "agent_abc123", frames["metrics"]["data"]]
        assert await shown() == ["status", "agent_abc123", "online"]
        assert await shown() == ["alert", "agent_abc123", "Model timeout"]
        await door.cw.post("/api/agents/other/pause")
        while (last := await shown())[1] != "other":
            pass
        assert last == ["status", "other", "offline"]


@pytest.mark.skipif(not NODE, reason="no Node of version 20 or later is installed")
async def test_the_contracts_client_survives_being_refused(door: Any) -> None:
    """CN-05, CN-13: its ``showAlert`` gets data, and nobody's id."""
    async with dashboard(f"{door.cw.url}/telemetry".replace("http", "ws", 1), "wrong") as shown:
        assert await shown() == ["alert", None, "Invalid or missing API key"]
        assert await shown() == ["closed", 1008]


async def python_client(url: str, token: str, shown: asyncio.Queue[Any]) -> None:
    """The contract's client, word for word in Python."""
    async with ClientSession() as session, session.ws_connect(url) as ws:
        await ws.send_json({"type": "auth", "token": token})

        async def keep_alive() -> None:
            while True:
                await asyncio.sleep(30)
                await ws.send_json({"type": "ping"})

        pings = asyncio.create_task(keep_alive())
        try:
            async for event in ws:
                msg = json.loads(event.data)
                match msg["type"]:
                    case "auth_success":
                        shown.put_nowait(("connected", msg["agents"]))
                    case "metrics":
                        shown.put_nowait(("dashboard", msg["agent_id"], msg["data"]))
                    case "status":
                        shown.put_nowait(("status", msg["agent_id"], msg["status"]))
                    case "error":
                        shown.put_nowait(("alert", msg["agent_id"], msg["data"]))
        finally:
            pings.cancel()


async def test_the_same_client_in_python(door: Any, frames: Any) -> None:
    shown: asyncio.Queue[Any] = asyncio.Queue()
    client = asyncio.create_task(python_client(f"{door.cw.url}/telemetry", door.cw.key, shown))
    async with asyncio.timeout(PATIENCE):
        assert await shown.get() == ("connected", [])
        bot = await door.enter()
        for frame in frames.values():
            await bot.ws.send_json(frame)
        assert await shown.get() == ("dashboard", "agent_abc123", frames["metrics"]["data"])
        assert await shown.get() == ("status", "agent_abc123", "online")
        assert await shown.get() == ("alert", "agent_abc123", frames["error"]["data"])
    client.cancel()
    await asyncio.gather(client, return_exceptions=True)
