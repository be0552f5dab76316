"""Clients of the FreeAgentics door, on real sockets to a whole daemon."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse

from clawatch.domain.time import iso

PATIENCE = 5.0
ROUNDS = 50
"""Of the loop that the daemon shares with its tests: what was stored is told a few of them later."""


@dataclass
class Client:
    """One connection. Everything it hears is kept in ``heard``."""

    ws: ClientWebSocketResponse
    heard: list[Any] = field(default_factory=list)

    async def say(self, type: str, /, **data: Any) -> None:
        await self.ws.send_json({"type": type, "data": data} if data else {"type": type})

    async def next(self) -> Any:
        message = await self.ws.receive_json(timeout=PATIENCE)
        assert isinstance(message["type"], str)
        assert message["timestamp"].endswith("Z")
        assert isinstance(message["data"], dict)
        self.heard.append(message)
        return message

    async def hear(self, *types: str) -> Any:
        """The data of the next message of one of these types."""
        while True:
            message = await self.next()
            if not types or message["type"] in types:
                return message["data"]

    async def until_pong(self) -> list[Any]:
        """What comes until everything said so far is answered."""
        before = len(self.heard)
        for _ in range(ROUNDS):
            await asyncio.sleep(0)
        await self.say("ping")
        await self.hear("pong")
        return self.heard[before:-1]

    async def subscribe(self, *events: str, **more: Any) -> Any:
        await self.say("subscribe", events=list(events), **more)
        return await self.hear("subscription_confirmed", "subscription_error", "error")

    async def closed(self) -> int | None:
        """Read to the end; the close code."""
        async with asyncio.timeout(PATIENCE):
            async for message in self.ws:
                self.heard.append(message.json())
        return self.ws.close_code

    def types(self) -> list[str]:
        return [message["type"] for message in self.heard]


@dataclass
class Door:
    """The door of a daemon. ``cw`` speaks to its other API, with the admin's key."""

    cw: Any
    session: ClientSession

    @property
    def url(self) -> str:
        return f"{self.cw.url}/api/v1/ws"

    async def report(self, agent_id: str, run_id: str, **run: Any) -> None:
        """Say how a run stands."""
        event = {"agentId": agent_id, "type": "run", "timestamp": iso(self.cw.clock.now().wall)}
        await self.cw.post("/api/events", {**event, "data": {"runId": run_id, **run}})

    async def reach(self, *, key: str | None = "", headers: dict[str, str] | None = None) -> Client:
        """Connect, and read nothing. ``key`` None sends none; the admin's is the default."""
        query = {} if key is None else {"token": key or self.cw.key}
        ws = await self.session.ws_connect(self.url, params=query, headers=headers)
        self.cw.sockets.append(ws)  # closed before the daemon is, which would wait for them
        return Client(ws)

    async def connect(self, **options: Any) -> Client:
        client = await self.reach(**options)
        assert (await client.next())["type"] == "connection_established"
        return client


MakeDoor = Callable[[Any], Door]


@pytest.fixture
async def door_of() -> AsyncIterator[MakeDoor]:
    """The door of a daemon that runs already."""
    async with ClientSession() as session:
        yield lambda cw: Door(cw, session)


@pytest.fixture
async def fa(cw: Any, door_of: MakeDoor) -> Door:
    return door_of(cw)
