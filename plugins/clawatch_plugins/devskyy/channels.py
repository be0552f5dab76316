"""The five channels: one WebSocket each, that tells and answers pings."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from clawatch.apis.fanout import Fanout, News
from clawatch.apis.routes import ANYONE, Param, Problem, Route
from clawatch.apis.sessions import Session
from clawatch.apis.socket_limits import Codec, SocketLimits, Totals
from clawatch.apis.sockets import serve_socket
from clawatch.domain.access import Principal, Scope
from clawatch.domain.time import Millis, iso
from clawatch.ports import Core
from clawatch_plugins.devskyy.origins import Listeners
from clawatch_plugins.devskyy.translation import CHANNELS, METRICS, Translation
from clawatch_plugins.devskyy.wire import ErrorMessage, Frame, Keepalive, Pong

Tell = Callable[[News], None]

NO_SUCH_CHANNEL = 4004
_LOOKS = 3
"""How often within the time of a keepalive connections are looked at."""


class Listener:
    """One connection: what it wants, and since when it has heard nothing."""

    __slots__ = ("_agent_type", "_channel", "_quiet_since", "_sent", "session")

    def __init__(self, session: Session, channel: str) -> None:
        self.session = session
        self._channel = channel
        self._agent_type: str | None = None
        self._sent = session.sent
        self._quiet_since = asyncio.get_running_loop().time()

    def wants(self, news: News) -> bool:
        if news.topic != self._channel:
            return False
        if self._agent_type is not None and not _is_about(news.message, self._agent_type):
            return False
        return news.topic == METRICS or self.session.principal.sees(news.agent_id)

    def subscribe(self, filters: Any) -> None:
        """``{"agent_type": ...}``; whatever else it says is passed over, as the contract has no more yet."""
        wanted = filters.get("agent_type") if isinstance(filters, dict) else None
        self._agent_type = wanted if isinstance(wanted, str) else None

    def is_quiet(self, now: float, seconds: float) -> bool:
        """Whether nothing has been sent for so long."""
        if self.session.sent != self._sent:
            self._sent, self._quiet_since = self.session.sent, now
        return now - self._quiet_since >= seconds


class Channels:
    def __init__(self, core: Core, listeners: Listeners, keepalive: Millis) -> None:
        self._core = core
        self._listeners = listeners
        self._keepalive = keepalive / 1000
        self._codec = Codec(refuse=self._refusal)
        self._limits = {channel: SocketLimits() for channel in CHANNELS}
        self._nowhere = SocketLimits()
        self._fanout = Fanout(core, self._codec, lambda: Translation(core))
        self._there: dict[Listener, None] = {}

    def routes(self) -> tuple[Route, ...]:
        token = Param("token", "query", description="A key, or a token from POST /api/auth/token; this machine's "
                                                    "programs may do without.")
        return tuple(
            Route(
                "GET", f"{path}/{{channel}}", self._open, Scope.READ,
                f"A DevSkyy channel: {', '.join(CHANNELS)}", gives=Frame, params=(token,), is_socket=True,
                is_for_pages=True,
            )
            for path in ("/api/ws", "/ws")
        )

    def tell(self, news: News) -> None:
        self._fanout.tell(news)

    def totals(self) -> dict[str, Totals]:
        """What there is and has been on each channel."""
        return {channel: limits.counters.totals() for channel, limits in self._limits.items()}

    async def keep_alive(self) -> None:
        """Tell who has heard nothing that the connection still stands."""
        while True:
            await asyncio.sleep(self._keepalive / _LOOKS)
            now = asyncio.get_running_loop().time()
            for listener in self._there:
                if listener.is_quiet(now, self._keepalive):
                    listener.session.send(Keepalive(timestamp=self._now()))

    def _open(self, request: web.Request, principal: Principal) -> Awaitable[web.WebSocketResponse]:
        channel = request.match_info["channel"]
        if channel not in self._limits:
            return serve_socket(request, self._nowhere, self._codec, _anybody, _turn_away)
        limits, identify = self._limits[channel], self._listeners.identify
        return serve_socket(request, limits, self._codec, identify, lambda session: self._serve(session, channel))

    async def _serve(self, session: Session, channel: str) -> None:
        listener = Listener(session, channel)
        self._there[listener] = None
        try:
            async with self._fanout.joined(session, listener.wants):
                async for message in session:
                    self._hear(listener, message)
        finally:
            del self._there[listener]

    def _hear(self, listener: Listener, message: Any) -> None:
        kind = message.get("type") if isinstance(message, dict) else None
        if kind == "ping":
            listener.session.send(Pong(timestamp=self._now()))
        elif kind == "subscribe":
            listener.subscribe(message.get("filters"))
        elif kind not in ("pong", "auth"):
            listener.session.refuse(Problem(400, "send a message of type ping or subscribe", "invalid"))

    def _refusal(self, problem: Problem) -> ErrorMessage:
        kind = "error" if problem.status == 401 else "warning"
        return ErrorMessage(error_type=kind, message=problem.message, timestamp=self._now())

    def _now(self) -> str:
        return iso(self._core.clock.now().wall)


def _is_about(message: Any, agent_type: str) -> bool:
    """Whether it is about agents of this type, or about no agent."""
    data = getattr(message, "data", None)
    return not isinstance(data, dict) or data.get("agent_type", agent_type) == agent_type


async def _anybody(request: web.Request, secret: str | None) -> Principal | None:
    return ANYONE


async def _turn_away(session: Session) -> None:
    session.close(NO_SUCH_CHANNEL, f"no such channel; there are {', '.join(CHANNELS)}")
