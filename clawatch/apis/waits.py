"""Long polls: requests that wait for something to happen, and must not hold up a shutdown or a reload meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from aiohttp import web

from clawatch.apis.socket_limits import Closing
from clawatch.apis.sockets import SESSIONS

T = TypeVar("T")


class Wait:
    """One wait under way; the server ends it as it ends sessions."""

    def __init__(self, waiting: asyncio.Task[Any]) -> None:
        self.gone = asyncio.Event()
        self.is_ended = False
        self._waiting = waiting

    def end(self, closing: Closing) -> None:
        self.is_ended = True
        self._waiting.cancel()


_WAITED = web.RequestKey("waited", bool)


def has_waited(request: web.Request) -> bool:
    """Whether the time it took says nothing of us."""
    return _WAITED in request


async def unless_closing(request: web.Request, waiting: Coroutine[Any, Any, T], otherwise: T) -> T:
    """What is waited for; ``otherwise`` when the server closes before it comes."""
    request[_WAITED] = True
    task = asyncio.create_task(waiting)
    wait = Wait(task)
    waits = request.app.get(SESSIONS, set())
    waits.add(wait)
    try:
        return await task
    except asyncio.CancelledError:
        if wait.is_ended:
            return otherwise
        raise
    finally:
        waits.discard(wait)
        wait.gone.set()
