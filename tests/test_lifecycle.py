"""Parts are closed in reverse; none that fails or hangs keeps the others open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from clawatch.lifecycle import Lifecycle


@asynccontextmanager
async def part(name: str, said: list[str], closing: Any = None) -> AsyncIterator[str]:
    said.append(f"+{name}")
    yield name
    if closing is not None:
        await closing()
    said.append(f"-{name}")


def lifecycle(timeout: float = 5.0) -> Lifecycle:
    return Lifecycle(structlog.get_logger(), timeout)


async def test_parts_are_closed_in_reverse() -> None:
    said: list[str] = []
    async with lifecycle() as life:
        assert await life.enter("a", part("a", said)) == "a"
        life.callback("b", lambda: said.append("-b"))
        life.push("c", lambda: asyncio.sleep(0, said.append("-c")))
        await life.enter("d", part("d", said))
    assert said == ["+a", "+d", "-d", "-c", "-b", "-a"]


async def test_a_part_that_fails_to_close_is_logged_and_the_rest_are_closed() -> None:
    said: list[str] = []

    async def fail() -> None:
        raise RuntimeError("stuck door")

    with capture_logs() as logs:
        async with lifecycle() as life:
            await life.enter("a", part("a", said))
            await life.enter("b", part("b", said, fail))
    assert said == ["+a", "+b", "-a"]
    assert [(log["event"], log["part"]) for log in logs if log["log_level"] == "error"] == [("part.close_failed", "b")]


async def test_a_part_that_hangs_is_left_after_its_time() -> None:
    said: list[str] = []
    with capture_logs() as logs:
        async with lifecycle(timeout=0.01) as life:
            await life.enter("a", part("a", said))
            await life.enter("b", part("b", said, asyncio.Event().wait))
    assert said == ["+a", "+b", "-a"]
    assert [log["part"] for log in logs if log["event"] == "part.close_timed_out"] == ["b"]


async def test_when_a_part_cannot_be_opened_those_before_it_are_closed() -> None:
    said: list[str] = []

    @asynccontextmanager
    async def broken() -> AsyncIterator[None]:
        raise OSError("port in use")
        yield

    with pytest.raises(OSError, match="port in use"):
        async with lifecycle() as life:
            await life.enter("a", part("a", said))
            await life.enter("b", broken())
    assert said == ["+a", "-a"]


async def test_a_part_may_hold_a_task_group() -> None:
    """Task groups must be left in the task that entered them."""
    said: list[str] = []

    @asynccontextmanager
    async def grouped() -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(asyncio.Event().wait())
            yield
            task.cancel()
        said.append("-group")

    async with lifecycle() as life:
        await life.enter("group", grouped())
    assert said == ["-group"]


async def test_parts_are_closed_when_the_daemon_is_cancelled() -> None:
    said: list[str] = []
    opened = asyncio.Event()

    async def daemon() -> None:
        async with lifecycle() as life:
            await life.enter("a", part("a", said))
            opened.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(daemon())
    await opened.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert said == ["+a", "-a"]
