"""Under a service manager: what it hears of the real daemon, and when it stops hearing."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

WATCHDOG = 2.0
HANG = '''
"""Hangs the loop of rules once somebody says so."""
from contextlib import asynccontextmanager
import time
from clawatch.domain.alerts import AlertType
from clawatch.domain.events import Event
from clawatch.hookspecs import hookimpl
from clawatch.ports import Rule, RuleType
from clawatch.settings import RuleSettings


class Hang(Rule):
    def observe(self, entry, agent, settings, now):
        if isinstance(entry.body, Event) and entry.body.data.get("hang"):
            time.sleep(entry.body.data["hang"])
        return ()

    def due(self, wake, agent, settings, now):
        return ()

    def forget(self, agent_id):
        pass


@asynccontextmanager
async def open_hang(settings, core):
    yield Hang()


@hookimpl
def register_rules():
    return [RuleType("hang", AlertType.STUCK, RuleSettings, open_hang)]
'''


class Manager:
    """The service manager's end of the socket."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)
        self.environment = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": str(int(WATCHDOG * 1e6))}

    async def hear(self, within: float = 10.0) -> dict[str, str]:
        async with asyncio.timeout(within):
            datagram = await asyncio.get_running_loop().sock_recv(self._socket, 4096)
        return dict(line.split("=", 1) for line in datagram.decode().split("\n"))

    async def hear_of(self, name: str, within: float = 10.0) -> dict[str, str]:
        async with asyncio.timeout(within):
            while name not in (said := await self.hear(within)):
                pass
        return said

    async def hear_nothing_of(self, name: str, seconds: float) -> None:
        """Fails when it is said meanwhile."""
        end = time.monotonic() + seconds
        with contextlib.suppress(TimeoutError):
            while (left := end - time.monotonic()) > 0:
                assert name not in await self.hear(left)

    def drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                self._socket.recv(4096)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(launcher: Any, tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(tmp_path / "notify")
    launcher.environment = manager.environment
    yield manager
    manager.close()


async def test_ready_is_said_when_it_listens_and_pings_follow(launcher: Any, manager: Manager) -> None:
    daemon = await launcher.start()
    ready = await manager.hear_of("READY")
    assert ready["READY"] == "1"
    assert ready["STATUS"].startswith(f"listening on {daemon.url}")
    assert (await daemon.get("/readyz"))["status"] == "ok"
    for _ in range(3):
        assert (await manager.hear_of("WATCHDOG", WATCHDOG))["WATCHDOG"] == "1"
    asyncio.get_running_loop().call_soon(daemon.child.send_signal, signal.SIGTERM)
    assert (await manager.hear_of("STOPPING"))["STOPPING"] == "1"
    assert await daemon.stop() == 0


async def test_a_reload_is_told_and_ends_with_ready(launcher: Any, manager: Manager) -> None:
    daemon = await launcher.start()
    await manager.hear_of("READY")
    daemon.child.send_signal(signal.SIGHUP)
    reloading = await manager.hear_of("RELOADING")
    assert int(reloading["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
    assert "READY" in await manager.hear_of("READY")
    await manager.hear_of("WATCHDOG", WATCHDOG)
    assert (await metrics(daemon))["clawatch_config_last_reload_successful"] == "1.0"
    (launcher.home / "config.yaml").write_text("rules: 1")
    daemon.child.send_signal(signal.SIGHUP)
    async with asyncio.timeout(10):
        while (await metrics(daemon))["clawatch_config_last_reload_successful"] == "1.0":
            await asyncio.sleep(0.05)
    assert await daemon.stop() == 0


async def test_pings_stop_while_the_writer_hangs_and_go_on_with_it(launcher: Any, manager: Manager) -> None:
    """Another process holds the database, so that the writer waits for it."""
    daemon = await launcher.start()
    await manager.hear_of("WATCHDOG")
    with contextlib.closing(sqlite3.connect(launcher.home / "data" / "clawatch.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        await asyncio.sleep(1.5 * WATCHDOG)
        manager.drain()
        await manager.hear_nothing_of("WATCHDOG", 0.75 * WATCHDOG)
        async with ClientSession() as session, session.get(f"{daemon.url}/livez") as answer:
            assert answer.status == 503
            assert "store" in (await answer.json())["late"]
        other.execute("ROLLBACK")
    await manager.hear_of("WATCHDOG", 3 * WATCHDOG)
    async with ClientSession() as session, session.get(f"{daemon.url}/livez") as answer:
        assert answer.status == 200
    assert await daemon.stop() == 0


async def test_pings_stop_while_a_plugin_holds_up_the_loop(launcher: Any, manager: Manager, tmp_path: Path) -> None:
    plugins = tmp_path / "plugins"
    plugins.mkdir(mode=0o700)
    (plugins / "hang.py").write_text(HANG)
    config = {"plugins": {"directory": str(plugins)}, "rules": {"hang": {}}}
    daemon = await launcher.start(config)
    await manager.hear_of("WATCHDOG")
    hang = {"agentId": "a", "type": "message", "data": {"hang": 2.5 * WATCHDOG}}
    posting = asyncio.create_task(daemon.post("/api/events", hang))
    await asyncio.sleep(0.5 * WATCHDOG)
    manager.drain()
    await manager.hear_nothing_of("WATCHDOG", WATCHDOG)
    await posting
    await manager.hear_of("WATCHDOG", 3 * WATCHDOG)
    assert await daemon.stop() == 0


async def test_without_a_manager_there_is_nobody_to_tell(daemon: Any) -> None:
    async with ClientSession() as session, session.get(f"{daemon.url}/livez") as answer:
        assert await answer.json() == {"status": "ok"}


async def metrics(daemon: Any) -> dict[str, str]:
    async with (
        ClientSession(headers={"X-ClaWatch-Key": daemon.key}) as session, session.get(f"{daemon.url}/metrics") as answer
    ):
        lines = (await answer.text()).splitlines()
    return dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
