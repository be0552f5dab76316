"""The life of a WebSocket, the same for every door.

A connection is accepted first and judged then, because a refused handshake shows clients a useless 1006:
limits by address, who it is (at once, or by a first frame in time), limits by user, then the door's
handler. Whatever ends it, it ends with a close code of the door's own.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Protocol

from aiohttp import web

from clawatch.apis.envelopes import Refused
from clawatch.apis.routes import Problem
from clawatch.apis.sessions import LOST, Session
from clawatch.apis.socket_limits import Closing, Codec, SocketLimits
from clawatch.apis.socket_metrics import METRICS
from clawatch.domain.access import Principal
from clawatch.ports import ClaWatchError

__all__ = ["SESSIONS", "Session", "close_sessions", "serve_socket"]

Authenticate = Callable[[web.Request, str | None], Awaitable[Principal | None]]
"""``AccessPort.identify``, or a door's own. The secret is that of the first frame, where there is one."""
Handler = Callable[[Session], Awaitable[None]]

DONE = Closing(1000)
SHUTDOWN = Closing(1001, "going away")
FAILED = Closing(1011, "internal error")
CLOSE_WITHIN = 2.0
"""Seconds that a closing connection gets to take its last frames, and again to answer the close."""
LINGER = 20.0
"""Seconds after which a connection that did neither is cut."""


class Endable(Protocol):
    """What a shutdown ends, and then waits for."""

    @property
    def gone(self) -> asyncio.Event: ...

    def end(self, closing: Closing) -> None: ...


SESSIONS: web.AppKey[set[Endable]] = web.AppKey("sessions", set)
"""Every open session of an application, so that a shutdown can close them."""


async def serve_socket(
    request: web.Request, limits: SocketLimits, codec: Codec, authenticate: Authenticate, handler: Handler
) -> web.WebSocketResponse:
    """Serve one WebSocket request from acceptance to close.

    ``limits`` is the door's own, made once: its counters live in it. ``handler`` is called when the client is
    authenticated (``session.principal``) and admitted. When it returns the session closes with 1000, when it
    raises with 1011; when the session ends otherwise, the handler is cancelled. It must iterate the session:
    that is how a close by the client is noticed.
    """
    ws = web.WebSocketResponse(
        timeout=CLOSE_WITHIN, autoping=False, heartbeat=limits.ping_every, compress=False,
        max_msg_size=limits.max_frame + 1,  # aiohttp refuses what reaches its limit
    )
    await ws.prepare(request)
    session = Session(ws, request, limits, codec)
    sessions = request.app.get(SESSIONS, set())
    counted = request.app.get(METRICS)
    limits.counters.open_for(session)
    sessions.add(session)
    if counted is not None:
        counted.opened(session)
        session.on_refused = counted.refused
    try:
        await _Life(session, authenticate, handler).run()
    finally:
        sessions.discard(session)
        limits.counters.close_for(session)
        session.leave()
        if counted is not None:
            counted.ended(session, _reason(session))
    return ws


def _reason(session: Session) -> str:
    """Why it has ended, in a word."""
    limits = session.limits
    reasons = {
        DONE: "done", SHUTDOWN: "shutdown", LOST: "lost", FAILED: "failed", limits.slow: "too_slow",
        limits.idle: "idle", limits.unauthenticated: "unauthenticated", limits.crowded: "crowded",
    }
    return "failed" if session.closing is None else reasons.get(session.closing, "by_client")


async def close_sessions(app: web.Application) -> None:
    """Close every session with 1001 and wait until they are gone, for a shutdown."""
    sessions = list(app.get(SESSIONS, ()))
    for session in sessions:
        session.end(SHUTDOWN)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(2 * CLOSE_WITHIN):
            await asyncio.gather(*(session.gone.wait() for session in sessions))


class _Life:
    """One session from acceptance to the last byte."""

    __slots__ = ("_handler", "_identify", "_limits", "_session")

    def __init__(self, session: Session, authenticate: Authenticate, handler: Handler) -> None:
        self._session = session
        self._limits = session.limits
        self._identify = authenticate
        self._handler = handler

    async def run(self) -> None:
        """Until the handler is done or somebody has ended the session, all in the one task of the request.

        Raises what the handler raised, after closing.
        """
        session = self._session
        try:
            with self._limits.counters.admit(session.request, self._limits):
                async with asyncio.timeout(None) as ending:
                    session.on_end = partial(_expire, ending)
                    try:
                        await self._serve()
                    finally:
                        session.on_end = None
        except Refused as refusal:
            self._refuse_and_end(refusal.problem)
        except ConnectionError:
            session.end(LOST)
        except Exception:
            if session.closing is None:
                session.end(FAILED)
                raise
        except BaseException:
            session.end(FAILED)
            raise
        finally:
            await asyncio.shield(self._finish())

    async def _serve(self) -> None:
        secret = await self._authenticate()
        with self._limits.counters.admit_user(self._session.principal, self._limits):
            watch = _Watch(self._session, lambda: self._identify(self._session.request, secret))
            try:
                await self._handler(self._session)
            finally:
                watch.stop()
            self._session.end(DONE)

    async def _authenticate(self) -> str | None:
        """Settle who it is; the secret of the first frame, if it came so."""
        request, token, secret = self._session.request, self._session.codec.token, None
        try:
            principal = await self._identify(request, None)
            if principal is None and token is not None and not _has_credentials(request):
                secret = await self._first_secret(token)
                principal = await self._identify(request, secret)
        except ClaWatchError as error:
            raise _unauthenticated(str(error)) from None
        if principal is None:
            raise _unauthenticated("Invalid or missing API key")
        self._session.admit(principal)
        return secret

    async def _first_secret(self, token: Callable[[Any], str | None]) -> str:
        limits, within = self._limits, self._limits.auth_within
        try:
            with limits.counters.asking(self._session, limits):
                async with asyncio.timeout(within):
                    return await self._hear_secret(token)
        except TimeoutError:
            raise _unauthenticated(f"no authentication within {within:g} s") from None

    async def _hear_secret(self, token: Callable[[Any], str | None]) -> str:
        async for message in self._session:
            secret = token(message)
            if secret:
                return secret
            raise _unauthenticated("authenticate first")
        raise ConnectionResetError

    def _refuse_and_end(self, problem: Problem) -> None:
        self._session.refuse(problem)
        self._session.end(self._limits.closing_for(problem))

    async def _finish(self) -> None:
        """Flush what was sent, say why, and cut what does not answer."""
        session = self._session
        closing = session.closing or FAILED
        await session.out.finish(closing is self._limits.slow, CLOSE_WITHIN)
        transport = session.request.transport
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(CLOSE_WITHIN):
                await session.ws.close(code=closing.sendable, message=closing.reason.encode()[:120], drain=False)
        if transport is not None:
            transport.close()
            if transport.get_write_buffer_size():
                asyncio.get_running_loop().call_later(LINGER, transport.abort)


def _expire(timeout: asyncio.Timeout) -> None:
    """End its block at the next chance."""
    timeout.reschedule(asyncio.get_running_loop().time())


class _Watch:
    """Ends a session when its client has been silent too long, or its key is no longer good.

    A timer rather than a task: most connections are idle, and there may be thousands.
    """

    __slots__ = ("_checking", "_identify", "_session", "_timer")

    def __init__(self, session: Session, identify: Callable[[], Awaitable[Principal | None]]) -> None:
        self._session = session
        self._identify = identify
        self._checking: asyncio.Task[None] | None = None
        self._timer = self._set()

    def stop(self) -> None:
        self._timer.cancel()
        if self._checking is not None:
            self._checking.cancel()

    def _set(self) -> asyncio.TimerHandle:
        wait = min(max(-self._silence(), 0.0), self._session.limits.recheck_every)
        return asyncio.get_running_loop().call_later(wait, self._look)

    def _look(self) -> None:
        if self._silence() >= 0:
            self._session.end(self._session.limits.idle)
        elif self._session.closing is None:
            self._checking = asyncio.create_task(self._check())

    async def _check(self) -> None:
        try:
            is_good = await self._identify() is not None
        except ClaWatchError:
            is_good = False
        except Exception:
            self._session.end(FAILED)
            raise
        self._checking = None
        if is_good:
            self._timer = self._set()
        else:
            problem = _unauthenticated("the key or token is no longer valid").problem
            self._session.refuse(problem)
            self._session.end(self._session.limits.closing_for(problem))

    def _silence(self) -> float:
        """Seconds since the client should have said something; negative while it still has time."""
        idle = self._session.limits.idle_after
        if idle is None:
            return -self._session.limits.recheck_every
        return asyncio.get_running_loop().time() - self._session.heard_at - idle


def _unauthenticated(message: str) -> Refused:
    return Refused(401, message, "unauthenticated")


def _has_credentials(request: web.Request) -> bool:
    """Whether a secret came with the handshake: then it was wrong, and no first frame will mend that."""
    return "X-ClaWatch-Key" in request.headers or "Authorization" in request.headers or "token" in request.query
