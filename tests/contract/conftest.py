"""A daemon with the ClaWatch API on a real socket, and a client that speaks to it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import structlog
from aiohttp import ClientSession, ClientWebSocketResponse
from clawatch_plugins.clawatch.door import api_of
from clawatch_plugins.mailbox import Mailbox

from clawatch.access import Access, AccessSettings, fixed_key
from clawatch.alerting.desk import Desk
from clawatch.alerting.outbox import Outbox
from clawatch.bus import Bus
from clawatch.commands import Commands
from clawatch.deeds import Deeds
from clawatch.domain.access import Scope
from clawatch.domain.agents import Agent
from clawatch.domain.alerts import AlertType, Severity
from clawatch.domain.events import Event
from clawatch.domain.journal import Entry
from clawatch.domain.redaction import Redactor
from clawatch.domain.time import MINUTE, Moment, iso
from clawatch.domain.verdicts import Finding, Verdict, Wake
from clawatch.fleet import Fleet
from clawatch.ingest import Ingest, redact_with
from clawatch.journal import Journal
from clawatch.outgoing import Outgoing
from clawatch.ports import Core
from clawatch.queries import Queries
from clawatch.rules import Rules, Running
from clawatch.settings import RuleSettings
from clawatch.system import Loops, System
from clawatch.testing.clock import FakeClock
from clawatch.testing.memory import MemoryStore
from clawatch.web.gate import WebSettings
from clawatch.web.server import serve

ADMIN_KEY = "cw_" + "k" * 43
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

    async def settled(self) -> None:
        """The rules have read everything."""

        async def is_settled() -> bool:
            return (await self.get("/api/system"))["rulesBehind"] == 0

        await self.eventually(is_settled)

    async def eventually(self, is_so: Callable[[], Awaitable[Any]]) -> Any:
        async with asyncio.timeout(PATIENCE):
            while not (found := await is_so()):
                await asyncio.sleep(0.01)
        return found

    async def alert(self, agent_id: str = "a") -> Any:
        """An alert of this agent: four errors in a minute make one."""
        for _ in range(4):
            await self.say(agent_id, "error", error="boom")
        return (await self.eventually(lambda: self.alerts(agentId=agent_id)))[0]

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


class FourErrors:
    """Stands in for the rule that fires on the fourth error in a minute."""

    def __init__(self) -> None:
        self._times: dict[str, deque[int]] = {}

    def observe(self, entry: Entry, agent: Agent, settings: Any, now: Moment) -> Iterable[Finding]:
        if isinstance(entry.body, Event) and entry.body.is_error:
            times = self._times.setdefault(agent.id, deque(maxlen=4))
            times.append(entry.body.at)
            if len(times) == 4 and times[-1] - times[0] < MINUTE:
                yield Verdict(
                    agent_id=agent.id, severity=Severity.CRITICAL, message="4 errors in a minute",
                    evidence={"errors": 4},
                )

    def due(self, wake: Wake, agent: Agent, settings: Any, now: Moment) -> Iterable[Finding]:
        return ()

    def forget(self, agent_id: str) -> None:
        self._times.pop(agent_id, None)


@asynccontextmanager
async def assembled(clock: FakeClock) -> AsyncIterator[str]:
    """The core around a store in memory, and the web server; gives the URL."""
    log = structlog.get_logger()
    store = MemoryStore()
    journal, bus, fleet = Journal(store), Bus(), Fleet()
    desk = Desk(store, clock, (), [])
    commands = Commands(store, fleet, clock, (Mailbox(),))
    for listener in (journal.apply, fleet.apply, commands.apply, desk.apply):
        store.listen(listener)
    store.listen(lambda committed: bus.publish(committed.entries))
    rules = Rules(
        store, journal, fleet, desk, commands, [Running("error_spike", AlertType.ERROR, FourErrors())],
        lambda name, agent: RuleSettings(), clock, log,
    )
    access = Access(store, AccessSettings(keys=(fixed_key("ops", ADMIN_KEY, [Scope.ADMIN]),), port=0), clock)
    await access.open()
    loops, outbox, redactor, http = Loops(log), Outbox([], clock, log), Redactor(), Outgoing()
    system = System(clock.now().wall, loops, rules, (), lambda: store.head, ())
    queries = Queries(store, journal, fleet, desk, commands, system.report)
    core = Core(
        ingest=Ingest(store, clock, (), redact_with(redactor.text, redactor.value)),
        queries=queries, commands=Deeds(commands, desk, fleet, outbox), access=access, bus=bus, clock=clock,
        scheduler=None, http=http, log=log,  # type: ignore[arg-type]
    )
    async with AsyncExitStack() as stack:
        stack.push_async_callback(http.close)
        stack.callback(bus.close)
        stack.push_async_callback(loops.close)
        loops.start("rules", rules.run)
        apis = [("clawatch", api_of(core))]
        host, port = await stack.enter_async_context(serve(apis, access, queries, WebSettings(), clock, log))
        yield f"http://{host}:{port}"


@pytest.fixture
async def cw(clock: FakeClock) -> AsyncIterator[Cw]:
    async with assembled(clock) as url, ClientSession() as session:
        client = Cw(url, ADMIN_KEY, clock, session)
        yield client
        for ws in client.sockets:
            await ws.close()
