"""The way out of a WebSocket: straight to the connection while it takes what comes, else through a bounded queue."""

from __future__ import annotations

import asyncio
from collections import deque

from aiohttp import WSMsgType, web
from msgspec import Struct

FRAME_COST = 256
"""What a queued frame costs beside its bytes; many empty ones are not free."""
ROOM = 64 * 1024
"""Bytes that a connection may have waiting in its transport before frames are queued here."""
_FINAL = 0x80


class Frame(Struct, frozen=True):
    """A message as it goes over the wire, made once for all who get it."""

    wire: bytes
    """With its header: final, not masked, not compressed (RFC 6455 §5.2)."""
    opcode: WSMsgType
    starts_at: int
    """Where the payload starts."""

    @property
    def payload(self) -> bytes:
        return self.wire[self.starts_at :]


def frame_of(encoded: str | bytes) -> Frame:
    """What a codec has encoded, ready to be sent any number of times."""
    payload = encoded.encode() if isinstance(encoded, str) else encoded
    opcode = WSMsgType.TEXT if isinstance(encoded, str) else WSMsgType.BINARY
    size = len(payload)
    if size < 126:
        head = bytes((_FINAL | opcode, size))
    elif size < 65_536:
        head = bytes((_FINAL | opcode, 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((_FINAL | opcode, 127)) + size.to_bytes(8, "big")
    return Frame(head + payload, opcode, len(head))


class Outbound:
    def __init__(
        self, ws: web.WebSocketResponse, transport: asyncio.Transport | None, frames: int, size: int
    ) -> None:
        self.sent = 0
        self._ws = ws
        self._transport = transport
        self.frames = frames
        """How many may wait for a slow reader; may be changed at any time."""
        self._size = size
        self._queue: deque[Frame] = deque()
        self._queued = 0
        self._wake = asyncio.Event()
        self._is_busy = False
        self._is_finished = False

    def put(self, frame: Frame) -> bool:
        """Send or queue a frame; False, and nothing is done, when the queue is full.

        Writing at once spares every client of a fan-out a switch to its own task and back.
        """
        if not self._is_busy and self._has_room():
            self._write(frame)
            return True
        cost = len(frame.wire) + FRAME_COST
        if len(self._queue) >= self.frames or self._queued + cost > self._size:
            return False
        self._queue.append(frame)
        self._queued += cost
        self._is_busy = True
        self._wake.set()
        return True

    def finish(self, drop: bool) -> None:
        """End ``run`` once the queue is empty, or at once, dropping it."""
        if drop:
            self._queue.clear()
        self._is_finished = True
        self._wake.set()

    async def run(self) -> None:
        """Send what is queued until finished. Raises ConnectionError when the connection is gone."""
        while self._queue or not self._is_finished:
            await self._wake.wait()
            while self._queue:
                frame = self._queue.popleft()
                self._queued -= len(frame.wire) + FRAME_COST
                await self._ws.send_frame(frame.payload, frame.opcode)
                self.sent += 1
            self._is_busy = False
            if not self._is_finished:
                self._wake.clear()

    def _has_room(self) -> bool:
        transport = self._transport
        return transport is not None and transport.get_write_buffer_size() < ROOM

    def _write(self, frame: Frame) -> None:
        assert self._transport is not None
        if not self._transport.is_closing():  # who reads the connection notices that it is gone
            self._transport.write(frame.wire)
            self.sent += 1
