"""The web server: one aiohttp application that serves every door."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aiohttp import HttpVersion11, web
from structlog.typing import FilteringBoundLogger

from clawatch.access import Access
from clawatch.apis.openapi import APIS
from clawatch.apis.routes import Api
from clawatch.apis.socket_metrics import METRICS, SocketMetrics
from clawatch.apis.sockets import SESSIONS, Endable, close_sessions
from clawatch.domain.metrics import Metrics
from clawatch.ports import ClaWatchError, Clock, QueriesPort
from clawatch.pulse import Pulse
from clawatch.web.connections import Connection, listen
from clawatch.web.counters import Counters
from clawatch.web.gate import Gate, WebSettings
from clawatch.web.health import Health
from clawatch.web.intake import Intake
from clawatch.web.login import Login

SHUTDOWN_WITHIN = 3.0
"""Seconds that requests under way get to finish."""

__all__ = ["WebSettings", "serve"]


@asynccontextmanager
async def serve(
    apis: Sequence[tuple[str, Api]],
    access: Access,
    queries: QueriesPort,
    settings: WebSettings,
    clock: Clock,
    log: FilteringBoundLogger,
    sock: socket.socket | None = None,
    counters: Counters | None = None,
    pulse: Pulse | None = None,
    metrics: Metrics | None = None,
) -> AsyncIterator[tuple[str, int]]:
    """Serve until the block ends; gives the address and port that we listen on.

    ``counters`` and ``metrics`` are counted up while it runs; ``pulse`` says whether we live. A listening ``sock``
    given here is left open at the end: over a reload, clients wait in its backlog.
    Raises ClaWatchError when the address cannot be had or two doors want the same route.
    """
    sock = sock.dup() if sock is not None else listen(access.settings.host, access.settings.port)
    socks = [sock]
    try:
        host, port = sock.getsockname()[:2]
        socks += [listen(also.host, also.port, also.setting) for _, api in apis for also in api.also_on]
        access.bound(port)
        counters, metrics = counters or Counters(), metrics or Metrics()
        everything = _with_own(apis, access, Health(queries, clock, pulse))
        app = build(everything, access, settings, clock, log, counters, metrics)
        runner = web.AppRunner(app, shutdown_timeout=SHUTDOWN_WITHIN)
        await runner.setup()
        manager = runner.server
        assert manager is not None
        intake = Intake(settings.connections, counters, log)
        loop = asyncio.get_running_loop()
        listening = [
            await loop.create_server(lambda: Connection(manager, intake, access.place.is_proxy, log), sock=one)
            for one in socks
        ]
    except BaseException:
        for one in socks:
            one.close()
        raise
    sweeping = asyncio.create_task(intake.run(), name="web intake")
    try:
        yield host, port
    finally:
        sweeping.cancel()
        for server in listening:
            server.close()
        await close_sessions(app)
        await runner.cleanup()


def build(
    apis: Sequence[tuple[str, Api]], access: Access, settings: WebSettings, clock: Clock, log: FilteringBoundLogger,
    counters: Counters | None = None, metrics: Metrics | None = None,
) -> web.Application:
    metrics = metrics or Metrics()
    gate = Gate(apis, access, settings, clock, log, counters, metrics)
    app = web.Application(middlewares=[gate.middleware])
    sessions: set[Endable] = set()
    app[SESSIONS], app[METRICS], app[APIS] = sessions, SocketMetrics(metrics), apis
    app[METRICS].watch(sessions)
    app.on_response_prepare.append(gate.add_headers)
    owners: dict[tuple[str, str], str] = {}
    for name, api in apis:
        for route in api.routes:
            owner = owners.setdefault((route.method, route.path), name)
            if owner != name:
                raise ClaWatchError(f"the apis {owner} and {name} both serve {route.method} {route.path}")
            handler = gate.door(name, api, route)
            if route.method == "GET" and not route.is_socket:
                app.router.add_get(route.path, handler, expect_handler=say_continue)  # and HEAD
            else:
                app.router.add_route(route.method, route.path, handler, expect_handler=say_continue)
    return app


async def say_continue(request: web.Request) -> None:
    """Answer ``Expect: 100-continue``. Other expectations are passed over, as RFC 9110 §10.1.1 allows."""
    if request.version >= HttpVersion11 and request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the answer itself has not begun


def _with_own(
    apis: Sequence[tuple[str, Api]], access: Access, health: Health
) -> list[tuple[str, Api]]:
    """The doors, and what the server serves by itself."""
    has_start_page = any(route.path == "/" for _, api in apis for route in api.routes)
    return [
        *apis,
        ("login", Login(access).api(has_start_page)),
        ("health", health.api()),
    ]
