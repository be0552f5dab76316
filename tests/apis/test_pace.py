"""Long work gives way to others."""

from __future__ import annotations

import asyncio

import pytest

from clawatch.apis import pace
from clawatch.apis.pace import Pace


async def others_turns(steps: int) -> int:
    """How often somebody else had a turn during so many steps of work."""
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    waiting = asyncio.create_task(others())
    mine = Pace()
    for _ in range(steps):
        await mine.step()
    waiting.cancel()
    return turns


async def test_work_that_has_gone_on_long_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "LONGEST", 0)
    assert await others_turns(3) == 3


async def test_short_work_is_done_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "LONGEST", 60)
    assert await others_turns(3) == 0
