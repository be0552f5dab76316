"""What faults are made of: small disks, receivers that misbehave, daemons that may refuse to start."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from clawatch.domain.time import iso


@dataclass
class Disk:
    """A file system of its own, so small that it is soon full."""

    path: Path

    def fill(self) -> None:
        """Not a byte is left; what is there stays."""
        with (self.path / "filler").open("ab", buffering=0) as filler:
            block = bytes(64 * 1024)
            while block:
                try:
                    filler.write(block)
                except OSError:
                    block = block[: len(block) // 2]

    def free(self) -> None:
        (self.path / "filler").unlink()

    def protect(self) -> None:
        """Nothing can be written any more."""
        subprocess.run(["mount", "-o", "remount,ro", str(self.path)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """4 MiB in memory; skipped where that cannot be mounted."""
    path = tmp_path / "disk"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m,mode=700", "tmpfs", str(path)]
    try:
        mounted = os.geteuid() == 0 and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("mounting a small file system needs root and the right to mount")
    yield Disk(path)
    subprocess.run(["umount", "-l", str(path)], check=True)


@dataclass
class Hook:
    """Where webhooks arrive, with a temper: ``temper`` is called with each post and answers it."""

    url: str = ""
    heard: list[dict[str, Any]] = field(default_factory=list)
    tries: int = 0
    temper: Callable[[], Awaitable[web.Response]] | None = None
    """None: friendly."""

    async def take(self, request: web.Request) -> web.Response:
        self.tries += 1
        body = await request.json()
        if self.temper is not None:
            return await self.temper()
        self.heard.append(body)
        return web.Response()

    def alerts(self, reason: str = "fired") -> set[str]:
        """The agents of the alerts it has heard of."""
        return {
            heard["data"]["alert"]["agentId"] for heard in self.heard
            if heard["data"]["reason"] == reason and heard["data"]["alert"]
        }

    def texts(self, kind: str) -> list[str]:
        return [heard["data"]["text"] for heard in self.heard if heard["type"] == kind]


@pytest.fixture
async def hook_with() -> AsyncIterator[Callable[..., Awaitable[Hook]]]:
    """Makes a receiver: ``await hook_with(port)``; a free port when none is given."""
    runners: list[web.AppRunner] = []

    async def make(port: int = 0, hook: Hook | None = None) -> Hook:
        hook = hook or Hook()
        app = web.Application()
        app.router.add_post("/hook", hook.take)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        hook.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        return hook

    yield make
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
async def hook(hook_with: Callable[..., Awaitable[Hook]]) -> Hook:
    return await hook_with()


Refused = Callable[..., Awaitable[tuple[int, str]]]


@pytest.fixture
def refused(launcher: Any) -> Refused:
    """Run a daemon that will not start; its exit code and what it said on stderr."""

    async def run(config: dict[str, Any] | str) -> tuple[int, str]:
        path = launcher.home / "config.yaml"
        if not isinstance(config, str):
            config = json.dumps({"server": {"port": 0}, **config})
        path.write_text(config)
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "clawatch", "run", "--config", str(path),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(30):
            out, err = await child.communicate()
        assert b"listening" not in out
        return child.returncode or 0, err.decode()

    return run


@dataclass
class Teller:
    """Speaks for agents over one connection."""

    daemon: Any
    session: aiohttp.ClientSession

    async def tell(self, agent: str, type: str = "heartbeat", **top: Any) -> aiohttp.ClientResponse:
        body = {"agentId": agent, "type": type, "data": {}, **top}
        async with self.session.post(f"{self.daemon.url}/api/events", json=body) as answer:
            await answer.read()
            return answer

    async def fail(self, agent: str) -> None:
        """Four errors in a minute: one alert."""
        for _ in range(4):
            assert (await self.tell(agent, "error", data={"error": "boom"})).status == 201

    async def get(self, path: str) -> tuple[int, Any]:
        async with self.session.get(self.daemon.url + path) as answer:
            return answer.status, await answer.json()

    async def beat(self, agent: str, every: float = 0.2) -> None:
        """Be alive until cancelled."""
        while True:
            await self.tell(agent)
            await asyncio.sleep(every)

    async def ids(self, agent: str) -> list[str]:
        """The ids of the events that are stored for an agent, newest first."""
        found: list[str] = []
        cursor = ""
        while True:
            _, page = await self.get(f"/api/events?agentId={agent}&limit=500{cursor}")
            found += [event["id"] for event in page["events"]]
            if not page.get("next"):
                return found
            cursor = f"&cursor={page['next']}"


@pytest.fixture
async def teller_of() -> AsyncIterator[Callable[[Any], Teller]]:
    sessions: list[aiohttp.ClientSession] = []

    def make(daemon: Any) -> Teller:
        sessions.append(aiohttp.ClientSession(headers={"X-ClaWatch-Key": daemon.key}))
        return Teller(daemon, sessions[-1])

    yield make
    for session in sessions:
        await session.close()


@pytest.fixture
def moment() -> Callable[[int], str]:
    """An instant as the API writes it."""
    return iso
