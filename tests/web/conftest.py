"""A real server on a free port, with a small door behind it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest
import structlog
from aiohttp import ClientResponse, ClientSession, DummyCookieJar, web
from structlog.testing import CapturingLogger
from structlog.typing import EventDict

from clawatch.access import Access, AccessSettings
from clawatch.apis.bodies import read_json
from clawatch.apis.envelopes import clawatch_envelope, reply
from clawatch.apis.limits import is_over_rate
from clawatch.apis.routes import Api, Problem, Route
from clawatch.apis.socket_limits import Codec, SocketLimits, token_of_auth
from clawatch.apis.sockets import Session, serve_socket
from clawatch.domain.access import Principal, Scope
from clawatch.ports import PartReport, StoreHealth, SystemReport
from clawatch.pulse import Pulse
from clawatch.testing.clock import FakeClock
from clawatch.testing.memory import MemoryStore
from clawatch.web.counters import Counters
from clawatch.web.server import WebSettings, serve


class Queries:
    """As much of the queries as health asks for."""

    def __init__(self) -> None:
        self.store_ok = True
        self.failure: Exception | None = None

    async def system(self) -> SystemReport:
        if self.failure is not None:
            raise self.failure
        return SystemReport(
            version="0", started_at=0, store=StoreHealth(self.store_ok, "/secret/path"), outbox=0, journal_head=0,
            rules_behind=0, parts=(PartReport(section="notifiers", name="telegram", state="running", detail="bot 1"),),
            status="ok" if self.store_ok else "degraded",
        )


def other_envelope(problem: Problem) -> web.Response:
    return reply({"detail": problem.message, "code": problem.code}, problem.status)


class Door:
    """A small door: what its handlers see is kept, what they raise is set by tests."""

    def __init__(self) -> None:
        self.principals: list[Principal] = []
        self.error: Exception | None = None
        self.limits = SocketLimits()
        self.access: Access

    async def answer(self, request: web.Request, principal: Principal) -> web.StreamResponse:
        if self.error is not None:
            raise self.error
        self.principals.append(principal)
        return reply({"user": principal.user, "over": is_over_rate(request)})

    async def echo(self, request: web.Request, principal: Principal) -> web.StreamResponse:
        return reply(await read_json(request, limit=1_000))

    async def broken_stream(self, request: web.Request, principal: Principal) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"begun")
        raise LookupError("too late")

    async def socket(self, request: web.Request, principal: Principal) -> web.StreamResponse:
        async def handler(session: Session) -> None:
            session.send({"user": session.principal.user, "via": session.principal.via})
            async for message in session:
                session.send(message)

        return await serve_socket(
            request, self.limits, Codec(token=token_of_auth), self.access.identify, handler
        )

    def apis(self) -> list[tuple[str, Api]]:
        ours = (
            Route("GET", "/api/things", self.answer, Scope.READ, "Read."),
            Route("GET", "/api/things/{id}", self.answer, Scope.READ, "Read one."),
            Route("POST", "/api/things", self.answer, Scope.CONTROL, "Change."),
            Route("POST", "/api/echo", self.echo, Scope.INGEST, "Send."),
            Route("POST", "/api/brake", self.answer, Scope.INGEST, "A brake.", is_answered_over_rate=True),
            Route("GET", "/api/stream", self.broken_stream, Scope.READ, "Breaks."),
            Route("GET", "/ws", self.socket, None, "Live.", is_socket=True),
        )
        theirs = (Route("GET", "/other/things", self.answer, Scope.READ, "Read."),)
        return [
            ("ours", Api(ours, clawatch_envelope, ("/api", "/ws"))),
            ("theirs", Api(theirs, other_envelope, ("/other", "/api/v1"))),
        ]


class Site:
    """The running server, as its clients know it."""

    def __init__(self, access: Access, door: Door, queries: Queries, port: int, client: ClientSession) -> None:
        self.access, self.door, self.queries = access, door, queries
        self.port, self.client = port, client
        self.origin = f"http://127.0.0.1:{port}"
        self.logs: list[EventDict] = []
        self.stop: Callable[[], Awaitable[None]]

    async def key(self, *scopes: Scope, name: str = "k") -> dict[str, str]:
        """Headers with a new key."""
        return {"X-ClaWatch-Key": await self.access.create_key(name, scopes or [Scope.ADMIN], ["*"], name, None)}

    async def cookie(self) -> dict[str, str]:
        """Headers with a login cookie."""
        code = (await self.access.issue_login(60_000)).partition("#")[2]
        return {"Cookie": f"{self.access.cookie_name}={await self.access.redeem_login(code)}"}

    async def ask(self, method: str, path: str, **options: Any) -> ClientResponse:
        answer = await self.client.request(method, self.origin + path, allow_redirects=False, **options)
        await answer.read()
        return answer

    async def raw(self, request: bytes, hang_up: bool = False) -> bytes:
        """What the server answers to these very bytes, until it closes (or we stop talking)."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(request)
        if hang_up:
            writer.write_eof()
        async with asyncio.timeout(10):
            answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer


MakeSite = Callable[..., Awaitable[Site]]


@pytest.fixture
async def site_with(clock: FakeClock) -> AsyncIterator[MakeSite]:
    """Starts a server: ``await site_with(web=WebSettings(…), loopback=(…), …)``."""
    async with AsyncExitStack() as everything:

        async def make(
            web: WebSettings | None = None, apis: Sequence[tuple[str, Api]] | None = None,
            sock: socket.socket | None = None, counters: Counters | None = None, pulse: Pulse | None = None,
            **settings: Any,
        ) -> Site:
            access = Access(MemoryStore(), AccessSettings(**{"port": 0} | settings), clock)
            await access.open()
            door, queries = Door(), Queries()
            door.access = access
            logs: list[EventDict] = []

            def keep(logger: Any, method: str, event: EventDict) -> EventDict:
                logs.append(event | {"level": method})
                raise structlog.DropEvent

            log = structlog.wrap_logger(
                CapturingLogger(), processors=[structlog.processors.format_exc_info, keep],
                wrapper_class=structlog.make_filtering_bound_logger("info"),
            )
            client = await everything.enter_async_context(ClientSession(cookie_jar=DummyCookieJar()))
            stack = await everything.enter_async_context(AsyncExitStack())
            _, port = await stack.enter_async_context(
                serve(
                    apis or door.apis(), access, queries,  # type: ignore[arg-type]
                    web or WebSettings(), clock, log, sock, counters, pulse,
                )
            )
            site = Site(access, door, queries, port, client)
            site.logs, site.stop = logs, stack.aclose
            return site

        yield make


@pytest.fixture
async def site(site_with: MakeSite) -> Site:
    return await site_with()
