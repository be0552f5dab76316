"""Connections: where what comes in is not yet a request.

Deadlines for heads and bodies and the caps on connections belong here, in ``Connection.connection_made``,
``data_received`` and ``connection_lost``.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from aiohttp import web
from structlog.typing import FilteringBoundLogger

from clawatch.apis.envelopes import clawatch_envelope
from clawatch.apis.routes import Problem
from clawatch.ports import ClaWatchError

BACKLOG = 1_024
KEEP_ALIVE = 75.0
"""Seconds between two requests of a connection, longer than the usual proxies' 60."""
LINGER = 5.0
"""Seconds to read on after an answer that came before the body's end, so that the client can see it."""


class Connection(web.RequestHandler):
    """aiohttp's connection, which neither inflates bodies nor writes what clients sent into the log."""

    __slots__ = ("_log",)

    def __init__(self, server: web.Server, log: FilteringBoundLogger) -> None:
        super().__init__(
            server, loop=asyncio.get_running_loop(), auto_decompress=False,
            access_log=None,  # type: ignore[arg-type]  # the gate writes it, without query strings
            keepalive_timeout=KEEP_ALIVE, lingering_time=LINGER,
        )
        self._log = log

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """What is not even HTTP, and connections that broke off. Not with its message: that quotes the request."""
        say = self._log.info if status == 400 else self._log.debug
        say("http.malformed" if status == 400 else "http.cut", error=type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer is on its way already")
        message = "The request is not valid HTTP" if status == 400 else "Internal error"
        response = clawatch_envelope(Problem(status, message))
        response.force_close()
        return response

    def log_exception(self, *args: Any, **kw: Any) -> None:
        self._log.error("http.connection_failed", exc_info=kw.get("exc_info"))


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises ClaWatchError with one clear line."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        sock = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _deaf(host, port, error) from None
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise _deaf(host, port, error) from None
    return sock


def _deaf(host: str, port: int, error: OSError) -> ClaWatchError:
    return ClaWatchError(f"cannot listen on {host}:{port}: {error.strerror or error}")
