"""A daemon with the ClaWatch API on a real socket, and a client that speaks to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse

from clawatch.access import Access
from clawatch.domain.time import iso
from clawatch.rules import Rules
from clawatch.testing.app import run_app
from clawatch.testing.clock import FakeClock

PATIENCE = 5.0


@dataclass
class Answer:
    status: int
    body: Any
    headers: dict[str, str]


@dataclass
class Cw:
    """A client with the admin's key."""

    url: str
    key: str
    clock: FakeClock
    session: ClientSession
    rules: Rules
    access: Access
    sockets: list[ClientWebSocketResponse] = field(default_factory=list)

    async def ask(
        self, method: str, path: str, *, key: str | None = "", headers: dict[str, str] | None = None, **request: Any
    ) -> Answer:
        """``key`` None sends none; the admin's is the default."""
        sent = dict(headers or {})
        if key is not None:
            sent["X-ClaWatch-Key"] = key or self.key
        async with self.session.request(method, self.url + path, headers=sent, **request) as response:
            is_json = response.content_type == "application/json"
            body = await response.json() if is_json else await response.text()
            return Answer(response.status, body, dict(response.headers))

    async def get(self, path: str, **request: Any) -> Any:
        answer = await self.ask("GET", path, **request)
        assert answer.status == 200, answer
        return answer.body

    async def post(self, path: str, json: Any = None, **request: Any) -> Any:
        answer = await self.ask("POST", path, json=json, **request)
        assert answer.status in (200, 201), answer
        return answer.body

    async def say(self, agent_id: str = "a", type: str = "heartbeat", /, *, now: bool = True, **fields: Any) -> Any:
        """Post one event; its other keys are its data, but for those that stand at the top."""
        top = {name: fields.pop(name) for name in list(fields) if name in TOP}
        if now:
            top.setdefault("timestamp", iso(self.clock.now().wall))
        return await self.post("/api/events", {"agentId": agent_id, "type": type, "data": fields, **top})

    async def agent(self, agent_id: str = "a") -> Any:
        return await self.get(f"/api/agents/{agent_id}")

    async def alerts(self, **query: str) -> list[Any]:
        found: list[Any] = (await self.get("/api/alerts", params=query))["alerts"]
        return found

    async def settle(self) -> None:
        """The rules have read everything and what fell due has been judged."""
        while await self.rules.step():
            pass
        await self.rules.step()

    async def told(self) -> None:
        """The notifiers have said everything."""
        await self.settle()

        async def is_told() -> bool:
            return bool((await self.get("/api/system"))["outbox"] == 0)

        await self.eventually(is_told)

    async def eventually(self, is_so: Callable[[], Awaitable[Any]]) -> Any:
        async with asyncio.timeout(PATIENCE):
            while not (found := await is_so()):
                await asyncio.sleep(0.01)
        return found

    async def alert(self, agent_id: str = "a") -> Any:
        """An alert of this agent: four errors in a minute make one."""
        for _ in range(4):
            await self.say(agent_id, "error", error="boom")
        await self.settle()
        return (await self.alerts(agentId=agent_id))[0]

    async def make_key(self, *scopes: str, agents: Iterable[str] = ("*",), name: str = "") -> str:
        wanted = {"name": name or "-".join(scopes), "scopes": scopes, "agents": list(agents)}
        made = await self.ask("POST", "/api/keys", json=wanted)
        assert made.status == 201, made
        return str(made.body["key"])

    async def connect(self, *, key: str | None = "", query: str = "") -> ClientWebSocketResponse:
        headers = {} if key is None else {"X-ClaWatch-Key": key or self.key}
        ws = await self.session.ws_connect(f"{self.url}/ws{query}", headers=headers)
        self.sockets.append(ws)
        return ws


TOP = {
    "timestamp", "agentName", "host", "id", "sessionId", "callId", "phase", "kind", "group", "labels", "capabilities",
}


RunCw = Callable[..., AbstractAsyncContextManager[Cw]]


@pytest.fixture
def run_cw(clock: FakeClock, tmp_path: Path) -> RunCw:
    """Runs a daemon with the given configuration: ``async with run_cw(rules={…}) as cw``."""

    @asynccontextmanager
    async def run(**config: Any) -> AsyncIterator[Cw]:
        async with run_app(tmp_path, config, clock) as app, ClientSession() as session:
            url = f"http://127.0.0.1:{app.daemon.access.place.port}"  # whatever the public one is
            client = Cw(url, app.key, clock, session, app.daemon.rules, app.daemon.access)
            yield client
            for ws in client.sockets:
                await ws.close()

    return run


@pytest.fixture
async def cw(run_cw: RunCw) -> AsyncIterator[Cw]:
    async with run_cw() as client:
        yield client
