"""The demo's own daemon: a real process with a configuration that is quicker to anger than people's."""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

READY_WITHIN = 30.0
END_WITHIN = 12.0
BUDGET_USD = 2.00
WATCHED, CLUMSY, BRAKED = "night-watch", "courier", "researcher"
"""Whom the configuration names: for silence, for errors, for its loops."""

Told = Callable[[dict[str, Any]], None]


class DidNotStartError(Exception):
    """With the daemon's own words."""


@dataclass(frozen=True)
class Place:
    """Where the daemon listens, and the keys to it: the owner's, and one for agents that can only report."""

    url: str
    login: str
    owner_key: str
    agent_key: str


@asynccontextmanager
async def running_daemon(home: Path, port: int, pace: float, told: Told) -> AsyncIterator[Place]:
    """Run ``clawatch run`` on ``home``, in our process group. ``told`` hears what its webhook notifier posts."""
    owner, agent = (f"cw_{secrets.token_urlsafe(32)}" for _ in range(2))
    async with _receiving(told) as hook:
        file = home / "config.yaml"
        file.touch(mode=0o600)
        file.write_text(json.dumps(_config(home, port, pace, hook, owner, agent)))
        with (home / "log").open("wb") as log:
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "clawatch", "run", "--config", str(file),
                stdout=asyncio.subprocess.PIPE, stderr=log, env={**os.environ, "JOURNAL_STREAM": ""},
            )
        try:
            url, login = await _address(child, home / "log")
            yield Place(url, login, owner, agent)
        finally:
            await end(child)


def _config(home: Path, port: int, pace: float, hook: str, owner: str, agent: str) -> dict[str, Any]:
    def after(seconds: float) -> str:
        return f"{round(seconds * 1000 / pace)}ms"

    return {
        "server": {"port": port},
        "data_dir": str(home / "data"),
        "auth": {
            "keys": [
                {"name": "owner", "key": owner, "scopes": ["admin"]},
                {"name": "agents", "key": agent, "scopes": ["ingest"]},
            ]
        },
        "limits": {"rest": None},
        "notifiers": {"webhook": {"url": hook}},
        "agents": [
            {"match": WATCHED, "rules": {"stuck": {"after": after(12)}}},
            {"match": CLUMSY, "rules": {"error_spike": {"within": after(20)}}},
            {"match": BRAKED, "rules": {"loop": {"action": "pause"}}},
            {"match": "claude-code*", "rules": {"cost": {"limits": [{"per": "total", "usd": BUDGET_USD}]}}},
        ],
    }


@asynccontextmanager
async def _receiving(told: Told) -> AsyncIterator[str]:
    """Where the daemon's notifications arrive, as they would at Telegram."""
    from aiohttp import web

    async def take(request: web.Request) -> web.Response:
        told(await request.json())
        return web.Response()

    app = web.Application()
    app.router.add_post("/", take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


async def _address(child: asyncio.subprocess.Process, log: Path) -> tuple[str, str]:
    """Where it listens, and its login link, from what it prints."""
    assert child.stdout is not None
    login = ""
    try:
        async with asyncio.timeout(READY_WITHIN):
            while line := (await child.stdout.readline()).decode():
                if link := re.search(r"http://\S+/login#\S+", line):
                    login = link.group()
                if url := re.match(r"listening on (\S+)", line):
                    return url.group(1), login
    except TimeoutError:
        raise DidNotStartError(f"the daemon did not start within {READY_WITHIN:.0f} s") from None
    said = await asyncio.to_thread(log.read_text, "utf-8", "replace")
    raise DidNotStartError(said.strip() or "the daemon did not start")


async def end(child: asyncio.subprocess.Process) -> None:
    """Ask a process to end, and see to it that it does."""
    if child.returncode is not None:
        return
    child.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(END_WITHIN):
            await child.wait()
    except TimeoutError:
        child.kill()
        await child.wait()
