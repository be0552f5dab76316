"""Clients of the ClawdNet door, on real sockets to a whole daemon."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse
from clawatch_plugins.clawdnet import door as clawdnet

PATIENCE = 5.0
ROUNDS = 50
"""Of the loop that the daemon shares with its tests: what was stored is told a few of them later."""
AT = "2026-01-30T12:00:00Z"
"""The contract's example time; long past by the test's clock."""


@dataclass
class Client:
    """One connection."""

    ws: ClientWebSocketResponse
    heard: list[Any] = field(default_factory=list)

    async def say(self, type: str, /, **frame: Any) -> None:
        await self.ws.send_json({"type": type, **frame})

    async def next(self) -> Any:
        message = await self.ws.receive_json(timeout=PATIENCE)
        self.heard.append(message)
        return message

    async def hear(self, type: str) -> Any:
        while (message := await self.next())["type"] != type:
            pass
        return message

    async def until_pong(self) -> list[Any]:
        """What has come until everything said so far is answered."""
        before = len(self.heard)
        for _ in range(ROUNDS):
            await asyncio.sleep(0)
        await self.say("ping")
        await self.hear("pong")
        return self.heard[before:-1]

    async def refused(self) -> str:
        """The kind of error that the protocol answers with next."""
        message = await self.next()
        assert message["type"] == "error", message
        assert "agent_id" not in message
        assert message["timestamp"].endswith("Z")
        assert isinstance(message["data"]["message"], str)
        return str(message["data"]["error_type"])

    async def closed(self) -> int | None:
        """Read to the end; the close code."""
        async for message in self.ws:
            self.heard.append(message.json())
        return self.ws.close_code


@dataclass
class Door:
    """The door of a daemon. ``cw`` speaks to its other API, with the admin's key."""

    cw: Any
    session: ClientSession
    clients: list[Client] = field(default_factory=list)

    async def connect(self, token: str | None = "", **options: Any) -> Client:
        """With the admin's key unless told otherwise; None says nothing yet."""
        client = Client(await self.session.ws_connect(f"{self.cw.url}/telemetry", **options))
        self.clients.append(client)
        if token is not None:
            await client.say("auth", token=token or self.cw.key)
        return client

    async def enter(self, token: str = "") -> Client:
        """Connected and greeted."""
        client = await self.connect(token)
        await client.hear("auth_success")
        return client

    async def pair(self, *keys: str) -> tuple[Client, Client]:
        """A bot and a dashboard."""
        bot, dashboard = (*keys, "", "")[:2]
        return await self.enter(bot), await self.enter(dashboard)

    async def metrics(self, agent_id: str = "a", key: str = "", **query: str) -> Any:
        """What the metrics API answers."""
        answer = await self.ask(agent_id, key, **query)
        assert answer.status == 200, answer
        return answer.body

    async def ask(self, agent_id: str = "a", key: str | None = "", **query: str) -> Any:
        headers = {} if key is None else {"Authorization": f"Bearer {key or self.cw.key}"}
        return await self.cw.ask("GET", f"/telemetry/metrics/{agent_id}", key=None, headers=headers, params=query)


@pytest.fixture
async def door(cw: Any) -> AsyncIterator[Door]:
    async with ClientSession() as session:
        door = Door(cw, session)
        yield door
        for client in door.clients:
            await client.ws.close()


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Other figures for the daemon that is started next."""

    def shorten(**figures: Any) -> None:
        made = clawdnet.SocketLimits
        monkeypatch.setattr(clawdnet, "SocketLimits", lambda **given: made(**{**given, **figures}))

    return shorten


@pytest.fixture
def frames() -> dict[str, Any]:
    """The contract's own examples, by type."""
    return {
        "metrics": {
            "type": "metrics", "agent_id": "agent_abc123", "timestamp": AT,
            "data": {
                "messages_1h": 142, "messages_24h": 2847, "active_sessions": 3, "avg_response_ms": 850,
                "memory_mb": 256, "cpu_percent": 12, "uptime_s": 86400,
            },
        },
        "skills": {
            "type": "skills", "agent_id": "agent_abc123", "timestamp": AT,
            "data": {"image-generation": {"calls_1h": 45, "revenue_1h": "0.90", "avg_latency_ms": 2100}},
        },
        "status": {"type": "status", "agent_id": "agent_abc123", "status": "online", "timestamp": AT},
        "error": {
            "type": "error", "agent_id": "agent_abc123", "timestamp": AT,
            "data": {"error_type": "skill_failure", "skill": "image-generation", "message": "Model timeout"},
        },
    }  # fmt: skip
