"""Ordinary life: what agents do all day, told by nobody."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress

from aiohttp import ClientError

from clawatch_plugins.demo.cast import Cast
from clawatch_plugins.demo.claude_code import Session
from clawatch_plugins.demo.doors import Doors
from clawatch_plugins.demo.performer import Performer
from clawatch_plugins.demo.roles import TYPES
from clawatch_plugins.demo.troupe import Worker

_TOOLS = ("search", "read", "write", "fetch", "summarise", "translate")
_SPEND_USD = (0.002, 0.02)


async def live_on(cast: Cast, doors: Doors, pace: float) -> None:
    """Until cancelled."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_run_the_shop(doors, pace))
        tasks.create_task(_hold_tables(doors, pace))
        tasks.create_task(_sculpt(cast.sculptor))
        for performer in cast.performers:
            tasks.create_task(_work(performer))
        tasks.create_task(_program(cast.coder, pace))


async def _work(performer: Performer) -> None:
    step = 0
    while True:
        step += 1
        await performer.rest(random.uniform(2, 8))  # noqa: S311 - no secret
        with suppress(ClientError):
            await performer.call(random.choice(_TOOLS), item=step)  # noqa: S311
            if step % 3 == 0:
                await performer.say(
                    "cost", costUsd=round(random.uniform(*_SPEND_USD), 4), model="claude-haiku-4-5",  # noqa: S311
                    inputTokens=random.randint(300, 3000), outputTokens=random.randint(50, 600),  # noqa: S311
                )


async def _program(session: Session, pace: float) -> None:
    turn = 0
    while True:
        turn += 1
        await asyncio.sleep(random.uniform(20, 60) / pace)  # noqa: S311
        with suppress(ClientError):
            if await session.prompt(f"task {turn}"):
                for step in range(random.randint(2, 6)):  # noqa: S311
                    await session.use("Edit", file_path=f"src/part_{turn}_{step}.py")
                    await asyncio.sleep(random.uniform(1, 4) / pace)  # noqa: S311
                await session.stop()


async def _run_the_shop(doors: Doors, pace: float) -> None:
    number = 0
    while True:
        number += 1
        await asyncio.sleep(random.uniform(4, 12) / pace)  # noqa: S311
        role = random.choice(TYPES)  # noqa: S311
        with suppress(ClientError):
            await doors.submit(role.kind, f"{role.labels['description'].lower()}, no. {number}")


async def _hold_tables(doors: Doors, pace: float) -> None:
    number = 0
    while True:
        number += 1
        await asyncio.sleep(random.uniform(40, 80) / pace)  # noqa: S311
        with suppress(ClientError):
            await doors.compete(f"a slogan for season {number}")


async def _sculpt(sculptor: Worker) -> None:
    number = 0
    while True:
        number += 1
        await sculptor.rest(random.uniform(10, 25))  # noqa: S311
        with suppress(ClientError):
            await sculptor.model_in_3d(number)
