"""A DevSkyy dashboard, and agents that take what it asks of them, on real sockets to a whole daemon."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import ClientWebSocketResponse

from clawatch.domain.time import iso

PATIENCE = 5.0
TYPES = ("commerce", "creative", "marketing", "support", "operations", "analytics")
PROVIDERS = ("claude", "gpt", "gemini", "llama", "mistral", "qwen")


@dataclass
class Listener:
    """One connection to a channel. Everything it hears is kept in ``heard``."""

    ws: ClientWebSocketResponse
    heard: list[Any] = field(default_factory=list)

    async def next(self) -> Any:
        frame = await self.ws.receive_json(timeout=PATIENCE)
        assert isinstance(frame["type"], str)  # DS-18
        assert frame["timestamp"].endswith("Z")  # DS-18, X-08
        self.heard.append(frame)
        return frame

    async def hear(self, **wanted: Any) -> Any:
        """The next frame with these values."""
        while True:
            frame = await self.next()
            if all(frame.get(name) == value for name, value in wanted.items()):
                return frame

    async def ping(self, **more: Any) -> list[Any]:
        """What came until the pong."""
        before = len(self.heard)
        await self.ws.send_json({"type": "ping", **more})
        await self.hear(type="pong")
        return self.heard[before:-1]

    async def closed(self) -> int | None:
        async with asyncio.timeout(PATIENCE):
            async for message in self.ws:
                self.heard.append(message.json())
        return self.ws.close_code


@dataclass
class Worker:
    """An agent as the ClaWatch API knows it: it reports, takes commands and answers them."""

    cw: Any
    id: str
    kind: str
    labels: dict[str, str] = field(default_factory=dict)
    capabilities: tuple[str, ...] = ()
    told: list[Any] = field(default_factory=list)

    async def beat(self) -> None:
        top = {"kind": self.kind, "labels": self.labels, "capabilities": list(self.capabilities)}
        said = await self.cw.say(self.id, "heartbeat", **{name: value for name, value in top.items() if value})
        self.told += said["commands"]  # whoever reports is told at once what it is asked

    async def take(self) -> Any:
        """The next command."""
        if not self.told:
            found = await self.cw.get(f"/api/agents/{self.id}/commands", params={"wait": "5"})
            self.told += found["commands"]
        return self.told.pop(0)

    async def answer(self, command: Any, data: Any = None, state: str = "confirmed", message: str = "") -> None:
        said = {"state": state, "message": message, "data": data}
        await self.cw.post(f"/api/commands/{command['id']}/result", said)

    async def report(self, run_id: str, **run: Any) -> None:
        at = iso(self.cw.clock.now().wall)
        event = {"agentId": self.id, "type": "run", "timestamp": at, "data": {"runId": run_id, **run}}
        await self.cw.post("/api/events", event)


@dataclass
class Ds:
    """A dashboard with a Bearer token of the admin's. ``cw`` speaks to the daemon's own API."""

    cw: Any
    listeners: list[Listener] = field(default_factory=list)

    async def ask(self, method: str, path: str, *, token: str | None = "", **request: Any) -> Any:
        headers = dict(request.pop("headers", {}))
        if token is not None:
            headers["Authorization"] = f"Bearer {token or self.cw.key}"
        return await self.cw.ask(method, path, key=None, headers=headers, **request)

    async def get(self, path: str, **request: Any) -> Any:
        answer = await self.ask("GET", path, **request)
        assert answer.status == 200, answer
        return answer.body

    async def post(self, path: str, json: Any = None, **request: Any) -> Any:
        answer = await self.ask("POST", path, json=json, **request)
        assert answer.status == 200, answer
        return answer.body

    async def listen(self, channel: str, *, prefix: str = "/api/ws", query: str = "", **headers: str) -> Listener:
        ws = await self.cw.session.ws_connect(f"{self.cw.url}{prefix}/{channel}{query}", headers=headers)
        self.cw.sockets.append(ws)
        listener = Listener(ws)
        self.listeners.append(listener)
        return listener

    async def ready(self, channel: str, **more: Any) -> Listener:
        """A listener that is told everything from now on."""
        listener = await self.listen(channel, **more)
        await listener.ping()
        return listener

    async def worker(self, kind: str, id: str = "", *capabilities: str, **labels: str) -> Worker:
        worker = Worker(self.cw, id or f"{kind}-001", kind, labels, capabilities)
        await worker.beat()
        return worker

    async def table(self) -> tuple[list[Worker], Worker]:
        """Six entrants and a judge."""
        entrants = [await self.worker("llm", f"llm-{name}", "entrant", provider=name) for name in PROVIDERS]
        return entrants, await self.worker("judge", "judge-1", "judge")

    async def submit(self, kind: str = "commerce", prompt: str = "price the roses") -> Any:
        return await self.post("/api/v1/tasks", {"agentType": kind, "prompt": prompt})

    async def eventually(self, is_so: Callable[[], Awaitable[Any]]) -> Any:
        return await self.cw.eventually(is_so)

    async def task(self, task_id: str, status: str) -> Any:
        """The task, once it stands so."""

        async def found() -> Any:
            task = await self.get(f"/api/v1/tasks/{task_id}")
            return task if task["status"] == status else None

        return await self.eventually(found)


RunDs = Callable[..., AbstractAsyncContextManager[Ds]]


@pytest.fixture
def run_ds(run_cw: Any) -> RunDs:
    @asynccontextmanager
    async def run(**config: Any) -> AsyncIterator[Ds]:
        async with run_cw(**config) as cw:
            yield Ds(cw)

    return run


@pytest.fixture
async def ds(run_ds: RunDs) -> AsyncIterator[Ds]:
    async with run_ds() as door:
        yield door


async def compete(ds: Ds, entrants: list[Worker], judge: Worker, winner: str = "mistral", **body: Any) -> Any:
    """A whole competition, every agent answering."""
    asking = asyncio.create_task(ds.post("/api/v1/round-table/compete", {"prompt": "sell roses", **body}))
    for entrant in entrants:
        command = await entrant.take()
        said = {"response": f"{entrant.labels['provider']} says: roses", "costUsd": 0.01}
        await entrant.answer(command, said)
    command = await judge.take()
    criteria = command["parameters"]["criteria"]
    await judge.answer(command, {"scores": {
        entry["provider"]: {name: PROVIDERS.index(entry["provider"]) + 1 for name in criteria}
        for entry in command["parameters"]["entries"]
    }})
    if len(entrants) > 1:
        command = await judge.take()
        await judge.answer(command, {"winner": winner, "reasoning": "more scent", "confidence": 0.9})
    return await asking


@pytest.fixture
def competition() -> Any:
    return compete
