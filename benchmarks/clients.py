"""Clients that ask for something and time it, and a receiver of webhooks, in the process that measures."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http.client import HTTPConnection
from typing import Any

from aiohttp import ClientSession, web

from benchmarks.servers import KEY


@asynccontextmanager
async def receiving(heard: Callable[[dict[str, Any], float], None]) -> AsyncIterator[str]:
    """A webhook's receiver; ``heard`` gets each body and when its request was there."""

    async def take(request: web.Request) -> web.Response:
        at = time.perf_counter()
        heard(await request.json(), at)
        return web.Response()

    app = web.Application()
    app.router.add_post("/", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def asking(url: str) -> AsyncIterator[ClientSession]:
    async with ClientSession(url, headers={"X-ClaWatch-Key": KEY}, raise_for_status=True) as session:
        yield session


async def time_gets(url: str, path: str, times: int, pause: float = 0.0) -> list[float]:
    """Milliseconds from asking to the last byte, one after the other on one connection."""
    return await asyncio.to_thread(_time_gets, url, path, times, pause)


def _time_gets(url: str, path: str, times: int, pause: float) -> list[float]:
    """Blocking, since that costs the client least: answers are megabytes."""
    connection = HTTPConnection(url.removeprefix("http://"))
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        connection.request("GET", path, headers={"X-ClaWatch-Key": KEY})
        answer = connection.getresponse()
        answer.read()
        taken.append((time.perf_counter() - began) * 1000)
        if answer.status != 200:
            raise RuntimeError(f"{path} answered {answer.status}")
        time.sleep(pause)
    connection.close()
    return taken


async def post(session: ClientSession, events: list[dict[str, Any]]) -> None:
    async with session.post("/api/events", json=events) as answer:
        await answer.read()
