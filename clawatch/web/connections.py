"""Connections: where what comes in is not yet a request."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from aiohttp import StreamReader, web
from structlog.typing import FilteringBoundLogger

from clawatch.apis.bodies import BodyCutError
from clawatch.apis.envelopes import clawatch_envelope
from clawatch.apis.limits import counted_address
from clawatch.apis.routes import Problem
from clawatch.ports import ClaWatchError
from clawatch.web.intake import Intake

BACKLOG = 1_024
KEEP_ALIVE = 75.0
"""Seconds between two requests of a connection, longer than the usual proxies' 60."""
LINGER = 5.0
"""Seconds to read on after an answer that came before the body's end, so that the client can see it."""


class Connection(web.RequestHandler):
    """aiohttp's connection, which neither inflates bodies nor writes what clients sent into the log.

    It tells the intake what is on its way in or out, and is closed by it when that takes too long.
    """

    __slots__ = ("_body", "_intake", "_is_proxy", "_log", "address")

    def __init__(
        self, server: web.Server, intake: Intake, is_proxy: Callable[[str], bool], log: FilteringBoundLogger
    ) -> None:
        super().__init__(
            server, loop=asyncio.get_running_loop(), auto_decompress=False,
            access_log=None,  # type: ignore[arg-type]  # the gate writes it, without query strings
            keepalive_timeout=KEEP_ALIVE, lingering_time=LINGER,
        )
        self._intake = intake
        self._is_proxy = is_proxy
        self._log = log
        self._body: StreamReader | None = None
        """The body that is still coming in."""
        self.address = ""
        """Whom it is counted for; empty for a trusted proxy."""

    # -- what comes in

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")
        address = peer[0] if isinstance(peer, tuple) else ""
        self.address = "" if self._is_proxy(address) else counted_address(address)
        self._intake.opened(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._intake.closed(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        requests = self._request_count
        super().data_received(data)
        if self._request_count != requests:
            self._take_head(self._messages[-1][1] if self._messages else None, len(data))
        elif self._body is not None:
            self._take_piece(len(data))
        elif data and not self._upgraded:
            self._take_part_of_head(len(data))

    def _take_head(self, body: StreamReader | None, size: int) -> None:
        """The head of one more request is complete, and perhaps a part of its body came with it."""
        if body is None or body.is_eof():
            self._body = None
            self._intake.finished(self)
        else:
            self._body = body
            self._intake.expect(self, is_body=True).received = size

    def _take_piece(self, size: int) -> None:
        assert self._body is not None
        arrival = self._intake.arrival(self)
        if self._body.is_eof():
            self._body = None
            self._intake.finished(self)
        elif arrival is not None:
            arrival.received += size

    def _take_part_of_head(self, size: int) -> None:
        arrival = self._intake.arrival(self) or self._intake.expect(self, is_body=False)
        arrival.received += size

    @property
    def is_held_up(self) -> bool:
        """Whether it is we who do not read: a handler takes its time, or requests queue before this one."""
        if self._reading_paused or self._buffer_paused:
            return True
        return self._body is None and (self._request_in_progress or bool(self._messages))

    @property
    def is_resting(self) -> bool:
        return not (self._request_in_progress or self._messages or self._upgraded or self._body is not None)

    # -- what goes out

    def pause_writing(self) -> None:
        super().pause_writing()
        self._intake.stalled(self)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._intake.flowing(self)

    @property
    def unsent(self) -> int:
        return 0 if self.transport is None else self.transport.get_write_buffer_size()

    # -- what is refused

    def refuse(self, problem: Problem) -> None:
        """Tell a client that has not finished, and close: by its handler, where it has one."""
        if self._body is not None:
            self._lingering_time = 0.0  # what else it sends is not worth waiting for
            self._body.set_exception(BodyCutError(problem))
            return
        arrival = self._intake.arrival(self)
        if self.transport is not None and arrival is not None and arrival.received:
            self.transport.write(_as_bytes(problem))
        self.force_close()

    def leave(self) -> None:
        self.force_close()

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """What is not even HTTP, and connections that broke off. Not with its message: that quotes the request."""
        if status == 400:
            self._intake.tell_malformed(type(exc).__name__)
        else:
            self._log.debug("http.cut", error=type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer is on its way already")
        message = "The request is not valid HTTP" if status == 400 else "Internal error"
        response = clawatch_envelope(Problem(status, message))
        response.force_close()
        return response

    def log_exception(self, *args: Any, **kw: Any) -> None:
        self._log.error("http.connection_failed", exc_info=kw.get("exc_info"))


def _as_bytes(problem: Problem) -> bytes:
    """An answer to what is not yet a request."""
    body = clawatch_envelope(problem).body
    assert isinstance(body, bytes)
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **problem.headers}
    status = f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}"
    lines = [status, *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode() + body


def listen(host: str, port: int, setting: str = "server.host or server.port") -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises ClaWatchError with one clear line, naming the setting."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        sock = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _deaf(host, port, error, setting) from None
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise _deaf(host, port, error, setting) from None
    return sock


def _deaf(host: str, port: int, error: OSError, setting: str) -> ClaWatchError:
    return ClaWatchError(f"cannot listen on {host}:{port}: {error.strerror or error}; set {setting}")
