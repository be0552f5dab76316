"""The daemon as a process of its own, as people run it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

READY_WITHIN = 30.0


@dataclass
class Process:
    """A running daemon. ``key`` is its admin key."""

    child: asyncio.subprocess.Process
    url: str
    key: str
    said: list[str] = field(default_factory=list)

    async def get(self, path: str) -> Any:
        async with (
            aiohttp.ClientSession(headers={"X-ClaWatch-Key": self.key}) as session,
            session.get(self.url + path) as answer,
        ):
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def post(self, path: str, body: Any = None) -> tuple[int, Any]:
        async with (
            aiohttp.ClientSession(headers={"X-ClaWatch-Key": self.key}) as session,
            session.post(self.url + path, json=body) as answer,
        ):
            return answer.status, await answer.json()

    async def kill(self) -> None:
        self.child.kill()
        await self.child.wait()

    async def stop(self) -> int:
        if self.child.returncode is None:
            self.child.send_signal(signal.SIGTERM)
        async with asyncio.timeout(15):
            return await self.child.wait()


@dataclass
class Launcher:
    """Starts daemons on one data directory, with one configuration."""

    home: Path
    key: str = "cw_test-key-of-the-operator-0123456789"
    port: int = 0
    environment: dict[str, str] = field(default_factory=dict)
    started: list[asyncio.subprocess.Process] = field(default_factory=list)

    async def start(self, config: dict[str, Any] | None = None) -> Process:
        path = self.home / "config.yaml"
        base: dict[str, Any] = {
            "server": {"port": self.port},
            "data_dir": str(self.home / "data"),
            "auth": {"keys": [{"name": "ops", "key": self.key, "scopes": ["admin"]}]},
            "limits": {"rest": None},
        }
        path.write_text(json.dumps({**base, **(config or {})}))
        with (self.home / "log").open("ab") as log:
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "clawatch", "run", "--config", str(path),
                stdout=asyncio.subprocess.PIPE, stderr=log,
                env={**os.environ, "JOURNAL_STREAM": "", **self.environment},
            )
        self.started.append(child)
        url, said = await self._address(child)
        self.port = int(url.rpartition(":")[2])
        return Process(child, url, self.key, said)

    async def _address(self, child: asyncio.subprocess.Process) -> tuple[str, list[str]]:
        assert child.stdout is not None
        said: list[str] = []
        async with asyncio.timeout(READY_WITHIN):
            while line := (await child.stdout.readline()).decode():
                said.append(line.rstrip())
                if match := re.match(r"listening on (http://\S+)", line):
                    return match.group(1), said
        raise AssertionError(f"the daemon did not start: {said} {(self.home / 'log').read_text()[-2000:]}")


@pytest.fixture
async def launcher(tmp_path: Path) -> AsyncIterator[Launcher]:
    launcher = Launcher(tmp_path)
    yield launcher
    for child in launcher.started:  # what a test that failed has left behind
        if child.returncode is None:
            child.kill()
            await child.wait()


@pytest.fixture
async def daemon(launcher: Launcher) -> AsyncIterator[Process]:
    process = await launcher.start()
    yield process
    await process.stop()


@dataclass
class Receiver:
    """Where webhooks arrive."""

    url: str
    heard: list[dict[str, Any]]


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    heard: list[dict[str, Any]] = []

    async def take(request: web.Request) -> web.Response:
        heard.append(await request.json())
        return web.Response()

    app = web.Application()
    app.router.add_post("/hook", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield Receiver(f"http://127.0.0.1:{port}/hook", heard)
    finally:
        await runner.cleanup()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
def until() -> Callable[..., Awaitable[Any]]:
    """Wait until a condition gives something true, polling; fails after ``within`` seconds."""

    async def wait(condition: Callable[[], Awaitable[Any]], within: float = 15.0) -> Any:
        async with asyncio.timeout(within):
            while not (found := await condition()):
                await asyncio.sleep(0.05)
        return found

    return wait
