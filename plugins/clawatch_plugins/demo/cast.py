"""The cast: simulated agents of every kind, each with a life in the background."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from clawatch_plugins.demo.claude_code import Session
from clawatch_plugins.demo.daemon import BRAKED, CLUMSY, WATCHED, end
from clawatch_plugins.demo.doors import Doors
from clawatch_plugins.demo.narration import Narrator
from clawatch_plugins.demo.performer import Performer
from clawatch_plugins.demo.troupe import Worker, gather_troupe

WRAPPED = "nightly-build"
_BUILD = "setsid sleep 100000 & while :; do echo compiling; sleep 1; done"
"""With a child that leaves the process group, as real builds have them."""


@dataclass(frozen=True)
class Cast:
    watch: Performer
    courier: Performer
    researcher: Performer
    translator: Performer
    coder: Session
    troupe: tuple[Worker, ...]
    """Who takes work."""

    @property
    def performers(self) -> tuple[Performer, ...]:
        return (self.watch, self.courier, self.researcher, self.translator)

    @property
    def sculptor(self) -> Worker:
        return next(worker for worker in self.troupe if worker.id == "creative-001")


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
        troupe=gather_troupe(doors, pace),
    )
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(_wrapped(doors))
        everybody = (*cast.performers, *cast.troupe)
        for performer in everybody:
            await performer.say("status_change", status="running")
        await cast.coder.begin()
        for worker in cast.troupe:
            stack.push_async_callback(worker.end)
        lives = [asyncio.create_task(performer.live()) for performer in everybody]
        stack.push_async_callback(_end_all, lives)
        narrator.scene("on stage: four agents of our own, a session of Claude Code, and a build under `clawatch wrap`")
        narrator.scene("backstage: a shop's six agents that take tasks, six models that compete, and their judge")
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
