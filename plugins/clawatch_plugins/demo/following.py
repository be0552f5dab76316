"""Following: alerts and commands as the live stream tells of them, narrated and remembered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from aiohttp import WSMsgType

from clawatch_plugins.demo.doors import Doors
from clawatch_plugins.demo.narration import Narrator

PATIENCE = 60.0
"""Seconds to wait for something that has to happen. Beyond, the story goes on without it."""


_CONTROLS = frozenset({"pause", "resume", "start", "stop", "restart"})
"""Commands that are told of; there are many more, with every task."""


class News:
    """What has been heard: every state of every alert and command."""

    def __init__(self, narrator: Narrator) -> None:
        self._narrator = narrator
        self._heard: list[dict[str, Any]] = []
        self._told: set[tuple[str, ...]] = set()
        self._more = asyncio.Event()

    def take(self, frame: dict[str, Any]) -> None:
        if frame.get("type") == "run" and frame["data"]["status"] == "completed":
            self._heard.append({**frame["data"], "kind": "run"})
            self._more.set()
        if frame.get("type") in ("alert", "command"):
            data = {**frame["data"], "kind": frame["type"]}
            self._heard.append(data)
            if data["kind"] == "alert" or data["type"] in _CONTROLS:
                self._narrate(data)
            self._more.set()

    async def until(self, holds: Callable[[dict[str, Any]], bool]) -> bool:
        """Wait until something that was heard is like this, now or before; False when it never was."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not any(holds(one) for one in self._heard):
                    self._more.clear()
                    await self._more.wait()
        except TimeoutError:
            return False
        return True

    async def alert(self, agent_id: str, rule: str, state: str, severity: str | None = None) -> bool:
        return await self.until(
            lambda one: one["kind"] == "alert" and severity in (None, one["severity"])
            and (one["agentId"], one["rule"], one["state"]) == (agent_id, rule, state)
        )

    async def command(self, agent_id: str, type: str, state: str) -> bool:
        return await self.until(
            lambda one: one["kind"] == "command"
            and (one["agentId"], one["type"], one["state"]) == (agent_id, type, state)
        )

    async def completed(self, run_id: str) -> bool:
        return await self.until(lambda one: one["kind"] == "run" and one["id"] == run_id)

    def _narrate(self, data: dict[str, Any]) -> None:
        mark = (data["id"], data["state"], data.get("severity", ""), data["message"])
        if mark in self._told:
            return
        self._told.add(mark)
        who = data["agentId"]
        if data["kind"] == "command":
            by = f" (asked by {data['requestedBy']})" if data["state"] == "requested" else ""
            colour = "good" if data["state"] == "confirmed" else "info"
            self._narrator.happening("command", f"{who}: {data['words']}{by}", colour)
        elif data["state"] == "resolved":
            self._narrator.happening("resolved", f"{who}: {data['message']}", "good")
        else:
            self._narrator.happening(data["severity"], f"{who}: {data['message']}", data["severity"])


@asynccontextmanager
async def following(doors: Doors, narrator: Narrator) -> AsyncIterator[News]:
    news = News(narrator)
    socket = await doors.watch()
    await socket.send_json({"type": "subscribe", "agents": ["*"], "topics": ["alerts", "commands", "runs"]})

    async def listen() -> None:
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                news.take(message.json())

    listening = asyncio.create_task(listen())
    try:
        yield news
    finally:
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening
        await socket.close()
