"""A performer: an agent that reports through the REST door and does what it is asked."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from typing import Any

from aiohttp import ClientError

from clawatch_plugins.demo.doors import Doors


class Performer:
    """An agent that reports through the REST door and does what it is asked."""

    def __init__(self, id: str, name: str, host: str, doors: Doors, pace: float) -> None:
        self.id = id
        self.is_silent = False
        self._name = name
        self._host = host
        self._doors = doors
        self._pace = pace
        self._may_work = asyncio.Event()
        self._may_work.set()

    @property
    def is_paused(self) -> bool:
        return not self._may_work.is_set()

    async def say(self, type: str, **data: Any) -> None:
        event = {"agentId": self.id, "agentName": self._name, "host": self._host, "type": type, "data": data}
        await self._doors.report({**event, **self.facts()})

    def facts(self) -> dict[str, Any]:
        """What it says of itself with every report."""
        return {}

    async def call(self, tool: str, ok: bool = True, **arguments: Any) -> None:
        await self.say("tool_call", toolName=tool, arguments=arguments, ok=ok, durationMs=random.randint(20, 400))  # noqa: S311

    async def rest(self, seconds: float) -> None:
        """Between two steps; longer while it is paused."""
        await asyncio.sleep(seconds / self._pace)
        await self._may_work.wait()

    async def live(self) -> None:
        """Give signs of life and obey, until cancelled. The network may fail; the next try may not."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._beat())
            tasks.create_task(self._obey())

    async def _beat(self) -> None:
        while True:
            if not self.is_silent and not self.is_paused:
                with suppress(ClientError):
                    await self.say("heartbeat")
            await asyncio.sleep(3 / self._pace)

    async def _obey(self) -> None:
        while True:
            try:
                for command in await self._doors.commands(self.id):
                    await self._do(command)
            except ClientError:
                await asyncio.sleep(1)

    async def _do(self, command: dict[str, Any]) -> None:
        if command["type"] in ("pause", "stop"):
            self._may_work.clear()
        else:
            self._may_work.set()
        await self._doors.answer(command["id"], f"{command['type']}: done, as asked")
