"""Many WebSocket clients in one process, each costing as little as it can: they take frames and say when."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast
from urllib.parse import urlsplit

Heard = Callable[[bytes, float], None]
"""A text frame's payload, and when it was there (``time.perf_counter``)."""

_AT_ONCE = 100
"""Handshakes under way at a time."""


class Listener(asyncio.Protocol):
    """One client (RFC 6455): never sends anything but its handshake and pongs."""

    def __init__(self, request: bytes, heard: Heard) -> None:
        self._request = request
        self._heard = heard
        self._buffer = b""
        self.frames = 0
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's does not inherit from it
        self.transport.write(self._request)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_exception(ConnectionError("closed in the handshake"))

    def data_received(self, data: bytes) -> None:
        at = time.perf_counter()
        self._buffer = self._buffer + data if self._buffer else data
        if not self.opened.done():
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            if not self._buffer.startswith(b"HTTP/1.1 101"):
                self.opened.set_exception(ConnectionError(self._buffer[:end].decode()))
                return
            self._buffer = self._buffer[end + 4 :]
            self.opened.set_result(None)
        self._take_frames(at)

    def _take_frames(self, at: float) -> None:
        buffer, start, end = self._buffer, 0, len(self._buffer)
        while end - start >= 2:
            size, begin = buffer[start + 1], start + 2
            if size > 125:
                width = 2 if size == 126 else 8
                begin += width
                if end < begin:
                    break
                size = int.from_bytes(buffer[begin - width : begin], "big")
            if end < begin + size:
                break
            self._take(buffer[start] & 15, buffer[begin : begin + size], at)
            start = begin + size
        self._buffer = buffer[start:]

    def _take(self, opcode: int, payload: bytes, at: float) -> None:
        if opcode == 1:
            self.frames += 1
            self._heard(payload, at)
        elif opcode == 9 and self.transport is not None:
            # A mask of zeros leaves the payload as it is.
            self.transport.write(bytes((0x8A, 0x80 | len(payload), 0, 0, 0, 0)) + payload)


@asynccontextmanager
async def listening(url: str, path: str, count: int, heard: Heard) -> AsyncIterator[list[Listener]]:
    """``count`` clients of one WebSocket route, all open. Raises ConnectionError when one is refused."""
    address = urlsplit(url)
    request = (
        f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()
    loop = asyncio.get_running_loop()
    listeners: list[Listener] = []
    try:
        while len(listeners) < count:
            batch = [
                (await loop.create_connection(lambda: Listener(request, heard), address.hostname, address.port))[1]
                for _ in range(min(_AT_ONCE, count - len(listeners)))
            ]
            listeners += batch
            await asyncio.gather(*(one.opened for one in batch))
        yield listeners
    finally:
        for listener in listeners:
            if listener.transport is not None:
                listener.transport.close()
        await asyncio.sleep(0)
