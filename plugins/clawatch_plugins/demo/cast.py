"""The cast: simulated agents of every kind, each with a life in the background."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientError

from clawatch_plugins.demo.claude_code import Session
from clawatch_plugins.demo.daemon import BRAKED, CLUMSY, WATCHED, end
from clawatch_plugins.demo.doors import Doors
from clawatch_plugins.demo.narration import Narrator

WRAPPED = "nightly-build"
_BUILD = "setsid sleep 100000 & while :; do echo compiling; sleep 1; done"
"""With a child that leaves the process group, as real builds have them."""


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
        await self._doors.report(event)

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


@dataclass(frozen=True)
class Cast:
    watch: Performer
    courier: Performer
    researcher: Performer
    translator: Performer
    coder: Session

    @property
    def performers(self) -> tuple[Performer, ...]:
        return (self.watch, self.courier, self.researcher, self.translator)


@asynccontextmanager
async def gather_cast(doors: Doors, narrator: Narrator, pace: float) -> AsyncIterator[Cast]:
    """Everybody on stage, and at the end everybody off it."""
    def perform(agent_id: str, name: str, host: str) -> Performer:
        return Performer(agent_id, name, host, doors, pace)

    cast = Cast(
        watch=perform(WATCHED, "Night watch", "home-server"),
        courier=perform(CLUMSY, "Courier", "home-server"),
        researcher=perform(BRAKED, "Researcher", "workstation"),
        translator=perform("translator", "Translator", "workstation"),
        coder=Session(doors),
    )
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(_wrapped(doors))
        for performer in cast.performers:
            await performer.say("status_change", status="running")
        await cast.coder.begin()
        lives = [asyncio.create_task(performer.live()) for performer in cast.performers]
        stack.push_async_callback(_end_all, lives)
        narrator.scene("on stage: four agents of our own, a session of Claude Code, and a build under `clawatch wrap`")
        yield cast


async def _end_all(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def _wrapped(doors: Doors) -> AsyncIterator[None]:
    """A command under ``clawatch wrap``."""
    keys = {"CLAWATCH_URL": doors.place.url, "CLAWATCH_KEY": doors.place.agent_key}
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "clawatch", "wrap", "--agent", WRAPPED, "--", "sh", "-c", _BUILD,
        env={**os.environ, **keys}, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        await end(child)
