"""The whole circle with real processes: an agent fails, Telegram tells, a press stands every process still."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from clawatch.testing.telegram import BotApi, Shown

CHAT = 77
SLEEPERS = "setsid sleep 1000 & sleep 1000"

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at process states in /proc")


def descendants(pid: int) -> list[int]:
    """Every process below ``pid``."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(stat.parent.name)] = int(fields[1])
    found, frontier = [], [pid]
    while frontier:
        children = [child for child, parent in parents.items() if parent in frontier]
        found += children
        frontier = children
    return found


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


async def test_a_press_on_telegram_stops_every_process_of_a_wrapped_agent(
    launcher: Any, until: Callable[..., Awaitable[Any]]
) -> None:
    async with BotApi() as api:
        telegram = {"bot_token": api.token, "chats": [CHAT], "api_url": api.url}
        daemon = await launcher.start({"notifiers": {"telegram": telegram}})
        wrapped = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "clawatch", "wrap", "--agent", "nightly", "--no-cgroup", "--",
            "bash", "-c", SLEEPERS,
            env={**os.environ, "CLAWATCH_URL": daemon.url, "CLAWATCH_KEY": daemon.key},
            stdout=asyncio.subprocess.DEVNULL,
        )
        try:
            await until(lambda: _agent(daemon, "nightly"))
            await until(lambda: _ready(wrapped.pid))
            for _ in range(4):
                status, _body = await daemon.post(
                    "/api/events", {"agentId": "nightly", "type": "error", "data": {"error": "disk is full"}}
                )
                assert status == 201

            await api.until(lambda: bool(_alert_messages(api)))
            (shown,) = _alert_messages(api)
            assert "nightly" in shown.text
            await api.press(shown.button("Pause"), shown, user=CHAT)

            await until(lambda: _command_is(daemon, "confirmed"))
            sleepers = [p for p in descendants(wrapped.pid) if "sleep" in Path(f"/proc/{p}/comm").read_text()]
            assert len(sleepers) == 2
            assert {state_of(pid) for pid in descendants(wrapped.pid)} == {"T"}
            await api.until(lambda: "paused, confirmed" in _alert_messages(api)[0].text)

            (shown,) = _alert_messages(api)
            await api.press(shown.button("Resume"), shown, user=CHAT)
            await until(lambda: _all(descendants(wrapped.pid), "S"))
        finally:
            await _end(wrapped)
            await daemon.stop()


def _alert_messages(api: BotApi) -> list[Shown]:
    """The messages with buttons that act; a notice has links only."""
    return [shown for shown in api.shown.values() if "Acknowledge" in str(shown.labels)]


async def _agent(daemon: Any, agent_id: str) -> Any:
    agents = (await daemon.get("/api/agents"))["agents"]
    return next((agent for agent in agents if agent["id"] == agent_id), None)


async def _ready(pid: int) -> bool:
    names = [Path(f"/proc/{p}/comm").read_text().strip() for p in descendants(pid)]
    return names.count("sleep") == 2


async def _command_is(daemon: Any, state: str) -> bool:
    agent = await _agent(daemon, "nightly")
    command = agent["control"]["command"]
    return command is not None and command["state"] == state


async def _all(pids: list[int], state: str) -> bool:
    return {state_of(pid) for pid in pids} == {state}


async def _end(wrapped: asyncio.subprocess.Process) -> None:
    left = descendants(wrapped.pid)
    wrapped.terminate()
    try:
        async with asyncio.timeout(15):
            await wrapped.wait()
    finally:
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
