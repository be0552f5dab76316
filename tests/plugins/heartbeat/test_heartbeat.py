"""The outbound heartbeat."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from clawatch_plugins.heartbeat.beating import Heart
from clawatch_plugins.heartbeat.settings import HeartbeatSettings
from pydantic import ValidationError
from structlog.testing import capture_logs

from clawatch.settings import settings_from_file
from clawatch.testing.app import App, run_app


@dataclass
class Listener:
    """Who expects the heartbeat."""

    url: str = ""
    heard: list[tuple[str, str]] = field(default_factory=list)
    status: int = 200
    delay: float = 0.0
    beaten: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.Response:
        self.heard.append((request.method, request.path))
        self.beaten.set()
        await asyncio.sleep(self.delay)
        return web.Response(status=self.status, headers={"Location": "/elsewhere"})


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    listener = Listener()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", listener.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    listener.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield listener
    await runner.cleanup()


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    async with run_app(tmp_path) as app:
        yield app


def heart(app: App, listener: Listener, **settings: Any) -> Heart:
    return Heart(HeartbeatSettings(url=f"{listener.url}/secret-check", **settings), app.daemon.core, 0.0)


async def outcomes(app: App) -> dict[str, float]:
    family = next(f for f in await app.daemon.core.metrics.gather() if f.name == "clawatch_heartbeats")
    return {sample.labels[0]: sample.value for sample in family.samples}


async def test_it_beats_as_configured(tmp_path: Path, listener: Listener) -> None:
    config = {"sources": {"kuma": {"use": "heartbeat", "url": f"{listener.url}/push/abc", "every": "1s"}}}
    async with run_app(tmp_path, config), asyncio.timeout(10):
        await listener.beaten.wait()
        listener.beaten.clear()
        await listener.beaten.wait()
    assert listener.heard[:2] == [("GET", "/push/abc")] * 2


async def test_it_says_how_it_goes(app: App, listener: Listener) -> None:
    one = heart(app, listener, method="POST")
    await one.beat()
    listener.status = 500
    await one.beat()
    assert listener.heard == [("POST", "/secret-check")] * 2
    assert await outcomes(app) == {"sent": 1, "refused": 1}


async def test_redirects_are_not_followed(app: App, listener: Listener) -> None:
    listener.status = 302
    await heart(app, listener).beat()
    assert listener.heard == [("GET", "/secret-check")]


async def test_a_degraded_daemon_does_not_sound_well(app: App, listener: Listener) -> None:
    app.daemon.rules.rules[0].switched_off = "a test"
    await heart(app, listener).beat()
    assert listener.heard == []
    await heart(app, listener, fail_url=f"{listener.url}/secret-check/fail").beat()
    assert listener.heard == [("GET", "/secret-check/fail")]
    assert await outcomes(app) == {"withheld": 1, "sent": 1}


async def test_a_slow_other_side_costs_its_timeout_and_nothing_else(app: App, listener: Listener) -> None:
    listener.delay = 30
    one = heart(app, listener, timeout=1000)
    async with asyncio.timeout(5):
        await one.beat()
    assert await outcomes(app) == {"failed": 1}


async def test_trouble_is_logged_when_it_begins_and_ends_and_never_with_the_path(app: App, listener: Listener) -> None:
    one = heart(app, listener)
    with capture_logs() as logs:
        for status in (500, 500, 200, 200):
            listener.status = status
            await one.beat()
    said = [entry for entry in logs if entry["event"].startswith("heartbeat.")]
    assert [entry["event"] for entry in said] == ["heartbeat.missed", "heartbeat.again"]
    assert "secret-check" not in str(logs)
    assert "secret-check" not in repr(one._settings)


async def test_nobody_there_is_no_reason_to_stop(app: App, listener: Listener) -> None:
    one = Heart(HeartbeatSettings(url="http://127.0.0.1:9/x", every=1000), app.daemon.core, 0.0)
    running = asyncio.create_task(one.run())
    async with asyncio.timeout(10):
        while (await outcomes(app)).get("failed", 0) < 2:
            await asyncio.sleep(0.02)
    assert not running.done()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


@pytest.mark.parametrize("settings", [{"url": "ftp://x"}, {"url": "http://x", "every": "10ms"}, {"method": "PUT"}])
def test_what_cannot_be_is_refused(settings: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        settings_from_file(HeartbeatSettings, settings)


def test_without_a_url_it_is_left_out() -> None:
    assert not HeartbeatSettings().is_configured
