"""The wall clock is set while the daemon runs; time that passes is another clock's business."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

Until = Callable[..., Awaitable[Any]]

LIBRARIES = [
    *Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), *Path("/usr/lib/faketime").glob("libfaketimeMT.so.1"),
]

JOB = '''
from clawatch.hookspecs import Job, hookimpl


async def tick(core):
    with open({file!r}, "a") as file:
        file.write("x")


@hookimpl
def register_jobs():
    return [Job("tick", tick, period=1000)]
'''


@dataclass
class WallClock:
    """What the daemon's wall clock shows beside the true one; its monotonic clock is left alone."""

    file: Path

    def set(self, offset: str) -> None:
        fresh = self.file.with_suffix(".new")
        fresh.write_text(offset + "\n")
        fresh.replace(self.file)


@dataclass
class Watched:
    daemon: Any
    clock: WallClock
    ticks: Path


@pytest.fixture
async def watched(launcher: Any, hook: Any, tmp_path: Path) -> AsyncIterator[Watched]:
    """A daemon whose wall clock can be set, with a job every second."""
    if not LIBRARIES:
        pytest.skip("libfaketime is not installed (Debian: faketime)")
    clock, ticks, plugins = WallClock(tmp_path / "offset"), tmp_path / "ticks", tmp_path / "plugins"
    clock.set("+0")
    plugins.mkdir(mode=0o700)
    (plugins / "ticking.py").write_text(JOB.format(file=str(ticks)))
    launcher.environment = {
        "LD_PRELOAD": str(LIBRARIES[0]), "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_NO_CACHE": "1",
        "FAKETIME_TIMESTAMP_FILE": str(clock.file),
    }
    daemon = await launcher.start({
        "plugins": {"directory": str(plugins)},
        "rules": {"stuck": {"after": "6s"}},
        "notifiers": {"hook": {"use": "webhook", "url": hook.url}},
    })
    yield Watched(daemon, clock, ticks)
    await daemon.stop()


@pytest.mark.parametrize("jump", ["+1h", "-1h"])
async def test_after_a_jump_nobody_is_stuck_who_speaks_and_nobody_is_missed_who_does_not(
    watched: Watched, hook: Any, until: Until, teller_of: Any, launcher: Any, jump: str
) -> None:
    teller = teller_of(watched.daemon)
    await teller.tell("dying")
    beating = asyncio.create_task(teller.beat("alive"))
    await until(lambda: ticked(watched.ticks, 1))

    watched.clock.set(jump)
    await teller.tell("newborn")
    await until(lambda: heard(hook, {"dying", "newborn"}))
    await teller.fail("failing")
    await until(lambda: heard(hook, {"failing"}))
    before = watched.ticks.stat().st_size
    await until(lambda: ticked(watched.ticks, before + 3))

    await teller.tell("newborn")
    await until(lambda: heard(hook, {"newborn"}, "resolved"))
    assert "alive" not in hook.alerts()
    assert not beating.done()
    beating.cancel()
    assert "clock.jumped" in (launcher.home / "log").read_text()


async def test_what_waits_to_be_delivered_does_not_wait_for_the_old_time_to_come_again(
    watched: Watched, hook: Any, until: Until, teller_of: Any
) -> None:
    """The notifier is down when the clock is set back; its next try is due in seconds, not in an hour."""
    from aiohttp import web

    async def down() -> web.Response:
        return web.Response(status=503)

    hook.temper = down
    await teller_of(watched.daemon).fail("failing")
    await until(lambda: was_tried(hook, 1))
    watched.clock.set("-1h")
    hook.temper = None
    await until(lambda: heard(hook, {"failing"}), 30.0)


async def was_tried(hook: Any, times: int) -> bool:
    return hook.tries >= times


async def heard(hook: Any, agents: set[str], reason: str = "fired") -> bool:
    return agents <= hook.alerts(reason)


async def ticked(file: Path, times: int) -> bool:
    return file.exists() and file.stat().st_size >= times
