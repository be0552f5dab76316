"""A WebSocket connection as a door's handler sees it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from aiohttp import WSMessage, WSMsgType, web

from clawatch.apis.envelopes import problem_of
from clawatch.apis.limits import Buckets
from clawatch.apis.outbound import Frame, Outbound, frame_of
from clawatch.apis.routes import ANYONE, Problem
from clawatch.apis.socket_limits import Closing, Codec, SocketLimits
from clawatch.domain.access import Principal
from clawatch.domain.time import Millis
from clawatch.ports import ClaWatchError

LOST = Closing(1006, "connection lost")


class Session:
    """One connection. ``send`` never waits; iterating yields decoded messages until the connection ends."""

    __slots__ = (
        "_gone", "_is_gone", "_rate", "closing", "codec", "heard_at", "limits", "on_end", "on_refused", "opened_at",
        "out", "principal", "received", "request", "ws",
    )

    def __init__(self, ws: web.WebSocketResponse, request: web.Request, limits: SocketLimits, codec: Codec) -> None:
        self.request = request
        self.principal: Principal = ANYONE
        self.limits = limits
        self.opened_at = mono()
        self.received = 0
        """Messages that came in."""
        self.closing: Closing | None = None
        """Why it ends, once that is decided."""
        self.on_end: Callable[[], None] | None = None
        """Called when ``closing`` is set."""
        self._gone: asyncio.Event | None = None
        self._is_gone = False
        self.heard_at = asyncio.get_running_loop().time()
        """When the client last sent something, on the loop's clock."""
        self.on_refused: Callable[[Session, str], None] = lambda session, code: None
        """Called with the code of each refusal."""
        self.codec = codec
        self.ws = ws
        self.out = Outbound(ws, request.transport, limits.queue_frames, limits.queue_bytes, self._lose)
        self._rate = None if limits.messages is None else Buckets(limits.messages, capacity=1)

    @property
    def age(self) -> float:
        """Seconds since it was opened."""
        return (mono() - self.opened_at) / 1000

    @property
    def sent(self) -> int:
        """Frames that went out."""
        return self.out.sent

    @property
    def gone(self) -> asyncio.Event:
        """Set when the last byte was sent or given up."""
        if self._gone is None:
            self._gone = asyncio.Event()
            if self._is_gone:
                self._gone.set()
        return self._gone

    def leave(self) -> None:
        self._is_gone = True
        if self._gone is not None:
            self._gone.set()

    def admit(self, principal: Principal) -> None:
        """Who it is has been settled; a message that said so does not count as one of theirs."""
        self.principal = principal
        self._rate = None if self.limits.messages is None else Buckets(self.limits.messages, capacity=1)

    def send(self, message: Any) -> None:
        self.send_frame(self.codec.encode(message))

    def send_frame(self, frame: str | bytes | Frame) -> None:
        """Send what is encoded already, once for all who get it. A reader who is too slow is closed."""
        if self.closing is None and not self.out.put(frame if isinstance(frame, Frame) else frame_of(frame)):
            self.end(self.limits.slow)

    def refuse(self, problem: Problem) -> None:
        """Say a refusal in the door's words; the connection stays."""
        self.limits.counters.refused[problem.code or "invalid"] += 1
        self.on_refused(self, problem.code)
        message = self.codec.refuse(problem)
        if message is not None:
            self.send(message)

    def end(self, closing: Closing) -> None:
        """Close with this code once what was sent before has gone out. The first reason counts."""
        if self.closing is None:
            self.closing = closing
            if self.on_end is not None:
                self.on_end()

    def close(self, code: int = 1000, reason: str = "") -> None:
        self.end(Closing(code, reason))

    def _lose(self) -> None:
        self.end(LOST)

    async def __aiter__(self) -> AsyncIterator[Any]:
        """Messages as the codec decodes them. Malformed ones and those over the rate are refused and left out."""
        while (message := await self._receive()) is not None:
            if self._is_over_rate():
                continue
            try:
                decoded = self.codec.decode(message.data)
            except ClaWatchError as error:
                self.refuse(problem_of(error))
                continue
            yield decoded

    async def _receive(self) -> WSMessage | None:
        """The next data frame; None when the connection has ended. The client's pings count as activity."""
        while self.closing is None:
            message = await self.ws.receive()
            if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                self._hear()
                self.received += 1
                return message
            if message.type is WSMsgType.PING:
                self._hear()
                await self.ws.pong(message.data)
            elif message.type is not WSMsgType.PONG:
                self.end(Closing(self.ws.close_code or 1006, "closed by the client"))
        return None

    def _hear(self) -> None:
        self.heard_at = asyncio.get_running_loop().time()

    def _is_over_rate(self) -> bool:
        if self._rate is None:
            return False
        wait = self._rate.take("", mono())
        if wait:
            rate = self._rate.rate
            details = {"limit": rate.times, "period": rate.period / 1000, "retry_after": wait}
            self.refuse(Problem(429, "too many messages", "rate_limited", details))
        return wait > 0


def mono() -> Millis:
    """Monotonic milliseconds."""
    return int(asyncio.get_running_loop().time() * 1000)
