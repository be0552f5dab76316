"""The demo as people run it, only faster."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

PACE = "8"
WITHIN = 90.0


@dataclass
class Demo:
    child: asyncio.subprocess.Process
    said: list[str]

    async def until(self, text: str) -> None:
        assert self.child.stdout is not None
        async with asyncio.timeout(WITHIN):
            while not any(text in line for line in self.said):
                line = (await self.child.stdout.readline()).decode()
                assert line, "\n".join(self.said)
                self.said.append(line.rstrip())

    async def get(self, path: str) -> Any:
        [(url, key)] = [match.groups() for line in self.said if (match := re.search(r"URL=(\S+) .*KEY=(\S+)", line))]
        async with ClientSession(headers={"X-ClaWatch-Key": key}) as session, session.get(url + path) as answer:
            assert answer.status == 200
            return await answer.json()


@pytest.fixture
async def demo(tmp_path: Path) -> AsyncIterator[Demo]:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "clawatch", "demo", "--pace", PACE,
        stdout=asyncio.subprocess.PIPE, env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    yield Demo(child, [])
    if child.returncode is None:
        child.terminate()
        await child.wait()


async def test_every_alert_appears_and_pauses_are_confirmed(demo: Demo, tmp_path: Path) -> None:
    await demo.until("That was all of it")

    alerts = (await demo.get("/api/alerts"))["alerts"]
    assert {alert["type"] for alert in alerts} == {"stuck", "error", "loop_detected", "cost_spike"}
    assert "resolved" in {alert["state"] for alert in alerts}
    commands = (await demo.get("/api/commands"))["commands"]
    paused = {command["agentId"].partition(":")[0] for command in commands
              if (command["type"], command["state"]) == ("pause", "confirmed")}
    assert paused == {"researcher", "nightly-build", "claude-code"}
    braked = [command for command in commands if command["type"] == "pause" and command["agentId"] == "researcher"]
    assert [command["requestedBy"] for command in braked] == ["clawatch"]
    assert any("from running to error" in line for line in demo.said)
    runs = (await demo.get("/api/runs"))["runs"]
    assert {"task", "competition", "entry", "judging"} <= {run["kind"] for run in runs if run["status"] == "completed"}
    shop = {agent["type"]: agent for agent in await demo.get("/api/v1/agents")}
    assert {"commerce", "creative", "marketing", "support", "operations", "analytics"} <= set(shop)
    assert shop["commerce"]["stats"]["tasksCompleted"] >= 1
    assert any(re.search(r"/login#\S{20,}", line) for line in demo.said)

    demo.child.send_signal(signal.SIGINT)
    async with asyncio.timeout(30):
        assert await demo.child.wait() == 0
    assert list(tmp_path.iterdir()) == []
