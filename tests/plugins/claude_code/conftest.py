"""A core around a store in memory, the samples of real sessions, and the doors over real HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from clawatch_plugins.claude_code.controller import HooksController
from clawatch_plugins.claude_code.hooks import map_hook, read_hook
from clawatch_plugins.claude_code.vocabulary import ClaudeCode
from clawatch_plugins.prices.enricher import Prices
from clawatch_plugins.prices.settings import PricesSettings

from clawatch.apis.envelopes import problem_of
from clawatch.apis.routes import Api, Route
from clawatch.apis.telemetry import Encoding, OtlpSignal, decode
from clawatch.commands import Commands
from clawatch.domain.access import Principal, Scope
from clawatch.domain.agents import Agent
from clawatch.domain.events import Event
from clawatch.domain.time import Millis
from clawatch.fleet import Fleet
from clawatch.ingest import Ingest
from clawatch.ports import ClaWatchError, Controlling, Core, NotFound, Receipt, StoreUnavailable
from clawatch.testing.clock import FakeClock
from clawatch.testing.memory import MemoryStore

SAMPLES = Path(__file__).parents[2] / "samples" / "claude_code"
AFTER: Millis = 1_795_180_000_000
"""An instant after every sample."""
KEY = Principal(name="laptop", user="olga", scopes=frozenset({Scope.INGEST}))
OWNER = Principal(name="owner", user="olga", scopes=frozenset(Scope))


class Doors:
    """Ingest with a store that can be taken away."""

    def __init__(self, ingest: Ingest) -> None:
        self._ingest = ingest
        self.is_down = False

    async def accept(self, events: Sequence[Event], principal: Principal) -> Receipt:
        if self.is_down:
            raise StoreUnavailable("the disk is full")
        return await self._ingest.accept(events, principal)


@dataclass
class Queries:
    fleet: Fleet
    commands: Commands

    def agents(self, principal: Principal) -> list[Agent]:
        return self.fleet.newest_first()

    def agent(self, agent_id: str, principal: Principal) -> Agent:
        agent = self.fleet.get(agent_id)
        if agent is None or not principal.sees(agent_id):
            raise NotFound("Agent not found")
        return agent

    def controlling(self, agent: Agent) -> Controlling:
        return self.commands.controlling(agent)


@dataclass
class World:
    clock: FakeClock
    store: MemoryStore
    fleet: Fleet
    commands: Commands
    ingest: Doors
    vocabulary: ClaudeCode
    core: Core
    clients: list[TestClient[Any, Any]] = field(default_factory=list)

    @property
    def only(self) -> Agent:
        (agent,) = self.fleet
        return agent

    async def say(self, *events: Event) -> Receipt:
        return await self.ingest.accept(events, KEY)

    async def hear(self, records: Sequence[Any]) -> Receipt:
        """Records of one request, as the OpenTelemetry door would take them."""
        events = [event for event in self.vocabulary.map(records, self.clock.now().wall) if event is not None]
        receipt = await self.say(*events)
        self.vocabulary.accepted(events)
        return receipt

    async def replay(self, file: Path) -> None:
        """One recorded request, as its door would take it."""
        if file.name.endswith(".http.json"):
            told = json.loads(file.read_text())
            hook = read_hook(told["body"], None)
            agent = self.fleet.get(hook.agent_id)
            self.vocabulary.sessions.hooked.add((hook.agent_id, hook.session_id))
            event = map_hook(hook, int(told["t"] * 1000), None if agent is None else agent.turn)
            await self.say(*([] if event is None else [event]))
            return
        signal = OtlpSignal(file.name.split("_")[1].split(".")[0])
        encoding = Encoding.PROTOBUF if file.suffix == ".pb" else Encoding.JSON
        records = decode(file.read_bytes(), signal, encoding)
        await self.hear(records)

    async def serve(self, api: Api) -> TestClient[Any, Any]:
        app = web.Application()
        for route in api.routes:
            app.router.add_route(route.method, route.path, _handler(route, api))
        client = TestClient(TestServer(app))
        await client.start_server()
        self.clients.append(client)
        return client


def _handler(route: Route, api: Api) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await route.handler(request, KEY)
        except ClaWatchError as error:
            return api.envelope(problem_of(error))

    return handle


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = build()
    yield made
    for client in made.clients:
        await client.close()


def build() -> World:
    clock, store, fleet = FakeClock(wall=AFTER), MemoryStore(), Fleet()
    commands = Commands(store, fleet, clock, [HooksController()])
    store.listen(fleet.apply)
    store.listen(commands.apply)
    ingest = Doors(Ingest(store, clock, [Prices(PricesSettings())], lambda event: event))
    vocabulary = ClaudeCode()
    core = Core(
        ingest=ingest, queries=Queries(fleet, commands), commands=commands, access=None, bus=None, clock=clock,
        scheduler=None, http=None, log=structlog.get_logger(), vocabularies=(vocabulary,),
    )  # type: ignore[arg-type]
    return World(clock, store, fleet, commands, ingest, vocabulary, core)


@pytest.fixture
def tools() -> SimpleNamespace:
    """What test modules share without importing one another."""
    return SimpleNamespace(build=build, key=KEY, owner=OWNER, samples=SAMPLES, files=files, until=until)


def files(folder: str) -> list[Path]:
    """A sample's recorded requests: hooks first, then OTLP, each in order of arrival."""
    base = SAMPLES / folder
    return [*sorted(base.glob("hooks/*.http.json")), *sorted(base.glob("otlp/*.body.*"))]


async def until(holds: Callable[[], bool]) -> None:
    """Let the background work until something holds."""
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0)
