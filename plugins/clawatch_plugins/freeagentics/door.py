"""``/api/v1/ws``: the door as one value, and what runs for all its clients together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from clawatch.apis.envelopes import clawatch_envelope
from clawatch.apis.fanout import Fanout
from clawatch.apis.host import Host
from clawatch.apis.routes import Api, Param, Problem, Route
from clawatch.apis.sessions import Session
from clawatch.apis.socket_limits import Codec
from clawatch.apis.sockets import serve_socket
from clawatch.domain.access import CORE, Principal, Scope
from clawatch.domain.agents import Agent
from clawatch.domain.alerts import Silence
from clawatch.domain.ids import new_id
from clawatch.domain.time import iso
from clawatch.ports import Core, StoreUnavailable, SystemReport
from clawatch_plugins.freeagentics import limits
from clawatch_plugins.freeagentics.asking import decode
from clawatch_plugins.freeagentics.client import Client, Surroundings
from clawatch_plugins.freeagentics.figures import Figures
from clawatch_plugins.freeagentics.meter import Meter
from clawatch_plugins.freeagentics.orders import Orders
from clawatch_plugins.freeagentics.pools import Pools
from clawatch_plugins.freeagentics.refusals import refusal
from clawatch_plugins.freeagentics.settings import FreeAgenticsSettings
from clawatch_plugins.freeagentics.translation import Translation, agent_status
from clawatch_plugins.freeagentics.watch import Watch
from clawatch_plugins.freeagentics.wire import Connected, Disconnecting, Message

PATH = "/api/v1/ws"
LOOK_EVERY = 2.0
"""Seconds between two looks at the daemon, its host and who is silent."""
WARN_BEFORE = 30.0
"""Seconds before a silent client is disconnected."""
POLICY = 1008


class Door:
    def __init__(self, core: Core, settings: FreeAgenticsSettings) -> None:
        self._core = core
        self._settings = settings
        self._allowance = limits.ALLOWANCES[settings.limits]
        self._limits = limits.socket_limits(self._allowance)
        self._codec = Codec(decode=decode, refuse=lambda problem: refusal(problem, self._limits, self._now()))
        self._host = Host()
        self._figures = Figures(core)
        self._orders = Orders(core, self._status_of)
        self._meter = Meter(core, self._host, self._figures)
        self._pools = Pools(self._limits, lambda: iso(self._now()))
        self._fanout = Fanout(core, self._codec, lambda: Translation(core, self._figures, self._orders))
        self._clients: dict[Client, None] = {}
        self._is_watched = asyncio.Event()
        """Set while there are clients."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._around = Surroundings(core, self._allowance, self._orders, self._meter, self._pools, self._start)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Api]:
        running = [asyncio.create_task(self._keep(work)) for work in (self._watch, self._meter.run)]
        try:
            yield Api(routes=self._routes(), envelope=clawatch_envelope, paths=(PATH,))
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, *self._tasks, self._figures.stop(), return_exceptions=True)
            self._pools.close()

    def _routes(self) -> tuple[Route, ...]:
        token = Param("token", "query", description="A key, or a token from POST /api/auth/token.")
        return (
            Route(
                "GET", PATH, self.open, Scope.READ, "The FreeAgentics WebSocket",
                gives=Message, params=(token,), is_socket=True,
            ),
        )

    async def open(self, request: web.Request, principal: Principal) -> web.WebSocketResponse:
        return await serve_socket(request, self._limits, self._codec, self._core.access.identify, self._serve)

    async def _serve(self, session: Session) -> None:
        if not session.principal.may(Scope.READ):
            said = f"the key {session.principal.name!r} lacks the scope read"
            session.refuse(Problem(403, said, "forbidden"))
            session.close(POLICY, said)
            return
        client = self._enter(session)
        try:
            async with self._fanout.joined(session, client.subscription.wants):
                await self._greet(session)
                async for message in session:
                    client.hear(message)
        finally:
            self._leave(client)

    def _enter(self, session: Session) -> Client:
        client = Client(session, self._around)
        self._clients[client] = None
        self._is_watched.set()
        self._pools.join(session)
        self._figures.start()
        return client

    def _leave(self, client: Client) -> None:
        del self._clients[client]
        if not self._clients:
            self._is_watched.clear()
        self._pools.leave(client.session)
        client.leave()

    async def _greet(self, session: Session) -> None:
        now, report = self._now(), self._meter.report or await self._report()
        session.send(Message("connection_established", iso(now), Connected(
            client_id=new_id("client", now),
            session_id=new_id("session", now),
            server_version="" if report is None else report.version,
        )))

    def _status_of(self, agent: Agent) -> Message:
        now = self._now()
        return Message("agent_status", iso(now), agent_status(agent, agent.status, "requested", self._figures, now))

    # -- what runs for all

    async def _keep(self, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
            except Exception:
                self._core.log.exception("freeagentics.failed")
                await asyncio.sleep(LOOK_EVERY)

    async def _watch(self) -> None:
        """One look for the whole door, however many there are to be told; none while there is nobody."""
        await self._is_watched.wait()
        self._host.read(self._core.clock.now().mono)
        watch = Watch(await self._report(), await self._silences(), self._settings.alert_above)
        while self._clients:
            self._meter.report = watch.report
            await asyncio.sleep(LOOK_EVERY)
            report, silences = await self._report(), await self._silences()
            now = self._core.clock.now()
            for news in watch.look(report, silences, self._host.read(now.mono), now):
                self._fanout.tell(news)
            self._warn_the_silent()

    async def _report(self) -> SystemReport | None:
        try:
            return await self._core.queries.system()
        except StoreUnavailable:
            return None

    async def _silences(self) -> list[Silence]:
        return await self._core.queries.silences(CORE)

    def _warn_the_silent(self) -> None:
        now, idle_after = asyncio.get_running_loop().time(), self._limits.idle_after or 0.0
        for client in self._clients:
            left = client.session.heard_at + idle_after - now
            if left <= WARN_BEFORE and not client.is_warned:
                client.is_warned = True
                at = self._now()
                client.session.send(Message("disconnect_warning", iso(at), Disconnecting(
                    reason="idle",
                    disconnect_at=iso(at + max(int(left * 1000), 0)),
                    recommended_action="Send a ping",
                )))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(self._note_failure)

    def _note_failure(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._core.log.error("freeagentics.failed", exc_info=error)

    def _now(self) -> int:
        return self._core.clock.now().wall
