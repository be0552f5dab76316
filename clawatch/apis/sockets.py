"""The one WebSocket session that every door uses (design §12).

A connection is accepted first and judged then, because a refused handshake shows clients a useless 1006:
limits by address, who it is (at once, or by a first frame in time), limits by user, then the door's
handler. Whatever ends it, it ends with a close code of the door's own.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from aiohttp import WSMessage, WSMsgType, web

from clawatch.apis.envelopes import Refused, problem_of
from clawatch.apis.limits import Buckets
from clawatch.apis.outbound import Outbound
from clawatch.apis.routes import ANYONE, Problem
from clawatch.apis.socket_limits import Closing, Codec, SocketLimits
from clawatch.domain.access import Principal
from clawatch.ports import ClaWatchError

Authenticate = Callable[[web.Request, str | None], Awaitable[Principal | None]]
"""``AccessPort.identify``, or a door's own. The secret is that of the first frame, where there is one."""
SHUTDOWN = Closing(1001, "going away")
FAILED = Closing(1011, "internal error")
CLOSE_WITHIN = 2.0
"""Seconds that a closing connection gets to take its last frames, and again to answer the close."""
LINGER = 20.0
"""Seconds after which a connection that did neither is cut."""
SESSIONS: web.AppKey[set[Session]] = web.AppKey("sessions", set)
"""Every open session of an application, so that a shutdown can close them."""


class Session:
    """One connection. ``send`` never waits; iterating yields decoded messages until the connection ends."""

    def __init__(self, ws: web.WebSocketResponse, request: web.Request, limits: SocketLimits, codec: Codec) -> None:
        self.request = request
        self.principal: Principal = ANYONE
        self.limits = limits
        self.opened_at = _mono()
        self.received = 0
        """Messages that came in."""
        self.closing: Closing | None = None
        """Why it ends, once that is decided."""
        self._ws = ws
        self._codec = codec
        self._out = Outbound(ws, limits.queue_frames, limits.queue_bytes)
        self.gone = asyncio.Event()
        """Set when the last byte was sent or given up."""
        self._ended = asyncio.Event()
        self._heard = asyncio.get_running_loop().time()
        self._rate = None if limits.messages is None else Buckets(limits.messages, capacity=1)

    @property
    def sent(self) -> int:
        """Frames that went out."""
        return self._out.sent

    def send(self, message: Any) -> None:
        self.send_frame(self._codec.encode(message))

    def send_frame(self, frame: str | bytes) -> None:
        """Send what is encoded already, once for all who get it. A reader who is too slow is closed."""
        if self.closing is None and not self._out.put(frame):
            self.end(self.limits.slow)

    def refuse(self, problem: Problem) -> None:
        """Say a refusal in the door's words; the connection stays."""
        message = self._codec.refuse(problem)
        if message is not None:
            self.send(message)

    def end(self, closing: Closing) -> None:
        """Close with this code once what was sent before has gone out. The first reason counts."""
        if self.closing is None:
            self.closing = closing
            self._ended.set()

    def close(self, code: int = 1000, reason: str = "") -> None:
        self.end(Closing(code, reason))

    async def __aiter__(self) -> AsyncIterator[Any]:
        """Messages as the codec decodes them. Malformed ones and those over the rate are refused and left out."""
        while (message := await self._receive()) is not None:
            if self._is_over_rate():
                continue
            try:
                decoded = self._codec.decode(message.data)
            except ClaWatchError as error:
                self.refuse(problem_of(error))
                continue
            yield decoded

    async def _receive(self) -> WSMessage | None:
        """The next data frame; None when the connection has ended. The client's pings count as activity."""
        while self.closing is None:
            message = await self._ws.receive()
            if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                self._touch()
                self.received += 1
                return message
            if message.type is WSMsgType.PING:
                self._touch()
                await self._ws.pong(message.data)
            elif message.type is not WSMsgType.PONG:
                self.end(Closing(self._ws.close_code or 1006, "closed by the client"))
        return None

    def _touch(self) -> None:
        self._heard = asyncio.get_running_loop().time()

    def _is_over_rate(self) -> bool:
        if self._rate is None:
            return False
        wait = self._rate.take("", _mono())
        if wait:
            rate = self._rate.rate
            details = {"limit": rate.times, "period": rate.period / 1000, "retry_after": wait}
            self.refuse(Problem(429, "too many messages", "rate_limited", details))
        return wait > 0

    # -- its life, run by serve_socket ------------------------------------------------------------------

    async def run(self, authenticate: Authenticate, handler: Callable[[Session], Awaitable[None]]) -> None:
        """Everything from acceptance to the last byte. Raises what the handler raised, after closing."""
        writing = asyncio.create_task(self._out.run())
        try:
            with self.limits.counters.admit(self.request, self.limits):
                await self._until_ended(writing, asyncio.create_task(self._serve(authenticate, handler)))
        except Refused as refusal:
            self._refuse_and_end(refusal.problem)
        except ConnectionError:
            self.end(Closing(1006, "connection lost"))
        except BaseException:
            self.end(FAILED)
            raise
        finally:
            await asyncio.shield(self._finish(writing))

    async def _serve(self, authenticate: Authenticate, handler: Callable[[Session], Awaitable[None]]) -> None:
        secret = await self._authenticate(authenticate)
        with self.limits.counters.admit_user(self.principal, self.limits):
            async with _background(self._keep(authenticate, secret)):
                await handler(self)
            self.end(self.closing or Closing(1000))

    async def _authenticate(self, authenticate: Authenticate) -> str | None:
        """Settle who it is; the secret of the first frame, if it came so."""
        secret: str | None = None
        try:
            principal = await authenticate(self.request, None)
            if principal is None and self._codec.token is not None and not _has_credentials(self.request):
                secret = await self._first_secret(self._codec.token)
                principal = await authenticate(self.request, secret)
        except ClaWatchError as error:
            raise _unauthenticated(str(error)) from None
        if principal is None:
            raise _unauthenticated("Invalid or missing API key")
        self.principal = principal
        return secret

    async def _first_secret(self, token: Callable[[Any], str | None]) -> str:
        try:
            async with asyncio.timeout(self.limits.auth_within):
                async for message in self:
                    secret = token(message)
                    if secret:
                        return secret
                    raise _unauthenticated("authenticate first")
        except TimeoutError:
            raise _unauthenticated(f"no authentication within {self.limits.auth_within:g} s") from None
        raise ConnectionResetError

    async def _keep(self, authenticate: Authenticate, secret: str | None) -> None:
        """Close it when the client has been silent too long, or its key is no longer good."""
        loop = asyncio.get_running_loop()
        idle = self.limits.idle_after
        while self.closing is None:
            due = self._heard + idle if idle is not None else loop.time() + self.limits.recheck_every
            await asyncio.sleep(min(max(due - loop.time(), 0.0), self.limits.recheck_every))
            if idle is not None and loop.time() >= self._heard + idle:
                self.end(self.limits.idle)
            elif not await self._is_still_good(authenticate, secret):
                self._refuse_and_end(_unauthenticated("the key or token is no longer valid").problem)

    async def _is_still_good(self, authenticate: Authenticate, secret: str | None) -> bool:
        try:
            return await authenticate(self.request, secret) is not None
        except ClaWatchError:
            return False

    def _refuse_and_end(self, problem: Problem) -> None:
        self.refuse(problem)
        self.end(self.limits.closing_for(problem))

    async def _until_ended(self, writing: asyncio.Task[None], serving: asyncio.Task[None]) -> None:
        """Until the handler is done, somebody ended the session, or nothing can be sent any more."""
        ended = asyncio.create_task(self._ended.wait())
        try:
            await asyncio.wait([serving, ended, writing], return_when=asyncio.FIRST_COMPLETED)
            for task in (serving, writing):
                if task.done():
                    task.result()
        finally:
            await _cancel([serving, ended])

    async def _finish(self, writing: asyncio.Task[None]) -> None:
        """Flush what was sent, say why, and cut what does not answer."""
        closing = self.closing or FAILED
        self._out.finish(drop=closing is self.limits.slow)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_WITHIN):
                await asyncio.wait([writing])
        await _cancel([writing])
        transport = self.request.transport
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(CLOSE_WITHIN):
                await self._ws.close(code=_sendable(closing.code), message=closing.reason.encode()[:120], drain=False)
        if transport is not None:
            transport.close()
            if transport.get_write_buffer_size():
                asyncio.get_running_loop().call_later(LINGER, transport.abort)


async def serve_socket(
    request: web.Request,
    limits: SocketLimits,
    codec: Codec,
    authenticate: Authenticate,
    handler: Callable[[Session], Awaitable[None]],
) -> web.WebSocketResponse:
    """Serve one WebSocket request from acceptance to close.

    ``limits`` is the door's own, made once: its counters live in it. ``handler`` is called when the client is
    authenticated (``session.principal``) and admitted; when it returns the session closes with 1000, when it
    raises with 1011.
    """
    ws = web.WebSocketResponse(
        timeout=CLOSE_WITHIN, autoping=False, heartbeat=limits.ping_every, compress=False,
        max_msg_size=limits.max_frame + 1,  # aiohttp refuses what reaches its limit
    )
    await ws.prepare(request)
    session = Session(ws, request, limits, codec)
    sessions = request.app.get(SESSIONS, set())
    sessions.add(session)
    try:
        await session.run(authenticate, handler)
    finally:
        sessions.discard(session)
        session.gone.set()
    return ws


async def close_sessions(app: web.Application) -> None:
    """Close every session with 1001 and wait until they are gone, for a shutdown."""
    sessions = list(app.get(SESSIONS, ()))
    for session in sessions:
        session.end(SHUTDOWN)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(2 * CLOSE_WITHIN):
            await asyncio.gather(*(session.gone.wait() for session in sessions))


def _unauthenticated(message: str) -> Refused:
    return Refused(401, message, "unauthenticated")


def _has_credentials(request: web.Request) -> bool:
    """Whether a secret came with the handshake: then it was wrong, and no first frame will mend that."""
    return "X-ClaWatch-Key" in request.headers or "Authorization" in request.headers or "token" in request.query


def _sendable(code: int) -> int:
    """1005, 1006 and 1015 are never sent (RFC 6455 §7.4.1)."""
    return 1000 if code in (1005, 1006, 1015) else code


def _mono() -> int:
    return int(asyncio.get_running_loop().time() * 1000)


async def _cancel(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def _background(work: Any) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        await _cancel([task])
