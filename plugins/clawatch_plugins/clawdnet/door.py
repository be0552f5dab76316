"""``/telemetry`` and below: the door as one value."""

from __future__ import annotations

from aiohttp import web

from clawatch.apis.fanout import Fanout
from clawatch.apis.routes import Api, Problem, Route
from clawatch.apis.sessions import Session
from clawatch.apis.socket_limits import Codec, SocketLimits, token_of_auth
from clawatch.apis.sockets import serve_socket
from clawatch.domain.access import Principal, Scope
from clawatch.domain.time import SECOND
from clawatch.ports import Core
from clawatch.settings import RateLimit
from clawatch_plugins.clawdnet.client import Client
from clawatch_plugins.clawdnet.history import History
from clawatch_plugins.clawdnet.refusals import envelope, refusal
from clawatch_plugins.clawdnet.settings import ClawdNetSettings
from clawatch_plugins.clawdnet.translation import Translation, UnderWay
from clawatch_plugins.clawdnet.wire import Frame

PATH = "/telemetry"
POLICY = 1008


class Door:
    def __init__(self, core: Core, settings: ClawdNetSettings) -> None:
        self._core = core
        self._limits = SocketLimits(per_user=5, messages=RateLimit(100, SECOND), idle_after=300.0)
        self._codec = Codec(refuse=lambda problem: refusal(problem, core.clock.now().wall), token=token_of_auth)
        self._under_way = UnderWay()
        self._fanout = Fanout(core, self._codec, lambda: Translation(core.queries, self._under_way))
        self._history = History(core, settings.rest)

    def api(self) -> Api:
        socket = Route("GET", PATH, self.open, Scope.READ, "The ClawdNet WebSocket", gives=Frame, is_socket=True)
        return Api(routes=(socket, *self._history.routes(f"{PATH}/metrics")), envelope=envelope, paths=(PATH,))

    async def open(self, request: web.Request, principal: Principal) -> web.WebSocketResponse:
        return await serve_socket(request, self._limits, self._codec, self._identify, self._serve)

    async def _identify(self, request: web.Request, secret: str | None) -> Principal | None:
        """Who it is says the first frame, whatever this machine or a cookie may be granted; or a header."""
        if secret is None and not _shows_key(request):
            return None
        return await self._core.access.identify(request, secret)

    async def _serve(self, session: Session) -> None:
        if not (session.principal.may(Scope.READ) or session.principal.may(Scope.INGEST)):
            said = f"the key {session.principal.name!r} has neither the scope read nor ingest"
            session.refuse(Problem(403, said, "forbidden"))
            session.close(POLICY, said)
            return
        client = Client(session, self._core, self._under_way)
        client.greet()
        async with self._fanout.joined(session, client.wants):
            async for message in session:
                await client.hear(message)


def _shows_key(request: web.Request) -> bool:
    return "X-ClaWatch-Key" in request.headers or "Authorization" in request.headers or "token" in request.query
