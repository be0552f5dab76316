"""The way out of a WebSocket: straight to the connection while it takes what comes, else through a bounded queue."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

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
    """Costs next to nothing until a reader is slow: only then is there a queue, and a task that empties it."""

    __slots__ = ("_flushing", "_lost", "_queue", "_queued", "_size", "_transport", "_ws", "frames", "sent")

    def __init__(
        self, ws: web.WebSocketResponse, transport: asyncio.Transport | None, frames: int, size: int,
        lost: Callable[[], None],
    ) -> None:
        self.sent = 0
        self._ws = ws
        self._transport = transport
        self.frames = frames
        """How many may wait for a slow reader; may be changed at any time."""
        self._size = size
        self._lost = lost
        """Called when the connection turns out to be gone."""
        self._queue: deque[Frame] | None = None
        self._queued = 0
        self._flushing: asyncio.Task[None] | None = None

    def put(self, frame: Frame) -> bool:
        """Send or queue a frame; False, and nothing is done, when the queue is full.

        Writing at once spares every client of a fan-out a switch to its own task and back.
        """
        if self._queue is None:
            if self._has_room():
                self._write(frame)
                return True
            self._queue = deque()
        cost = len(frame.wire) + FRAME_COST
        if len(self._queue) >= self.frames or self._queued + cost > self._size:
            return False
        self._queue.append(frame)
        self._queued += cost
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush(self._queue))
        return True

    async def finish(self, drop: bool, within: float) -> None:
        """Send what is queued, for so many seconds at most, or drop it."""
        if self._flushing is None:
            return
        if drop and self._queue is not None:
            self._queue.clear()
        flushing = self._flushing
        await asyncio.wait([flushing], timeout=within)
        flushing.cancel()
        await asyncio.gather(flushing, return_exceptions=True)

    async def _flush(self, queue: deque[Frame]) -> None:
        try:
            while queue:
                frame = queue.popleft()
                self._queued -= len(frame.wire) + FRAME_COST
                await self._ws.send_frame(frame.payload, frame.opcode)
                self.sent += 1
        except ConnectionError:
            self._lost()
        finally:
            self._queue, self._queued, self._flushing = None, 0, None

    def _has_room(self) -> bool:
        transport = self._transport
        return transport is not None and transport.get_write_buffer_size() < ROOM

    def _write(self, frame: Frame) -> None:
        assert self._transport is not None
        if not self._transport.is_closing():  # who reads the connection notices that it is gone
            self._transport.write(frame.wire)
            self.sent += 1
