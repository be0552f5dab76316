"""Calendar jobs, and what becomes of them when the wall clock is set."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import structlog

from clawatch.domain.time import HOUR, MINUTE, SECOND
from clawatch.scheduler import Scheduler
from clawatch.testing.clock import FakeClock


@pytest.fixture
async def scheduler(clock: FakeClock) -> AsyncIterator[Scheduler]:
    scheduler = Scheduler(clock, ZoneInfo("Europe/Berlin"), structlog.get_logger())
    scheduler.start()
    yield scheduler
    scheduler.close()


async def nothing() -> None:
    return


async def test_a_job_runs_and_one_that_fails_runs_again(scheduler: Scheduler) -> None:
    ran, done = [], asyncio.Event()

    async def job() -> None:
        ran.append(1)
        if len(ran) == 2:
            done.set()
        raise RuntimeError("a bug")

    scheduler.every("job", 20, job)
    async with asyncio.timeout(5):
        await done.wait()


async def test_a_daily_job_comes_at_its_time_in_the_configured_zone(scheduler: Scheduler) -> None:
    scheduler.daily("digest", "08:30", nothing)
    due = scheduler.next_runs()["digest"]
    assert due is not None
    assert (due.hour, due.minute, str(due.tzinfo)) == (8, 30, "Europe/Berlin")


async def test_jobs_are_counted_afresh_when_the_wall_clock_was_set(scheduler: Scheduler, clock: FakeClock) -> None:
    scheduler.every("hourly", HOUR, nothing)
    assert not scheduler.watch_clock()
    clock.advance(MINUTE)
    assert not scheduler.watch_clock(), "time that passes is no jump"
    clock.jump(-HOUR)
    assert scheduler.watch_clock()
    due = scheduler.next_runs()["hourly"]
    assert due is not None
    assert due - datetime.now(UTC) <= timedelta(hours=1)
    assert not scheduler.watch_clock(), "one jump is told once"


async def test_small_corrections_of_the_clock_are_no_jump(scheduler: Scheduler, clock: FakeClock) -> None:
    clock.jump(5 * SECOND)
    assert not scheduler.watch_clock()


async def test_a_job_that_fell_due_while_the_machine_slept_is_not_put_off(clock: FakeClock) -> None:
    scheduler = Scheduler(clock, ZoneInfo("UTC"), structlog.get_logger())
    scheduler._scheduler.start(paused=True)
    scheduler.daily("digest", "08:30", nothing)
    slept_through = datetime.now(UTC) - timedelta(hours=2)
    scheduler._scheduler.modify_job("digest", next_run_time=slept_through)
    clock.jump(8 * HOUR)
    assert scheduler.watch_clock()
    assert scheduler.next_runs()["digest"] == slept_through
    scheduler.close()


async def test_a_job_may_run_sooner_the_first_time(scheduler: Scheduler) -> None:
    now = datetime.now(UTC)
    scheduler.every("late", HOUR, nothing)
    scheduler.every("soon", HOUR, nothing, first=MINUTE)
    runs = scheduler.next_runs()
    assert timedelta(0) <= runs["soon"] - now - timedelta(minutes=1) < timedelta(seconds=30)
    assert timedelta(0) <= runs["late"] - now - timedelta(hours=1) < timedelta(seconds=30)
