"""The clients that the contract shows, unchanged but for the URL and the token, run by Node."""

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
pytestmark = pytest.mark.skipif(not NODE, reason="no Node of version 20 or later is installed")


class Script:
    """A client under way."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.told: list[Any] = []

    async def until(self, what: str, **fields: Any) -> Any:
        """What it tells next under this name, with these values in it."""
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            while line := await self._process.stdout.readline():
                self.told.append(json.loads(line))
                if self.told[-1]["what"] == what and fields.items() <= self.told[-1].items():
                    return self.told[-1]
        raise AssertionError(f"it has ended: {self.told}")

    async def message(self, type: str) -> Any:
        while (message := (await self.until("message"))["message"])["type"] != type:
            pass
        return message["data"]

    async def log(self, *words: str) -> None:
        await self.until("log", words=list(words))

    def say(self, word: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n".encode())


@pytest.fixture
def script(fa: Any) -> Any:
    @asynccontextmanager
    async def run(scenario: str) -> AsyncIterator[Script]:
        process = await asyncio.create_subprocess_exec(
            *NODE, str(DRIVER), scenario, fa.url.replace("http", "ws", 1), fa.cw.key,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )
        try:
            yield Script(process)
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()

    return run


async def test_the_client_connects_beats_and_leaves_cleanly(script: Any) -> None:
    """FA-05, FA-23, FA-25."""
    async with script("connection") as client:
        await client.log("Connected")
        await client.log("Heartbeat received")
        client.say("leave")
        while (words := (await client.until("log"))["words"])[0] != "Disconnected:":
            pass
        assert words[1] == "1000"


async def test_the_client_reconnects_when_its_connection_breaks(script: Any) -> None:
    """FA-53."""
    async with script("connection") as client:
        for _ in range(3):
            await client.log("Connected")
            client.say("close")
            assert (await client.until("waits"))["after"] == 1000
        await client.log("Heartbeat received")


async def test_the_client_with_an_expired_token_is_told_and_comes_back_with_another(script: Any) -> None:
    """FA-03, FA-51."""
    async with script("refresh") as client:
        assert (await client.message("connection_error"))["error_code"] == "AUTHENTICATION_FAILED"
        await client.until("log", words=["Disconnected:", "1008", "authentication failed"])
        await client.message("connection_established")


async def test_the_dashboard_shows_every_agent_and_the_active_ones(script: Any, fa: Any) -> None:
    """FA-06, FA-07, FA-09, FA-26, FA-34."""
    async with script("dashboard") as client:
        await client.message("subscription_confirmed")
        await client.until("metrics")
        await fa.cw.say("a")
        await fa.cw.say("b")
        await client.until("page", agents=2, active=2)
        await fa.cw.post("/api/agents/a/pause")
        await client.until("page", agents=2, active=1)
    assert all(one["is"] is True for one in client.told if one["what"] == "valid")


async def test_the_monitor_follows_its_agents_inferences(script: Any, fa: Any) -> None:
    """FA-30, FA-31, FA-32."""
    async with script("monitor") as client:
        await client.message("subscription_confirmed")
        await fa.report("other", "inf_1", kind="inference", status="running")
        await fa.report("agent_123", "inf_789", kind="inference", status="running", input="why?")
        (started,) = (await client.until("list"))["inferences"]
        assert (started["id"], started["status"]) == ("inf_789", "running")
        fa.cw.clock.advance(2_000)
        await fa.report("agent_123", "inf_789", progress=0.65)
        assert await client.until("bar") == {"what": "bar", "id": "inf_789", "progress": 0.65}
        await fa.report("agent_123", "inf_789", status="completed")
        (over,) = (await client.until("list"))["inferences"]
        assert (over["status"], over["processing_time"]) == ("completed", 2.0)
