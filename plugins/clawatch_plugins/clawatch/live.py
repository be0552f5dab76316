"""``/ws``: the live stream."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import msgspec
from aiohttp import web

from clawatch.apis.envelopes import Refused
from clawatch.apis.routes import Problem, Route
from clawatch.apis.socket_limits import Codec, SocketLimits, token_of_auth
from clawatch.apis.sockets import Session, serve_socket
from clawatch.domain.access import Principal, Scope
from clawatch.domain.events import EventType
from clawatch.domain.time import iso
from clawatch.ports import Core, Invalid, NotFound
from clawatch_plugins.clawatch.asking import checked_texts, known_word
from clawatch_plugins.clawatch.frames import TOPICS, Frames
from clawatch_plugins.clawatch.replays import Replay
from clawatch_plugins.clawatch.shown import ShownAgents
from clawatch_plugins.clawatch.stream import Filter, Stream
from clawatch_plugins.clawatch.wire import Message, Pong, Signpost, Subscribe
from clawatch_plugins.clawatch.words import say

MAX_PATTERNS = 200
POLICY = 1008


class Live:
    def __init__(self, core: Core, shown: ShownAgents) -> None:
        self._core = core
        self._frames = Frames(core, shown)
        self._limits = SocketLimits()
        self._codec = Codec(token=token_of_auth)

    def routes(self) -> tuple[Route, ...]:
        return (
            Route(
                "GET", "/ws", self.open, Scope.READ, "The live stream",
                gives=Message, is_socket=True,
            ),
        )

    async def open(self, request: web.Request, principal: Principal) -> web.WebSocketResponse:
        return await serve_socket(request, self._limits, self._codec, self._core.access.identify, self._serve)

    async def _serve(self, session: Session) -> None:
        if not session.principal.may(Scope.READ):
            session.refuse(Problem(403, f"the key {session.principal.name!r} lacks the scope read", "forbidden"))
            session.close(POLICY, "lacks the scope read")
            return
        reader = Reader(self._core, self._frames, session)
        async with reader.streaming():
            async for message in session:
                await reader.hear(message)


class Reader:
    """A connected client: what it says, and the stream that it gets."""

    def __init__(self, core: Core, frames: Frames, session: Session) -> None:
        self._core = core
        self._session = session
        self._stream = Stream(core, frames, session, core.queries.cursor())
        self._task: asyncio.Task[None] | None = None
        self._hearers: dict[str, Callable[[Any], Awaitable[None]]] = {
            "subscribe": self._subscribe,
            "ping": self._pong,
            "auth": self._ignore,
        }

    @contextlib.asynccontextmanager
    async def streaming(self) -> Any:
        """From now on, everything the principal may read; until it subscribes to less."""
        self._start()
        try:
            yield
        finally:
            await self._stop()

    def _start(self, telling: Coroutine[Any, Any, None] | None = None) -> None:
        self._task = asyncio.create_task(telling or self._stream.run())
        self._task.add_done_callback(self._end_if_failed)

    async def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _end_if_failed(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._core.log.error("clawatch.stream_failed", exc_info=error)
            self._session.close(1011, "internal error")

    async def hear(self, message: Any) -> None:
        kind = message.get("type") if isinstance(message, dict) else None
        hearer = self._hearers.get(kind) if isinstance(kind, str) else None
        if hearer is None:
            self._session.refuse(Problem(400, "send a message of type subscribe or ping", "invalid"))
            return
        try:
            await hearer(message)
        except msgspec.ValidationError as error:
            self._session.refuse(Problem(400, say(error), "invalid"))
        except (Invalid, NotFound, Refused) as error:
            self._session.refuse(Problem(400, str(error), "invalid"))

    async def _subscribe(self, message: Any) -> None:
        wanted = msgspec.convert(message, Subscribe)
        chosen = _filter(wanted, self._session)
        if wanted.replay is not None:
            replay = await Replay.of(self._core, self._session, wanted.replay, chosen)
            await self._stop()
            self._start(replay.run())
            return
        is_known = wanted.cursor is None or await self._core.queries.after(wanted.cursor, 1) is not None
        await self._stop()  # where it stands is exact: the cursor moves with each entry told
        self._stream.filter = chosen
        if not is_known:
            self._stream.reset()
        elif wanted.cursor is not None:
            self._stream.cursor = wanted.cursor
        self._session.send(Signpost(type="subscribed", cursor=self._stream.cursor, timestamp=self._now()))
        self._start()

    async def _pong(self, message: Any) -> None:
        self._session.send(Pong(type="pong", timestamp=self._now()))

    async def _ignore(self, message: Any) -> None:
        """Who is authenticated already may say so again."""

    def _now(self) -> str:
        return iso(self._core.clock.now().wall)


def _filter(wanted: Subscribe, session: Session) -> Filter:
    """Raises Invalid for words that are not known. An empty list asks for everything."""
    if len(wanted.agents) > MAX_PATTERNS:
        raise Invalid(f"agents: at most {MAX_PATTERNS} patterns")
    checked_texts([("agents", pattern) for pattern in wanted.agents], most=200)
    return Filter(
        session,
        agents=tuple(wanted.agents),
        topics=frozenset(known_word("topics", topic, TOPICS) for topic in wanted.topics) or frozenset(TOPICS),
        types=frozenset(known_word("types", kind, EventType) for kind in wanted.types),
    )
